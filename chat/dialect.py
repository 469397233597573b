"""What a server understands. Everybody says "OpenAI-compatible", and everybody leaves something else out.

We ask for all we want. When the server refuses a part of that (400 or 422, which cost nothing), we ask again with
less, and remember it for as long as this process lives.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from chat.errors import NotUnderstood
from chat.structured import schema_of

#: A conversation: mappings of `role` and `content`.
Messages = Sequence[Mapping[str, str]]


class Form(StrEnum):
    """How an answer in JSON is asked for, the surest first."""

    SCHEMA = "json_schema"
    OBJECT = "json_object"
    WORDS = "words"


_WEAKER = {Form.SCHEMA: Form.OBJECT, Form.OBJECT: Form.WORDS}


@dataclass(frozen=True)
class Dialect:
    """The parts of the protocol that one server and model take."""

    form: Form = Form.SCHEMA
    #: The newer models of OpenAI refuse the older name, and most others do not know the newer one.
    limit: str = "max_tokens"
    has_usage_in_stream: bool = True
    has_temperature: bool = True

    def request(
        self,
        model: str,
        messages: Messages,
        *,
        schema: type[BaseModel] | None,
        max_tokens: int,
        temperature: float | None,
    ) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {"model": model, "messages": [dict(message) for message in messages]}
        body["stream"] = True
        if self.has_usage_in_stream:
            body["stream_options"] = {"include_usage": True}
        if max_tokens:
            body[self.limit] = max_tokens
        if temperature is not None and self.has_temperature:
            body["temperature"] = temperature
        if schema is not None:
            self._ask_for_json(body, schema)
        return body

    def _ask_for_json(self, body: dict[str, Any], schema: type[BaseModel]) -> None:
        described = schema_of(schema)
        if self.form == Form.SCHEMA:
            wanted = {"name": schema.__name__.strip("_"), "schema": described, "strict": True}
            body["response_format"] = {"type": Form.SCHEMA.value, "json_schema": wanted}
            return
        if self.form == Form.OBJECT:
            body["response_format"] = {"type": Form.OBJECT.value}
        last = body["messages"][-1]
        last["content"] += (
            "\n\nAnswer with one JSON object and nothing else. It has to fit this JSON schema:\n"
            f"{json.dumps(described, ensure_ascii=False)}"
        )

    def without(self, refusal: NotUnderstood, asked: Mapping[str, Any]) -> "Dialect | None":
        """What is left of it after the server refused a request; None if it names nothing that we could leave out."""
        said = f"{refusal.parameter} {refusal.said}".lower()
        if "response_format" in asked and any(
            word in said for word in ("response_format", "json_schema", "json_object", "structured output")
        ):
            return replace(self, form=_WEAKER[self.form])
        if "stream_options" in asked and any(word in said for word in ("stream_options", "include_usage")):
            return replace(self, has_usage_in_stream=False)
        if "temperature" in asked and "temperature" in said:
            return replace(self, has_temperature=False)
        if "max_tokens" in asked and "max_completion_tokens" in said:
            return replace(self, limit="max_completion_tokens")
        return None
