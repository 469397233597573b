"""The box for words and questions, with its filters: on the page of results, and above each answer."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest

from jobs.admin.base import user_of
from knowledge import answers
from knowledge.admin.search_form import MODES, RETRACTED, Choices, SearchForm
from knowledge.models import Question

ASK, VIEW = "knowledge.ask_question", "knowledge.view_question"


class AskForm(forms.Form):
    """How a question is to be answered."""

    writer = forms.CharField(max_length=30, required=False)
    perspectives = forms.BooleanField(required=False)
    arxiv = forms.BooleanField(required=False)
    session = forms.UUIDField(required=False)


def may_ask(request: HttpRequest) -> bool:
    """Who asks must be able to read the answer."""
    return request.user.has_perms((ASK, VIEW))


def ask(request: HttpRequest) -> Question:
    """Ask what was typed, restricted by the filters. Raises InvalidQuestion, EmbeddingError."""
    words, how = SearchForm(request.POST), AskForm(request.POST)
    how.is_valid()
    given = how.cleaned_data
    session: UUID | None = given.get("session")
    return answers.ask(
        words.query or request.POST.get("q", ""),
        filters=words.filters,
        session=session,
        writer=given.get("writer") or answers.DEFAULT_KIND,
        perspectives=bool(given.get("perspectives")),
        arxiv=bool(given.get("arxiv")),
        by=user_of(request),
    )


def context(request: HttpRequest, form: SearchForm) -> dict[str, Any]:
    """What the template of the box needs."""
    usable = [answers.get(kind) for kind, _ in answers.choices() if not answers.get(kind).why_not()]
    return {
        "form": form,
        "query": form.query,
        "choices": Choices.now(),
        "values": {name: form.value(name) for name in form.fields},
        "modes": [(mode.value, text) for mode, text in MODES.items()],
        "retracted_choices": [(one.value, text) for one, text in RETRACTED.items()],
        "mode": form.wanted_mode.value,
        "retracted": form.wanted_retracted.value,
        "chosen": form.chosen,
        "may_ask": may_ask(request),
        "writers": sorted(usable, key=lambda writer: writer.kind != answers.DEFAULT_KIND),
        "experts": any(writer.roles for writer in usable),
    }


def of_question(question: Question) -> SearchForm:
    """The box filled with a question that was asked, and with those of its filters that the box has."""
    stored = question.filters if isinstance(question.filters, dict) else {}
    first = {"topic": "topics", "source": "sources", "type": "types", "language": "languages"}
    given = {name: stored[many][0] for name, many in first.items() if stored.get(many)}
    same = {name: stored[name] for name in ("year_from", "year_to", "retracted") if stored.get(name)}
    return SearchForm({"q": question.text, **given, **same})
