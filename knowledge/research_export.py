"""Rows as files: written batch by batch, and harmless to programs that take cells for formulas."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from jobs.models import JobRun

#: Rows that are read and written at once.
BATCH = 200
#: What spreadsheets take for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = Mapping[str, Any]


def batches(runs: QuerySet[JobRun]) -> Iterator[list[JobRun]]:
    """The runs by their ids, the newest first. New ones that come meanwhile are not among them."""
    last = None
    while True:
        page = list((runs if last is None else runs.filter(pk__lt=last))[:BATCH])
        if not page:
            return
        last = page[-1].pk
        yield page


def as_csv(found: Iterable[Sequence[Row]], names: Sequence[str]) -> Iterator[str]:
    """CSV by RFC 4180, with a byte order mark, by which spreadsheets know UTF-8."""
    yield "\ufeff" + _lines([list(names)])
    for rows in found:
        yield _lines([cell(row.get(name)) for name in names] for row in rows)


def as_json(found: Iterable[Sequence[Row]], names: Sequence[str]) -> Iterator[str]:
    """One array, an object a line."""
    before = "["
    for rows in found:
        for row in rows:
            said = {name: row.get(name) for name in names}
            yield f"{before}\n{json.dumps(said, cls=DjangoJSONEncoder, ensure_ascii=False)}"
            before = ","
    yield "[]" if before == "[" else "\n]\n"


def cell(value: Any) -> str | int | float:
    """The value as a cell. A text that spreadsheets would carry out as a formula gets an apostrophe in front."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (dict, list, tuple)):
        value = json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
    text = str(value)
    return f"'{text}" if text.lstrip(" \ufeff").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _lines(rows: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()
