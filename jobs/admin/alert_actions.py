"""What people may do with alerts. Each control checks its own permission, on every request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold import widgets

from jobs.admin.base import require, user_of
from jobs.admin.moments import MomentField
from jobs.alerts import changes
from jobs.errors import InvalidInput
from jobs.models import Alert

if TYPE_CHECKING:
    from jobs.admin.base import ModelAdmin

    Base = ModelAdmin[Alert]
else:
    Base = object

State = Alert.State
#: How long a snooze is when nobody says otherwise.
USUAL_SNOOZE = timedelta(hours=4)


@dataclass(frozen=True, kw_only=True)
class Control:
    """One thing that can be done with an alert."""

    name: str
    button: str
    icon: str
    permission: str
    change: Callable[..., Alert]
    #: What is asked before it is done.
    question: str
    said: str
    states: tuple[str, ...]


_LIVE = tuple(State.live())
CONTROLS = {
    control.name: control
    for control in (
        Control(
            name="acknowledge",
            button="Acknowledge",
            icon="person_check",
            permission="jobs.acknowledge_alert",
            change=changes.acknowledge,
            question="Say that somebody looks after this? Nobody is reminded of it any more, unless it gets worse.",
            said="Acknowledged",
            states=(State.OPEN, State.SNOOZED),
        ),
        Control(
            name="snooze",
            button="Snooze",
            icon="snooze",
            permission="jobs.snooze_alert",
            change=changes.snooze,
            question="Put this off? It comes back by itself, at once if it gets worse.",
            said="Snoozed",
            states=_LIVE,
        ),
        Control(
            name="unsnooze",
            button="Bring back",
            icon="alarm",
            permission="jobs.snooze_alert",
            change=changes.unsnooze,
            question="Bring this back before its time?",
            said="Brought back",
            states=(State.SNOOZED,),
        ),
        Control(
            name="resolve",
            button="Resolve",
            icon="check_circle",
            permission="jobs.resolve_alert",
            change=changes.resolve,
            question="Say that this is over? If its cause is seen again soon, it is opened again.",
            said="Resolved",
            states=_LIVE,
        ),
        Control(
            name="dismiss",
            button="Dismiss",
            icon="notifications_off",
            permission="jobs.dismiss_alert",
            change=changes.dismiss,
            question="Say that this is nothing to act on? As long as its cause never pauses for long, it stays quiet.",
            said="Dismissed",
            states=_LIVE,
        ),
    )
}


class NoteForm(forms.Form):
    """Why."""

    note = forms.CharField(
        required=False,
        max_length=400,
        help_text="For the history of the alert. May be empty.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )


class SnoozeForm(NoteForm):
    """Until when, and why."""

    until = MomentField()
    field_order = ["until", "note"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        until: Any = self.fields["until"]
        until.initial = timezone.now().replace(second=0, microsecond=0) + USUAL_SNOOZE
        until.help_text = f"In {until.zone.key}, within the next {changes.LONGEST_SNOOZE.days} days."


class AlertActions(Base):
    """The controls of `AlertAdmin`: in the list for many alerts, on the page of one."""

    actions = ("read_selected", *(f"{name}_selected" for name in CONTROLS if name != "unsnooze"))

    def has_acknowledge_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CONTROLS["acknowledge"].permission)

    def has_snooze_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CONTROLS["snooze"].permission)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CONTROLS["resolve"].permission)

    def has_dismiss_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CONTROLS["dismiss"].permission)

    def action_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.control_page)
        return [
            path(f"<int:pk>/{name}/", view, {"name": name}, name=f"jobs_alert_{name}") for name in CONTROLS
        ]

    def controls_for(self, request: HttpRequest, alert: Alert) -> list[Control]:
        """What this person can do with the alert now."""
        return [
            control
            for control in CONTROLS.values()
            if alert.state in control.states and request.user.has_perm(control.permission)
        ]

    def get_alert(self, request: HttpRequest, pk: Any) -> Alert:
        """The alert of a page; 404 when it is gone, 403 for those who may not see alerts."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        visible = Alert.objects.shown().visible_to(request.user).select_related("incident", "owner_group")
        try:
            return visible.get(pk=pk)
        except (Alert.DoesNotExist, ValueError) as error:
            raise Http404("There is no such alert.") from error

    # One alert

    def control_page(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """Asks why, and for a snooze until when; then does it."""
        control = CONTROLS[name]
        require(request, control.permission)
        alert = self.get_alert(request, pk)
        back = reverse("admin:jobs_alert_change", args=[alert.pk])
        form = _form(control, request.POST if request.method == "POST" else None)
        if form.is_bound and form.is_valid() and self._do(request, control, [alert], form):
            return HttpResponseRedirect(back)
        return self._ask(request, control, [alert], form, back)

    # Many alerts

    @admin.action(description="Mark as read")
    def read_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        count = changes.read(queryset.values_list("pk", flat=True), by=user_of(request))
        messages.success(request, f"Marked {_count(count)} as read.")

    @admin.action(description="Acknowledge …", permissions=["acknowledge"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> HttpResponse | None:
        return self._many(request, CONTROLS["acknowledge"], queryset)

    @admin.action(description="Snooze …", permissions=["snooze"])
    def snooze_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> HttpResponse | None:
        return self._many(request, CONTROLS["snooze"], queryset)

    @admin.action(description="Resolve …", permissions=["resolve"])
    def resolve_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> HttpResponse | None:
        return self._many(request, CONTROLS["resolve"], queryset)

    @admin.action(description="Dismiss …", permissions=["dismiss"])
    def dismiss_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> HttpResponse | None:
        return self._many(request, CONTROLS["dismiss"], queryset)

    def _many(self, request: HttpRequest, control: Control, queryset: QuerySet[Alert]) -> HttpResponse | None:
        require(request, control.permission)
        chosen = [alert for alert in queryset if alert.state in control.states]
        if not chosen:
            messages.warning(request, "None of these alerts is in a state that allows this.")
            return None
        form = _form(control, request.POST if "confirmed" in request.POST else None)
        if form.is_bound and form.is_valid() and self._do(request, control, chosen, form):
            return None
        return self._ask(request, control, chosen, form, reverse("admin:jobs_alert_changelist"), many=True)

    # Shared

    def _do(self, request: HttpRequest, control: Control, chosen: list[Alert], form: forms.Form) -> bool:
        """Do it to each; False when what was given does not fit, which the form then says."""
        ids = [alert.pk for alert in chosen]
        try:
            changed = changes.each(ids, control.change, by=user_of(request), **form.cleaned_data)
        except InvalidInput as error:
            for field, reasons in error.fields.items():
                form.add_error(field, reasons)
            return False
        titles = {alert.pk: alert.title for alert in chosen}
        for pk, reason in changed.refused.items():
            messages.error(request, f"{titles[pk]}: {reason}")
        if changed.done:
            one = titles[changed.done[0]] if len(changed.done) == 1 else _count(len(changed.done))
            messages.success(request, f"{control.said}: {one}")
        return True

    def _ask(
        self,
        request: HttpRequest,
        control: Control,
        chosen: list[Alert],
        form: forms.Form,
        back: str,
        *,
        many: bool = False,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "title": control.button,
            "question": control.question,
            "items": [alert.title for alert in chosen],
            "form": form,
            "button": control.button,
            "back": back,
            "action": f"{control.name}_selected" if many else "",
            "selected": [alert.pk for alert in chosen] if many else [],
        }
        return TemplateResponse(request, "admin/jobs/confirm.html", context)


def _form(control: Control, data: Any) -> forms.Form:
    return SnoozeForm(data) if control.name == "snooze" else NoteForm(data)


def _count(number: int) -> str:
    return "1 alert" if number == 1 else f"{number} alerts"
