"""The audit trail: who did what, when, from where. To look at and to export; nobody changes it, superusers neither."""

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import DropdownFilter, ModelAdmin, ReadOnlyAdmin, require
from jobs.admin.run_filters import BoundedPaginator
from jobs.models import AuditEvent

Action = AuditEvent.Action
Rows = QuerySet[AuditEvent]

LOOKS: dict[str, tuple[str, str]] = {
    Action.ADDED: ("add_circle", "good"),
    Action.CHANGED: ("edit", "busy"),
    Action.DELETED: ("delete", "bad"),
    Action.CONTROLLED: ("play_circle", "calm"),
    Action.SIGNED_IN: ("login", "calm"),
    Action.REFUSED: ("block", "warn"),
    Action.LOCKED_OUT: ("lock_clock", "bad"),
}
COLUMNS = (
    "at", "who", "action", "subject_type", "subject_id", "subject", "message", "changes", "address", "api_key",
)  # fmt: skip
#: A cell that begins with one of these is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

navigation.add(
    navigation.Entry(
        group="People",
        title="Audit trail",
        icon="policy",
        url_name="admin:jobs_auditevent_changelist",
        permissions=("jobs.view_auditevent",),
        order=950,
    )
)


class ActionFilter(DropdownFilter):
    title = "what"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(Action.choices)

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(action=self.value()) if self.value() in Action.values else queryset


class PersonFilter(DropdownFilter):
    title = "who"
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        people = User.objects.order_by("username").values_list("pk", "username")[:500]
        return [(str(pk), name) for pk, name in people]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        value = self.value() or ""
        return queryset.filter(user_id=int(value)) if value.isdecimal() and len(value) < 10 else queryset


class SubjectFilter(DropdownFilter):
    title = "about"
    parameter_name = "about"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        names = {
            f"{model._meta.label_lower}": str(model._meta.verbose_name).capitalize()
            for model in admin.site._registry
        }
        return sorted(names.items(), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        return queryset.filter(subject_type=self.value()) if self.value() else queryset


class AgeFilter(DropdownFilter):
    title = "when"
    parameter_name = "when"
    spans = {
        "day": ("In the last 24 hours", timedelta(days=1)),
        "week": ("In the last 7 days", timedelta(days=7)),
        "month": ("In the last 30 days", timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in self.spans.items()]

    def queryset(self, request: HttpRequest, queryset: Rows) -> Rows:
        span = self.spans.get(self.value() or "")
        return queryset.filter(at__gte=timezone.now() - span[1]) if span else queryset


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    list_display = ("when", "what", "person", "about", "details", "origin")
    list_display_links = ("when",)
    list_filter = (ActionFilter, PersonFilter, SubjectFilter, AgeFilter)
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    search_fields = ("who", "subject", "subject_id", "message", "address", "api_key")
    search_help_text = "Name, thing, words of the message, address or key"
    ordering = ("-id",)
    sortable_by = ()
    actions = None
    fields = ("moment", "what", "person", "about", "message", "diff", "address", "api_key")
    readonly_fields = fields
    change_list_template = "admin/jobs/audit/change_list.html"

    def get_queryset(self, request: HttpRequest) -> Rows:
        return AuditEvent.objects.visible_to(request.user).order_by(*self.ordering)

    def get_urls(self) -> list[URLPattern]:
        export = path("export/", self.admin_site.admin_view(self.export), name="jobs_auditevent_export")
        return [export, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        may_export = request.user.has_perm("jobs.export_auditevent")
        context = {"may_export": may_export, "query": request.GET.urlencode(), **(extra_context or {})}
        return super().changelist_view(request, context)

    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        """Everything that the list shows with these filters, as CSV."""
        require(request, "jobs.view_auditevent", "jobs.export_auditevent")
        try:
            rows = self.get_changelist_instance(request).get_queryset(request).order_by("id")
        except IncorrectLookupParameters as error:
            raise BadRequest("There is no such page of the list.") from error
        response = StreamingHttpResponse(_as_csv(rows), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y-%m-%d}.csv"'
        return response

    @admin.display(description="When")
    def when(self, event: AuditEvent) -> SafeString | str:
        return display.moment(event.at)

    @admin.display(description="When")
    def moment(self, event: AuditEvent) -> str:
        return f"{event.at:%Y-%m-%d %H:%M:%S} UTC"

    @admin.display(description="What")
    def what(self, event: AuditEvent) -> SafeString:
        icon, tone = LOOKS[event.action]
        return display.badge(str(event.get_action_display()), icon, tone)

    @admin.display(description="Who")
    def person(self, event: AuditEvent) -> str:
        return event.who or "unknown"

    @admin.display(description="About")
    def about(self, event: AuditEvent) -> SafeString | str:
        kind = event.subject_type.rpartition(".")[2]
        address = _address(event)
        if address is None:
            return format_html('<span class="jobs-two-lines">{}<small>{}</small></span>', event.subject, kind)
        return format_html(
            '<span class="jobs-two-lines"><a class="jobs-link" href="{}">{}</a><small>{}</small></span>',
            address,
            event.subject,
            kind,
        )

    @admin.display(description="Details")
    def details(self, event: AuditEvent) -> SafeString:
        changes = "; ".join(f"{name}: {before} → {after}" for name, (before, after) in event.changes.items())
        return format_html('<span class="jobs-wrap">{}</span>', (changes or event.message)[:300])

    @admin.display(description="From")
    def origin(self, event: AuditEvent) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines">{}<small>{}</small></span>', event.address, event.api_key
        )

    @admin.display(description="Before and after")
    def diff(self, event: AuditEvent) -> SafeString | str:
        if not event.changes:
            return "-"
        rows = ((name, before, after) for name, (before, after) in event.changes.items())
        lines = format_html_join("", "<tr><th>{}</th><td>{}</td><td>{}</td></tr>", rows)
        return format_html(
            '<table class="jobs-diff"><thead><tr><th>Field</th><th>Before</th><th>After</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            lines,
        )


def _address(event: AuditEvent) -> str | None:
    """The page of what the event is about; None when there is none (any more)."""
    if not event.subject_id or event.action == Action.DELETED:
        return None
    try:
        return reverse(f"admin:{event.subject_type.replace('.', '_')}_change", args=[event.subject_id])
    except NoReverseMatch:
        return None


class _Echo:
    """A file for the csv module that gives each line back."""

    def write(self, line: str) -> str:
        return line


def _as_csv(rows: Rows) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in rows.iterator(chunk_size=1000):
        yield writer.writerow([_cell(getattr(event, name)) for name in COLUMNS])


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = "; ".join(f"{name}: {before} → {after}" for name, (before, after) in value.items())
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
