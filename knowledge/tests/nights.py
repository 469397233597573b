"""A world in which nightly updates run: eight topics, sources that stand-ins play, and papers for some nights."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from jobs.context import ActiveRun
from jobs.definitions import get_job
from knowledge.models import Source, Topic
from knowledge.tests.literature import Literature, Paper

TOPICS = (
    "diabetes mellitus", "hypertension", "heart disease", "cancer", "pneumonia", "COVID-19", "depression", "arthritis",
)  # fmt: skip
JOB = "knowledge.update_knowledge_base"


def today():
    """As the updates see it: their windows end now."""
    return datetime.now(UTC).date()


def paper(number: int, topic: str, **fields: object) -> Paper:
    """A paper on a topic, entered within the last days; every third is at arXiv, too."""
    given: dict[str, object] = {
        "title": f"What helps against {topic}, study number {number}",
        "abstract": (
            ("BACKGROUND", f"Many people have {topic}. Little is known of group {number}."),
            ("RESULTS", f"Treatment {number} helped {number + 3} of {number + 9} people with {topic}. "
             "Nobody was harmed by it, and most would take it again."),
            ("CONCLUSIONS", " ".join(f"Point {place} of study {number} is settled, and {topic} is better understood." for place in range(6))),
        ),
        "pmid": str(40_000_000 + number),
        "doi": f"10.1000/night.{number}",
        "arxiv_id": f"2611.{number:05}" if number % 3 == 0 else "",
        "authors": ((f"Author{number}", "Ada"),),
        "entered": today() - timedelta(days=number % 5),
        "published": today() - timedelta(days=number % 5),
        "revised": today() - timedelta(days=number % 5),
    }  # fmt: skip
    return Paper(**{**given, **fields})  # type: ignore[arg-type]  # fields of a paper


def fill(literature: Literature, per_topic: int = 6) -> None:
    """Papers on every topic; some are on two."""
    literature.today = today()
    for place, topic in enumerate(TOPICS):
        for number in range(per_topic):
            both = f"{topic} and {TOPICS[(place + 1) % len(TOPICS)]}" if number == 2 else topic
            literature.add(paper(place * 100 + number, both))


def set_up(*connectors: str, topics: tuple[str, ...] = TOPICS) -> None:
    """Topics, and a source for each connector."""
    names = {"pubmed": "PubMed", "europepmc": "Europe PMC", "arxiv": "arXiv", "feeds": "Guidelines"}
    for connector in connectors or ("pubmed", "europepmc", "arxiv"):
        Source.objects.create(name=names[connector], connector=connector)
    for topic in topics:
        Topic.objects.create(name=topic)


def new_run(attempt: int = 1, run_id=None, job: str = JOB) -> ActiveRun:
    """An attempt of a run of the job."""
    return ActiveRun(run_id or uuid4(), attempt=attempt, steps=get_job(job).steps)


def update(run: ActiveRun | None = None, **parameters):
    """One night."""
    return get_job(JOB)(run or new_run(), **parameters)
