"""Usage: what models were asked, what that cost, by agent and model, this month and the last. Only runs write it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from jobs import display as jobs_display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin, ReadOnlyAdmin, require
from publishing import display, usage
from publishing.admin import plots
from publishing.models import UsageRecord
from publishing.usage import Used

VIEW = "publishing.view_usagerecord"
#: So many days can be chosen in the list; others are reached by the address.
_DAYS = 31

navigation.add(
    navigation.Entry(
        group="Publishing",
        title="Usage",
        icon="monitoring",
        url_name="publishing-usage",
        permissions=(VIEW,),
        order=260,
    )
)


class ModelFilter(DropdownFilter):
    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        names = UsageRecord.objects.order_by("model").values_list("model", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
        return queryset.filter(model=self.value()) if self.value() else queryset


class DayFilter(DropdownFilter):
    """One day at the reader's place."""

    title = "day"
    parameter_name = "day"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        today = timezone.localdate()
        days = [today - timedelta(days=back) for back in range(_DAYS)]
        return [(day.isoformat(), f"{day:%a} {day.day} {day:%b}") for day in days]

    def queryset(self, request: HttpRequest, queryset: QuerySet[UsageRecord]) -> QuerySet[UsageRecord]:
        day = _day(self.value())
        if day is None:
            return queryset
        began = timezone.make_aware(datetime.combine(day, time()))
        ends = timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
        return queryset.filter(at__gte=began, at__lt=ends)


def _day(text: str | None) -> date | None:
    try:
        found = parse_date(text or "")
    except ValueError:
        return None
    return found if found and date(2000, 1, 1) < found < date(3000, 1, 1) else None


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin[UsageRecord]):
    list_display = (
        "when",
        "agent",
        "model",
        "step",
        "tokens_in_full",
        "tokens_out_full",
        "took",
        "price",
        "notes",
        "made",
    )
    list_display_links = None
    list_filter = ("agent", ModelFilter, DayFilter)
    list_select_related = ("agent",)
    ordering = ("-at", "-pk")
    sortable_by = ()
    list_per_page = 100
    show_full_result_count = False

    @admin.display(description="When")
    def when(self, record: UsageRecord) -> SafeString | str:
        return jobs_display.moment(record.at)

    @admin.display(description="Tokens in")
    def tokens_in_full(self, record: UsageRecord) -> str:
        return display.count(record.tokens_in)

    @admin.display(description="Tokens out")
    def tokens_out_full(self, record: UsageRecord) -> str:
        return display.count(record.tokens_out)

    @admin.display(description="Took")
    def took(self, record: UsageRecord) -> str:
        return jobs_display.duration(record.seconds)

    @admin.display(description="Cost")
    def price(self, record: UsageRecord) -> str:
        return display.dollars(record.cost)

    @admin.display(description="Notes")
    def notes(self, record: UsageRecord) -> str:
        return display.usage_notes(record)

    @admin.display(description="For")
    def made(self, record: UsageRecord) -> SafeString | str:
        if record.generation_id is None:
            return ""
        address = reverse("admin:publishing_generation_change", args=[record.generation_id])
        return format_html('<a class="jobs-link" href="{}">generation</a>', address)


# The overview


@dataclass
class Sum:
    """Something in one month."""

    cost: Decimal = Decimal(0)
    tokens: int = 0
    posts: int = 0

    def add(self, row: Used) -> None:
        self.cost += row.cost
        self.tokens += row.tokens_in + row.tokens_out
        self.posts += row.posts


@dataclass
class Line:
    """One agent or model, or both, in this month and the last."""

    names: Sequence[str]
    #: The records that it sums up, as a query of their list.
    query: str
    this: Sum = field(default_factory=Sum)
    last: Sum = field(default_factory=Sum)


def overview(request: HttpRequest) -> HttpResponse:
    """Cost and tokens by agent and model for this month and the last, and by day."""
    require(request, VIEW)
    now, today = timezone.now(), timezone.localdate()
    months = usage.months(now, today)
    this, last = months
    days = plots.days_until(today, (today - last.first).days + 1)
    since = datetime.combine(last.first - timedelta(days=1), time(), UTC)
    context = {
        **admin.site.each_context(request),
        "title": "Usage",
        "this": this,
        "last": last,
        "names_of_both": ("Agent", "Model"),
        "names_of_model": ("Model",),
        "by_both": _lines(months, lambda row: (row.agent_name or "", _model(row)), _query_of_both),
        "by_model": _lines(months, lambda row: (_model(row),), _query_of_model),
        "bars": _bars(since, now, days),
    }
    return TemplateResponse(request, "admin/publishing/usage.html", context)


def _bars(since: datetime, now: datetime, days: Sequence[date]) -> list[plots.Bars]:
    rows = usage.summary(since, now, period="day").rows
    return plots.of_usage(rows, usage.written(since, now, period="day"), days)


def urls(site: Any) -> list[URLPattern]:
    """The overview's own address, below the admin's."""
    return [path("publishing/usage/", site.admin_view(overview), name="publishing-usage")]


def _lines(
    months: tuple[usage.Month, usage.Month],
    names: Callable[[Used], Sequence[str]],
    query: Callable[[Used], str],
) -> list[Line]:
    """The dearest of this month first."""
    found: dict[Sequence[str], Line] = {}
    for which, month in zip(("this", "last"), months, strict=True):
        for row in month.rows:
            line = found.setdefault(names(row), Line(names(row), query(row)))
            getattr(line, which).add(row)
    return sorted(
        found.values(), key=lambda line: (-line.this.cost, -line.this.tokens, -line.last.cost, line.names)
    )


def _model(row: Used) -> str:
    return row.model or "no model"


def _query_of_both(row: Used) -> str:
    return urlencode({"agent__id__exact": str(row.agent), "model": row.model}) if row.model else ""


def _query_of_model(row: Used) -> str:
    return urlencode({"model": row.model}) if row.model else ""
