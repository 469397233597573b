"""The part of a schedule's form about its policies: overlap, jitter, failures and calendars."""

from datetime import timedelta
from typing import Any

from django import forms
from unfold import widgets

from jobs.models import Calendar, SchedulePolicy
from jobs.policies import Policies
from jobs.timing import InvalidTiming, parse_interval
from jobs.timing.words import in_words

Overlap = SchedulePolicy.Overlap


class PolicyForm(forms.Form):
    """What becomes of slots that meet an earlier run, a failure or a holiday."""

    overlap = forms.ChoiceField(
        label="When an earlier run has not ended",
        required=False,
        choices=[("", "As the job says"), *Overlap.choices],
        help_text="A slot that does not run is kept in the list of runs, with the reason.",
        widget=widgets.UnfoldAdminSelectWidget(),
    )
    buffer_limit = forms.IntegerField(
        label="Longest row of waiting slots",
        required=False,
        initial=100,
        min_value=1,
        max_value=1000,
        help_text="Only where slots wait in a row: those that do not fit are skipped.",
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )
    jitter = forms.CharField(
        label="Jitter",
        required=False,
        max_length=100,
        help_text="Start each slot up to this much later, always before the next one: 5 minutes. Empty: on the dot.",
        widget=widgets.UnfoldAdminTextInputWidget({"autocomplete": "off"}),
    )
    pause_on_failure = forms.BooleanField(
        label="Pause on failure",
        required=False,
        help_text="When a run has failed and is not tried again, pause until somebody resumes it.",
        widget=widgets.UnfoldBooleanSwitchWidget(),
    )
    calendars = forms.ModelMultipleChoiceField(
        queryset=Calendar.objects.all(),
        required=False,
        label="No slots on the days of",
        widget=forms.CheckboxSelectMultiple(),
    )

    def clean_jitter(self) -> int:
        text = self.cleaned_data["jitter"].strip()
        if not text or text == "0":
            return 0
        try:
            every = parse_interval(text)
        except InvalidTiming as error:
            reason = error.reason[:1].upper() + error.reason[1:]
            raise forms.ValidationError(f"{reason}.") from error
        seconds = timedelta(**{every.period: every.every}).total_seconds()
        if not 1 <= seconds <= 86_400:
            raise forms.ValidationError("Use 1 second to a day.")
        return int(seconds)

    def policies(self) -> Policies:
        """The policies of valid data."""
        given = self.cleaned_data
        return Policies(
            overlap=given["overlap"] or None,
            buffer_limit=given["buffer_limit"] or Policies.buffer_limit,
            jitter_seconds=given["jitter"],
            pause_on_failure=given["pause_on_failure"],
            calendars=tuple(sorted(calendar.pk for calendar in given["calendars"])),
        )


def initial_policies(policy: SchedulePolicy) -> dict[str, Any]:
    """What the form of an existing schedule begins with."""
    jitter = policy.jitter_seconds
    return {
        "overlap": policy.overlap,
        "buffer_limit": policy.buffer_limit,
        "jitter": in_words(timedelta(seconds=jitter)) if jitter else "",
        "pause_on_failure": policy.pause_on_failure,
        "calendars": list(Calendar.objects.filter(schedules=policy.pk)),
    }
