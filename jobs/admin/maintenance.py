"""Admin pages of maintenance windows, calendars and limits."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Count, Prefetch
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from unfold import widgets
from unfold.admin import TabularInline

from jobs import display, limits, maintenance, windows
from jobs.admin import navigation
from jobs.admin.base import ModelAdmin
from jobs.admin.schedule_form import job_choices
from jobs.definitions import find_job
from jobs.limits import Limits
from jobs.maintenance import WindowWish
from jobs.models import Calendar, CalendarDays, JobLimit, MaintenanceWindow, Schedule, visibility_of
from jobs.rates import Rate, parse_rate

navigation.add(
    navigation.Entry(
        group="Jobs",
        title="Maintenance",
        icon="construction",
        url_name="admin:jobs_maintenancewindow_changelist",
        permissions=("jobs.view_maintenancewindow",),
        order=32,
    ),
    navigation.Entry(
        group="Jobs",
        title="Calendars",
        icon="event_busy",
        url_name="admin:jobs_calendar_changelist",
        permissions=("jobs.view_calendar",),
        order=33,
    ),
    navigation.Entry(
        group="Jobs",
        title="Limits",
        icon="speed",
        url_name="admin:jobs_joblimit_changelist",
        permissions=("jobs.view_joblimit",),
        order=34,
    ),
)


class WindowForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A window; jobs and queues are chosen, not typed."""

    jobs = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple())
    queues = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple())

    class Meta:
        model = MaintenanceWindow
        fields = (
            "name",
            "note",
            "enabled",
            "mode",
            "starts_at",
            "ends_at",
            "cron",
            "timezone",
            "duration_minutes",
            "covers_all",
            "jobs",
            "queues",
            "schedules",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "jobs" in self.fields:  # not for those who may only look
            jobs: Any = self.fields["jobs"]
            queues: Any = self.fields["queues"]
            jobs.choices = [choice for choice in job_choices() if choice[0]]
            queues.choices = [(name, name) for name in settings.JOBS_QUEUES]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            chosen = {"jobs", "queues", "schedules"}
            wish = WindowWish(
                **{name: value for name, value in given.items() if name not in chosen},
                jobs=tuple(given["jobs"]),
                queues=tuple(given["queues"]),
                schedules=tuple(schedule.pk for schedule in given["schedules"]),
            )
            for name, reasons in maintenance.problems(wish, pk=self.instance.pk or 0).items():
                self.add_error(name, reasons)
        return given


class SchedulesSeen:
    """For pages about things that cover schedules: those of other groups are not shown, and saving keeps them."""

    def get_queryset(self, request: HttpRequest) -> Any:
        seen = Schedule.objects.visible_to(request.user)
        return super().get_queryset(request).prefetch_related(Prefetch("schedules", queryset=seen))  # type: ignore[misc]  # a mixin

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "schedules":
            kwargs["queryset"] = Schedule.objects.visible_to(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]  # a mixin

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        hidden = maintenance.hidden_schedules(form.instance, request.user)
        super().save_related(request, form, formsets, change)  # type: ignore[misc]  # a mixin
        form.instance.schedules.add(*hidden)


@admin.register(MaintenanceWindow)
class MaintenanceWindowAdmin(SchedulesSeen, ModelAdmin[MaintenanceWindow]):
    form = WindowForm
    list_display = ("name", "when", "mode", "covers", "state")
    search_fields = ("name", "note")
    autocomplete_fields = ("schedules",)
    fieldsets = (
        (None, {"fields": ("name", "note", "enabled", "mode")}),
        ("Once", {"fields": ("starts_at", "ends_at")}),
        ("Or again and again", {"fields": ("cron", "timezone", "duration_minutes")}),
        ("What it covers", {"fields": ("covers_all", "jobs", "queues", "schedules")}),
    )

    @admin.display(description="When")
    def when(self, window: MaintenanceWindow) -> str:
        return maintenance.in_words(maintenance.wish_of(window)).rpartition(", ")[0]

    @admin.display(description="Covers")
    def covers(self, window: MaintenanceWindow) -> str:
        if window.covers_all:
            return "everything"
        names = [*window.jobs, *window.queues, *(str(schedule) for schedule in window.schedules.all()[:5])]
        return ", ".join(names) or "nothing"

    @admin.display(description="State")
    def state(self, window: MaintenanceWindow) -> str:
        if not window.enabled:
            return display.badge("Off", "toggle_off", "calm")
        now = timezone.now()
        end = windows.of_row(window, ()).end_of(now)
        if end is not None:
            return display.badge(f"Open, ends {display.relative(end, now)}", "construction", "warn")
        if not window.cron and window.ends_at is not None and window.ends_at <= now:
            return display.badge("Over", "check", "calm")
        return display.badge("To come", "schedule", "calm")


class DaysInline(TabularInline):  # type: ignore[misc]  # the theme has no types
    model = CalendarDays
    verbose_name = "day or days"
    verbose_name_plural = "days"
    extra = 1


@admin.register(Calendar)
class CalendarAdmin(SchedulesSeen, ModelAdmin[Calendar]):
    list_display = ("name", "description", "entries", "followers")
    search_fields = ("name", "description")
    autocomplete_fields = ("schedules",)
    inlines = (DaysInline,)

    def get_queryset(self, request: HttpRequest) -> Any:
        seen = visibility_of(request.user).condition("schedules__policy__owner_group")
        return (
            super()
            .get_queryset(request)
            .annotate(
                count_of_days=Count("days", distinct=True),
                count_of_schedules=Count("schedules", filter=seen, distinct=True),
            )
        )

    @admin.display(description="Entries", ordering="count_of_days")
    def entries(self, calendar: Any) -> int:
        return int(calendar.count_of_days)

    @admin.display(description="Schedules", ordering="count_of_schedules")
    def followers(self, calendar: Any) -> int:
        return int(calendar.count_of_schedules)


class LimitForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """The limits of a job; the rate is one text."""

    job = forms.ChoiceField(choices=[], widget=widgets.UnfoldAdminSelectWidget())
    key_by = forms.CharField(
        label="Key",
        required=False,
        max_length=500,
        help_text="Names of parameters, with commas between: runs with equal values of them count together.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )
    rate = forms.CharField(
        required=False,
        max_length=30,
        help_text="How many runs may start in a while: 10/m, 5/30s, 1000/day. Empty: any number.",
        widget=widgets.UnfoldAdminTextInputWidget({"placeholder": "10/m"}),
    )

    class Meta:
        model = JobLimit
        fields = ("job", "max_running", "key_by", "max_running_per_key")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["rate"] = str(limits.of_row(self.instance).rate or "")
            self.initial["key_by"] = ", ".join(self.instance.key_by)
            self.fields.pop("job", None)
        elif "job" in self.fields:
            job: Any = self.fields["job"]
            job.choices = job_choices()

    def clean_key_by(self) -> list[str]:
        return [name.strip() for name in self.cleaned_data["key_by"].split(",") if name.strip()]

    def clean_rate(self) -> Rate | None:
        text = self.cleaned_data["rate"].strip()
        try:
            return parse_rate(text) if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not self.errors:
            for name, reasons in limits.problems(self.job_name(), self.limits()).items():
                self.add_error(name if name in self.fields else None, reasons)
            if not self.instance.pk and JobLimit.objects.filter(job=given["job"]).exists():
                self.add_error("job", "This job has limits already: change those.")
        return given

    def job_name(self) -> str:
        return str(self.instance.job if self.instance.pk else self.cleaned_data["job"])

    def limits(self) -> Limits:
        """The limits of valid data."""
        given = self.cleaned_data
        return Limits(
            max_running=given["max_running"],
            key_by=tuple(given["key_by"]),
            max_running_per_key=given["max_running_per_key"],
            rate=given["rate"],
        )


@admin.register(JobLimit)
class JobLimitAdmin(ModelAdmin[JobLimit]):
    form = LimitForm
    list_display = ("title", "words", "running", "waiting", "origin")
    search_fields = ("job",)
    fields = ("job", "max_running", "key_by", "max_running_per_key", "rate")

    def get_queryset(self, request: HttpRequest) -> Any:
        return limits.counted(super().get_queryset(request))

    def get_fields(self, request: HttpRequest, obj: JobLimit | None = None) -> Any:
        return self.fields if obj is None else [name for name in self.fields if name != "job"]

    def save_model(self, request: HttpRequest, obj: JobLimit, form: LimitForm, change: bool) -> None:
        # Whoever waits is let through or not by the new limits at once; the admin itself tells the audit trail.
        saved = limits.put(form.job_name(), form.limits(), by=None)
        obj.pk = saved.pk
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: JobLimit) -> None:
        limits.remove(obj.job, by=None)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for row in queryset:
            limits.remove(row.job, by=None)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is not None and limits.is_declared(obj):
            return False
        return super().has_delete_permission(request, obj)

    @admin.display(description="Job", ordering="job")
    def title(self, row: JobLimit) -> str:
        job = find_job(row.job)
        return job.title if job else row.job

    @admin.display(description="Limits")
    def words(self, row: JobLimit) -> str:
        return str(limits.of_row(row))

    @admin.display(description="Hold a place")
    def running(self, row: Any) -> int:
        return int(row.holding)

    @admin.display(description="Wait")
    def waiting(self, row: Any) -> int:
        return int(row.waiting)
