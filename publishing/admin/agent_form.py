"""The form of an agent, and the preview of when it writes."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.validators import RegexValidator
from django.utils import timezone
from unfold import widgets

from jobs.admin.parameters import LinesField
from jobs.admin.schedule_form import TimingForm
from jobs.admin.schedule_preview import Preview, preview_of_form
from jobs.models import Schedule
from publishing import agents, writers
from publishing.languages import TAG
from publishing.models import Agent

#: With so many rows at most all of them stand in the page, so that they can be chosen without JavaScript; more are looked up.
MOST_IN_PAGE = 300

if TYPE_CHECKING:
    Form = forms.ModelForm[Agent]
else:
    Form = forms.ModelForm


class WordsField(LinesField):
    """Some words or phrases, one a line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(forms.CharField(max_length=100), required=False, **options)

    def clean(self, value: Any) -> Any:
        words = super().clean(value)
        if len(words) > 100:
            raise forms.ValidationError("A hundred at most.")
        return words


def _number() -> forms.NumberInput:
    return forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES)})


def _money() -> forms.NumberInput:
    return forms.NumberInput({"class": " ".join(widgets.INPUT_CLASSES), "step": "0.01"})


def _line(**attrs: str) -> forms.TextInput:
    line: forms.TextInput = widgets.UnfoldAdminTextInputWidget(attrs=attrs)
    return line


class AgentForm(Form):
    """Everything that a person decides about an agent, but for its switch."""

    language = forms.CharField(
        max_length=35,
        initial="en",
        help_text="Such as en or de-AT.",
        validators=[RegexValidator(TAG, "Write the tag of a language, such as en or de-AT.")],
        widget=_line(),
    )
    writer = forms.ChoiceField(
        choices=[], widget=widgets.UnfoldAdminSelectWidget(), help_text="What puts the words together."
    )
    keywords = WordsField(help_text="To use; the first is the main one.")
    avoid = WordsField(label="Words to avoid", help_text="Words and phrases that must not occur.")
    schedule_cron = forms.CharField(
        label="Writes by itself",
        required=False,
        max_length=200,
        help_text="A cron expression: minute, hour, day of the month, month, day of the week, such as 0 7 * * mon-fri. "
        "Or @hourly, @daily, @weekly, @monthly. Empty: only when somebody asks, or a source says so.",
        widget=_line(placeholder="0 7 * * mon-fri", autocomplete="off", spellcheck="false"),
    )

    class Meta:
        model = Agent
        fields = (
            "name", "expertise", "persona", "tone", "audience", "language", "length", "writer", "topic", "keywords",
            "avoid", "sources", "max_items", "max_age", "workflow", "publishers", "publish_at", "timezone",
            "daily_posts", "monthly_posts", "daily_tokens", "monthly_tokens", "daily_cost", "monthly_cost",
        )  # fmt: skip
        labels = {
            "max_items": "Items at most",
            "publish_at": "Hour of publishing",
            "workflow": "When it is written",
        }
        widgets = {
            "name": _line(),
            "expertise": _line(),
            "persona": widgets.UnfoldAdminTextareaWidget({"rows": 3}),
            "tone": _line(),
            "audience": _line(),
            "length": widgets.UnfoldAdminSelectWidget(),
            "topic": _line(),
            "max_items": _number(),
            "max_age": _line(),
            "workflow": widgets.UnfoldAdminSelectWidget(),
            "publish_at": forms.TimeInput(
                attrs={"type": "time", "class": " ".join(widgets.INPUT_CLASSES)}, format="%H:%M"
            ),
            "timezone": _line(list="time-zones", autocomplete="off"),
            **{
                name: _number() for name in ("daily_posts", "monthly_posts", "daily_tokens", "monthly_tokens")
            },
            "daily_cost": _money(),
            "monthly_cost": _money(),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        agent = self.instance
        self.fields["max_age"].help_text += " Hours:minutes:seconds, or days in front."
        self.fields["schedule_cron"].initial = agents.schedule_cron(agent)
        writer: Any = self.fields["writer"]
        writer.choices = _writers(agent.writer)
        for name in ("sources", "publishers"):
            self._let_choose(name)
        if agent._state.adding:
            self.fields["timezone"].initial = timezone.get_current_timezone_name()

    def _let_choose(self, name: str) -> None:
        field: Any = self.fields[name]
        if field.queryset.count() > MOST_IN_PAGE:
            relation: Any = Agent._meta.get_field(name)
            widget: Any = AutocompleteSelectMultiple(relation, admin.site)
        else:
            widget = widgets.UnfoldAdminSelect2MultipleWidget()
        widget.choices = field.choices
        field.widget = widget

    def show(self, errors: Mapping[str, list[str]]) -> None:
        """Put what the domain refuses at the fields it is about."""
        for name, reasons in errors.items():
            self.add_error(name if name in self.fields else None, reasons)

    def changes(self) -> dict[str, Any]:
        """What `agents.save` wants of valid data, but for the relations and the schedule."""
        apart = {"sources", "publishers", "schedule_cron"}
        return {name: value for name, value in self.cleaned_data.items() if name not in apart}


class WriteForm(forms.Form):
    """What to write of now."""

    topic = forms.CharField(
        required=False,
        max_length=300,
        widget=_line(),
        help_text="What the post is about. Empty: the agent's topic, or whatever its sources bring.",
    )
    keyword = forms.CharField(
        required=False,
        max_length=100,
        widget=_line(),
        help_text="The main keyword. Empty: the agent's first.",
    )


def schedule_of(agent: Agent) -> Schedule | None:
    """The row by which it writes by itself."""
    key = agent.schedule_id
    return None if key is None else Schedule.objects.select_related("policy").get(pk=key)


def preview(cron: str, zone: str, agent: Agent, now: datetime) -> tuple[Preview | None, dict[str, list[str]]]:
    """When an agent would write with this expression, or what is wrong with it; neither without an expression."""
    if not cron.strip():
        return None, {}
    row = schedule_of(agent)
    form = TimingForm({"kind": "cron", "cron": cron, "timezone": zone}, schedule=row)
    shown = preview_of_form(form, now, schedule=row, enabled=agent.is_enabled)
    return shown, {name: [str(reason) for reason in reasons] for name, reasons in form.errors.items()}


def _writers(current: str) -> list[tuple[str, str]]:
    """Writers by label; those that cannot be used here say so, and one that has vanished stays chosen."""
    found = [
        (kind, f"{label} (cannot be used here)" if writers.get(kind).why_not() else label)
        for kind, label in writers.choices()
    ]
    is_known = current in writers.kinds()
    return found if is_known else [*found, (current, f"{current} (its code is gone)")]
