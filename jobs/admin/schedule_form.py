"""The friendly form of a schedule: what a person says becomes a `jobs.schedules.Wish`."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.utils import timezone
from django_celery_beat.models import PeriodicTask
from unfold import widgets

from jobs.admin.moments import MomentField
from jobs.admin.owner_form import owner_group_field
from jobs.admin.policy_form import PolicyForm, initial_policies
from jobs.definitions import all_jobs
from jobs.errors import InvalidSchedule
from jobs.models import Schedule, SchedulePolicy
from jobs.schedules import Wish
from jobs.timing import Every, InvalidTiming, Timing, parse_interval, timing_of, zone_of
from jobs.timing.solar import EVENTS
from jobs.timing.words import in_words
from jobs.when import When, timing_of_when

KINDS = [
    ("cron", "At set times (cron)"),
    ("interval", "Every so often"),
    ("clock", "Once"),
    ("solar", "By the sun"),
]
#: Where an error of the timing engine belongs in the form.
FIELD_OF_ERROR = {
    **dict.fromkeys(("minute", "hour", "day_of_month", "month_of_year", "day_of_week"), "cron"),
    **dict.fromkeys(("every", "period"), "interval"),
    **dict.fromkeys(("event", "solar"), "solar_event"),
    "when": "kind",
    "catch_up_window_seconds": "catch_up_window",
    "jitter_seconds": "jitter",
    "deadline_seconds": "deadline",
}
CATCH_UP = SchedulePolicy.CatchUp


class TimingForm(forms.Form):
    """The part of the form that says when: enough for a preview."""

    kind = forms.ChoiceField(
        label="Runs",
        choices=KINDS,
        initial="cron",
        widget=widgets.UnfoldAdminRadioSelectWidget(radio_style=1),
    )
    cron = forms.CharField(
        label="Cron expression",
        required=False,
        max_length=200,
        help_text="Minute, hour, day of the month, month, day of the week: 30 9 * * mon-fri. "
        "Or @hourly, @daily, @weekly, @monthly, @yearly. "
        "With a day of the month and a day of the week, either of the two is enough.",
        widget=widgets.UnfoldAdminTextInputWidget(
            {"placeholder": "0 9 * * mon-fri", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    interval = forms.CharField(
        required=False,
        max_length=100,
        help_text="In words: every 15 minutes, 2h, 1 day. Days are 24 hours; for a fixed time of day use cron.",
        widget=widgets.UnfoldAdminTextInputWidget({"placeholder": "every 15 minutes", "autocomplete": "off"}),
    )
    clock = MomentField(label="Date and time", required=False, help_text="In the time zone below.")
    solar_event = forms.ChoiceField(
        label="Event",
        required=False,
        choices=[(name, name.replace("_", " ").capitalize()) for name in EVENTS],
        initial="sunrise",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    latitude = forms.FloatField(
        required=False,
        min_value=-90,
        max_value=90,
        help_text="Degrees, north positive.",
        widget=forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES), "step": "any"}),
    )
    longitude = forms.FloatField(
        required=False,
        min_value=-180,
        max_value=180,
        help_text="Degrees, east positive.",
        widget=forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES), "step": "any"}),
    )
    timezone = forms.CharField(
        label="Time zone",
        max_length=64,
        help_text="A name such as Europe/London. Cron follows its clocks, summer time included; "
        "dates on this page are typed in it.",
        widget=widgets.UnfoldAdminTextInputWidget({"list": "time-zones", "autocomplete": "off"}),
    )
    start_time = MomentField(label="Not before", required=False, help_text="Empty: from now on.")
    expires = MomentField(label="Not after", required=False, help_text="Empty: without end.")

    def __init__(self, *args: Any, schedule: Schedule | None = None, **kwargs: Any) -> None:
        self.schedule = schedule
        super().__init__(*args, **kwargs)
        self.fields["timezone"].initial = timezone.get_default_timezone_name()
        zone = self._typed_zone()
        for field in self.fields.values():
            if isinstance(field, MomentField) and zone is not None:
                field.zone = zone

    def _typed_zone(self) -> ZoneInfo | None:
        """The zone that the dates of this form are in; None while its name is wrong."""
        name = self["timezone"].value()
        try:
            return zone_of(str(name))
        except InvalidTiming:
            return None

    def clean_timezone(self) -> str:
        name: str = self.cleaned_data["timezone"].strip()
        try:
            zone_of(name)
        except InvalidTiming as error:
            raise forms.ValidationError(_sentence(error.reason)) from error
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        self._need_what_the_kind_asks(cleaned)
        if not self.errors:
            try:
                self.timing()
            except InvalidSchedule as error:
                self.show(error.fields)
        return cleaned

    def _need_what_the_kind_asks(self, cleaned: Mapping[str, Any]) -> None:
        needed = {"solar": ["solar_event", "latitude", "longitude"]}
        kind = cleaned.get("kind", "")
        for name in needed.get(kind, [kind]):
            if name in cleaned and cleaned[name] in (None, ""):
                self.add_error(name, "This is needed here.")

    def show(self, errors: Mapping[str, list[str]]) -> None:
        """Put the errors of the domain at the fields they are about."""
        for name, reasons in errors.items():
            field = FIELD_OF_ERROR.get(name, name)
            sentences = [_sentence(reason) for reason in reasons]
            self.add_error(field if field in self.fields else None, sentences)

    def when(self) -> When:
        """When it runs, of valid data."""
        given = self.cleaned_data
        match given["kind"]:
            case "cron":
                return When(cron=given["cron"], timezone=given["timezone"])
            case "interval":
                return When(interval=given["interval"], timezone=given["timezone"])
            case "clock":
                return When(clock=given["clock"], timezone=given["timezone"])
        place = (given["solar_event"], given["latitude"], given["longitude"])
        return When(solar=place, timezone=given["timezone"])

    def timing(self) -> Timing:
        """The timing that saving would give. Raises InvalidSchedule."""
        return timing_of_when(
            self.when(),
            anchor=self._anchor(),
            start=self.cleaned_data["start_time"],
            end=self.cleaned_data["expires"],
        )

    def zone(self) -> ZoneInfo:
        """The zone to show local times in, of valid data."""
        return zone_of(self.cleaned_data["timezone"])

    def _anchor(self) -> datetime:
        """An interval that stays the same keeps its phase; a new one counts from the moment it is saved."""
        row = self.schedule.interval if self.schedule else None
        if self.schedule and row and self.cleaned_data["kind"] == "interval":
            same = parse_interval_or_none(self.cleaned_data["interval"]) == (row.every, row.period)
            anchor: datetime | None = self.schedule.policy.anchor_at
            if same and anchor:
                return anchor
        return timezone.now().replace(microsecond=0)


class ScheduleForm(PolicyForm, TimingForm):
    """Everything a person decides about a schedule, but for the job's parameters."""

    name = forms.CharField(max_length=200, widget=widgets.UnfoldAdminTextInputWidget())
    job = forms.ChoiceField(choices=[], widget=widgets.UnfoldAdminSelectWidget())
    description = forms.CharField(
        required=False,
        help_text="What it is for, and whom to ask.",
        widget=widgets.UnfoldAdminTextareaWidget({"rows": 2}),
    )
    enabled = forms.BooleanField(
        required=False,
        initial=True,
        help_text="Switched on, it fires from its next slot; slots that have passed are never made up for.",
        widget=widgets.UnfoldBooleanSwitchWidget(),
    )
    one_off = forms.BooleanField(
        label="Only one run",
        required=False,
        help_text="Switch the schedule off after its first run.",
        widget=widgets.UnfoldBooleanSwitchWidget(),
    )
    catch_up = forms.ChoiceField(
        label="Slots missed while no scheduler was running",
        choices=CATCH_UP.choices,
        initial=CATCH_UP.LAST,
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    catch_up_window = forms.CharField(
        label="Catch-up window",
        initial="1 day",
        help_text="How late a missed slot may still run, such as 30 minutes or 2 days.",
        widget=widgets.UnfoldAdminTextInputWidget(),
    )

    deadline = forms.CharField(
        required=False,
        help_text="How long after its slot a run must have ended, such as 45 minutes. It is told beforehand when "
        "that will not be kept. Empty: no deadline.",
        widget=widgets.UnfoldAdminTextInputWidget({"placeholder": "45 minutes", "autocomplete": "off"}),
    )
    keep_days = forms.IntegerField(
        label="Keep its runs for days",
        required=False,
        min_value=1,
        max_value=36_525,
        help_text="After their end. Empty: as long as other runs.",
        widget=forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES)}),
    )
    keep_runs = forms.IntegerField(
        label="Keep so many of its runs",
        required=False,
        min_value=1,
        max_value=1_000_000,
        help_text="The latest ended ones. Empty: any number.",
        widget=forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES)}),
    )
    owner_group = owner_group_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        job: Any = self.fields["job"]
        job.choices = job_choices()

    def clean_deadline(self) -> int | None:
        text = self.cleaned_data["deadline"]
        return int(_seconds(text)) if text else None

    def clean_catch_up_window(self) -> int:
        seconds = _seconds(self.cleaned_data["catch_up_window"])
        if not 10 <= seconds <= 366 * 86_400:
            raise forms.ValidationError("Use 10 seconds to 366 days.")
        return int(seconds)

    def wish(self, parameters: Mapping[str, Any]) -> Wish:
        """The wish of valid data."""
        given = self.cleaned_data
        return Wish(
            name=given["name"].strip(),
            job=given["job"],
            when=self.when(),
            parameters=parameters,
            description=given["description"],
            enabled=given["enabled"],
            start_time=given["start_time"],
            expires=given["expires"],
            one_off=given["one_off"],
            catch_up=given["catch_up"],
            catch_up_window_seconds=given["catch_up_window"],
            policies=self.policies(),
            deadline_seconds=given["deadline"],
            keep_days=given["keep_days"],
            keep_runs=given["keep_runs"],
        )


def initial_of(schedule: Schedule) -> dict[str, Any]:
    """What the form of an existing schedule begins with."""
    policy = schedule.policy
    return {
        "name": schedule.name,
        "job": schedule.task,
        "description": schedule.description,
        "enabled": schedule.enabled,
        "start_time": schedule.start_time,
        "expires": schedule.expires,
        "one_off": schedule.one_off,
        "catch_up": policy.catch_up,
        "catch_up_window": length_in_words(timedelta(seconds=policy.catch_up_window_seconds)),
        **initial_policies(policy),
        "deadline": length_in_words(timedelta(seconds=policy.deadline_seconds))
        if policy.deadline_seconds
        else "",
        "keep_days": policy.keep_days,
        "keep_runs": policy.keep_runs,
        "owner_group": policy.owner_group_id,
        **_initial_timing(schedule),
    }


def _initial_timing(schedule: PeriodicTask) -> dict[str, Any]:
    if schedule.crontab is not None:
        row = schedule.crontab
        fields = (row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week)
        return {"kind": "cron", "cron": " ".join(fields), "timezone": str(row.timezone)}
    zone = {"timezone": schedule.policy.timezone} if schedule.policy.timezone else {}
    if schedule.interval is not None:
        step = timedelta(**{schedule.interval.period: schedule.interval.every})
        return {"kind": "interval", "interval": f"every {in_words(step)}", **zone}
    if schedule.clocked is not None:
        return {"kind": "clock", "clock": schedule.clocked.clocked_time, **zone}
    if schedule.solar is not None:
        place = {"latitude": float(schedule.solar.latitude), "longitude": float(schedule.solar.longitude)}
        return {"kind": "solar", "solar_event": schedule.solar.event, **place, **zone}
    return {}


def catch_up_in_words(rule: str, window: timedelta) -> str:
    """What the rule means, in a sentence or two."""
    late = length_in_words(window)
    match rule:
        case CATCH_UP.SKIP:
            return "After an outage, slots that passed are recorded as missed and never run."
        case CATCH_UP.ALL:
            return (
                f"After an outage, every slot that is at most {late} late runs, one run each; "
                "older ones are recorded as missed."
            )
    return (
        f"After an outage, only the latest missed slot runs, if it is at most {late} late; "
        "the others are recorded as skipped, and older ones as missed."
    )


def length_in_words(length: timedelta) -> str:
    """A length of time with its number, also when that is one: "1 day"."""
    words = in_words(length)
    return words if words[0].isdigit() else f"1 {words}"


def job_choices() -> list[Any]:
    """Every job, grouped by its app."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for job in all_jobs():
        groups.setdefault(job.app_label.capitalize(), []).append((job.name, job.title))
    return [("", "Choose a job"), *groups.items()]


def stored_timing(schedule: PeriodicTask, now: datetime) -> Timing:
    """The timing of a row as it is stored. Raises InvalidTiming."""
    return timing_of(schedule, anchor=schedule.policy.anchor_at or now.replace(microsecond=0))


def parse_interval_or_none(text: str) -> Every | None:
    """A typed interval, or None when it cannot be read."""
    try:
        return parse_interval(text)
    except InvalidTiming:
        return None


def _seconds(text: str) -> float:
    """A typed length of time; raises ValidationError."""
    try:
        every = parse_interval(text)
    except InvalidTiming as error:
        raise forms.ValidationError(_sentence(error.reason)) from error
    return timedelta(**{every.period: every.every}).total_seconds()


def _sentence(reason: str) -> str:
    text = reason[:1].upper() + reason[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
