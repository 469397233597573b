"""A round-up of quotations: needs no model and no key, costs nothing, and invents nothing."""

from collections.abc import Mapping

from pydantic import JsonValue, ValidationError

from publishing.digests.articles import Gathered, gather, is_clean, source_of, title_of
from publishing.digests.naming import named, subject
from publishing.digests.page import introduction, rendered
from publishing.digests.phrases import Phrases, english, phrases_of
from publishing.digests.plan import Plan, Quoted, Theme
from publishing.digests.selection import choose, themes
from publishing.digests.sentences import running_text
from publishing.feeds.sanitise import plain_text
from publishing.words import count_words, mentions
from publishing.writers.base import Body, Brief, Item, Meta, Outline, Step, Writer
from publishing.writers.errors import TooLittle, WriterRefused
from publishing.writers.registry import register
from publishing.writers.usage import Usage

FEWEST_ARTICLES = 2
#: A text with fewer than this share of the fewest words wanted is not what was asked for.
_SHORTEST_SHARE = 0.5
_WHOLE_TEXT = 1_000_000
_USAGE = Usage(model="digest")


@register
class DigestWriter(Writer):
    """Quotes the most telling sentences of the items, by theme, each with a link to where it stands."""

    kind, label = "digest", "Digest (quotations, no model)"
    fewest_items = FEWEST_ARTICLES

    def outline(self, brief: Brief) -> Step[Outline]:
        """Choose the sentences. Raises WriterRefused when too few items have any."""
        _refuse_contradictions(brief)
        gathered = gather(brief)
        _refuse_too_few(gathered)
        plan = Plan(
            themes=[
                Theme(
                    items=[
                        Quoted(
                            item_id=chosen.article.id,
                            sentences=[sentence.text for sentence in chosen.in_order()],
                        )
                        for chosen in group
                    ]
                )
                for group in themes(choose(gathered.articles, brief.words))
            ]
        )
        return Step(plan.model_dump(mode="json"), _USAGE)

    def body(self, brief: Brief, outline: Mapping[str, JsonValue]) -> Step[Body]:
        """Put the sentences on a page. Raises WriterRefused if an item has them no longer, or there are too few."""
        try:
            plan = Plan.model_validate(outline)
        except ValidationError as error:
            raise WriterRefused("The outline was not made by this writer.") from error
        items = _items(brief, plan.item_ids)
        _refuse_what_changed(plan, items)
        phrases = phrases_of(brief.language) or english()
        about = subject(brief, _texts(plan, items))
        _refuse_what_is_to_be_avoided(plan, items, brief, phrases)
        html = rendered(plan.themes, items, phrases=phrases, subject=about)
        length = count_words(plain_text(html, _WHOLE_TEXT))
        _refuse_too_short(length, brief)
        notes = _notes(brief, about, length)
        return Step(Body(html=html, item_ids=plan.item_ids, notes=notes), _USAGE)

    def meta(self, brief: Brief, body: Body) -> Step[Meta]:
        """Name it by its keyword or those of its first items, with counts and a date."""
        used = list(_items(brief, body["item_ids"]).values())
        text = plain_text(body["html"], _WHOLE_TEXT)
        return Step(named(brief, used, text, phrases_of(brief.language) or english()), _USAGE)


def _items(brief: Brief, ids: list[int]) -> dict[int, Item]:
    """The items of these ids, in their order."""
    known = {item.id: item for item in brief.items}
    missing = [number for number in ids if number not in known]
    if missing:
        raise WriterRefused(f"Item {missing[0]} is part of the text, but no longer of the brief.")
    return {number: known[number] for number in ids}


def _texts(plan: Plan, items: dict[int, Item]) -> list[str]:
    """Everything on the page that comes from the items."""
    texts = [text for item in items.values() for text in (title_of(item), source_of(item))]
    return texts + [sentence for quoted in plan.quoted for sentence in quoted.sentences]


def _refuse_contradictions(brief: Brief) -> None:
    if not is_clean(brief.keyword, brief):
        raise WriterRefused(f"The main keyword “{brief.keyword}” has a keyword to avoid in it.")


def _refuse_too_few(gathered: Gathered) -> None:
    count = len(gathered.articles)
    if count >= FEWEST_ARTICLES:
        return
    given = count + gathered.left_out.total()
    reasons = ", ".join(f"{number} had {reason}" for reason, number in sorted(gathered.left_out.items()))
    raise TooLittle(
        f"A digest needs at least {FEWEST_ARTICLES} items with sentences to quote, and of the {given} given "
        f"{count} can be used" + (f": {reasons}." if reasons else ".")
    )


def _refuse_what_changed(plan: Plan, items: dict[int, Item]) -> None:
    for quoted in plan.quoted:
        text = running_text(items[quoted.item_id].html)
        if not all(sentence in text for sentence in quoted.sentences):
            title = title_of(items[quoted.item_id])
            raise WriterRefused(f"The item “{title}” has changed: a sentence chosen from it is gone.")


def _refuse_what_is_to_be_avoided(plan: Plan, items: dict[int, Item], brief: Brief, phrases: Phrases) -> None:
    own = [introduction(list(items.values()), phrases), phrases.verbatim, phrases.sources_heading]
    for phrase in brief.avoid:
        if any(mentions(text, phrase) for text in own):
            raise WriterRefused(f"The keyword to avoid “{phrase}” is one of the digest's own words.")
        if any(mentions(text, phrase) for text in _texts(plan, items)):
            raise WriterRefused(f"The keyword to avoid “{phrase}” is in a text that was chosen before.")


def _refuse_too_short(length: int, brief: Brief) -> None:
    fewest = brief.words[0]
    if length < fewest * _SHORTEST_SHARE:
        raise TooLittle(
            f"The items have material for {length} words, and {fewest} are wanted at least: "
            "more items are needed, longer ones, or a shorter length."
        )


def _notes(brief: Brief, about: str, length: int) -> list[str]:
    """What an editor should know."""
    notes = []
    if phrases_of(brief.language) is None:
        notes.append(
            f"There are no templates for the language “{brief.language}”: the introduction is in English."
        )
    if length < brief.words[0]:
        notes.append(f"There was material for {length} words only; {brief.words[0]} were wanted at least.")
    if brief.keyword and about.casefold() != " ".join(brief.keyword.split()).casefold():
        notes.append(f"The main keyword “{brief.keyword}” occurs in none of the items quoted.")
    return notes
