"""From the outputs of a network trained by CTC to labels: the best path, and the search over beginnings.

An alignment names a symbol per step, of which 0 is the blank; equal neighbours are merged, then blanks dropped, and
what remains is the labelling. Axes: n sequences, T steps, k symbols.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number

BLANK = 0

Labels = tuple[int, ...]
Language = Callable[[Labels], ArrayLike]


def ctc_greedy(log_probs: Tensor, lengths: Tensor | Sequence[int] | None = None) -> list[list[int]]:
    """The labelling of the most probable alignment ("best path decoding", Graves et al. 2006).

    That is not always the most probable labelling, to which many alignments may contribute; see ``ctc_beam``.

    Arguments:
        log_probs: (n, T, k) log-probabilities or logits of each step's symbol.
        lengths: (n,) the steps of each sequence; all T where ``None``.

    Raises ``DataError`` for other shapes, lengths outside 0..T and steps without a finite maximum.

    >>> ctc_greedy(torch.eye(3)[torch.tensor([[1, 1, 0, 1, 2]])])
    [[1, 1, 2]]
    """
    log_probs, steps = _checked(log_probs, lengths)
    best = log_probs.argmax(2)
    new = torch.ones_like(best, dtype=torch.bool)
    new[:, 1:] = best[:, 1:] != best[:, :-1]
    there = torch.arange(best.shape[1], device=best.device) < steps[:, None]
    kept = new & there & (best != BLANK)
    return [row[which].tolist() for row, which in zip(best.cpu(), kept.cpu())]


def ctc_beam(
    log_probs: Tensor,
    lengths: Tensor | Sequence[int] | None = None,
    beam: int = 16,
    language: Language | None = None,
) -> list[list[int]]:
    """The labelling of the highest probability among those that a beam of beginnings leads to.

    In each step every beginning stays or is continued by every label, and the ``beam`` best stay; the probabilities
    that its alignments end in a blank and in its last label are kept apart, since only behind a blank may the label
    stand again (Graves et al. 2006 summed over alignments, as Hannun et al. 2014, arXiv:1408.2873, with
    ``P(labels | x) P(labels)`` of a language). A beam as wide as there are beginnings is exact; one of 1 still sums
    over alignments, which ``ctc_greedy`` does not. How probable the answer is, ``-torch.nn.functional.ctc_loss`` says.

    Arguments:
        log_probs: (n, T, k) log-probabilities of each step's symbol; logits give the same labels.
        lengths: (n,) the steps of each sequence; all T where ``None``.
        beam: beginnings that are followed.
        language: ``labels -> (k,)``, the log-probability of each next label behind those, and as number 0 that of
            the end there (0.0 where all ends are alike); a weight or a bonus per label is the caller's to add.

    Raises ``DataError`` as ``ctc_greedy``, for a language of another shape or with NaN and one that leaves nothing;
    ``ParameterError`` for a beam below 1.

    >>> log_probs = torch.tensor([[[0.6, 0.4], [0.6, 0.4]]]).log()  # no label 0.36, one of them 0.64
    >>> ctc_greedy(log_probs), ctc_beam(log_probs)
    ([[]], [[1]])
    """
    number("a CTC search's beam", beam, AtLeast(1), whole=True)
    log_probs, steps = _checked(log_probs, lengths)
    values = log_probs.detach().double().cpu().numpy()
    return [
        _search(row[:length], beam, language, i)
        for i, (row, length) in enumerate(zip(values, steps.tolist()))
    ]


class _Spoken:
    """What a language says, asked once for each beginning."""

    def __init__(self, language: Language, k: int) -> None:
        self.language, self.k, self.known = language, k, dict[Labels, NDArray[np.float64]]()

    def __call__(self, labels: Labels) -> NDArray[np.float64]:
        if labels not in self.known:
            said: Any = self.language(labels)
            said = said.detach().cpu() if isinstance(said, Tensor) else said
            found = np.asarray(said, dtype=np.float64)
            if found.shape != (self.k,) or np.isnan(found).any() or found.max() == np.inf:
                raise DataError(
                    f"a language must give {self.k} log-probabilities, the end's first, got {found!r} behind the "
                    f"labels {list(labels)}; see ctc_beam."
                )
            self.known[labels] = found
        return self.known[labels]


def _search(values: NDArray[np.float64], beam: int, language: Language | None, row: int) -> list[int]:
    """Prefix beam search over one sequence (T, k)."""
    k = values.shape[1]
    said = None if language is None else _Spoken(language, k)
    beginnings: list[Labels] = [()]
    blank, label = np.zeros(1), np.full(1, -np.inf)  # log P of the alignments so far, by how they end
    spoken = np.zeros(1)
    for value in values:
        m = len(beginnings)
        both = np.logaddexp(blank, label)
        longer = both[:, None] + value
        own = np.array([labels[-1] if labels else BLANK for labels in beginnings])
        again = np.where(own == BLANK, -np.inf, label + value[own])  # the label lasts one step more
        named = np.flatnonzero(own)
        longer[named, own[named]] = blank[named] + value[own[named]]
        longer[:, BLANK] = -np.inf
        number_of = {labels: i for i, labels in enumerate(beginnings)}
        for j in named:  # a longer one that is a beginning already
            parent = number_of.get(beginnings[j][:-1])
            if parent is not None:
                again[j] = np.logaddexp(again[j], longer[parent, own[j]])
                longer[parent, own[j]] = -np.inf
        stays = both + value[BLANK]
        words = spoken[:, None] if said is None else spoken[:, None] + _next(said, beginnings)
        total = np.concatenate([np.logaddexp(stays, again) + spoken, (longer + words).ravel()])
        kept = _best(total, beam)
        if not len(kept):
            raise DataError(f"the language leaves no labels for sequence {row}; let it give some a chance.")
        source, symbol = np.where(kept < m, kept, (kept - m) // k), np.where(kept < m, BLANK, (kept - m) % k)
        new = symbol != BLANK
        blank = np.where(new, -np.inf, stays[source])
        label = np.where(new, longer[source, symbol], again[source])
        spoken = np.where(new, np.broadcast_to(words, (m, k))[source, symbol], spoken[source])
        beginnings = [
            (*beginnings[i], int(s)) if s else beginnings[i] for i, s in zip(source.tolist(), symbol.tolist())
        ]
    total = np.logaddexp(blank, label) + spoken
    if said is not None:
        total += [said(labels)[BLANK] for labels in beginnings]
        if total.max() == -np.inf:
            raise DataError(f"the language leaves no labels for sequence {row}; let it give some a chance.")
    return list(beginnings[int(total.argmax())])


def _next(said: _Spoken, beginnings: list[Labels]) -> NDArray[np.float64]:
    return np.stack([said(labels) for labels in beginnings])


def _best(total: NDArray[np.float64], beam: int) -> NDArray[np.int64]:
    """Where the ``beam`` highest are, without those of probability 0."""
    top = np.argpartition(total, -beam)[-beam:] if beam < len(total) else np.arange(len(total))
    return top[total[top] > -np.inf]


def _checked(log_probs: Tensor, lengths: Tensor | Sequence[int] | None) -> tuple[Tensor, Tensor]:
    """The values and the number of steps of each sequence."""
    if log_probs.dim() != 3 or log_probs.shape[2] < 1:
        raise DataError(
            f"log-probabilities (n, T, k) are expected, got {tuple(log_probs.shape)}; give a symbol axis."
        )
    n, most, _ = log_probs.shape
    steps = torch.full((n,), most) if lengths is None else torch.as_tensor(lengths)
    if steps.shape != (n,) or steps.is_floating_point() or ((steps < 0) | (steps > most)).any():
        raise DataError(
            f"for each of {n} sequences a whole number of steps from 0 to {most} is expected, got {lengths}; "
            "give the steps that the network's output has."
        )
    steps = steps.to(log_probs.device)
    there = torch.arange(most, device=steps.device) < steps[:, None]
    bad = (there & ~log_probs.amax(2).isfinite()).nonzero()
    if len(bad):
        i, t = bad[0].tolist()
        raise DataError(
            f"each step must have a possible symbol and no NaN, but step {t} of sequence {i} has none; look at "
            "the network's output."
        )
    return log_probs, steps
