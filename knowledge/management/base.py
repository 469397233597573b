"""What the verbs of `manage.py knowledge` share."""

import argparse
import json
import textwrap
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.core.serializers.json import DjangoJSONEncoder

from jobs.errors import JobsError
from jobs.management.base import FAILED, WRONG_USE

_WIDTH = 100


def as_json(value: Any) -> str:
    """For programs."""
    return json.dumps(value, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder)


def told(error: Exception) -> CommandError:
    """The error in one line, with the exit code of a wrong wish or of something that did not work."""
    code = WRONG_USE if isinstance(error, JobsError) else FAILED
    return CommandError(" ".join(str(error).split()) or type(error).__name__, returncode=code)


def number(least: int, most: int) -> Callable[[str], int]:
    """An argument's type: a whole number of this range."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"use a whole number from {least} to {most}")
        return int(text)

    return read


def paragraph(out: OutputWrapper, text: str, indent: str = "    ") -> None:
    """A text as an indented paragraph."""
    out.write(textwrap.fill(" ".join(text.split()), _WIDTH, initial_indent=indent, subsequent_indent=indent))
