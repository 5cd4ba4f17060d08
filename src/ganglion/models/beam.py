"""Beam search: the most probable sequences of words by a network that says one word after the other."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

State = Any  # tensors (rows, ...), or tuples of them
Ask = Callable[[State, Tensor], tuple[Tensor, State]]


def beam_search(
    ask: Ask, state: State, first: Tensor, *, end: int, steps: int, beam: int = 3, length_power: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The best sentence for each of n rows among those that a beam of ``beam`` beginnings leads to.

    In each step every beginning is continued by every word, and the ``beam`` with the highest log P stay; one that
    has ended stays as it is. Of the last ones the highest ``log P / length^length_power`` is taken, where the length
    counts the end, so 0 looks for the most probable sentence and 1 for the highest mean per word. A beam of 1 is the
    greedy search; one as wide as there are beginnings is exact.

    Arguments:
        ask: ``(state, words (r,)) -> (log-probabilities (r, k), state)`` of the next word.
        state: of the n rows before the first word.
        first: (n,) the words that sentences begin behind.
        end: the word that ends a sentence.
        steps: words at most, the end included; what has not ended by then is cut.
        beam: beginnings that are followed.
        length_power: see above.

    Returns the words (n, steps), -1 behind the end, and log P (n,).

    >>> def ask(state, words):
    ...     return torch.tensor([[0.1, 0.9], [0.8, 0.2]]).log()[words], state
    >>> words, log_p = beam_search(ask, torch.zeros(1, 1), torch.tensor([0]), end=0, steps=4)
    >>> words.tolist(), round(log_p.exp().item(), 2)
    ([[1, 0, -1, -1]], 0.72)
    """
    n, device = len(first), first.device
    log_p = torch.zeros(n, 1, device=device)
    said = torch.zeros(n, 1, 0, dtype=torch.int64, device=device)
    last, rows = first, torch.arange(n, device=device)[:, None]
    for step in range(steps):
        width = log_p.shape[1]
        new, state = ask(state, last.clamp(min=0))
        k = new.shape[1]
        total = log_p[..., None] + new.float().view(n, width, k)
        if step:  # what has ended is continued by nothing, once and at no cost
            ended = (said[..., -1] == end) | (said[..., -1] < 0)
            nothing = torch.full((k,), -torch.inf, device=device)
            nothing[end] = 0.0
            total = torch.where(ended[..., None], log_p[..., None] + nothing, total)
        log_p, best = total.flatten(1).topk(min(beam, width * k), 1)
        parent, word = best // k, best % k
        if step:
            word = torch.where(ended.gather(1, parent), -1, word)
        said = torch.cat([said[rows, parent], word[..., None]], 2)
        state, last = _taken(state, (rows * width + parent).flatten()), word.flatten()
        if ((last == end) | (last < 0)).all():  # nothing will be added any more
            said = F.pad(said, (0, steps - step - 1), value=-1)
            break
    length = (said >= 0).sum(2)
    best = (log_p / length**length_power).argmax(1)
    return said[rows[:, 0], best], log_p[rows[:, 0], best]


def _taken(state: State, rows: Tensor) -> State:
    """The state of some rows, in a new order."""
    return tuple(_taken(part, rows) for part in state) if isinstance(state, tuple) else state[rows]
