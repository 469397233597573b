"""A job's parameters as a form: one field for each property of its JSON schema, checked by the job itself."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Protocol

from django import forms
from django.utils import timezone
from pydantic import BaseModel
from unfold import widgets

from jobs.admin.moments import MomentField
from jobs.definitions import AnyJob
from jobs.errors import InvalidParameters

Schema = Mapping[str, Any]


class HasParameters(Protocol):
    """What a form can be generated for: a job, or anything else with a model and a check."""

    @property
    def parameters(self) -> type[BaseModel]: ...

    def clean(self, parameters: Mapping[str, object], /) -> dict[str, Any]: ...


PREFIX = "parameter"
#: Strings that may be longer get a box of several lines.
ONE_LINE = 255


class ParameterForm(forms.Form):
    """The generated form of one job. After `is_valid`, `values` holds the parameters as the job wants them.

    `initial` are parameters (of a schedule or an earlier run) to begin with; the rest are the job's defaults.
    """

    def __init__(
        self,
        job: HasParameters,
        *,
        data: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(data=data, prefix=PREFIX)
        self.job = job
        self.values: dict[str, Any] = {}
        schema = job.parameters.model_json_schema()
        self._schemas = {name: _Property(name, schema) for name in schema.get("properties", {})}
        for name, described in self._schemas.items():
            self.fields[name] = described.field()
            self.fields[name].initial = (initial or {}).get(name, described.default)

    @classmethod
    def carried(cls, job: AnyJob, posted: Mapping[str, Any], *, shown: AnyJob | None) -> "ParameterForm":
        """The form of a job that was just chosen, keeping what was typed into equally named fields of another."""
        form = cls(job)
        typed = cls(shown) if shown is not None else None
        for name, field in form.fields.items():
            html_name = form.add_prefix(name)
            if html_name in posted or (typed is not None and name in typed.fields):
                field.initial = field.widget.value_from_datadict(posted, {}, html_name)
        return form

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = {
            name: described.as_json(cleaned[name])
            for name, described in self._schemas.items()
            if name in cleaned and not described.is_left_out(cleaned[name])
        }
        if self.errors:
            return cleaned
        try:
            self.values = self.job.clean(given)
        except InvalidParameters as error:
            self._show(error.fields)
        return cleaned

    def _show(self, errors: Mapping[str, list[str]]) -> None:
        for path, reasons in errors.items():
            name, _, inside = path.partition(".")
            if name in self.fields:
                self.add_error(name, [f"{inside}: {reason}" if inside else reason for reason in reasons])
            else:
                self.add_error(None, [f"{path}: {reason}" for reason in reasons])


class _Property:
    """One property of the schema: what kind of field it wants."""

    def __init__(self, name: str, schema: Schema) -> None:
        self.name = name
        self._definitions: Schema = schema.get("$defs", {})
        self._outer: Schema = schema["properties"][name]
        self._inner, self.is_nullable = self._resolved(self._outer)
        self.is_required = name in schema.get("required", [])
        self.default = self._outer.get("default")

    def is_left_out(self, value: Any) -> bool:
        """Whether an empty field means: not given, so that the job's default holds."""
        return value in (None, "") and not self.is_nullable and self._inner.get("type") != "string"

    def as_json(self, value: Any) -> Any:
        """What the form read, as the job wants it."""
        if self.is_nullable and value == "":
            return None
        return value.isoformat() if isinstance(value, (date, datetime)) else value

    def field(self) -> forms.Field:
        described = {"label": self._label(), "help_text": self._outer.get("description", "")}
        must_be_filled = self.is_required and not self.is_nullable
        return self._field(self._inner, required=must_be_filled, **described)

    def _label(self) -> str:
        automatic = self.name.replace("_", " ").title()
        title = self._outer.get("title", automatic)
        return self.name.replace("_", " ").capitalize() if title == automatic else str(title)

    def _resolved(self, schema: Schema) -> tuple[Schema, bool]:
        """The schema with references followed and `or null` taken off; the flag tells whether null was allowed."""
        if "$ref" in schema:
            return self._definitions[schema["$ref"].rpartition("/")[2]], False
        if "anyOf" in schema:
            options = [option for option in schema["anyOf"] if option.get("type") != "null"]
            is_nullable = len(options) < len(schema["anyOf"])
            if len(options) == 1:
                return self._resolved(options[0])[0], is_nullable
            return {}, is_nullable
        return schema, False

    def _field(self, schema: Schema, **options: Any) -> forms.Field:
        if "const" in schema:
            return _choice([schema["const"]], **options)
        if "enum" in schema:
            return self._enumerated(schema["enum"], **options)
        match schema.get("type"), schema.get("format"):
            case "boolean", _:
                return self._boolean(**options)
            case "integer" | "number" as kind, _:
                return _number(schema, whole=kind == "integer", **options)
            case "string", "date":
                return forms.DateField(widget=_date_input(), **options)
            case "string", "date-time":
                zone = timezone.get_default_timezone_name()
                options["help_text"] = f"{options.get('help_text', '')} Time zone: {zone}.".strip()
                return MomentField(**options)
            case "string", _:
                return _text(schema, **options)
            case "array", _:
                return self._several(schema, **options)
        return JsonField(widget=_box(), **options)

    def _enumerated(self, values: list[Any], **options: Any) -> forms.Field:
        if not _can_choose(values):
            return JsonField(widget=_box(), **options)
        has_blank = self.is_nullable or not (options["required"] or "default" in self._outer)
        return _choice(values, has_blank=has_blank, **options)

    def _boolean(self, **options: Any) -> forms.Field:
        if not self.is_nullable:
            return forms.BooleanField(
                widget=widgets.UnfoldBooleanSwitchWidget(), **{**options, "required": False}
            )
        return _choice([True, False], labels={True: "Yes", False: "No"}, has_blank=True, **options)

    def _several(self, schema: Schema, **options: Any) -> forms.Field:
        inner, _ = self._resolved(schema.get("items", {}))
        if "enum" in inner and _can_choose(inner["enum"]):
            return ChoicesField(inner["enum"], **options)
        if inner.get("type") in {"string", "integer", "number"}:
            return LinesField(self._field(inner, required=True), **options)
        return JsonField(widget=_box(), **options)


class ChoiceField(forms.TypedChoiceField):
    """One of some JSON values, shown as text."""

    def __init__(
        self,
        values: Iterable[Any],
        *,
        labels: Mapping[Any, str] | None = None,
        has_blank: bool = False,
        **options: Any,
    ) -> None:
        self._values = {_text_of(value): value for value in values}
        choices = [
            (text, (labels or {}).get(value, text.replace("_", " "))) for text, value in self._values.items()
        ]
        super().__init__(
            choices=[*([("", "Not set")] if has_blank else []), *choices],
            coerce=lambda text: self._values[text],
            empty_value=None,
            widget=widgets.UnfoldAdminSelectWidget(),
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return _text_of(value)


class ChoicesField(forms.TypedMultipleChoiceField):
    """Some of some JSON values."""

    def __init__(self, values: Iterable[Any], **options: Any) -> None:
        self._values = {_text_of(value): value for value in values}
        super().__init__(
            choices=[(text, text.replace("_", " ")) for text in self._values],
            coerce=lambda text: self._values[text],
            empty_value=[],
            widget=widgets.UnfoldAdminCheckboxSelectMultipleWidget(),
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        return [_text_of(one) for one in value] if isinstance(value, list) else value


class LinesField(forms.CharField):
    """A list, one value a line."""

    def __init__(self, each: forms.Field, **options: Any) -> None:
        options["help_text"] = f"{options.get('help_text', '')} One a line.".strip()
        super().__init__(widget=_box(rows=3), **options)
        self._each = each

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(str(one) for one in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        lines = [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]
        cleaned = []
        for number, line in enumerate(lines, start=1):
            try:
                cleaned.append(self._each.clean(line))
            except forms.ValidationError as error:
                raise forms.ValidationError(
                    [f"Line {number}: {message}" for message in error.messages]
                ) from error
        return cleaned


class JsonField(forms.JSONField):
    """Anything else, as JSON."""

    default_error_messages = {"invalid": "This is not valid JSON."}

    def __init__(self, **options: Any) -> None:
        options["help_text"] = f"{options.get('help_text', '')} JSON.".strip()
        super().__init__(**options)


def _choice(values: list[Any], **options: Any) -> ChoiceField:
    return ChoiceField(values, **options)


def _can_choose(values: list[Any]) -> bool:
    return len({_text_of(value) for value in values}) == len(values)


def _text_of(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(schema: Schema, *, whole: bool, **options: Any) -> forms.Field:
    kind: type[forms.IntegerField] = forms.IntegerField if whole else forms.FloatField
    return kind(
        min_value=schema.get("minimum"),
        max_value=schema.get("maximum"),
        widget=forms.NumberInput(
            attrs={"class": " ".join(widgets.INPUT_CLASSES), **({} if whole else {"step": "any"})}
        ),
        **options,
    )


def _text(schema: Schema, **options: Any) -> forms.Field:
    longest = schema.get("maxLength")
    is_long = schema.get("format") == "multiline" or (longest is not None and longest > ONE_LINE)
    widget = _box() if is_long else widgets.UnfoldAdminTextInputWidget()
    return forms.CharField(
        min_length=schema.get("minLength"), max_length=longest, strip=False, widget=widget, **options
    )


def _box(rows: int = 4) -> forms.Textarea:
    box: forms.Textarea = widgets.UnfoldAdminTextareaWidget({"rows": rows})
    return box


def _date_input() -> forms.DateInput:
    return forms.DateInput(
        attrs={"type": "date", "class": " ".join(widgets.DATETIME_CLASSES)}, format="%Y-%m-%d"
    )
