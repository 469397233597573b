"""Connections that are kept between requests, over sockets that count them."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from jobs.outbound import Limits, OutboundError, OutboundUnavailable, fetch, keep_connections, keeping
from jobs.outbound.addresses import AddressGuard

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Script:
    """A server that answers each request with the next of its answers; None closes the connection instead."""

    def __init__(self, answers: list[bytes | None]) -> None:
        self.answers = answers
        self.connections = 0
        self.requests: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.guard = AddressGuard(
            [f"127.0.0.1:{self.port}", f"feeds.example:{self.port}"], lambda host, port: ["127.0.0.1"]
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as incoming:
            while line := incoming.readline():
                head = line
                while (line := incoming.readline()) not in {b"\r\n", b""}:
                    head += line
                self.requests.append(head)
                answer = self.answers.pop(0)
                if answer is None:
                    return
                connection.sendall(answer)

    def get(self, host: str = "127.0.0.1", method: str = "GET", **limits: float) -> bytes:
        url = f"http://{host}:{self.port}/feed"
        return fetch(url, method=method, guard=self.guard, limits=Limits(**limits)).body  # type: ignore[arg-type]

    def close(self) -> None:
        self._listener.close()


@contextmanager
def serving(*answers: bytes | None) -> Iterator[Script]:
    script = Script(list(answers))
    try:
        yield script
    finally:
        script.close()


def test_requests_of_a_block_share_a_connection_and_others_do_not():
    with serving(OK, OK, OK, OK) as server:
        with keep_connections():
            assert [server.get() for _ in range(3)] == [b"ok"] * 3
        assert server.connections == 1
        server.get()
        assert server.connections == 2
        assert b"connection: close" in server.requests[3] and b"connection" not in server.requests[0]


def test_each_name_has_a_connection_of_its_own():
    with serving(OK, OK) as server, keep_connections():
        server.get()
        server.get("feeds.example")
        assert server.connections == 2


def test_a_kept_connection_leads_where_it_was_checked_to_lead():
    """A name that moves into the private network is not followed there, neither kept nor anew."""
    with serving(OK, OK) as server, keep_connections():
        server.get("feeds.example")
        moved = AddressGuard([], lambda host, port: ["10.0.0.1"])
        assert fetch(f"http://feeds.example:{server.port}/feed", guard=moved).body == b"ok"
        assert server.connections == 1
        with pytest.raises(OutboundError, match="not allowed"):
            fetch(f"http://other.example:{server.port}/feed", guard=moved)


def test_an_old_connection_is_checked_anew(monkeypatch):
    monkeypatch.setattr(keeping, "OLDEST_SECONDS", 0.0)
    with serving(OK, OK) as server, keep_connections():
        server.get()
        server.get()
        assert server.connections == 2


def test_a_connection_that_the_server_closed_is_replaced_without_a_word():
    with serving(OK, None, OK) as server, keep_connections():
        server.get()
        assert server.get() == b"ok"
        assert (server.connections, len(server.requests)) == (2, 3)


def test_what_changes_something_is_sent_once_and_over_a_connection_of_its_own():
    with serving(OK, None) as server, keep_connections():
        server.get()
        with pytest.raises(OutboundUnavailable) as caught:
            server.get(method="POST")
        assert caught.value.may_have_arrived
        assert (server.connections, len(server.requests)) == (2, 2)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 302 Found\r\nLocation: /feed\r\nContent-Length: 5\r\n\r\nabout",
    ],
    ids=["an answer nobody asked for", "asked to close", "HTTP/1.0", "a body that was not read"],
)
def test_a_connection_that_cannot_be_trusted_is_not_used_again(answer):
    with serving(answer, OK, OK) as server, keep_connections():
        assert server.get() == b"ok"
        assert server.get() == b"ok"
        assert server.connections >= 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK,
        b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["304", "chunked", "after an interim answer", "empty"],
)
def test_every_way_to_end_an_answer_leaves_the_connection_ready(answer):
    with serving(answer, OK) as server, keep_connections():
        assert server.get() in {b"ok", b""}
        assert server.get() == b"ok"
        assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50,
    ],
    ids=["short", "short chunk", "no HTTP", "500 headers", "only interim answers"],
)
def test_half_an_answer_and_no_answer_may_work_later(answer):
    with serving(answer + b"", None) as server, keep_connections():
        began = time.monotonic()
        with pytest.raises(OutboundUnavailable) as caught:
            server.get(read_seconds=0.5)
        assert caught.value.may_have_arrived and time.monotonic() - began < 10


def test_control_characters_of_an_answers_head_do_not_come_through():
    with serving(b"HTTP/1.1 200 OK\r\nETag: \x00a\x07b\r\nContent-Length: 2\r\n\r\nok") as server:
        answer = fetch(f"http://127.0.0.1:{server.port}/", guard=server.guard)
        assert answer.headers["etag"] == "ab"


def test_a_header_cannot_smuggle_another_one_in():
    with serving(OK) as server:
        with pytest.raises(OutboundError, match="characters that HTTP forbids") as caught:
            fetch(
                f"http://127.0.0.1:{server.port}/",
                headers={"if-none-match": '"x"\r\nhost: evil'},
                guard=server.guard,
            )
        assert server.requests == [] and not caught.value.may_have_arrived


def test_threads_share_what_is_kept_and_nothing_is_left_open():
    with serving(*[OK] * 40) as server:
        with keep_connections() as connections:

            def several() -> None:
                with connections.in_use():
                    for _ in range(10):
                        server.get()

            threads = [threading.Thread(target=several) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert len(server.requests) == 40 and server.connections <= 4
        assert connections.take(("http", "127.0.0.1", server.port)) is None
