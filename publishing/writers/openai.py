"""A language model behind any endpoint that speaks OpenAI's protocol."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

import chat
from publishing.commissions import prompts
from publishing.commissions.checks import WHOLE_TEXT, check
from publishing.commissions.estimates import estimate
from publishing.commissions.material import Material, material
from publishing.commissions.naming import MetaAnswer, read_meta
from publishing.commissions.page import read_page
from publishing.commissions.plan import Plan, PlanAnswer, read_plan
from publishing.digests.articles import is_clean
from publishing.digests.phrases import english, phrases_of
from publishing.feeds.sanitise import plain_text
from publishing.words import count_words
from publishing.writers.base import Body, Brief, Meta, Outline, Step, Writer
from publishing.writers.errors import Unfinished, WriterRefused, WriterUnavailable
from publishing.writers.progress import Listener, listener
from publishing.writers.registry import register
from publishing.writers.usage import Usage

T = TypeVar("T")

_TEMPERATURE = 0.7
#: No listener wants to know more often.
_TELL_SECONDS = 0.25


@register
class OpenAIWriter(Writer):
    """Lets a model write from the items, which it names as sources; for any OpenAI-compatible endpoint.

    One paid answer a step; a second only when the first cannot be used, with the reason why.
    """

    kind, label = "openai", "Language model (OpenAI-compatible endpoint)"

    def why_not(self) -> str:
        return chat.why_not()

    def estimate(self, brief: Brief) -> Usage:
        return Usage() if chat.why_not() else estimate(brief, chat.configured())

    def outline(self, brief: Brief) -> Step[Outline]:
        """Sections with the items that each stands on."""
        usable = _material(brief)
        given = _ask(
            prompts.outline_messages(brief, usable),
            lambda answer, is_last: read_plan(answer, usable, is_last=is_last),
            schema=PlanAnswer,
        )
        return Step(given.value.model_dump(mode="json"), given.usage)

    def body(self, brief: Brief, outline: Mapping[str, JsonValue]) -> Step[Body]:
        """The whole text in one answer, as a page with citations and a list of sources."""
        try:
            plan = Plan.model_validate(outline)
        except ValidationError as error:
            raise WriterRefused("The outline was not made by this writer.") from error
        usable = _material(brief)
        _refuse_what_is_gone(plan, usable)
        phrases = phrases_of(brief.language) or english()

        def read(answer: str, is_last: bool) -> Body:
            page = read_page(answer, usable, phrases)
            notes = check(page, brief, usable)
            return Body(html=page.html, item_ids=page.item_ids, notes=notes)

        given = _ask(prompts.body_messages(brief, usable, plan), read)
        return Step(given.value, given.usage)

    def meta(self, brief: Brief, body: Body) -> Step[Meta]:
        """Title, description and keywords in one answer."""
        text = plain_text(body["html"], WHOLE_TEXT)
        given = _ask(
            prompts.meta_messages(brief, text),
            lambda answer, is_last: read_meta(answer, brief, text, is_last=is_last),
            schema=MetaAnswer,
        )
        return Step(given.value, given.usage)


def _material(brief: Brief) -> Material:
    """The items a model is told of. Raises WriterRefused when there is nothing to write about."""
    usable = material(brief)
    if brief.items and not usable.items:
        raise WriterRefused("Every item has a keyword to avoid in its title or source.")
    if not (brief.items or brief.topic or brief.keyword or brief.expertise):
        raise WriterRefused(
            "There is nothing to write about: no items, no topic, no keyword and no expertise."
        )
    if not is_clean(brief.keyword, brief):
        raise WriterRefused(f"The main keyword “{brief.keyword}” has a keyword to avoid in it.")
    return usable


def _refuse_what_is_gone(plan: Plan, usable: Material) -> None:
    known = usable.numbers
    missing = [number for number in plan.item_ids if number not in known]
    if missing:
        raise WriterRefused(f"Item {missing[0]} is part of the outline, but no longer of the brief.")


def _ask(
    messages: list[prompts.Message], read: Callable[[str, bool], T], *, schema: type[BaseModel] | None = None
) -> chat.Given[T]:
    told = listener()
    with _translated():
        return chat.ask(
            messages,
            read,
            schema=schema,
            temperature=_TEMPERATURE,
            on_progress=_following(told) if told is not None else None,
        )


@dataclass(frozen=True)
class _Writing:
    """How far a model is; counted when somebody looks."""

    _progress: chat.Progress

    @property
    def words(self) -> int:
        return count_words(self._progress.text)

    @property
    def usage(self) -> Usage:
        return self._progress.usage


def _following(listener: Listener) -> Callable[[chat.Progress], None]:
    """Tells the listener, not at every word."""
    told_at = -_TELL_SECONDS

    def follow(progress: chat.Progress) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _TELL_SECONDS:
            told_at = time.monotonic()
            listener(_Writing(progress))

    return follow


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of asking a model as errors of writing."""
    try:
        yield
    except chat.ChatUnavailable as error:
        raise WriterUnavailable(str(error), retry_after=error.retry_after, usage=error.usage) from error
    except chat.CutOff as error:
        raise Unfinished(str(error), usage=error.usage) from error
    except chat.Unusable as error:
        raise WriterRefused(f"What the model wrote cannot be used: {error}", usage=error.usage) from error
    except chat.ChatError as error:
        raise WriterRefused(str(error), usage=error.usage) from error
