"""JSON in what models say."""

import json

import pytest
from pydantic import BaseModel, Field

from chat import Unusable, read_json, without_thoughts
from chat.structured import schema_of


class Part(BaseModel):
    name: str = Field(max_length=20)
    items: list[int] = Field(default_factory=list)


class Plan(BaseModel):
    """A plan of parts."""

    parts: list[Part] = Field(min_length=1)
    note: str | None = Field(default=None, description="If any")


ANSWER = {"parts": [{"name": "Ferries", "items": [1, 2]}], "note": None}
JSON = json.dumps(ANSWER)


@pytest.mark.parametrize(
    "text",
    [
        JSON,
        f"\n  {json.dumps(ANSWER, indent=2)}\n",
        f"```json\n{JSON}\n```",
        f"```\n{JSON}\n```",
        f"Sure! Here is the plan you asked for:\n\n```JSON\r\n{JSON}\n```\nAnything else?",
        f"Here it is [as asked]: {JSON} I hope that {{this}} helps.",
        f'<think>Maybe {{}}, or {{"parts": []}}?</think>\n{JSON}',
    ],
)
def test_json_is_found_alone_in_a_fence_and_among_words(text):
    assert read_json(text, Plan).model_dump() == ANSWER


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("I am sorry, I cannot.", "not JSON"),
        (JSON[:-9], "parts: Field required|not JSON|valid"),
        ('{"parts": []}', "parts: List should have at least 1 item"),
        ('{"parts": [{"name": 3}]}', r"parts\.0\.name: Input should be a valid string"),
        ("[" * 100_000, "not JSON"),
        ("{" * 100_000, "not JSON"),
    ],
)
def test_what_does_not_fit_is_told_in_words(text, words):
    with pytest.raises(Unusable, match=words):
        read_json(text, Plan)


def test_thoughts_in_front_of_an_answer_are_no_part_of_it():
    assert without_thoughts("<think>\nWhat now?\n</think>\n\nFerries sail.") == "Ferries sail."
    assert without_thoughts("Ferries <think>sail</think>.") == "Ferries <think>sail</think>."


def test_a_schema_has_only_what_strict_mode_takes():
    assert schema_of(Plan) == {
        "$defs": {
            "Part": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "items": {"type": "array", "items": {"type": "integer"}},
                },
                "required": ["name", "items"],
                "additionalProperties": False,
            }
        },
        "description": "A plan of parts.",
        "type": "object",
        "properties": {
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "If any"},
        },
        "required": ["parts", "note"],
        "additionalProperties": False,
    }
