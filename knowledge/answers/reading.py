"""Cuts texts into sentences that can be quoted, and tells what each is for."""

import re
from collections.abc import Iterator

from knowledge.answers.base import Section, Sentence
from knowledge.chunking import Span, sentences

#: A label of an abstract's section, at the beginning of a paragraph: "RESULTS: ".
_LABEL = re.compile(r"(?:\A|(?<=\n))(?P<label>[A-Z][A-Z /&,()-]{2,60}|[A-Z][a-z]+(?: [a-z]+){0,3}):\s+(?=\S)")
#: Without a colon too, as long as it is one of these: "RESULTS Aspirin reduced".
_BARE = re.compile(
    r"(?P<label>(?:BACKGROUND|CONTEXT|INTRODUCTION|OBJECTIVE|AIM|PURPOSE|RATIONALE|METHOD|MATERIAL|DESIGN|SETTING|PATIENT|"
    r"PARTICIPANT|INTERVENTION|MEASUREMENT|MAIN OUTCOME MEASURE|DATA SOURCE|RESULT|FINDING|CONCLUSION|INTERPRETATION|"
    r"DISCUSSION|SIGNIFICANCE|IMPORTANCE|LIMITATION)S?(?:(?:,| AND| &|/)+ ?[A-Z]+)*):?\s+(?=[A-Z0-9])"
)
#: The beginnings of labels, and what they stand for. The first that fits counts.
_LABELS = (
    (Section.CONCLUSIONS, ("conclu", "interpret", "discuss", "implication", "significance", "meaning")),
    (Section.RESULTS, ("result", "finding", "outcome", "main result", "main finding")),
    (Section.METHODS, ("method", "material", "design", "setting", "participant", "patient", "subject",
                       "intervention", "measure", "main outcome measure", "data", "study", "eligib", "search",
                       "selection")),
    (Section.AIM, ("aim", "background", "objective", "purpose", "introduc", "context", "rational", "importance",
                   "hypothes", "question", "goal")),
)  # fmt: skip
_CUES = (
    (Section.CONCLUSIONS, re.compile(
        r"\b(?:we conclude|in conclusion|in summary|taken together|collectively|(?:these|our|the present) "
        r"(?:data|results|findings|observations|study|studies) (?:\w+ )?"
        r"(?:suggest|indicate|demonstrate|show|reveal|provide|support|identify|establish)\w*|thus,|therefore,)", re.I)),
    (Section.AIM, re.compile(
        r"\b(?:we (?:aimed|sought|set out|asked whether|hypothesi[sz]ed|investigated whether|examined whether)|"
        r"(?:aim|objective|purpose|goal)s? (?:of|was|were|is)|remains? (?:unclear|unknown|elusive|controversial)|"
        r"(?:is|are) (?:poorly|not well|incompletely) (?:understood|known)|little is known|has not been)\b", re.I)),
    (Section.RESULTS, re.compile(
        r"\b(?:we (?:\w+ )?(?:found|show|showed|observed|demonstrate|demonstrated|report|identified|discovered)|"
        r"was associated with|were associated with|compared with|odds ratio|hazard ratio|relative risk|"
        r"confidence interval|significantly|\bCI\b|p ?[<=] ?0?\.\d)", re.I)),
    (Section.METHODS, re.compile(
        r"\b(?:we (?:used|performed|conducted|measured|searched|enrolled|recruited|analy[sz]ed|randomi[sz]ed|collected)|"
        r"were (?:randomly|randomi[sz]ed|enrolled|recruited|assigned|measured|included|searched|identified from))\b", re.I)),
)  # fmt: skip
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """The text with single spaces, as it is compared and shown."""
    return _SPACE.sub(" ", text).strip()


def whole_sentences(text: str) -> list[tuple[Span, Sentence]]:
    """The sentences of a text without the labels of its sections, with where they stand."""
    found = list(_labelled(text))
    last = max(len(found) - 1, 1)
    return [
        (span, Sentence(plain(span.of(text)), section or _guessed(span.of(text)), number / last))
        for number, (span, section) in enumerate(found)
    ]


def _labelled(text: str) -> Iterator[tuple[Span, Section | None]]:
    """The sentences and, where the text says so, what they are for."""
    section: Section | None = None
    for raw in sentences(text):
        start = raw.start + len(raw.of(text)) - len(raw.of(text).lstrip())
        if label := _LABEL.match(text, start, raw.end) or _BARE.match(text, start, raw.end):
            named = _named(label["label"])
            if named is not None or label["label"].isupper():
                section, start = named, label.end()
        end = start + len(text[start : raw.end].rstrip())
        if end > start:
            yield Span(start, end), section


def _named(label: str) -> Section | None:
    low = label.lower()
    for section, beginnings in _LABELS:
        if any(word.startswith(beginnings) for word in re.split(r"[^a-z]+", low)):
            return section
    return None


def _guessed(sentence: str) -> Section:
    return next((section for section, cue in _CUES if cue.search(sentence)), Section.UNKNOWN)
