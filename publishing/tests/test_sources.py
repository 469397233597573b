"""The contract of every kind of source, whatever kinds there are."""

import re
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from publishing import sources
from publishing.errors import SourceError, UnknownSourceKind
from publishing.sources import Fetched, FetchRequest, SourceAdapter
from publishing.sources.registry import _adapters

ROOT = Path(__file__).resolve().parents[2]

#: Options without which a kind cannot be.
LEAST: dict[str, dict[str, object]] = {"search": {"query": "ferries"}}

every_kind = pytest.mark.parametrize("kind", sources.kinds())


@every_kind
def test_a_kind_has_a_stable_name_and_a_label(kind):
    adapter = sources.get(kind)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", kind) and adapter.kind == kind
    assert adapter.label and (kind, adapter.label) in sources.choices()
    assert type(adapter).__doc__


@every_kind
def test_a_kind_says_what_is_wrong_with_an_address_or_an_option(kind):
    adapter = sources.get(kind)
    assert adapter.why_not("javascript:alert(1)").endswith(".")
    with pytest.raises(ValidationError):
        adapter.clean_options({"surely unknown": 1})
    least = LEAST.get(kind, {})
    assert adapter.clean_options(least) == adapter.clean_options(adapter.clean_options(least))


@every_kind
def test_a_kind_turns_its_errors_into_ours(kind, settings):
    settings.OUTBOUND_ALLOWED_HOSTS = []
    for url in ("http://127.0.0.1:9/", "http://localhost/", "http://[::1]/"):
        with pytest.raises(SourceError) as caught:
            sources.get(kind).fetch(FetchRequest(url))
        assert str(caught.value)


def test_unknown_kinds_are_named_with_those_that_are_known():
    with pytest.raises(UnknownSourceKind, match=r"'pigeon'.*feed"):
        sources.get("pigeon")


def test_the_registry_refuses_what_is_unfinished_or_taken():
    class Unfinished(SourceAdapter):
        kind, label = "unfinished", "Unfinished"

    with pytest.raises(TypeError, match="fetch"):
        sources.register(Unfinished)

    class Twice(SourceAdapter):
        kind, label = "feed", "Again"

        def fetch(self, request: FetchRequest) -> Fetched:
            return Fetched(is_changed=False)

    with pytest.raises(ValueError, match="two kinds"):
        sources.register(Twice)


def test_the_page_on_adding_a_source_works_as_written(monkeypatch, tmp_path):
    """One file in the package is all: it is found, listed and fetched from."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-source.md").read_text(), re.DOTALL)
    (tmp_path / "echo.py").write_text(code)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    try:
        sources.load()
        assert ("echo", "Echo") in sources.choices()
        request = FetchRequest("https://feeds.example/", sources.get("echo").clean_options({"times": 2}))
        fetched = sources.get("echo").fetch(request)
        assert [item.title for item in fetched.items] == ["Echo 1", "Echo 2"]
        assert len({item.identity for item in fetched.items}) == 2
    finally:
        _adapters.pop("echo", None)
        sys.modules.pop("publishing.sources.echo", None)
