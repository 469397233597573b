"""What somebody looks for: the words and filters of the search page, as its address has them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.http import urlencode

from knowledge import connectors, statistics
from knowledge.admin import looks
from knowledge.models import Topic
from knowledge.search.engine import LONGEST_QUERY, Mode
from knowledge.search.filters import Filters, Retracted

#: Results of a page, and how many pages there are at most.
PER_PAGE, PAGES = 10, 10
MODES = {
    Mode.HYBRID: "Meaning and words",
    Mode.DENSE: "Meaning only",
    Mode.SPARSE: "Words only",
}
RETRACTED = {
    Retracted.EXCLUDE: "Leave out",
    Retracted.INCLUDE: "Show, marked",
    Retracted.ONLY: "Only these",
}
#: In the address these are said by saying nothing.
_USUAL = {"mode": Mode.HYBRID.value, "retracted": Retracted.EXCLUDE.value, "page": "1"}


@dataclass(frozen=True)
class Chosen:
    """A filter that is on, and the address without it."""

    text: str
    without: str


class SearchForm(forms.Form):
    """Values that do not fit are left out, as an address may be old; `left_out` tells which."""

    q = forms.CharField(max_length=LONGEST_QUERY, required=False)
    topic = forms.ModelChoiceField(Topic.objects.order_by("name"), required=False)
    source = forms.ChoiceField(choices=connectors.choices, required=False)
    type = forms.CharField(max_length=200, required=False)
    language = forms.CharField(max_length=35, required=False)
    year_from = forms.IntegerField(min_value=1000, max_value=9999, required=False)
    year_to = forms.IntegerField(min_value=1000, max_value=9999, required=False)
    retracted = forms.ChoiceField(
        choices=[(one.value, text) for one, text in RETRACTED.items()], required=False
    )
    mode = forms.ChoiceField(choices=[(one.value, text) for one, text in MODES.items()], required=False)
    page = forms.IntegerField(min_value=1, max_value=PAGES, required=False)

    def value(self, name: str) -> Any:
        """A value that fits, or None."""
        self.is_valid()
        return self.cleaned_data.get(name) or None

    @property
    def query(self) -> str:
        return str(self.value("q") or "").strip()

    @property
    def wanted_mode(self) -> Mode:
        return Mode(self.value("mode") or Mode.HYBRID)

    @property
    def wanted_retracted(self) -> Retracted:
        return Retracted(self.value("retracted") or Retracted.EXCLUDE)

    @property
    def left_out(self) -> list[str]:
        """What was asked for and makes no sense, in words."""
        self.is_valid()
        return [f"{name.replace('_', ' ')}: {' '.join(map(str, said))}" for name, said in self.errors.items()]

    @property
    def filters(self) -> Filters:
        topic, source, kind, language = (self.value(name) for name in ("topic", "source", "type", "language"))
        return Filters(
            sources=[source] if source else (),
            year_from=self.value("year_from"),
            year_to=self.value("year_to"),
            types=[kind] if kind else (),
            languages=[language] if language else (),
            retracted=self.wanted_retracted,
            topics=[topic.pk] if topic else (),
        )

    @property
    def chosen(self) -> list[Chosen]:
        """The filters that are on, each with the address without it."""
        said: dict[str, Callable[[Any], str]] = {
            "topic": lambda value: f"Topic: {value}",
            "source": lambda value: f"Source: {looks.source_name(value)}",
            "type": lambda value: f"Type: {value}",
            "language": lambda value: f"Language: {value}",
            "year_from": lambda value: f"From {value}",
            "year_to": lambda value: f"Up to {value}",
            "retracted": lambda value: f"Retracted: {RETRACTED[Retracted(value)].lower()}",
            "mode": lambda value: MODES[Mode(value)],
        }
        return [
            Chosen(words(value), self.address(**{name: None}, page=None))
            for name, words in said.items()
            if (value := self.value(name)) and value != _USUAL.get(name)
        ]

    def address(self, **changes: object) -> str:
        """The query of the same page with other values; None leaves one out."""
        given = {**{name: self.value(name) for name in self.fields}, **changes}
        kept = {
            name: str(value.pk if isinstance(value, Topic) else value)
            for name, value in given.items()
            if value is not None and str(value) != _USUAL.get(name)
        }
        return "?" + urlencode(kept)


@dataclass(frozen=True)
class Choices:
    """What the filters offer."""

    topics: Sequence[Topic]
    sources: Sequence[tuple[str, str]]
    types: Sequence[str]
    languages: Sequence[str]

    @classmethod
    def now(cls) -> "Choices":
        return cls(
            topics=list(Topic.objects.only("pk", "name").order_by("name")),
            sources=connectors.choices(),
            types=[name for name, _ in statistics.papers_by_type(40)],
            languages=[name for name, _ in statistics.papers_by_language(40)],
        )
