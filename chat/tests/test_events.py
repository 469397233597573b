"""Server-sent events, however the bytes arrive."""

import pytest

from chat.events import data_of

STREAM = (
    '\ufeff: hello\r\n\r\nevent: message\r\ndata: {"a": "Łódź"}\r\n\r\n'
    "id: 7\ndata:first\ndata: second\n\nretry: 10\n\ndata: [DONE]\n\n"
).encode()
DATA = ['{"a": "Łódź"}', "first\nsecond", "[DONE]"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 1000])
def test_events_are_the_same_however_they_are_torn_apart(size):
    assert list(data_of(STREAM[at : at + size] for at in range(0, len(STREAM), size))) == DATA


def test_an_event_is_there_as_soon_as_it_is_whole():
    sent = []

    def pieces():
        for piece in (b"data: one\n", b"\n", b"data: two\n\n"):
            sent.append(piece)
            yield piece

    found = data_of(pieces())
    assert next(found) == "one" and len(sent) == 2


def test_the_last_event_needs_no_end():
    assert list(data_of([b"data: one\n\ndata: two"])) == ["one", "two"]
    assert list(data_of([])) == []
