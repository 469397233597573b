"""Asking until the answer can be used."""

from decimal import Decimal

import pytest

from chat import ChatUnavailable, CutOff, Unusable, ask
from chat.tests.model_server import Fail, Say, error, paid

QUESTION = [{"role": "user", "content": "How many?"}]


def number(text: str, is_last: bool) -> int:
    if not text.isdigit():
        raise Unusable("It is no number.")
    return int(text)


def test_an_answer_that_can_be_used_is_asked_for_once(model_server):
    server = model_server(Say("12"))
    given = ask(QUESTION, number, endpoint=server.endpoint())
    assert given.value == 12 and given.usage.calls == 1 and len(server.requests) == 1


def test_a_model_is_told_what_is_wrong_and_both_answers_count(model_server):
    server = model_server(Say("a dozen", usage=(10, 5, 0)), Say("12", usage=(30, 1, 0)))
    given = ask(QUESTION, number, endpoint=server.endpoint())
    assert given.value == 12
    assert (given.usage.calls, given.usage.tokens_in, given.usage.tokens_out) == (2, 40, 6)
    assert given.usage.cost == Decimal("0.000064")
    said = server.requests[1]["messages"]
    assert said[:1] == QUESTION and said[1] == {"role": "assistant", "content": "a dozen"}
    assert said[2]["role"] == "user" and "It is no number." in said[2]["content"]


def test_after_the_last_chance_the_reason_and_the_costs_are_told(model_server):
    server = model_server(Say("many", usage=(10, 5, 0)))
    with pytest.raises(Unusable, match=r"^It is no number\.$") as caught:
        ask(QUESTION, number, endpoint=server.endpoint())
    assert len(server.requests) == 2 and paid(caught).tokens_in == 20


@pytest.mark.parametrize(
    ("second", "kind", "tokens_in"),
    [
        (Fail(429, error("slow down")), ChatUnavailable, 10),
        (Say("1", finish="length", usage=(30, 1, 0)), CutOff, 40),
    ],
)
def test_what_was_paid_before_an_error_is_not_forgotten(model_server, second, kind, tokens_in):
    server = model_server(Say("many", usage=(10, 5, 0)), second)
    with pytest.raises(kind) as caught:
        ask(QUESTION, number, endpoint=server.endpoint())
    assert paid(caught).tokens_in == tokens_in


def test_the_last_chance_is_announced_to_the_reader(model_server):
    chances = []

    def read(text, is_last):
        chances.append(is_last)
        raise Unusable("Never.")

    with pytest.raises(Unusable):
        ask(QUESTION, read, endpoint=model_server(Say("x")).endpoint(), chances=3)
    assert chances == [False, False, True]
