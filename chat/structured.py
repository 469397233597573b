"""Answers in JSON: the schema that is asked for, and the JSON that is found in what came."""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chat.errors import Unusable

M = TypeVar("M", bound=BaseModel)

#: What servers understand of JSON Schema; limits of length and number are checked by us.
_KEPT = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref", "$defs", "description"}  # fmt: skip
_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n(.*?)```", re.DOTALL)
_THOUGHTS = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
#: So many beginnings of objects are tried in a text that is no JSON.
_MOST_TRIES = 50
_MOST_REASONS = 5


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The model's JSON schema as strict mode wants it: every property required, and no others."""
    return _strict(model.model_json_schema())


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    kept = {key: _strict_part(key, part) for key, part in schema.items() if key in _KEPT}
    if "properties" in kept:
        kept |= {"required": list(kept["properties"]), "additionalProperties": False}
    return kept


def _strict_part(key: str, part: Any) -> Any:
    if key in {"properties", "$defs"}:
        return {name: _strict(named) for name, named in part.items()}
    if key == "anyOf":
        return [_strict(choice) for choice in part]
    return _strict(part) if key == "items" else part


def without_thoughts(text: str) -> str:
    """The answer without what some models think aloud before it."""
    return _THOUGHTS.sub("", text).strip()


def read_json(text: str, model: type[M]) -> M:
    """The answer as the model asked for, whether it came alone, in a code fence or among words.

    Raises Unusable with what is wrong, in words that a language model can make use of.
    """
    reasons = ""
    for found in _candidates(without_thoughts(text)):
        try:
            return model.model_validate(found)
        except ValidationError as error:
            reasons = reasons or _reasons(error)
    raise Unusable(reasons or "It is not JSON, or breaks off.")


def _candidates(text: str) -> Iterator[Any]:
    """Whatever JSON is in a text, the likeliest first."""
    for part in (text, *_FENCE.findall(text)):
        try:
            yield json.loads(part)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder()
    for match in list(re.finditer(r"[{\[]", text))[:_MOST_TRIES]:
        try:
            yield decoder.raw_decode(text, match.start())[0]
        except (ValueError, RecursionError):
            continue


def _reasons(error: ValidationError) -> str:
    told = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'The answer'}: {problem['msg']}"
        for problem in error.errors()[:_MOST_REASONS]
    ]
    return f"{'; '.join(told)}."
