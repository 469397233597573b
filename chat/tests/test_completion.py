"""One question over the wire: what is asked, what comes, what it costs, and everything that can go wrong."""

import logging
import time
from decimal import Decimal

import pytest
from pydantic import BaseModel

from chat import ChatRefused, ChatUnavailable, CutOff, Endpoint, complete
from chat.tests.model_server import KEY, Fail, Say, error, paid

QUESTION = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Name three ferries."},
]
TEXT = "The Sea Otter, the Nordlicht and the Łódź – all three of them sail on Sundays."


class Ferries(BaseModel):
    names: list[str]


def test_an_answer_comes_in_pieces_and_is_put_together(model_server):
    server = model_server(Say(TEXT))
    heard = []
    answer = complete(QUESTION, endpoint=server.endpoint(), on_progress=lambda p: heard.append(p.piece))
    assert answer.text == TEXT == "".join(heard)
    assert heard[0] == "" and len([piece for piece in heard if piece]) == -(-len(TEXT) // 7)
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    (asked,) = server.requests
    assert asked["messages"] == QUESTION and asked["model"] == "big-model" and asked["stream"] is True


def test_the_servers_figures_are_the_usage(model_server):
    server = model_server(Say(TEXT, usage=(1_000, 500, 400)))
    usage = complete(QUESTION, endpoint=server.endpoint()).usage
    assert (usage.tokens_in, usage.tokens_out, usage.tokens_cached) == (1_000, 500, 400)
    assert usage.cost == Decimal("0.00264")  # 600 at 1, 400 at 0.1 and 500 at 4 dollars a million
    assert (usage.model, usage.calls, usage.price) == ("big-model-2026-11-01", 1, server.endpoint().price)
    assert not usage.is_estimated and not usage.is_doubtful and 0 < usage.seconds < 10


def test_without_figures_the_usage_is_a_guess_and_says_so(model_server):
    server = model_server(Say("word " * 100, usage=None))
    usage = complete(QUESTION, endpoint=server.endpoint()).usage
    assert usage.is_estimated and not usage.is_doubtful
    assert usage.tokens_out == 143 and usage.tokens_in == 10  # 500 and 33 bytes, 3.5 a token
    assert usage.cost == Decimal("0.000582")


@pytest.mark.parametrize("figures", [{"prompt_tokens": -5, "completion_tokens": 1}, {"total": 3}, "many", []])
def test_figures_that_cannot_be_right_are_no_figures(model_server, figures):
    chunk = {"choices": [], "usage": figures}
    server = model_server(Say(TEXT, usage=None, fault_after=1, fault=chunk))
    assert complete(QUESTION, endpoint=server.endpoint()).usage.is_estimated


def test_a_model_without_a_price_costs_nobody_knows_what(model_server):
    usage = complete(QUESTION, endpoint=model_server(Say(TEXT)).endpoint(price=None)).usage
    assert usage.price is None and usage.cost == 0 and usage.tokens_in == 100


def test_a_server_that_does_not_stream_is_understood(model_server):
    server = model_server(Say(TEXT, is_whole_json=True))
    answer = complete(QUESTION, endpoint=server.endpoint())
    assert answer.text == TEXT and answer.usage.tokens_out == 20


def test_an_answer_that_was_cut_by_its_limit_is_never_whole(model_server):
    server = model_server(Say(TEXT, finish="length", usage=(100, 4_000, 0)))
    with pytest.raises(CutOff, match="breaks off after 4000 tokens") as caught:
        complete(QUESTION, endpoint=server.endpoint())
    assert paid(caught).tokens_out == 4_000 and not paid(caught).is_doubtful


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Say("Well,", finish="content_filter"), "filter"),
        (Say("", refusal="I cannot help with ferries."), "refuses: I cannot help with ferries"),
        (Say("", finish="tool_calls", tool_calls=[{"index": 0, "id": "1"}]), "asked for a tool"),
        (Say("", tool_calls=[{"index": 0, "id": "1"}]), "asked for a tool"),
    ],
)
def test_what_is_no_answer_is_refused_with_what_it_cost(model_server, said, words):
    with pytest.raises(ChatRefused, match=words) as caught:
        complete(QUESTION, endpoint=model_server(said).endpoint())
    assert paid(caught).tokens_in == 100 and not paid(caught).is_doubtful


@pytest.mark.parametrize(
    "said", [Say(TEXT, finish=None), Say(TEXT, finish="abort"), Say(TEXT, finish=None, is_whole_json=True)]
)
def test_an_answer_of_which_nobody_says_that_it_is_whole_is_not(model_server, said):
    with pytest.raises(CutOff, match="nobody knows whether it is whole") as caught:
        complete(QUESTION, endpoint=model_server(said).endpoint())
    assert paid(caught).is_doubtful


def test_a_model_that_stalls_is_left_after_the_time_of_silence(model_server):
    server = model_server(Say(TEXT, fault_after=4, fault="stall"))
    began = time.monotonic()
    with pytest.raises(ChatUnavailable, match=r"said nothing for 0\.5 seconds") as caught:
        complete(QUESTION, endpoint=server.endpoint(idle_seconds=0.5))
    assert time.monotonic() - began < 5
    usage = paid(caught)
    assert usage.is_doubtful and usage.is_estimated and usage.tokens_out == 8  # of 28 bytes


def test_signs_of_life_of_the_server_do_not_hide_a_silent_model(model_server):
    server = model_server(Say(TEXT, fault_after=1, fault="drip"))
    with pytest.raises(ChatUnavailable, match=r"said nothing for 0\.5 seconds"):
        complete(QUESTION, endpoint=server.endpoint(idle_seconds=0.5))


def test_a_model_that_talks_on_and_on_is_left_in_the_end(model_server):
    server = model_server(Say("word " * 100_000, chars=5))
    with pytest.raises(ChatUnavailable, match=r"was not done after 0\.7 seconds") as caught:
        complete(QUESTION, endpoint=server.endpoint(total_seconds=0.7))
    assert paid(caught).is_doubtful and paid(caught).tokens_out > 0


@pytest.mark.parametrize("fault", ["cut", "close"])
def test_a_stream_that_ends_in_the_middle_may_be_tried_again_and_may_have_been_billed(model_server, fault):
    server = model_server(Say(TEXT, fault_after=3, fault=fault))
    with pytest.raises(ChatUnavailable, match="broke off in the middle of its answer") as caught:
        complete(QUESTION, endpoint=server.endpoint())
    assert paid(caught).is_doubtful and paid(caught).tokens_out == 6


@pytest.mark.parametrize("fault", ["cut", "stall", "close"])
def test_a_whole_answer_is_kept_though_its_figures_never_came(model_server, fault):
    server = model_server(Say(TEXT, fault_after=99, fault=fault))
    answer = complete(QUESTION, endpoint=server.endpoint(idle_seconds=0.5))
    assert answer.text == TEXT and answer.usage.is_estimated


def test_an_error_in_the_middle_of_a_stream_is_an_error(model_server):
    server = model_server(Say(TEXT, fault_after=2, fault=error("The engine is overloaded")))
    with pytest.raises(ChatUnavailable, match="broke off: The engine is overloaded") as caught:
        complete(QUESTION, endpoint=server.endpoint())
    assert paid(caught).is_doubtful


def test_a_chunk_that_is_none_is_told(model_server):
    server = model_server(Say(TEXT, fault_after=1, fault={"choices": "none"}))
    with pytest.raises(ChatRefused, match="not of the protocol"):
        complete(QUESTION, endpoint=server.endpoint())


REFUSED = [
    (Fail(401, error(f"Incorrect API key provided: {KEY}.")), r"does not let us in: .*\[hidden\]"),
    (Fail(403, error("Country not supported", code="unsupported_country")), "Country not supported"),
    (Fail(404, error("The model `big-model` does not exist", code="model_not_found")), "does not exist"),
    (Fail(402, error("Insufficient Balance")), "account to be looked after: Insufficient Balance"),
    (
        Fail(
            429,
            error("You exceeded your current quota.", type="insufficient_quota", code="insufficient_quota"),
        ),
        "account to be looked after: You exceeded",
    ),
    (
        Fail(400, error("request (5031 tokens) exceeds the available context size (2048 tokens)")),
        r"request \(5031 tokens\) exceeds",
    ),
    (
        Fail(400, error("maximum context length is 8192 tokens", code="context_length_exceeded")),
        "8192 tokens",
    ),
    (Fail(413, "Payload Too Large"), "Payload Too Large"),
    (Fail(501, error("not implemented")), "not implemented"),
    (Fail(422, {"detail": [{"loc": ["body"], "msg": "field required"}]}), "field required"),
    (Fail(307, "", {"Location": "https://elsewhere.example/v1/chat/completions"}), "set CHAT_BASE_URL"),
]


@pytest.mark.parametrize(("failure", "words"), REFUSED)
def test_what_waiting_does_not_mend_is_refused_in_the_servers_words(model_server, failure, words):
    server = model_server(failure)
    with pytest.raises(ChatRefused, match=words) as caught:
        complete(QUESTION, endpoint=server.endpoint())
    assert KEY not in str(caught.value) and not isinstance(caught.value, CutOff)
    assert caught.value.usage is None or failure.status == 501
    assert len(server.requests) == 1, "it is asked once"


def test_too_many_requests_wait_as_long_as_the_server_says(model_server):
    server = model_server(
        Fail(429, error("Rate limit reached", code="rate_limit_exceeded"), {"Retry-After": "17"})
    )
    with pytest.raises(ChatUnavailable, match="is busy: Rate limit reached") as caught:
        complete(QUESTION, endpoint=server.endpoint())
    assert caught.value.retry_after == 17 and caught.value.usage is None


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_a_failing_server_may_be_asked_later_and_may_bill_what_it_did(model_server, status):
    server = model_server(Fail(status, "<h1>Bad</h1>", {"Retry-After": "3"}))
    with pytest.raises(ChatUnavailable, match="Bad") as caught:
        complete(QUESTION, endpoint=server.endpoint())
    usage = paid(caught)
    assert usage.is_doubtful and usage.is_estimated and usage.tokens_in > 0 and usage.tokens_out == 0
    assert caught.value.retry_after == 3 and len(server.requests) == 1


def test_a_page_instead_of_an_answer_asks_whether_the_address_is_right(model_server):
    server = model_server(Fail(200, "<html>Welcome!</html>"))
    with pytest.raises(ChatRefused, match=r"text/html.* is CHAT_BASE_URL right"):
        complete(QUESTION, endpoint=server.endpoint())


def test_no_connection_costs_nothing_and_may_work_later(settings):
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:9"]
    with pytest.raises(ChatUnavailable, match="does not answer") as caught:
        complete(QUESTION, endpoint=Endpoint("http://127.0.0.1:9/v1", "big-model"))
    assert caught.value.usage is None


def test_a_server_on_a_private_network_is_asked_only_if_it_is_allowed(model_server, settings):
    server = model_server(Say(TEXT))
    settings.OUTBOUND_ALLOWED_HOSTS = []
    with pytest.raises(
        ChatRefused, match=r"private or reserved network.* name its host:port in OUTBOUND_ALLOWED_HOSTS"
    ) as caught:
        complete(QUESTION, endpoint=server.endpoint())
    assert server.requests == [] and caught.value.usage is None


def test_who_follows_the_answer_can_end_it_and_knows_what_it_cost(model_server):
    server = model_server(Say("word " * 10_000, chars=5))
    usages = []

    def follow(progress):
        usages.append(progress.usage)
        if len(progress.text) > 200:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        complete(QUESTION, endpoint=server.endpoint(), on_progress=follow)
    assert usages[-1].is_doubtful and usages[-1].tokens_out > 50 and usages[-1].tokens_in > 0
    assert server.left.wait(5) and server.was_left_after < 9_999, "the server notices that nobody listens"


def _refusing(parameter, words, otherwise):
    """A server that refuses requests which have a parameter."""

    def answer(body):
        wanted = body.get(parameter.partition(".")[0])
        if isinstance(wanted, dict) and "." in parameter:
            wanted = wanted["type"] == parameter.partition(".")[2]
        return Fail(400, error(words, param=parameter.partition(".")[0])) if wanted else otherwise

    return answer


def test_a_server_without_schemas_is_asked_for_an_object_and_told_the_schema(model_server):
    refusing = _refusing(
        "response_format.json_schema", "This response_format type is unavailable now", Say("{}")
    )
    server = model_server(refusing)
    for _ in range(2):
        complete(QUESTION, schema=Ferries, endpoint=server.endpoint())
    forms = [request["response_format"]["type"] for request in server.requests]
    assert forms == ["json_schema", "json_object", "json_object"], "what was learnt is remembered"
    assert '"names"' in server.requests[1]["messages"][-1]["content"]
    assert server.requests[0]["messages"] == QUESTION


def test_a_server_without_any_form_of_json_is_asked_in_words(model_server):
    server = model_server(_refusing("response_format", "unknown field response_format", Say("{}")))
    complete(QUESTION, schema=Ferries, endpoint=server.endpoint())
    assert "response_format" not in server.requests[-1] and len(server.requests) == 3
    assert "JSON schema" in server.requests[-1]["messages"][-1]["content"]


def test_the_schema_is_strict(model_server):
    server = model_server(Say("{}"))
    complete(QUESTION, schema=Ferries, endpoint=server.endpoint())
    wanted = server.requests[0]["response_format"]["json_schema"]
    assert wanted["strict"] is True and wanted["name"] == "Ferries"
    assert wanted["schema"] == {
        "type": "object",
        "properties": {"names": {"type": "array", "items": {"type": "string"}}},
        "required": ["names"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("parameter", "words", "left"),
    [
        ("max_tokens", "'max_tokens' is not supported; use 'max_completion_tokens'", "max_completion_tokens"),
        ("temperature", "'temperature' does not support 0.7 with this model", None),
        ("stream_options", "Unrecognized request argument: stream_options", None),
    ],
)
def test_parameters_that_a_server_refuses_are_left_out(model_server, parameter, words, left):
    server = model_server(_refusing(parameter, words, Say(TEXT)))
    answer = complete(QUESTION, temperature=0.7, endpoint=server.endpoint())
    assert answer.text == TEXT and len(server.requests) == 2
    assert parameter in server.requests[0] and parameter not in server.requests[1]
    assert left is None or server.requests[1][left] == server.requests[0][parameter]


def test_keys_and_texts_are_never_logged(model_server, caplog):
    with caplog.at_level(logging.DEBUG):
        complete(QUESTION, endpoint=(server := model_server(Say(TEXT))).endpoint())
        with pytest.raises(ChatRefused):
            server.script = [Fail(401, error(f"Bad key {KEY}"))]
            complete(QUESTION, endpoint=server.endpoint())
    assert KEY not in caplog.text and "ferries" not in caplog.text and KEY not in repr(server.endpoint())
