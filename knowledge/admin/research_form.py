"""The forms of a research job: its settings, and a run now."""

from typing import TYPE_CHECKING, Any

from django import forms
from unfold import widgets

from jobs.admin.parameters import LinesField
from knowledge import research
from knowledge.admin.topic_form import line, number
from knowledge.models import ResearchJob, Source

if TYPE_CHECKING:
    Form = forms.ModelForm[ResearchJob]
else:
    Form = forms.ModelForm


class ResearchJobForm(Form):
    """Everything that a person decides about a research job, but for its switch."""

    keywords = LinesField(
        forms.CharField(max_length=200),
        help_text="A paper with any of them is meant. Several words on a line are looked for as a phrase.",
    )
    sources = forms.ModelMultipleChoiceField(
        Source.objects.none(),
        widget=widgets.UnfoldAdminSelect2MultipleWidget,
        help_text="Disabled ones are left out until they are enabled.",
    )
    cron = forms.CharField(
        label="Cron expression",
        required=False,
        max_length=200,
        help_text="In UTC: minute, hour, day of the month, month, day of the week, such as 0 6 * * mon-fri.",
        widget=line(placeholder="0 6 * * *", autocomplete="off", spellcheck="false"),
    )
    interval_hours = forms.IntegerField(
        label="Or every so many hours",
        required=False,
        min_value=1,
        max_value=research.MOST_HOURS,
        widget=number(),
        help_text="One of the two, not both.",
    )

    class Meta:
        model = ResearchJob
        fields = ("name", "keywords", "max_papers", "days_back", "mode")
        labels = {"max_papers": "Papers at most", "mode": "Passages"}
        widgets = {
            "name": line(),
            "max_papers": number(min=1, max=1000),
            "days_back": number(min=1, max=3650),
            "mode": widgets.UnfoldAdminSelectWidget(),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen: Any = self.fields["sources"]
        chosen.queryset = Source.objects.order_by("name")
        if self.instance.pk:
            chosen.initial = list(self.instance.sources.all())
        else:
            chosen.initial = list(Source.objects.enabled())
        self.fields["cron"].initial = research.cron_of(self.instance)
        self.fields["interval_hours"].initial = research.hours_of(self.instance)

    def changes(self) -> dict[str, Any]:
        """What `research.save` wants of valid data."""
        apart = {"sources", "cron", "interval_hours"}
        return {name: value for name, value in self.cleaned_data.items() if name not in apart}


class RunForm(forms.Form):
    """A run now."""

    force_reprocess = forms.BooleanField(
        label="Take known papers anew",
        required=False,
        widget=widgets.UnfoldBooleanWidget(),
        help_text="Store and cut again also what is here already.",
    )
