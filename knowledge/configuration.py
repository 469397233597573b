"""The configuration file: the topics, sources and settings that an installation begins with."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from pydantic import BaseModel, ConfigDict, Field
from pydantic import ValidationError as Refused

from jobs import schedules, sync
from jobs.errors import InvalidInput
from jobs.models import Schedule
from jobs.when import When
from knowledge import connectors, topics
from knowledge.chunking import Mode
from knowledge.errors import InvalidConfiguration
from knowledge.models import ConfiguredEntry, KnowledgePolicy, Source, Topic
from knowledge.topics import SourceQuery

DEFAULTS = Path(__file__).parent / "defaults.toml"

_LOCK = 0x6B6E6F77  # any constant of our own
_PRIORITIES = {priority.name.lower(): priority for priority in Topic.Priority}

PapersPerTopic = Annotated[int, Field(ge=1, le=topics.MOST_PAPERS_PER_TOPIC)]
DaysBack = Annotated[int, Field(ge=1, le=topics.MOST_DAYS_BACK)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class _Entry(BaseModel):
    """A misspelt field is an error, and so is a number in quotation marks."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ScheduleEntry(_Entry):
    """When the nightly update runs."""

    enabled: bool = True
    cron: str = "0 2 * * *"
    timezone: str = "UTC"


class PolicyEntry(_Entry):
    """The first values of the policy; see `KnowledgePolicy`."""

    papers_per_topic: PapersPerTopic = 5
    days_back: DaysBack = 7
    mode: Literal["fast", "balanced", "quality"] = Mode.BALANCED.value
    keep_papers_days: Annotated[int, Field(ge=1)] | None = None
    keep_documents_days: Annotated[int, Field(ge=1)] | None = 90
    keep_outcomes_days: Annotated[int, Field(ge=1)] = 30
    outdated_after_years: Annotated[int, Field(ge=1, le=1000)] = 10
    answer_threshold: Annotated[float, Field(ge=0, le=1)] = 0.42
    tell_success: bool = False
    tell_failure: bool = True


class SourceEntry(_Entry):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    connector: str
    addresses: list[str] = []
    enabled: bool = True


class TopicEntry(_Entry):
    name: Name
    priority: Literal["high", "medium", "low"] = "medium"
    enabled: bool = True
    papers_per_topic: PapersPerTopic | None = None
    days_back: DaysBack | None = None
    #: A schedule of its own.
    cron: str = ""
    #: By source or by connector.
    queries: dict[str, str] = {}


class Configuration(_Entry):
    """All that the file may say."""

    schedule: ScheduleEntry = ScheduleEntry()
    policy: PolicyEntry = PolicyEntry()
    sources: list[SourceEntry] = []
    topics: list[TopicEntry] = []


@dataclass(frozen=True)
class Loaded:
    """What loading has brought in."""

    sources: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    has_policy: bool = False
    has_schedule: bool = False

    def __str__(self) -> str:
        parts = [f"{len(self.sources)} sources"] if self.sources else []
        parts += [f"{len(self.topics)} topics"] if self.topics else []
        parts += ["the policy"] if self.has_policy else []
        parts += ["the schedule of updates"] if self.has_schedule else []
        return f"Configuration of knowledge: {', '.join(parts) or 'nothing new'}."


def path() -> Path:
    """The file of this installation: that of KNOWLEDGE_CONFIG, or the one that comes with the product."""
    return Path(settings.KNOWLEDGE_CONFIG) if settings.KNOWLEDGE_CONFIG else DEFAULTS


def read(where: Path) -> Configuration:
    """What the file says. Raises InvalidConfiguration with the line or the entry that is at fault."""
    try:
        text = where.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfiguration(f"{where} cannot be read: {error}") from error
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfiguration(f"{where} is not TOML: {error}") from error
    try:
        configuration = Configuration.model_validate(found)
    except Refused as error:
        problems = [f"{_place(found, one['loc'])}: {one['msg']}" for one in error.errors(include_url=False)]
        raise _invalid(where, problems) from error
    if problems := list(_problems(configuration)):
        raise _invalid(where, problems)
    return configuration


def _invalid(where: Path, problems: Iterable[str]) -> InvalidConfiguration:
    return InvalidConfiguration("\n".join([f"{where} cannot be used:", *(f"- {one}" for one in problems)]))


def _place(found: Mapping[str, Any], loc: tuple[int | str, ...]) -> str:
    """Where in the file: the entry by its name if it has one, such as `topics "cancer": priority`."""
    match loc:
        case (str(kind), int(number), *rest):
            entry = found[kind][number]
            name = entry.get("name") if isinstance(entry, dict) else None
            which = f"{kind} “{name}”" if isinstance(name, str) else f"{kind}, number {number + 1}"
            return ": ".join([which, *([".".join(map(str, rest))] if rest else [])])
    return ".".join(map(str, loc))


def _problems(configuration: Configuration) -> Iterable[str]:
    """What is wrong beyond the types of single fields."""
    for kind, names in (
        ("sources", [source.name for source in configuration.sources]),
        ("topics", [topic.name for topic in configuration.topics]),
    ):
        for name in dict.fromkeys(name for name in names if names.count(name) > 1):
            yield f"{kind} “{name}”: there are two of this name."
    for source in configuration.sources:
        if source.connector not in connectors.kinds():
            known = ", ".join(connectors.kinds())
            yield f"sources “{source.name}”: connector: there is none named “{source.connector}”; known: {known}."
    known_names = {*connectors.kinds(), *(source.name for source in configuration.sources)}
    for topic in configuration.topics:
        for name in topic.queries:
            if name not in known_names:
                yield f"topics “{topic.name}”: queries.{name}: there is no source or connector of this name."


def load(where: Path | None = None) -> Loaded:
    """Bring in what the file has and was never loaded before. What people changed or deleted stays as they left it.

    All or nothing; may be repeated, also by several processes at a time. Raises InvalidConfiguration.
    """
    where = where or path()
    configuration = read(where)
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            return _Loading(configuration).load()
    except _Unfit as error:
        raise _invalid(where, [str(error)]) from error


class _Unfit(Exception):
    """An entry does not fit in with the rest, and why."""


class _Loading:
    """Brings in a configuration, once."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._loaded = set(ConfiguredEntry.objects.values_list("name", flat=True))

    def load(self) -> Loaded:
        has_policy = self._is_first("policy") and self._load_policy()
        sources = [
            one.name for one in self._configuration.sources
            if self._is_first(f"source: {one.name}") and self._load_source(one)
        ]  # fmt: skip
        found = [
            one.name for one in self._configuration.topics
            if self._is_first(f"topic: {one.name}") and self._load_topic(one)
        ]  # fmt: skip
        return Loaded(tuple(sources), tuple(found), has_policy, self._load_schedule())

    def _is_first(self, name: str) -> bool:
        """Whether the entry was never loaded before; from now on it was."""
        if name in self._loaded:
            return False
        ConfiguredEntry.objects.create(name=name)
        return True

    def _load_policy(self) -> bool:
        values = self._configuration.policy.model_dump()
        return KnowledgePolicy.objects.get_or_create(pk=1, defaults=values)[1]

    def _load_source(self, entry: SourceEntry) -> bool:
        if Source.objects.filter(name=entry.name).exists():
            return False
        source = Source(
            name=entry.name,
            connector=entry.connector,
            addresses=entry.addresses,
            is_enabled=entry.enabled,
        )
        try:
            source.full_clean()
        except ValidationError as error:
            raise _Unfit(f"sources “{entry.name}”: {'; '.join(error.messages)}") from error
        source.save()
        return True

    def _load_topic(self, entry: TopicEntry) -> bool:
        if Topic.objects.filter(name=entry.name).exists():
            return False
        policy = KnowledgePolicy.current()
        changes = {
            "name": entry.name,
            "priority": _PRIORITIES[entry.priority],
            "is_enabled": entry.enabled,
            "papers_per_run": entry.papers_per_topic or policy.papers_per_topic,
            "days_back": entry.days_back or policy.days_back,
        }
        try:
            topics.save(Topic(), changes, queries=list(_queries(entry)), cron=entry.cron, by=None)
        except InvalidInput as error:
            raise _Unfit(f"topics “{entry.name}”: {error}") from error
        return True

    def _load_schedule(self) -> bool:
        """Give the nightly update the file's timing, unless somebody has given it another one already."""
        row = topics.nightly()
        if row is None or "schedule" in self._loaded:
            return False
        self._is_first("schedule")
        if any(one.schedule_id == row.pk for one in sync.differences()):
            return False
        said = self._configuration.schedule
        schedule = Schedule.objects.get(pk=row.pk)
        there = schedules.wish_of(schedule)
        wish = replace(there, when=When(cron=said.cron, timezone=said.timezone), enabled=said.enabled)
        if wish == there:
            return False
        try:
            schedules.change(schedule, wish, by=None)
        except InvalidInput as error:
            raise _Unfit(f"schedule: {error}") from error
        return True


def _queries(entry: TopicEntry) -> Iterable[SourceQuery]:
    for source in Source.objects.all():
        text = entry.queries.get(source.name) or entry.queries.get(source.connector)
        if text:
            yield SourceQuery(source, text)
