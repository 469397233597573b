"""One question to a model, and its answer."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from chat.answers import Chunk, Collected
from chat.dialect import Dialect, Messages
from chat.endpoint import Endpoint, configured
from chat.errors import ChatError, ChatRefused, ChatUnavailable, CutOff, NotUnderstood
from chat.events import data_of
from chat.refusals import error_of_event, error_of_status, told
from chat.usage import Usage
from jobs.outbound import (
    Limits,
    OutboundError,
    OutboundRejected,
    OutboundStream,
    OutboundUnavailable,
    redact,
    stream,
)

_CONNECT_SECONDS = 10.0
_MAX_BYTES = 16 * 1024 * 1024
#: Of an answer that is no success, no more is read.
_MAX_ERROR_BYTES = 64 * 1024
#: What each server and model turned out to understand, for as long as this process lives.
_known: dict[tuple[str, str], Dialect] = {}


@dataclass(frozen=True)
class Answer:
    """Everything a model said to one question; it is whole."""

    text: str
    usage: Usage


class Progress:
    """An answer on its way, as far as it has come when it is looked at."""

    def __init__(self, collected: Collected, started: float, piece: str, before: Usage | None = None) -> None:
        #: What had just come when this was told; "" before the first word.
        self.piece = piece
        self._collected = collected
        self._started = started
        self._before = before or Usage()

    @property
    def text(self) -> str:
        """All that has come so far."""
        return self._collected.text

    @property
    def usage(self) -> Usage:
        """What it has taken so far; doubtful, for it would be all that is known if the question were dropped now."""
        if not self._collected.is_sent:
            return self._before
        return self._before + self._collected.usage(time.monotonic() - self._started, is_doubtful=True)

    def after(self, before: Usage) -> "Progress":
        """The same, as the next of some answers that took so much before it."""
        return Progress(self._collected, self._started, self.piece, before)


OnProgress = Callable[[Progress], None]


def complete(
    messages: Messages,
    *,
    schema: type[BaseModel] | None = None,
    temperature: float | None = None,
    on_progress: OnProgress | None = None,
    endpoint: Endpoint | None = None,
) -> Answer:
    """Ask once, and wait for the whole answer. Costs money; nothing is asked again that may have been billed.

    With a `schema` the answer should be JSON that fits it: `chat.structured.read_json` reads it. `on_progress` is called
    before the question is sent and for each piece of the answer; what it raises ends the question. Without an `endpoint`
    that of the settings is asked. Raises ChatUnavailable, ChatRefused, CutOff.
    """
    endpoint = endpoint or configured()
    key = endpoint.base_url, endpoint.model
    dialect = _known.get(key, Dialect())
    while True:
        body = dialect.request(
            endpoint.model,
            messages,
            schema=schema,
            max_tokens=endpoint.max_tokens,
            temperature=temperature,
        )
        try:
            answer = _Question(endpoint, body, on_progress).ask()
        except NotUnderstood as refusal:
            simpler = dialect.without(refusal, body)
            if simpler is None:
                raise
            dialect = simpler
        else:
            _known[key] = dialect
            return answer


class _Question:
    """One request, and what is known of its answer while it comes."""

    def __init__(self, endpoint: Endpoint, body: Mapping[str, Any], on_progress: OnProgress | None) -> None:
        self._endpoint = endpoint
        self._content = json.dumps(body, ensure_ascii=False).encode(errors="replace")
        self._on_progress = on_progress
        prompt = sum(len(message["content"].encode(errors="replace")) for message in body["messages"])
        self._collected = Collected(endpoint.model, endpoint.price, prompt)
        self._started = self._heard = time.monotonic()
        #: Whether the server said that nothing more will come.
        self._is_over = False

    def ask(self) -> Answer:
        """The answer. Raises ChatError with what it may have cost."""
        try:
            self._send()
        except OutboundError as error:
            if not self._collected.is_whole:  # else only the figures are missing
                raise self._broken_off(error) from error
        self._check()
        return Answer(self._collected.text, self._usage())

    def _send(self) -> None:
        endpoint = self._endpoint
        headers = {"content-type": "application/json", "accept": "text/event-stream, application/json"}
        if endpoint.api_key:
            headers["authorization"] = f"Bearer {endpoint.api_key}"
        limits = Limits(
            connect_seconds=_CONNECT_SECONDS,
            read_seconds=endpoint.idle_seconds,
            total_seconds=endpoint.total_seconds,
            max_bytes=_MAX_BYTES,
        )
        self._tell("")
        self._collected.is_sent = True
        with stream(
            endpoint.url, method="POST", headers=headers, content=self._content, limits=limits
        ) as answer:
            if answer.status != 200:
                raise self._refusal(answer)
            kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
            if kind == "text/event-stream":
                self._read_events(answer)
            elif kind == "application/json":
                self._take(b"".join(answer.pieces()).decode(errors="replace"))
                self._is_over = True
            else:
                raise ChatRefused(
                    f"{redact(endpoint.url)} answered with {kind or 'something that has no type'}, not with a model's answer: is "
                    "CHAT_BASE_URL right? It usually ends with /v1.",
                    usage=self._usage(is_doubtful=True),
                )

    def _read_events(self, answer: OutboundStream) -> None:
        for data in data_of(self._awake(answer.pieces())):
            if data.strip() == "[DONE]":
                self._is_over = True
                return
            self._take(data)

    def _awake(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """The pieces; a server that only says that it is alive, while the model is silent, does not count."""
        for piece in pieces:
            yield piece
            if time.monotonic() - self._heard > self._endpoint.idle_seconds:
                raise OutboundUnavailable("The model is silent.")

    def _take(self, data: str) -> None:
        """Take in one chunk of the answer."""
        try:
            chunk = Chunk.model_validate_json(data)
        except ValidationError as error:
            words = told(
                f"What the server of {self._endpoint.model} answered is not of the protocol: {data}",
                self._endpoint,
            )
            raise ChatRefused(words, usage=self._usage(is_doubtful=True)) from error
        if chunk.error is not None:
            broken = error_of_event(chunk.error, self._endpoint)
            broken.usage = self._usage(is_doubtful=True)
            raise broken
        self._heard = time.monotonic()
        self._tell(self._collected.add(chunk))

    def _tell(self, piece: str) -> None:
        if self._on_progress is not None:
            self._on_progress(Progress(self._collected, self._started, piece))

    def _refusal(self, answer: OutboundStream) -> ChatError:
        """The error for an answer that is no success. Its words may be missing, its status is not."""
        body = b""
        try:
            for piece in answer.pieces():
                body += piece
                if len(body) >= _MAX_ERROR_BYTES:
                    break
        except OutboundError:
            body = b""
        refused = error_of_status(
            answer.status,
            body,
            self._endpoint,
            location=answer.headers.get("location", ""),
            retry_after=answer.retry_after,
        )
        if answer.status >= 500:
            refused.usage = self._usage(is_doubtful=True)
        return refused

    def _broken_off(self, error: OutboundError) -> ChatError:
        """The error for an answer that never came, or only half of it."""
        usage = self._usage(is_doubtful=True) if error.may_have_arrived else None
        endpoint, seconds = self._endpoint, time.monotonic() - self._started
        if isinstance(error, OutboundRejected):
            own = "" if usage else " If this server is yours, name its host:port in OUTBOUND_ALLOWED_HOSTS."
            return ChatRefused(f"The model {endpoint.model} cannot be asked: {error}{own}", usage=usage)
        if seconds >= endpoint.total_seconds:
            reason = f"was not done after {endpoint.total_seconds:g} seconds"
        elif time.monotonic() - self._heard >= endpoint.idle_seconds:
            reason = f"said nothing for {endpoint.idle_seconds:g} seconds"
        elif self._collected.has_begun:
            reason = f"broke off in the middle of its answer: {error}"
        else:
            reason = f"does not answer: {error}"
        return ChatUnavailable(f"The model {endpoint.model} {reason}", usage=usage)

    def _check(self) -> None:
        """Raise the error for an answer that came, but is none."""
        collected, usage, model = self._collected, self._usage(), self._endpoint.model
        if collected.refusal:
            raise ChatRefused(
                told(f"The model {model} refuses: {collected.refusal}", self._endpoint), usage=usage
            )
        reason = collected.finish_reason
        if reason == "content_filter":
            raise ChatRefused(f"The filter of the model {model} stopped its answer.", usage=usage)
        if collected.has_tool_calls or reason in {"tool_calls", "function_call"}:
            raise ChatRefused(f"The model {model} asked for a tool, and was given none.", usage=usage)
        if reason == "length":
            raise CutOff(
                f"The answer of {model} breaks off after {usage.tokens_out} tokens: it may have no more. "
                "Raise CHAT_MAX_TOKENS, or ask for less.",
                usage=usage,
            )
        if reason == "error":
            raise ChatUnavailable(f"The model {model} broke off with an error.", usage=usage)
        if not collected.is_whole:
            raise self._unfinished()

    def _unfinished(self) -> ChatError:
        """The error for an answer of which nobody says that it is whole."""
        usage, model = self._usage(is_doubtful=True), self._endpoint.model
        reason = self._collected.finish_reason
        if not reason and not self._is_over:
            return ChatUnavailable(f"The model {model} broke off in the middle of its answer.", usage=usage)
        words = told(f"with {reason!r}" if reason else "without a finish_reason", self._endpoint)
        return CutOff(f"The answer of {model} ended {words}: nobody knows whether it is whole.", usage=usage)

    def _usage(self, *, is_doubtful: bool = False) -> Usage:
        return self._collected.usage(time.monotonic() - self._started, is_doubtful=is_doubtful)
