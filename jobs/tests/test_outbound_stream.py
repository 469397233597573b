"""Answers that are read as they come."""

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pytest_httpserver import HTTPServer

from jobs.outbound import Limits, OutboundRejected, OutboundUnavailable, stream
from jobs.outbound.addresses import AddressGuard

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@contextmanager
def speaking(script: Callable[[socket.socket], None]) -> Iterator[tuple[str, AddressGuard]]:
    """A server for one connection, which says what the script sends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                try:
                    script(connection)
                except OSError:
                    return  # the client hung up

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        yield f"http://127.0.0.1:{port}/", AddressGuard([f"127.0.0.1:{port}"])
        thread.join(timeout=10)


def test_each_piece_is_there_before_the_next_is_sent():
    heard = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n" + chunk(b"one"))
        assert heard.wait(5)
        connection.sendall(chunk(b"two") + b"0\r\n\r\n")

    with speaking(script) as (url, guard), stream(url, guard=guard) as answer:
        assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream"
        pieces = answer.pieces()
        assert next(pieces) == b"one"
        heard.set()
        assert b"".join(pieces) == b"two"


def test_leaving_the_block_ends_the_connection():
    is_left = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n" + chunk(b"one"))
        if not connection.recv(1):
            is_left.set()

    with speaking(script) as (url, guard):
        with pytest.raises(ZeroDivisionError), stream(url, guard=guard) as answer:
            next(answer.pieces())
            raise ZeroDivisionError
        assert is_left.wait(5)


@pytest.mark.parametrize(
    ("ending", "limits"),
    [
        (b"", Limits(read_seconds=0.3)),
        (b"", Limits(total_seconds=0.3)),
        (b"5\r\nab", Limits(read_seconds=0.3)),
    ],
)
def test_a_silence_ends_it_and_the_request_has_arrived(ending, limits):
    def script(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n" + chunk(b"one") + ending)
        connection.recv(1)

    with speaking(script) as (url, guard), stream(url, guard=guard, limits=limits) as answer:
        pieces = answer.pieces()
        assert next(pieces) == b"one"
        with pytest.raises(OutboundUnavailable, match="did not answer in time") as caught:
            list(pieces)
        assert caught.value.may_have_arrived


def test_a_broken_connection_may_have_done_its_work():
    def script(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"\r\n" + chunk(b"one"))

    with speaking(script) as (url, guard), stream(url, guard=guard) as answer:
        with pytest.raises(OutboundUnavailable, match="could not be read") as caught:
            list(answer.pieces())
        assert caught.value.may_have_arrived


def test_no_head_in_time_may_have_arrived_no_connection_may_not():
    with speaking(lambda connection: time.sleep(1)) as (url, guard):
        with (
            pytest.raises(OutboundUnavailable) as caught,
            stream(url, guard=guard, limits=Limits(read_seconds=0.2)),
        ):
            pass
        assert caught.value.may_have_arrived
    with pytest.raises(OutboundUnavailable) as caught, stream(url, guard=guard):
        pass
    assert not caught.value.may_have_arrived


def test_private_addresses_are_refused_before_anything_is_sent(httpserver: HTTPServer):
    with (
        pytest.raises(OutboundRejected, match="private") as caught,
        stream(httpserver.url_for("/"), guard=AddressGuard()),
    ):
        pass
    assert not caught.value.may_have_arrived and httpserver.log == []


def test_a_packed_stream_is_unpacked_within_the_limit():
    packed = gzip.compress(b"0" * 1_000_000)

    def script(connection: socket.socket) -> None:
        connection.sendall(HEAD + b"Content-Encoding: gzip\r\n\r\n" + chunk(packed) + b"0\r\n\r\n")

    with speaking(script) as (url, guard), stream(url, guard=guard) as answer:
        assert b"".join(answer.pieces()) == b"0" * 1_000_000
    with (
        speaking(script) as (url, guard),
        stream(url, guard=guard, limits=Limits(max_bytes=100_000)) as answer,
        pytest.raises(OutboundRejected, match="larger than the limit"),
    ):
        list(answer.pieces())


def test_a_redirect_is_an_answer(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data(
        "", status=307, headers={"Location": "/there", "Retry-After": "4"}
    )
    guard = AddressGuard([f"{httpserver.host}:{httpserver.port}"])
    with stream(httpserver.url_for("/"), method="POST", content=b"x", guard=guard) as answer:
        assert (answer.status, answer.headers["location"], answer.retry_after) == (307, "/there", 4)
    assert len(httpserver.log) == 1
