"""Asking for an answer that can be used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from chat.completion import OnProgress, complete
from chat.dialect import Messages
from chat.endpoint import Endpoint, configured
from chat.errors import ChatError, Unusable
from chat.usage import Usage

T = TypeVar("T")


@dataclass(frozen=True)
class Given(Generic[T]):
    """What was made of an answer, and what all answers up to it took."""

    value: T
    usage: Usage


def ask(
    messages: Messages,
    read: Callable[[str, bool], T],
    *,
    schema: type[BaseModel] | None = None,
    temperature: float | None = None,
    chances: int = 2,
    on_progress: OnProgress | None = None,
    endpoint: Endpoint | None = None,
) -> Given[T]:
    """Ask, and let `read` make something of the answer. If it raises Unusable, the model is told why and asked again.

    `read` gets the answer, and whether it is the last chance. Raises what `complete` raises, and Unusable after the last
    chance; the errors' `usage` is that of all answers.
    """
    endpoint = endpoint or configured()
    spent = Usage()
    conversation = list(messages)
    while True:
        chances -= 1
        try:
            answer = complete(
                conversation,
                schema=schema,
                temperature=temperature,
                on_progress=_following(on_progress, spent),
                endpoint=endpoint,
            )
            spent += answer.usage
            return Given(read(answer.text, chances <= 0), spent)
        except Unusable as problem:
            if chances <= 0:
                raise Unusable(f"{problem}", usage=spent) from problem
            conversation += [
                {"role": "assistant", "content": answer.text},
                {
                    "role": "user",
                    "content": f"This cannot be used: {problem} Give the whole answer again, corrected, and nothing else.",
                },
            ]
        except ChatError as error:
            if spent.calls:
                error.usage = spent + (error.usage or Usage())
            raise


def _following(on_progress: OnProgress | None, spent: Usage) -> OnProgress | None:
    """The same follower, told also what the answers before this one took."""
    return None if on_progress is None else lambda progress: on_progress(progress.after(spent))
