"""Sources that cannot be asked: kept with the source, and told once they fail again and again."""

from collections import defaultdict

from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from jobs.alerts import Subject, raise_alert, report_good
from knowledge.harvests import Gathered
from knowledge.models import Harvest, Source, Topic

SOURCE_FAILING = "knowledge.source_failing"


def note(gathered: Gathered) -> None:
    """Write down how each source and topic of a run did. A source has failed when nothing could be asked of it."""
    by_source: dict[Source, list[Harvest]] = defaultdict(list)
    by_topic: dict[Topic, list[Harvest]] = defaultdict(list)
    for harvest in gathered.harvests:
        by_source[harvest.source].append(harvest)
        if harvest.topic is not None:
            by_topic[harvest.topic].append(harvest)
    for source, ones in by_source.items():
        _note_source(source, ones)
    well = [topic.pk for topic, ones in by_topic.items() if not any(map(_has_failed, ones))]
    Topic.objects.filter(pk__in=well).update(updated_at=timezone.now())


def _note_source(source: Source, ones: list[Harvest]) -> None:
    problem = ones[-1].problem if all(map(_has_failed, ones)) else ""
    Source.objects.filter(pk=source.pk).update(problem=problem)
    if not problem:
        report_good(SOURCE_FAILING, f"source:{source.pk}", reason="It could be asked again.")
        return
    raise_alert(
        SOURCE_FAILING,
        subject=Subject(type="source", id=str(source.pk), text=source.name, link=_page_of(source)),
        title=f"{source} cannot be asked",
        message=problem,
    )


def _has_failed(harvest: Harvest) -> bool:
    return harvest.state == Harvest.State.FAILED


def _page_of(source: Source) -> str:
    try:
        return reverse("admin:knowledge_source_change", args=[source.pk])
    except NoReverseMatch:  # an installation whose admin does not have it
        return ""
