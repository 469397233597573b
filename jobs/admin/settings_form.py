"""The generated form of a kind's settings, such as those of a notification channel. What is secret goes in and never comes out."""

from collections.abc import Mapping
from typing import Any

from unfold import widgets

from jobs.admin.parameters import HasParameters, ParameterForm


class _Kept:
    """A kind whose secrets need not be given again."""

    def __init__(self, kind: HasParameters, names: set[str], secrets: Mapping[str, str]) -> None:
        self.parameters = kind.parameters
        self._kind = kind
        self._names = names
        self._secrets = secrets

    def clean(self, parameters: Mapping[str, object], /) -> dict[str, Any]:
        given = {name: value for name, value in parameters.items() if value or name not in self._names}
        return self._kind.clean({**self._secrets, **given})


class SettingsForm(ParameterForm):
    """The form of one kind. `secret_names` are those of its settings, `secrets` those that are stored already.

    A secret that is stored and left empty stays what it is.
    """

    def __init__(
        self,
        kind: HasParameters,
        *,
        secret_names: set[str],
        data: Mapping[str, Any] | None = None,
        initial: Mapping[str, Any] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.secret_names = secret_names
        stored = secrets or {}
        super().__init__(_Kept(kind, secret_names, stored), data=data, initial=initial)
        for name, described in kind.parameters.model_json_schema().get("properties", {}).items():
            if described.get("format") == "uri":  # however long it may be, it is one line
                self.fields[name].widget = widgets.UnfoldAdminTextInputWidget(attrs={"inputmode": "url"})
        for name in secret_names:
            field = self.fields[name]
            field.widget = widgets.UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
            field.initial = None
            if stored.get(name):
                field.required = False
                field.help_text = f"{field.help_text} It is set; leave this empty to keep it."
