"""Asking a real server of the protocol: llama.cpp with a small model. What it says does not matter, how it says it does."""

import json
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import httpx
import pytest
from pydantic import BaseModel

from chat import (
    ChatRefused,
    ChatUnavailable,
    CutOff,
    Endpoint,
    Price,
    Progress,
    complete,
    read_json,
)
from publishing import writers
from publishing.tests.articles import articles
from publishing.writers import Brief, Length, WriterRefused
from tests.real_servers.llama import MODEL_NAME, Llama, NotInstallable, installed, serving

pytestmark = pytest.mark.real_servers

QUESTION = [{"role": "user", "content": "Name three fruits."}]
LONG = [{"role": "user", "content": "Write a very long story about a ferry and a lighthouse."}]


class Fruit(BaseModel):
    kind: Literal["apple", "pear", "plum"]
    is_sweet: bool
    seeds: int


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llama]:
    try:
        folder = installed()
    except NotInstallable as error:
        if os.environ.get("REQUIRE_REAL_SERVERS") == "1":
            raise
        pytest.skip(f"The model server cannot be installed here: {error}")
    with (tmp_path_factory.mktemp("llama") / "log").open("w") as log, serving(folder, log) as server:
        yield server


@pytest.fixture
def endpoint(llama: Llama, settings: Any) -> Endpoint:
    settings.OUTBOUND_ALLOWED_HOSTS = [llama.host]
    return Endpoint(
        base_url=llama.url,
        model=MODEL_NAME,
        price=Price(Decimal(1), Decimal(4), Decimal("0.5")),
        idle_seconds=60,
        total_seconds=240,
        max_tokens=60,
    )


def with_limits(endpoint: Endpoint, **changes: Any) -> Endpoint:
    return Endpoint(**{**vars(endpoint), **changes})


def count_tokens(llama: Llama, text: str) -> int:
    answer = httpx.post(f"http://{llama.host}/tokenize", json={"content": text}, timeout=60)
    return len(answer.json()["tokens"])


def test_an_answer_comes_word_by_word_and_its_usage_is_the_servers(llama: Llama, endpoint: Endpoint) -> None:
    pieces: list[tuple[float, str]] = []
    answer = complete(
        QUESTION,
        temperature=0,
        endpoint=endpoint,
        on_progress=lambda progress: pieces.append((time.monotonic(), progress.piece)),
    )
    said = [(at, piece) for at, piece in pieces if piece]
    assert "".join(piece for _, piece in said) == answer.text != ""
    assert len(said) >= 5 and said[-1][0] - said[0][0] > 0, "it did not come all at once"
    assert len({at for at, _ in said}) == len(said)

    usage = answer.usage
    assert usage.model == MODEL_NAME and not usage.is_estimated and not usage.is_doubtful
    asked = {"model": MODEL_NAME, "messages": QUESTION, "max_tokens": 60, "temperature": 0}
    told = httpx.post(f"{llama.url}/chat/completions", json=asked, timeout=240).json()["usage"]
    assert usage.tokens_in == told["prompt_tokens"]
    assert usage.tokens_out == count_tokens(llama, answer.text) + 1, "and one for the end"
    assert usage.cost == (
        usage.tokens_in - usage.tokens_cached + usage.tokens_cached / Decimal(2) + 4 * usage.tokens_out
    ) / Decimal(1_000_000)


def test_a_prompt_asked_again_is_cached_and_cheaper(endpoint: Endpoint) -> None:
    complete(QUESTION, temperature=0, endpoint=endpoint)
    usage = complete(QUESTION, temperature=0, endpoint=endpoint).usage
    assert 0 < usage.tokens_cached <= usage.tokens_in
    assert endpoint.price is not None
    assert usage.cost < endpoint.price.of(usage.tokens_in, usage.tokens_out)


def test_json_by_a_schema_fits_it(endpoint: Endpoint) -> None:
    """A model that cannot write JSON on its own has to: the server holds it to the schema."""
    question = [{"role": "user", "content": "Tell me about a fruit."}]
    answer = complete(question, schema=Fruit, temperature=0, endpoint=endpoint)
    assert set(json.loads(answer.text)) == {"kind", "is_sweet", "seeds"}
    assert isinstance(read_json(answer.text, Fruit), Fruit)


def test_an_answer_that_reaches_its_limit_is_cut_off_and_counted(endpoint: Endpoint) -> None:
    with pytest.raises(CutOff) as caught:
        complete(LONG, temperature=0, endpoint=with_limits(endpoint, max_tokens=12))
    assert caught.value.usage is not None
    assert caught.value.usage.tokens_out == 12 and not caught.value.usage.is_estimated


def test_a_prompt_that_is_too_long_is_refused_in_the_servers_words(endpoint: Endpoint) -> None:
    with pytest.raises(
        ChatRefused, match=r"request \(\d{4} tokens\) exceeds the available context size \(2048 tokens\)"
    ) as caught:
        complete([{"role": "user", "content": "word " * 5_000}], endpoint=endpoint)
    assert caught.value.usage is None


def test_a_model_that_is_too_slow_is_left_and_its_server_stays_well(endpoint: Endpoint) -> None:
    hurried = with_limits(endpoint, total_seconds=1.0, max_tokens=1_000)
    with pytest.raises(ChatUnavailable, match="was not done after 1 seconds") as caught:
        complete(LONG, endpoint=hurried)
    assert caught.value.usage is not None and caught.value.usage.is_doubtful
    assert complete(QUESTION, temperature=0, endpoint=endpoint).text


def test_a_question_that_is_dropped_frees_the_server_at_once(llama: Llama, endpoint: Endpoint) -> None:
    class Cancelled(BaseException):
        pass

    heard: list[str] = []

    def drop(progress: Progress) -> None:
        heard.append(progress.piece)
        if len(progress.text) > 20:
            raise Cancelled

    with pytest.raises(Cancelled):
        complete(LONG, temperature=0, endpoint=with_limits(endpoint, max_tokens=1_500), on_progress=drop)
    assert len(heard) < 60
    until = time.monotonic() + 30
    while any(slot["is_processing"] for slot in _slots(llama)):
        assert time.monotonic() < until, "the server goes on writing for nobody"
        time.sleep(0.1)


def _slots(llama: Llama) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"http://{llama.host}/slots", timeout=60).json()
    return found


def test_nobody_there_is_a_matter_of_waiting(endpoint: Endpoint, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:1"]
    with pytest.raises(ChatUnavailable, match="does not answer") as caught:
        complete(QUESTION, endpoint=with_limits(endpoint, base_url="http://127.0.0.1:1/v1"))
    assert caught.value.usage is None


def test_the_writer_asks_it_and_refuses_what_is_no_post(
    llama: Llama, endpoint: Endpoint, settings: Any
) -> None:
    """A model of this size plans nothing that could be written: whatever it says, it costs, and it does not go out."""
    settings.CHAT_BASE_URL, settings.CHAT_MODEL, settings.CHAT_API_KEY = llama.url, MODEL_NAME, ""
    settings.CHAT_PRICES = {"*": (Decimal(1), Decimal(4))}
    settings.CHAT_MAX_TOKENS, settings.PUBLISHING_SOURCES_CHARS = 30, 300
    writer = writers.get("openai")
    brief = Brief(length=Length.SHORT, topic="The harbour", items=articles(2))
    assert writer.why_not() == ""
    with pytest.raises(WriterRefused) as caught:
        writer.body(
            brief, {"angle": "A", "sections": [{"heading": "B", "points": [], "item_ids": [1], "words": 99}]}
        )
    assert caught.value.usage is not None
    assert caught.value.usage.tokens_out > 0 and caught.value.usage.cost > 0
