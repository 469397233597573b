"""The forms of a source: its settings, and what to try it with."""

from typing import TYPE_CHECKING, Any

from django import forms
from unfold import widgets

from jobs.admin.parameters import LinesField
from knowledge import connectors, topics
from knowledge.admin.topic_form import line, number
from knowledge.connectors.base import LONGEST_QUERY
from knowledge.models import Source

if TYPE_CHECKING:
    Form = forms.ModelForm[Source]
else:
    Form = forms.ModelForm


class SourceForm(Form):
    """Everything that a person decides about a source, but for its switch."""

    connector = forms.ChoiceField(
        choices=[], widget=widgets.UnfoldAdminSelectWidget(), help_text="What speaks its language."
    )
    addresses = LinesField(
        forms.CharField(max_length=2000),
        required=False,
        help_text="Of the feeds that it reads; services have an address of their own. Private addresses are refused.",
    )

    class Meta:
        model = Source
        fields = ("name", "connector", "addresses")
        widgets = {"name": line()}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["connector"]
        field.choices = connectors.choices()
        kind = self.instance.connector
        if kind and kind not in connectors.kinds():
            field.choices = [*field.choices, (kind, f"{kind} (its code is gone)")]

    def _post_clean(self) -> None:
        """The domain checks, and says more: whether an address may be read at all."""

    def changes(self) -> dict[str, Any]:
        """What `sources.save` wants of valid data."""
        return dict(self.cleaned_data)


class TryForm(forms.Form):
    """What to ask a source, to see whether it answers."""

    text = forms.CharField(
        label="Query",
        max_length=LONGEST_QUERY,
        widget=line(autocomplete="off", spellcheck="false"),
        help_text="In the source's own syntax. For feeds, * is everything.",
    )
    days_back = forms.IntegerField(
        label="Days back", min_value=1, max_value=topics.MOST_DAYS_BACK, initial=7, widget=number()
    )
