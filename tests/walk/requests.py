"""Requests that would change something: the forms of every page filled in, every action of every list, and the API's bodies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator

from tests.walk.addresses import LEFT_OUT, Address, Rows

UNSAFE = ("post", "put", "patch", "delete")
#: Posted to every address: what pages that only ask "really?" want.
CONFIRMED = {"confirmed": "yes", "post": "yes"}
#: Words for required texts of the API's bodies, by the name of the property.
WORDS: dict[str, Any] = {
    "job": "testing.do_nothing",
    "interval": "every 5 minutes",
    "confirm": "default",
    "url": "https://feeds.example.org/walk.xml",
    "scopes": ["runs:read"],
    "kind": "feed",
    "email": "walk@example.org",
}
#: And what is typed into empty texts of the admin's forms, by the name of the field.
TYPED = {
    "cron": "0 9 * * mon-fri",
    "interval": "every 5 minutes",
    "clock": "2030-01-01 00:00",
    "deadline": "2 hours",
    "jitter": "0",
    "start_time": "",
    "expires": "",
    "email": "walk@example.org",
    "url": "https://feeds.example.org/walk.xml",
    "password1": "a long enough password",
    "password2": "a long enough password",
}


@dataclass(frozen=True, eq=False)
class Wish:
    """One request that may change something."""

    method: str
    path: str
    data: Any = field(default_factory=dict)
    is_json: bool = False

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}"[:60] for name, value in list(dict(self.data).items())[:4])
        return f"{self.method.upper()} {self.path} ({shown})"

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for requests that are the same."""
        return self.method, self.path, repr(self.data)

    def send(self, client: Client) -> Any:
        kind = {"content_type": "application/json"} if self.is_json or self.method != "post" else {}
        return getattr(client, self.method)(self.path, self.data, **kind)


def of_addresses(found: list[Address]) -> Iterator[Wish]:
    """Every method on every address, with next to nothing in the body."""
    for address in found:
        for method in UNSAFE:
            yield Wish(method, address.path, CONFIRMED if method == "post" else {})


def of_pages(found: list[Address], superuser: Client) -> Iterator[Wish]:
    """The forms that a superuser sees, sent as they are and with a word put into each text."""
    for address in found:
        if not address.path.startswith("/admin/"):
            continue
        page = superuser.get(address.path)
        if page.status_code != 200 or not page.headers["Content-Type"].startswith("text/html"):
            continue
        for form in forms_of(page.content.decode()):
            target = urljoin(f"http://x{address.path}", form.action).removeprefix("http://x")
            if not any(target.startswith(f"/{prefix}") for prefix in LEFT_OUT):
                yield from (Wish("post", target, data) for data in (form.values, form.changed()))


def of_actions(rows: Rows, request: HttpRequest) -> Iterator[Wish]:
    """Every action of every list of the admin, on the world's row."""
    for model, model_admin in admin.site._registry.items():
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for name in model_admin.get_actions(request):
            pk = rows[model].pk if model in rows else 1
            yield Wish("post", address, {"action": name, ACTION_CHECKBOX_NAME: str(pk), **CONFIRMED})


def of_document(found: list[Address]) -> Iterator[Wish]:
    """Every operation of the OpenAPI document, with a body as the document wants it."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    by_route = {_as_documented(address.route): address for address in found}
    for route, operations in document["paths"].items():
        for method, operation in operations.items():
            if method in UNSAFE and route in by_route:
                body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                data = _example(body.get("schema", {"type": "object"}), document, "")
                yield Wish(method, by_route[route].path, data, is_json=True)


def _as_documented(route: str) -> str:
    """`api/v1/runs/<uuid:id>/` as the document writes it."""
    parts = [
        "{" + part.strip("<>").rpartition(":")[2] + "}" if part.startswith("<") else part
        for part in route.split("/")
    ]
    return ("/" + "/".join(parts)).replace("{pk}", "{id}")


def _example(schema: Mapping[str, Any], document: Mapping[str, Any], name: str) -> Any:
    if name in WORDS:
        return WORDS[name]
    if "$ref" in schema:
        return _example(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document, name)
    for key in ("allOf", "oneOf", "anyOf"):
        if key in schema:
            return _example(schema[key][0], document, name)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            wanted = {*schema.get("required", ()), *(part for part in properties if part in WORDS)}
            return {part: _example(properties[part], document, part) for part in sorted(wanted)}
        case "array":
            return [_example(schema["items"], document, name)]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return "2030-01-01T00:00:00Z" if schema.get("format") == "date-time" else "walked"


@dataclass
class Form:
    """One form of a page that posts."""

    action: str
    values: dict[str, Any] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)

    def changed(self) -> dict[str, Any]:
        """The same with something typed into each empty text that was there."""
        filled = {
            name: (value or TYPED.get(name, "walked")) if name in self.texts else value
            for name, value in self.values.items()
        }
        if filled.get("parameters_of") == "":  # a new schedule: its job was not chosen yet
            filled |= {"job": "testing.do_nothing", "parameters_of": "testing.do_nothing"}
        return filled


def forms_of(html: str) -> list[Form]:
    """The forms of a page that post, with what a browser would send."""
    reader = _FormReader()
    reader.feed(html)
    return reader.forms


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: str | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(given.get("action", "")) if given.get("method", "").lower() == "post" else None
            if self._form is not None:
                self.forms.append(self._form)
        if self._form is None or "disabled" in given:
            return
        name = given.get("name", "")
        if tag == "input" and name:
            self._input(self._form, name, given)
        elif tag == "select" and name:
            self._select = name
            self._form.values.setdefault(name, "")
        elif tag == "option" and self._select:
            value = given.get("value", "")
            if "selected" in given or (value and not self._form.values[self._select]):
                self._form.values[self._select] = value
        elif tag == "textarea" and name:
            self._textarea = name
            self._form.values[name] = ""
            self._form.texts.add(name)

    def _input(self, form: Form, name: str, given: Mapping[str, str]) -> None:
        kind = given.get("type", "text")
        if kind in ("checkbox", "radio"):
            if "checked" in given or (kind == "radio" and name not in form.values):
                form.values[name] = given.get("value", "on")
        elif name != "csrfmiddlewaretoken" and kind not in ("submit", "button", "image", "file"):
            form.values[name] = given.get("value", "")
            if kind in ("text", "search", "email", "password"):
                form.texts.add(name)

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._textarea:
            self._form.values[self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._textarea = None
