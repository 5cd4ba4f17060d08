"""Sentences and their tags as a tagger learns from them, how its answers are judged, and simple models beside it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganglion.data.padded import Ragged
from ganglion.data.tags import read_sentences
from ganglion.data.tokens import read_texts, split_words
from ganglion.estimators.table import is_frame
from ganglion.metrics.spans import span_scores


class Part(NamedTuple):
    """Sentences of one part on the device, the codes of their tags, weights (n,) or none; and both as texts."""

    x: Ragged
    y: Ragged
    weight: Tensor | None
    words: list[list[str]]
    tags: list[list[str]]

    def first(self, n: int) -> "Part":
        """The first n sentences."""
        return Part(*(None if part is None else part[:n] for part in self))  # type: ignore[arg-type]

    def weights(self) -> NDArray[np.float64]:
        """The weight (n,) of each sentence, 1 where there are none."""
        return np.ones(len(self.words)) if self.weight is None else self.weight.double().cpu().numpy()

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """The tensors as bytes: what a checkpoint of a run on them is named by."""
        yield from self.x.contents()
        yield from self.y.contents()
        if self.weight is not None:
            yield "weight", self.weight.cpu().numpy().tobytes()


def sentences_of(X: Any) -> list[list[str]]:
    """The sentences of X (n,), each a list of words, or a text that is cut into words; a table has one column of texts.

    Raises ``DataError``.

    >>> sentences_of(["It barks.", ["a", "dog"]])
    [['It', 'barks', '.'], ['a', 'dog']]
    """
    X = read_texts(X) if is_frame(X) else X
    convert = next((getattr(X, name) for name in ("to_list", "tolist") if hasattr(X, name)), None)
    listed = X if convert is None else convert()
    if isinstance(listed, list | tuple):
        listed = [split_words(one) if isinstance(one, str) else one for one in listed]
    return read_sentences(listed)


def judged(
    tags: Sequence[Sequence[str]], said: Sequence[Sequence[str]], *, spans: bool, weight: NDArray
) -> dict[str, float]:
    """``score``, the share of right tags by weights (n,) of the sentences, and ``precision``, ``recall``, ``f1``.

    >>> judged([["DET", "NOUN"]], [["DET", "VERB"]], spans=False, weight=np.ones(1))
    {'score': 0.5}
    """
    right = np.array([sum(a == b for a, b in zip(own, guess)) for own, guess in zip(tags, said)], float)
    lengths = np.array([len(own) for own in tags], float)
    score = {"score": float((weight * right).sum() / max((weight * lengths).sum(), 1e-12))}
    if not spans:
        return score
    found = span_scores(tags, said)
    return score | {name: found[name] for name in ("precision", "recall", "f1") if name in found}


def frequencies(codes: Tensor, k: int) -> Tensor:
    """The share (k,) of each of k codes, one added to each count, on the CPU."""
    counts = torch.bincount(codes.cpu(), minlength=k).float() + 1
    return counts / counts.sum()


def most_frequent(
    words: Sequence[Sequence[str]], tags: Sequence[Sequence[str]]
) -> tuple[str, dict[str, str]]:
    """The most frequent tag of all, and of each word.

    >>> most_frequent([["a", "dog", "a"]], [["DET", "NOUN", "DET"]])
    ('DET', {'a': 'DET', 'dog': 'NOUN'})
    """
    pairs = Counter((word, tag) for own, said in zip(words, tags) for word, tag in zip(own, said))
    alone: Counter[str] = Counter()
    best: dict[str, tuple[int, str]] = {}
    for (word, tag), count in pairs.items():
        alone[tag] += count
        best[word] = max(best.get(word, (0, "")), (count, tag))
    return max(alone, key=lambda tag: (alone[tag], tag)), {word: tag for word, (_, tag) in best.items()}


def simple_models(train: Part, part: Part, k: int, *, spans: bool) -> dict[str, dict[str, float]]:
    """The scores on a part of always saying the most frequent of k tags, and of saying each word's own."""
    most, own = most_frequent(train.words, train.tags)
    share = frequencies(train.y.values, k).double().log()
    said = {
        "dummy": [[most] * len(words) for words in part.words],
        "lexicon": [[own.get(word, most) for word in words] for words in part.words],
    }
    found = {name: judged(part.tags, tags, spans=spans, weight=part.weights()) for name, tags in said.items()}
    found["dummy"] = {"loss": -float(share[part.y.values.cpu()].mean()), **found["dummy"]}
    return found
