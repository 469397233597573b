"""Which embedders there are."""

import numpy as np
import pytest

from knowledge import embedding
from knowledge.embedding import Embedder, Space, UnknownEmbedder


@pytest.mark.parametrize("kind", embedding.kinds())
def test_every_embedder_has_a_label_and_a_reason_or_a_space(kind):
    embedder = embedding.get(kind)
    assert embedder.label
    if embedder.why_not():
        with pytest.raises(embedding.EmbedderRefused, match=r"must be set"):
            embedder.space()
    else:
        assert embedder.space().name.startswith(f"{kind}:")


def test_the_default_needs_no_setting():
    assert embedding.configured().kind == "minilm"
    assert embedding.configured().why_not() == ""


def test_an_unknown_kind_is_told_with_those_that_are_known():
    with pytest.raises(UnknownEmbedder, match=r"no embedder named 'word2vec'; known: .*minilm"):
        embedding.get("word2vec")


def test_a_kind_that_is_taken_is_refused():
    class Second(Embedder):
        kind, label = "minilm", "Another"

        def space(self):
            return Space("minilm:other", 1)

        def embed(self, texts):
            return np.zeros((len(texts), 1), dtype=np.float32)

    with pytest.raises(ValueError, match="two embedders named 'minilm'"):
        embedding.register(Second)


def test_an_unfinished_class_is_refused():
    class Half(Embedder):
        kind, label = "half", "Half"

        def space(self):
            return Space("half:1", 1)

    with pytest.raises(TypeError, match=r"does not implement embed\(\)"):
        embedding.register(Half)
