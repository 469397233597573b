"""What people do with topics: make, change, preview, run. Admin and API call these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction
from django_celery_beat.models import PeriodicTask

from jobs import audit, schedules
from jobs.definitions import enqueue, get_job
from jobs.errors import IllegalState, InvalidSchedule
from jobs.models import JobRun
from jobs.schedules import Wish
from jobs.when import When
from knowledge import connectors, previews, timetables
from knowledge.connectors import Query
from knowledge.errors import InvalidTopic, QueryRejected, UnknownConnector
from knowledge.models import Source, Topic, TopicQuery
from knowledge.previews import QueryPreview

JOB = "knowledge.update_knowledge_base"

MOST_PAPERS_PER_TOPIC = 20
MOST_DAYS_BACK = 90


@dataclass(frozen=True)
class SourceQuery:
    """What a source shall be asked for a topic."""

    source: Source
    #: "": the topic's name.
    text: str = ""
    is_enabled: bool = True


def cron_of(topic: Topic) -> str:
    """When the topic is updated by a schedule of its own, as a cron expression; "" when it has none."""
    return timetables.cron_of(topic.schedule)


def next_run_at(topic: Topic, now: datetime) -> datetime | None:
    """When the topic is updated next by itself, by its own schedule or the nightly one; None when it is not."""
    if not topic.is_enabled:
        return None
    return schedules.next_slot_at(topic.schedule or nightly(), now)


def nightly() -> PeriodicTask | None:
    """The schedule that updates all topics without one of their own; None when nobody has brought it in yet."""
    return PeriodicTask.objects.select_related("policy").filter(name=JOB, task=JOB).first()


def asked_for(topic: Topic) -> list[SourceQuery]:
    """What each enabled source is asked for the topic, by name; sources that are not asked for it are left out."""
    said = {query.source_id: query for query in topic.queries.all()}
    found = []
    for source in Source.objects.enabled():
        query = said.get(source.pk)
        if query is None or query.is_enabled:
            found.append(SourceQuery(source, (query.text.strip() if query else "") or topic.name))
    return found


@transaction.atomic
def save(
    topic: Topic,
    changes: Mapping[str, Any],
    *,
    queries: Sequence[SourceQuery] | None = None,
    cron: str | None = None,
    by: AbstractBaseUser | None,
) -> Topic:
    """Make or change a topic. None leaves queries or schedule as they are; an empty `cron` ends its own schedule.

    `queries` are all there are: a source that is not named is asked for the topic's name. Raises InvalidTopic naming
    each field.
    """
    is_new = topic.pk is None
    if not is_new:
        topic = _locked(topic)
    for name, value in changes.items():
        setattr(topic, name, value)
    topic.name = " ".join(str(topic.name).split())
    _check(topic, queries)
    topic.save()
    if queries is not None:
        _put_queries(topic, queries)
    _put_schedule(topic, cron_of(topic) if cron is None else cron.strip(), by=by)
    action = audit.ADDITION if is_new else audit.CHANGE
    audit.record(by, topic, "Added." if is_new else "Changed.", action=action)
    return topic


def _check(topic: Topic, queries: Sequence[SourceQuery] | None) -> None:
    problems: dict[str, list[str]] = {}
    try:
        topic.full_clean(exclude=["schedule"])
    except ValidationError as error:
        problems |= error.message_dict
    # It is what sources without a query of their own are asked for; that they can make sense of it is theirs to say.
    if found := [problem for problem in map(_why_not, queries or []) if problem]:
        problems["queries"] = found
    named = [query.source for query in queries or []]
    if len(set(named)) < len(named):
        problems.setdefault("queries", []).append("A source is named twice.")
    if problems:
        raise InvalidTopic(problems)


def _why_not(query: SourceQuery) -> str:
    """Why the source cannot be asked this; "" if it can, as far as that can be seen without asking it."""
    if not query.text.strip():
        return ""
    try:
        connectors.get(query.source.connector).checked(Query(text=query.text))
    except (QueryRejected, UnknownConnector) as error:
        return f"{query.source}: {error}"
    return ""


def _put_queries(topic: Topic, queries: Sequence[SourceQuery]) -> None:
    topic.queries.exclude(source__in=[query.source for query in queries]).delete()
    for query in queries:
        said = {"text": query.text.strip(), "is_enabled": query.is_enabled}
        TopicQuery.objects.update_or_create(topic=topic, source=query.source, defaults=said)


def _put_schedule(topic: Topic, cron: str, *, by: AbstractBaseUser | None) -> None:
    row = topic.schedule
    if row is None and not cron:
        return
    try:
        if cron:
            topic.schedule = timetables.put(row, _wish(topic, cron), by=by)
        elif timetables.cron_of(row):
            topic.schedule = None
            topic.save(update_fields=["schedule"])
            timetables.delete(row, by=by)
    except InvalidSchedule as error:
        renamed = {"name": "name"}
        problems = {renamed.get(name, "cron"): why for name, why in error.fields.items()}
        raise InvalidTopic(problems) from error
    topic.save(update_fields=["schedule"])


def _wish(topic: Topic, cron: str) -> Wish:
    return Wish(
        name=f"Topic: {topic.name}"[:200],
        job=JOB,
        when=When(cron=cron),
        parameters={"topics": [topic.pk]},
        description=f"Looks for new papers about {topic.name}.",
        enabled=topic.is_enabled,
    )


def set_enabled(topic: Topic, is_enabled: bool, *, by: AbstractBaseUser | None) -> None:
    """Switch a topic on or off, and its own schedule with it; what is here stays."""
    with transaction.atomic():
        topic = _locked(topic)
        topic.is_enabled = is_enabled
        topic.save(update_fields=["is_enabled"])
        timetables.set_enabled(topic.schedule, is_enabled, by=by)
        audit.record(by, topic, "Enabled." if is_enabled else "Disabled.")


@transaction.atomic
def delete(topic: Topic, *, by: AbstractBaseUser | None) -> None:
    """Delete a topic with its history and its schedule; its papers stay, though cleaning may take them later."""
    row = topic.schedule
    audit.record(by, topic, "Deleted.", action=audit.DELETION)
    topic.delete()
    timetables.delete(row, by=by)


def preview(topic: Topic, source: Source | None = None) -> list[QueryPreview]:
    """What each source that is asked for the topic would find now, or that one. Takes 20 seconds at most.

    Never raises for a source that cannot be asked: its problem is part of the answer.
    """
    asked = [(one.source, one.text) for one in asked_for(topic) if source is None or one.source == source]
    return previews.preview(asked, days_back=topic.days_back)


@transaction.atomic
def run(
    topics: Sequence[Topic],
    *,
    papers_per_topic: int | None = None,
    days_back: int | None = None,
    by: AbstractBaseUser | None,
    trigger: JobRun.Trigger,
    idempotency_key: str | None = None,
) -> JobRun:
    """Update these topics now; gives the run. None: all that the nightly run updates.

    Raises InvalidTopic for figures out of range, IllegalState for a topic that is disabled. Whoever asks again with
    the same key gets the same run.
    """
    _check_range("papers_per_topic", papers_per_topic, MOST_PAPERS_PER_TOPIC)
    _check_range("days_back", days_back, MOST_DAYS_BACK)
    for topic in topics:
        if not topic.is_enabled:
            raise IllegalState(f"{topic} is disabled.")
        audit.record(by, topic, "Asked for an update.")
    parameters = {
        "topics": [topic.pk for topic in topics],
        "papers_per_topic": papers_per_topic,
        "days_back": days_back,
    }
    return enqueue(
        get_job(JOB), parameters, trigger=trigger, requested_by=by, idempotency_key=idempotency_key
    )


def _check_range(name: str, number: int | None, most: int) -> None:
    if number is not None and not 1 <= number <= most:
        raise InvalidTopic({name: [f"Use 1 to {most}."]})


def _locked(topic: Topic) -> Topic:
    return Topic.objects.select_for_update(of=("self",)).get(pk=topic.pk)
