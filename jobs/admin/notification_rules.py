"""Rules: which alerts go where; with a page that tells which of them would fire, and why not the others."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold import widgets

from jobs import display
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin, require
from jobs.alerts.kinds import all_kinds
from jobs.models import Alert, EscalationStep, NotificationRule
from jobs.notifications import explain, looks
from jobs.notifications.matching import Occasion

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: So many of the latest alerts are offered to be explained.
LATEST = 50

navigation.add(
    navigation.Entry(
        group="Notifications",
        title="Rules",
        icon="rule",
        url_name="admin:jobs_notificationrule_changelist",
        permissions=("jobs.view_notificationrule",),
        order=125,
    )
)

if TYPE_CHECKING:
    from django.contrib.admin import TabularInline

    Form = forms.ModelForm[NotificationRule]
    Steps = TabularInline[EscalationStep, NotificationRule]
else:
    from unfold.admin import TabularInline as Steps

    Form = forms.ModelForm


class PatternsField(forms.CharField):
    """Names with wildcards, one a line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, widget=widgets.UnfoldAdminTextareaWidget({"rows": 3}), **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in str(super().clean(value)).splitlines()]
        return [line for line in lines if line]


class RuleForm(Form):
    """The form of a rule."""

    kinds = PatternsField(help_text="One a line, such as jobs.run_failed or jobs.*; empty: all kinds.")
    sources = PatternsField(
        help_text="Apps, jobs, subjects or owner groups, one a line, such as publishing.* or group:data; "
        "empty: all sources."
    )
    changes = forms.MultipleChoiceField(
        choices=NotificationRule.CHANGES,
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget(),
        label="When an alert is",
        initial=["opened", "reopened", "escalated"],
    )
    weekdays = forms.TypedMultipleChoiceField(
        choices=list(enumerate(WEEKDAYS)),
        coerce=int,
        required=False,
        empty_value=[],
        widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget(),
        help_text="None: every day.",
    )

    class Meta:
        model = NotificationRule
        fields = "__all__"


class StepInline(Steps):
    model = EscalationStep
    extra = 0
    verbose_name_plural = "Escalation: when nobody has acknowledged by then, these channels too"


@admin.register(NotificationRule)
class NotificationRuleAdmin(ModelAdmin[NotificationRule]):
    form = RuleForm
    inlines = (StepInline,)
    list_display = ("name_and_words", "state_label", "place", "goes_to", "steps_label")
    list_display_links = ("name_and_words",)
    search_fields = ("name",)
    ordering = ("is_default", "position", "pk")
    sortable_by = ()
    fieldsets = (
        (None, {"fields": ("name", "is_enabled", ("position", "stops"), "is_default")}),
        ("Which alerts", {"fields": ("changes", "severity_at_least", "kinds", "sources")}),
        ("When", {"fields": (("from_time", "until_time"), "time_zone", "weekdays")}),
        (
            "Where and how often",
            {"fields": ("channels", "pace", "digest_at", "repeat_minutes", "tells_recovery")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[NotificationRule]:
        return super().get_queryset(request).prefetch_related("channels", "steps")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """None: rules are few, and deleting one is asked on its page."""
        return {}

    @admin.display(description="Rule")
    def name_and_words(self, rule: NotificationRule) -> SafeString:
        return format_html(
            '<span class="jobs-two-lines"><strong>{}</strong><small>{}</small></span>',
            rule.name,
            in_words(rule),
        )

    @admin.display(description="State")
    def state_label(self, rule: NotificationRule) -> SafeString:
        if not rule.is_enabled:
            return display.badge("Disabled", "toggle_off", "calm")
        return display.badge("On", "check_circle", "good")

    @admin.display(description="Order")
    def place(self, rule: NotificationRule) -> str:
        stop = ", stops" if rule.stops else ""
        return "default" if rule.is_default else f"{rule.position}{stop}"

    @admin.display(description="Goes to")
    def goes_to(self, rule: NotificationRule) -> SafeString | str:
        named = [(channel.name,) for channel in rule.channels.all()]
        return format_html_join(", ", "{}", named) if named else "nowhere"

    @admin.display(description="Escalates")
    def steps_label(self, rule: NotificationRule) -> str:
        times = [f"{step.after_minutes} min" for step in rule.steps.all()]
        return f"after {', '.join(times)}" if times else "no"

    def get_urls(self) -> list[URLPattern]:
        page = path(
            "explain/", self.admin_site.admin_view(self.explain_page), name="jobs_notificationrule_explain"
        )
        return [page, *super().get_urls()]

    def explain_page(self, request: HttpRequest) -> HttpResponse:
        """Which rules would fire for an alert, one that there is or one that there might be."""
        require(request, "jobs.view_notificationrule")
        may_see = request.user.has_perm("jobs.view_alert")
        alerts = Alert.objects.shown().visible_to(request.user) if may_see else Alert.objects.none()
        form = ExplainForm(request.GET or None, alerts=alerts)
        found = explain.explain(form.occasion()) if form.is_bound and form.is_valid() else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Which rule would fire?",
            "form": form,
            "found": found,
            "severity": looks.severity_badge(found.occasion.severity) if found else "",
        }
        return TemplateResponse(request, "admin/jobs/notificationrule/explain.html", context)


class ExplainForm(forms.Form):
    """An alert, or how it would be."""

    alert = forms.ModelChoiceField(
        Alert.objects.none(),
        required=False,
        widget=widgets.UnfoldAdminSelectWidget(),
        help_text="One of the latest. Or describe one below.",
    )
    change = forms.ChoiceField(choices=NotificationRule.CHANGES, widget=widgets.UnfoldAdminSelectWidget())
    kind = forms.CharField(
        max_length=100,
        required=False,
        initial="jobs.run_failed",
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"list": "alert-kinds"}),
    )
    severity = forms.ChoiceField(
        choices=Alert.Severity.choices, initial="high", widget=widgets.UnfoldAdminSelectWidget()
    )
    source = forms.CharField(
        max_length=200,
        required=False,
        help_text="Such as a job's name.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )

    def __init__(self, data: Any, *, alerts: QuerySet[Alert]) -> None:
        super().__init__(data)
        latest = alerts.order_by("-pk").values_list("pk", flat=True)[:LATEST]
        choice: Any = self.fields["alert"]
        choice.queryset = Alert.objects.filter(pk__in=list(latest))

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors and not given["alert"] and not given["kind"]:
            self.add_error("kind", "Choose an alert, or give the kind of one.")
        return given

    @property
    def kinds(self) -> list[str]:
        return [kind.name for kind in all_kinds()]

    def occasion(self) -> Occasion:
        """What is asked about, as if it happened now."""
        asked = self.cleaned_data
        now = timezone.now()
        alert: Alert | None = asked.get("alert")
        if alert is not None:
            return explain.occasion_of(alert, change=asked["change"], at=now)
        app = asked["kind"].partition(".")[0]
        sources = tuple(name for name in (app, asked["source"]) if name)
        return Occasion(
            kind=asked["kind"], change=asked["change"], severity=asked["severity"], sources=sources, at=now
        )


def in_words(rule: NotificationRule) -> str:
    """What the rule is about, in one line."""
    labels = dict(NotificationRule.CHANGES)
    parts = [", ".join(labels.get(change, change).lower() for change in rule.changes)]
    if rule.severity_at_least != Alert.Severity.LOW:
        parts.append(f"{rule.severity_at_least} or worse")
    parts += [", ".join(rule.kinds)] if rule.kinds else []
    parts += [f"about {', '.join(rule.sources)}"] if rule.sources else []
    if rule.from_time and rule.until_time:
        parts.append(f"{rule.from_time:%H:%M} to {rule.until_time:%H:%M} {rule.time_zone}")
    if rule.weekdays:
        parts.append(", ".join(WEEKDAYS[day][:3] for day in rule.weekdays))
    if rule.pace != NotificationRule.Pace.AT_ONCE:
        parts.append(rule.get_pace_display().lower())
    return " · ".join(parts)
