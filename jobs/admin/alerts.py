"""Alerts: a read-only list of what is wrong, and a page for each. Rows are changed by its controls only."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs import display
from jobs.admin import alert_looks, navigation
from jobs.admin.alert_actions import AlertActions
from jobs.admin.alert_filters import AlertStateFilter, KindFilter, SeverityFilter, UnreadFilter
from jobs.admin.base import ChangeList, ReadOnlyAdmin, user_of
from jobs.admin.runs import RunList
from jobs.alerts import changes, incidents, related
from jobs.alerts.kinds import find_kind, title_of
from jobs.models import Alert, AlertRead

#: How many folded alerts are shown on the page of an incident.
FOLDED = 50

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Alerts",
        icon="notifications",
        url_name="admin:jobs_alert_changelist",
        permissions=("jobs.view_alert",),
        order=15,
    )
)


#: Beside the title of what the person has not read.
_NEW = format_html('<span class="jobs-unread" title="Not read yet">{}</span> ', "New")


@admin.register(Alert)
class AlertAdmin(AlertActions, ReadOnlyAdmin[Alert]):
    list_display = ("severity_label", "what", "state_label", "seen", "since", "last_seen", "urgency")
    list_display_links = ("what",)
    list_filter = (AlertStateFilter, SeverityFilter, KindFilter, UnreadFilter)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("title", "message", "subject_text", "job")
    search_help_text = "Words of the title, message, subject or job"
    ordering = ("-priority", "-last_seen_at")
    sortable_by = ("seen", "since", "last_seen", "urgency")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        """Those that the person may see; what is folded into an incident stands on the incident's page."""
        read_at = AlertRead.objects.filter(alert=OuterRef("pk"), user_id=user_of(request).pk).values("at")
        alerts = Alert.objects.shown().visible_to(request.user).filter(incident=None)
        return alerts.annotate(read_at=Subquery(read_at)).order_by(*self.ordering)

    @admin.display(description="Severity")
    def severity_label(self, alert: Alert) -> SafeString:
        return alert_looks.severity_badge(alert.severity)

    @admin.display(description="Alert")
    def what(self, alert: Alert) -> SafeString:
        is_unread = alert.is_news_to(getattr(alert, "read_at", None))
        return format_html(
            '<span class="jobs-two-lines"><strong>{}{}</strong><small>{}</small></span>',
            _NEW if is_unread else "",
            alert.title,
            " · ".join(part for part in (title_of(alert.kind), alert.subject_text) if part),
        )

    @admin.display(description="State")
    def state_label(self, alert: Alert) -> SafeString:
        label = alert_looks.state_badge(alert)
        if alert.snoozed_until:
            label = format_html(
                '<span class="jobs-two-lines">{}<small>{}</small></span>',
                label,
                display.moment(alert.snoozed_until),
            )
        return label

    @admin.display(description="Seen", ordering="count")
    def seen(self, alert: Alert) -> str:
        times = "once" if alert.count == 1 else f"{alert.count:,} times"
        return f"{times}, flapping" if alert.is_flapping else times

    @admin.display(description="First", ordering="first_seen_at")
    def since(self, alert: Alert) -> SafeString | str:
        return display.moment(alert.first_seen_at)

    @admin.display(description="Last", ordering="last_seen_at")
    def last_seen(self, alert: Alert) -> SafeString | str:
        return display.moment(alert.last_seen_at)

    @admin.display(description="Priority", ordering="priority")
    def urgency(self, alert: Alert) -> int:
        return alert.priority

    def get_urls(self) -> list[URLPattern]:
        return self.action_urls() + super().get_urls()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one alert; whoever opens it has read it."""
        if object_id is None:
            raise PermissionDenied
        alert = self.get_alert(request, object_id)
        changes.read([alert.pk], by=user_of(request))
        return TemplateResponse(request, "admin/jobs/alert/change_form.html", self._context(request, alert))

    def _context(self, request: HttpRequest, alert: Alert) -> dict[str, Any]:
        now = timezone.now()
        kind = find_kind(alert.kind)
        is_incident = incidents.is_incident(alert)
        folded = alert.folded.shown().visible_to(request.user).order_by("-pk")
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": alert.title,
            "alert": alert,
            "kind": kind,
            "steps": kind.runbook.splitlines() if kind else [],
            "controls": self.controls_for(request, alert),
            "events": [(event, alert_looks.event_icon(event.what)) for event in related.history(alert)],
            "severity": alert_looks.severity_badge(alert.severity),
            "state": alert_looks.state_badge(alert),
            "runs": related.runs(alert, now, seen_by=request.user),
            "folded": [(one, alert_looks.state_badge(one)) for one in folded[:FOLDED]],
            "folded_counts": _folded_counts(alert),
            "slots": incidents.slots_of(alert, now) if is_incident else None,
            "ended": incidents.ended_at(alert) if is_incident else None,
            "facts": {name: value for name, value in alert.context.items() if name not in _SHOWN_ELSEWHERE},
        }


#: Parts of the context that the page shows in words.
_SHOWN_ELSEWHERE = {"runs", "slots", "folded", "ended"}


def _folded_counts(alert: Alert) -> list[tuple[str, int]]:
    """What an outage explains of which there is no alert: kinds by title, with how many."""
    counts = alert.context.get("folded") or {}
    return sorted((title_of(name), count) for name, count in counts.items())
