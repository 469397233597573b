"""A server that speaks OpenAI's protocol over real sockets, says what a test wants, and can go wrong at any point."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chat import ChatError, Endpoint, Price, Usage

KEY = "sk-never-to-be-seen-0123456789"


@dataclass(frozen=True)
class Say:
    """An answer, in pieces of `chars` characters."""

    text: str
    finish: str | None = "stop"
    #: Tokens in, out and cached; None: the server tells none.
    usage: tuple[int, int, int] | None = (100, 20, 0)
    chars: int = 7
    refusal: str = ""
    tool_calls: list[Any] | None = None
    #: The model's name as the server gives it.
    model: str = "big-model-2026-11-01"
    is_whole_json: bool = False
    #: After so many pieces something happens: "stall", "cut", "close", "drip" or a chunk to send.
    fault_after: int | None = None
    fault: str | Mapping[str, Any] = ""
    has_done: bool = True


@dataclass(frozen=True)
class Fail:
    """An answer that is no success."""

    status: int
    body: Any = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def error(message: str, *, code: str = "", type: str = "", param: str = "") -> dict[str, Any]:
    """An error as the protocol has it."""
    return {"error": {"message": message, "type": type or None, "param": param or None, "code": code or None}}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are gone are no news."""


Plan = Say | Fail
Script = Plan | Callable[[dict[str, Any]], Plan]


class ModelServer:
    """Says `script` one by one, the last of them for ever. `requests` are the bodies that came."""

    def __init__(self, *script: Script) -> None:
        self.script: list[Script] = list(script)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        #: How many pieces have been sent when the client was gone.
        self.was_left_after: int | None = None
        self.left = threading.Event()
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), self._handler())

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"

    def endpoint(self, **changes: Any) -> Endpoint:
        """This server, with a model at 1 dollar a million in, 4 out and 0.1 cached."""
        price = Price(Decimal(1), Decimal(4), Decimal("0.1"))
        given: dict[str, Any] = {
            "base_url": self.url,
            "model": "big-model",
            "api_key": KEY,
            "price": price,
            "idle_seconds": 2.0,
            "total_seconds": 20.0,
        }
        return Endpoint(**given | changes)

    @contextmanager
    def running(self) -> Iterator["ModelServer"]:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()

    def _next(self, body: dict[str, Any]) -> Plan:
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        return step if isinstance(step, (Say, Fail)) else step(body)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.requests.append(body)
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                if self.path != "/v1/chat/completions":
                    self._fail(Fail(404, error(f"Invalid URL (POST {self.path})")))
                    return
                plan = server._next(body)
                if isinstance(plan, Fail):
                    self._fail(plan)
                elif plan.is_whole_json or not body.get("stream"):
                    self._whole(plan)
                else:
                    try:
                        self._events(plan, has_usage=bool(body.get("stream_options")))
                    except OSError:
                        server.left.set()

            def _fail(self, plan: Fail) -> None:
                is_text = isinstance(plan.body, str)
                body = plan.body.encode() if is_text else json.dumps(plan.body).encode()
                self._head(
                    plan.status, "text/html" if is_text else "application/json", len(body), plan.headers
                )
                self.wfile.write(body)

            def _whole(self, plan: Say) -> None:
                message = {"role": "assistant", "content": plan.text, "refusal": plan.refusal or None}
                choice = {"index": 0, "message": message, "finish_reason": plan.finish}
                body = json.dumps(_chunk(plan, choices=[choice], usage=_usage(plan))).encode()
                self._head(200, "application/json", len(body), {})
                self.wfile.write(body)

            def _events(self, plan: Say, *, has_usage: bool) -> None:
                self._head(200, "text/event-stream; charset=utf-8", None, {})
                self._send({"role": "assistant", "content": ""}, plan)
                if plan.refusal:
                    self._send({"refusal": plan.refusal}, plan)
                if plan.tool_calls:
                    self._send({"tool_calls": plan.tool_calls}, plan)
                pieces = [plan.text[at : at + plan.chars] for at in range(0, len(plan.text), plan.chars)]
                for number, piece in enumerate(pieces):
                    if number == plan.fault_after and self._go_wrong(plan):
                        return
                    server.was_left_after = number
                    self._send({"content": piece}, plan)
                if plan.fault_after is not None and plan.fault_after >= len(pieces):
                    self._event(
                        _chunk(plan, choices=[{"index": 0, "delta": {}, "finish_reason": plan.finish}])
                    )
                    self._go_wrong(plan)
                    return
                self._send({}, plan, finish=plan.finish)
                if has_usage and plan.usage:
                    self._event(_chunk(plan, choices=[], usage=_usage(plan)))
                if plan.has_done:
                    self._write(b"data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")

            def _go_wrong(self, plan: Say) -> bool:
                """Whether the answer ends here."""
                if isinstance(plan.fault, Mapping):
                    self._event(plan.fault)
                    return False
                if plan.fault == "stall":
                    server.closing.wait(30)
                elif plan.fault == "drip":
                    while not server.closing.wait(0.05):
                        self._write(b": still thinking\n\n")
                elif plan.fault == "close":
                    self.wfile.write(b"0\r\n\r\n")
                    return True
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return True

            def _head(self, status: int, kind: str, length: int | None, headers: Mapping[str, str]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if length is None:
                    self.send_header("Transfer-Encoding", "chunked")
                else:
                    self.send_header("Content-Length", str(length))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def _send(self, delta: dict[str, Any], plan: Say, finish: str | None = None) -> None:
                self._event(_chunk(plan, choices=[{"index": 0, "delta": delta, "finish_reason": finish}]))

            def _event(self, chunk: Mapping[str, Any]) -> None:
                self._write(f"data: {json.dumps(chunk)}\n\n".encode())

            def _write(self, data: bytes) -> None:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        return Handler


def _chunk(plan: Say, **parts: Any) -> dict[str, Any]:
    kind = "chat.completion.chunk"
    return {"id": "chatcmpl-1", "object": kind, "created": int(time.time()), "model": plan.model, **parts}


def _usage(plan: Say) -> dict[str, Any] | None:
    if plan.usage is None:
        return None
    tokens_in, tokens_out, cached = plan.usage
    return {
        "prompt_tokens": tokens_in,
        "completion_tokens": tokens_out,
        "total_tokens": tokens_in + tokens_out,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
    }


def paid(caught: pytest.ExceptionInfo[ChatError]) -> Usage:
    """What the error says that was paid."""
    assert caught.value.usage is not None
    return caught.value.usage
