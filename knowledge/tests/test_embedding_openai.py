"""Vectors from a server, on a local one that answers well and badly."""

import json

import numpy as np
import pytest
from werkzeug import Request, Response

from knowledge import embedding
from knowledge.embedding.errors import EmbedderRefused, EmbedderUnavailable
from knowledge.embedding.openai import BATCH

KEY = "sk-very-secret"


def vector_of(text):
    return [float(len(text)), 1.0, 0.0]


def body(vectors, order=None):
    data = [
        {"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "data": [data[place] for place in order] if order else data, "model": "m"}


@pytest.fixture
def server(httpserver, settings):
    settings.EMBEDDING_BASE_URL = httpserver.url_for("/v1/")
    settings.EMBEDDING_MODEL, settings.EMBEDDING_DIMENSION = "tiny", 3
    settings.EMBEDDING_API_KEY = KEY
    settings.OUTBOUND_ALLOWED_HOSTS = [f"{httpserver.host}:{httpserver.port}"]
    return httpserver


@pytest.fixture
def answering(server):
    """A server that does what it should; the value is the requests that it had."""
    had = []

    def answer(request: Request) -> Response:
        asked = json.loads(request.data)
        had.append((request.headers, asked))
        vectors = [vector_of(text) for text in asked["input"]]
        return Response(json.dumps(body(vectors, order=range(len(vectors) - 1, -1, -1))))

    server.expect_request("/v1/embeddings", method="POST").respond_with_handler(answer)
    return had


def embed(*texts):
    return embedding.get("openai").embed(texts)


def test_vectors_belong_to_their_texts_whatever_the_order_of_the_answer(answering):
    texts = ["a" * number for number in range(1, 9)]
    expected = np.array([vector_of(text) for text in texts], dtype=np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(embed(*texts), expected, rtol=1e-5)


def test_many_texts_are_asked_for_in_batches(answering):
    found = embed(*["a" * (number % 50 + 1) for number in range(BATCH + 5)])
    assert [len(asked["input"]) for _, asked in answering] == [BATCH, 5]
    assert found.shape == (BATCH + 5, 3)
    np.testing.assert_allclose(found[BATCH], found[BATCH % 50], rtol=1e-6)


def test_the_key_and_the_model_are_sent(answering):
    embed("a")
    headers, asked = answering[0]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert asked["model"] == "tiny"


def test_no_text_asks_nobody(answering):
    assert embed().shape == (0, 3)
    assert answering == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (body([[1, 0, 0]]), "gave 1 vectors for 2 texts"),
        (body([[1, 0, 0], [0, 1, 0], [0, 0, 1]]), "gave 3 vectors for 2 texts"),
        ({"data": [{"index": 0, "embedding": [1, 0, 0]}] * 2}, "gave 2 vectors for 2 texts"),
        ({"data": [{"index": place, "embedding": [1, 0, 0]} for place in (1, 2)]}, "gave 2 vectors for 2"),
        (body([[1, 0], [0, 1]]), "vectors with 2 numbers; EMBEDDING_DIMENSION is 3"),
        (body([[1, 0, 0], [0, 1]]), "vectors with 2 numbers"),
        (body([[1, 0, 0], [0, 0, 0]]), "points nowhere"),
        ({"data": "none"}, "something else than vectors"),
        (["surprise"], "something else than vectors"),
    ],
)
def test_an_answer_that_does_not_fit_the_texts_is_refused(server, answer, reason):
    server.expect_request("/v1/embeddings").respond_with_json(answer)
    with pytest.raises(EmbedderRefused, match=reason):
        embed("one", "two")


def test_numbers_that_are_none_are_refused(server):
    server.expect_request("/v1/embeddings").respond_with_data(
        '{"data": [{"index": 0, "embedding": [1, 0, 1e999]}]}'
    )
    with pytest.raises(EmbedderRefused, match=r"points nowhere|something else than vectors"):
        embed("one")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 408])
def test_a_busy_or_failing_server_is_asked_later(server, status):
    server.expect_request("/v1/embeddings").respond_with_json(
        {"error": {"message": "Slow down", "type": "requests", "param": None, "code": None}},
        status=status,
        headers={"Retry-After": "7"},
    )
    with pytest.raises(EmbedderUnavailable, match="Slow down") as caught:
        embed("one")
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "invalid_api_key"), (404, "model_not_found"), (429, "insufficient_quota"), (501, "")],
)
def test_what_waiting_does_not_mend_is_refused_without_telling_the_key(server, status, code):
    server.expect_request("/v1/embeddings").respond_with_json(
        {"error": {"message": f"No: {KEY} {code}", "code": code}}, status=status
    )
    with pytest.raises(EmbedderRefused, match="No:") as caught:
        embed("one")
    assert KEY not in str(caught.value)


def test_nobody_there_is_unavailable(settings, server):
    settings.EMBEDDING_BASE_URL = "http://127.0.0.1:9/v1"
    settings.OUTBOUND_ALLOWED_HOSTS = ["127.0.0.1:9"]
    with pytest.raises(EmbedderUnavailable):
        embed("one")


def test_private_addresses_are_refused_unless_allowed(settings, server):
    settings.OUTBOUND_ALLOWED_HOSTS = []
    with pytest.raises(EmbedderRefused):
        embed("one")


def test_without_settings_it_says_which_are_missing(settings):
    settings.EMBEDDING_BASE_URL = settings.EMBEDDING_MODEL = ""
    assert "EMBEDDING_BASE_URL, EMBEDDING_MODEL" in embedding.get("openai").why_not()
