"""Answers whose every sentence cites what was found. One more writer is one more module here; see `docs/answers.md`."""

from knowledge.answers.asking import Wish, ask, filters_of, run_of
from knowledge.answers.base import Brief, Draft, Found, Said, Sentence, Statement, Writer
from knowledge.answers.errors import (
    InvalidQuestion,
    UnknownWriter,
    WriterError,
    WriterRefused,
    WriterUnavailable,
)
from knowledge.answers.feedback import give_feedback
from knowledge.answers.history import delete, seen_by
from knowledge.answers.registry import DEFAULT_KIND, choices, get, kinds, load, register
from knowledge.answers.shown import NOT_ADVICE, Shown, shown

__all__ = [
    "DEFAULT_KIND",
    "NOT_ADVICE",
    "Brief",
    "Draft",
    "Found",
    "InvalidQuestion",
    "Said",
    "Sentence",
    "Shown",
    "Statement",
    "UnknownWriter",
    "Wish",
    "Writer",
    "WriterError",
    "WriterRefused",
    "WriterUnavailable",
    "ask",
    "choices",
    "delete",
    "filters_of",
    "get",
    "give_feedback",
    "kinds",
    "load",
    "register",
    "run_of",
    "seen_by",
    "shown",
]

# Whoever asks needs the writers, and models have to be ready for that: so not at the start of the app.
load()
