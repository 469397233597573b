"""What knowledge adds to the world of the walk: a topic that found a paper, an answer that cites it, a query that it is judged for."""

from django.contrib.auth.models import User
from django.db import models

from jobs.models import JobRun
from knowledge import indexing
from knowledge.models import (
    Answer,
    Citation,
    Document,
    EmbeddingModel,
    Evaluation,
    Finding,
    Harvest,
    JudgedQuery,
    Judgement,
    KnowledgePolicy,
    Outcome,
    Paper,
    Passage,
    Question,
    ResearchJob,
    ServicePace,
    Source,
    Topic,
)

Made = dict[type[models.Model], models.Model]


def make_knowledge(run: JobRun, reader: User) -> Made:
    """One row of each kind. The question is the reader's; everything that a run brought in is of this one."""
    number = Paper.objects.count()
    # Nobody may ask there, so that it fails at once when somebody tries.
    source = Source.objects.create(
        name=f"Walked {number}", connector="feeds", addresses=["http://127.0.0.1:9/feed.xml"]
    )
    topic = Topic.objects.create(name=f"Walked {number}")
    research = ResearchJob.objects.create(name=f"Walked {number}", keywords=["walking"])
    research.sources.add(source)
    paper = _paper(number)
    harvest = Harvest.objects.create(run_id=run.pk, topic=topic, source=source, query={}, state="done")
    judged = JudgedQuery.objects.create(text=f"walking {number}", expected_terms=["walks"])
    return {
        Source: source,
        Topic: topic,
        ResearchJob: research,
        Paper: paper,
        Document: _document(number),
        Harvest: harvest,
        Outcome: Outcome.objects.create(harvest=harvest, paper=paper, source_id_there="1", result="new"),
        Finding: Finding.objects.create(paper=paper, topic=topic),
        **_answered(paper, reader),
        JudgedQuery: judged,
        Judgement: Judgement.objects.create(query=judged, paper=paper, grade=2),
        Evaluation: Evaluation.objects.create(run_id=run.pk, mode="hybrid", top_k=10, queries=1),
        KnowledgePolicy: KnowledgePolicy.current(),
        EmbeddingModel: EmbeddingModel.objects.create(name=f"walked:{number}", dimension=26),
        ServicePace: ServicePace.objects.create(service=f"walked-{number}"),
    }


def _paper(number: int) -> Paper:
    abstract = [{"label": "", "text": "Walking keeps people well. They walked every day."}]
    paper = Paper.objects.create(title="On walking", abstract=abstract, pmid=str(number + 1))
    indexing.index_papers([paper])
    return paper


def _document(number: int) -> Document:
    document = Document.objects.create(title="A walk", text="Walk every day.", sha256=f"walked-{number}")
    indexing.index_documents([document])
    return document


def _answered(paper: Paper, reader: User) -> Made:
    """A question of the reader, its answer and what that cites."""
    question = Question.objects.create(text="Is walking good?", asked_by_id=reader.pk)
    quote = "Walking keeps people well."
    sentences = [{"text": quote, "numbers": [1], "support": 1}]
    answer = Answer.objects.create(
        question=question, state="answered", writer="extractive", sentences=sentences
    )
    passage = Passage.objects.filter(part__paper=paper).first()
    cited = Citation.objects.create(
        answer=answer, number=1, passage=passage, paper=paper, title=paper.title, quote=quote
    )
    return {Question: question, Answer: answer, Citation: cited}
