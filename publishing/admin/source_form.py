"""The form of a source: what all have, and the fields of its kind's options, generated from their model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from pydantic import BaseModel
from pydantic import ValidationError as OptionsError
from unfold import widgets

from jobs.admin.parameters import PREFIX, ParameterForm
from jobs.errors import InvalidParameters
from publishing import sources
from publishing.models import Source
from publishing.sources import SourceAdapter

if TYPE_CHECKING:
    Form = forms.ModelForm[Source]
else:
    Form = forms.ModelForm

#: Before the names of options, among the names of a form's fields.
OPTION = "option_"


class _Kind:
    """A kind of source as generated forms want it."""

    def __init__(self, adapter: SourceAdapter) -> None:
        self._adapter = adapter

    @property
    def parameters(self) -> type[BaseModel]:
        return self._adapter.options

    def clean(self, parameters: Mapping[str, object], /) -> dict[str, Any]:
        try:
            return self._adapter.clean_options(parameters)
        except OptionsError as error:
            fields: dict[str, list[str]] = {}
            for found in error.errors(include_url=False, include_input=False):
                name = ".".join(str(part) for part in found["loc"]) or "options"
                fields.setdefault(name, []).append(found["msg"].removeprefix("Value error, "))
            raise InvalidParameters(fields) from error


class SourceForm(Form):
    kind = forms.ChoiceField(
        choices=sources.choices,
        widget=widgets.UnfoldAdminSelectWidget,
        help_text="Stays as it is once the source is there.",
    )
    #: None when nothing is known of the kind; the options are JSON then.
    adapter: SourceAdapter | None = None

    class Meta:
        model = Source
        fields = (
            "name", "kind", "url", "options", "language", "backfill_limit", "min_interval", "max_interval",
            "auto_generate",
        )  # fmt: skip
        labels = {"min_interval": "Shortest interval", "max_interval": "Longest interval"}
        widgets = {"options": widgets.UnfoldAdminTextareaWidget(attrs={"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._options: ParameterForm | None = None
        if "kind" in self.fields and self.adapter is not None:
            self.fields["kind"].initial = self.adapter.kind
            self.fields["kind"].disabled = True
        if self.adapter is not None:
            data = self.data if self.is_bound else None
            self._options = ParameterForm(_Kind(self.adapter), data=data, initial=self.instance.options)
            for name, field in self._options.fields.items():
                if OPTION + name in self.fields:
                    self.fields[OPTION + name].initial = field.initial

    def add_prefix(self, field_name: str) -> str:
        """Options are read by the generated form, under its own names."""
        if field_name.startswith(OPTION):
            return f"{PREFIX}-{field_name.removeprefix(OPTION)}"
        return super().add_prefix(field_name)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self._options is None:
            return cleaned
        if self._options.is_valid():
            self.instance.options = self._options.values
        for name, texts in self._options.errors.items():
            field = OPTION + name if OPTION + name in self.fields else None
            if field is None or field not in self.errors:
                self.add_error(field, list(texts))
        return cleaned

    def _post_clean(self) -> None:
        """The model's own checks make the address of the options, so they wait until these are right."""
        if not (self._options is not None and self._options.errors):
            super()._post_clean()  # type: ignore[misc]  # not in the stubs

    def _get_validation_exclusions(self) -> set[str]:
        """The address is checked although no field shows it, when it is made of the options."""
        return super()._get_validation_exclusions() - {"url", "kind"}  # type: ignore[misc, no-any-return]


def form_for(adapter: SourceAdapter | None) -> type[SourceForm]:
    """The form for sources of a kind."""
    if adapter is None:
        return SourceForm
    generated = ParameterForm(_Kind(adapter)).fields
    fields = {OPTION + name: field for name, field in generated.items()}
    return type("SourceForm", (SourceForm,), {"adapter": adapter, **fields})


def option_fields(adapter: SourceAdapter) -> list[str]:
    """The names of the form's fields for the kind's options."""
    return [OPTION + name for name in adapter.options.model_fields]


class ItemForm(forms.Form):
    """A text to be added by hand."""

    title = forms.CharField(max_length=2_000, widget=widgets.UnfoldAdminTextInputWidget())
    html = forms.CharField(
        label="Text",
        max_length=1_000_000,
        widget=widgets.UnfoldAdminTextareaWidget({"rows": 12}),
        help_text="HTML or plain text. What could do harm is taken out.",
    )
    url = forms.CharField(
        label="Address",
        max_length=2_000,
        required=False,
        widget=widgets.UnfoldAdminTextInputWidget(attrs={"inputmode": "url"}),
        help_text="Where it was published, if it was.",
    )
    author = forms.CharField(max_length=2_000, required=False, widget=widgets.UnfoldAdminTextInputWidget())
