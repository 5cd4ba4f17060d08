"""Drawing a category from logits: relaxed, so that gradients pass, and for good, as a text is written.

Axes: n rows, k categories. A logit of -inf is a category that cannot come.
"""

from typing import Any

import torch
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import Above, AtLeast, Bound
from ganglion.base.numbers import number


def gumbel_softmax(
    logits: Tensor, temperature: float = 1.0, hard: bool = False, generator: torch.Generator | None = None
) -> Tensor:
    """A draw from the relaxed categorical distribution: ``softmax((logits + g) / temperature)``, g of Gumbel(0, 1).

    Its largest entry is a draw from ``softmax(logits)`` at every temperature (Gumbel 1954); near temperature 0 the
    draw is one-hot, and its gradient large and noisy. It is a gradient through the relaxation: for the choice itself
    it is biased, the more so the higher the temperature, and with ``hard`` once more (Jang et al. 2017,
    arXiv:1611.01144; Maddison et al. 2017, arXiv:1611.00712). Half precision is computed in single.

    Arguments:
        logits: (..., k).
        temperature: above 0.
        hard: whether the value is the one-hot choice, with the relaxed draw's gradient (``straight_through``).
        generator: of the draw; torch's own where ``None``.

    Raises ``ParameterError`` for a temperature that is not above 0.

    >>> draw = gumbel_softmax(torch.tensor([[1.0, -torch.inf, 2.0]]), 0.5, generator=torch.Generator().manual_seed(0))
    >>> round(draw.sum().item(), 4), draw[0, 1].item()
    (1.0, 0.0)
    """
    number("gumbel_softmax's temperature", temperature, Above(0))
    wide = _wide(logits)
    # minus the log of an exponential variable; 0 has no log
    noise = torch.empty_like(wide).exponential_(generator=generator)
    noise = -noise.clamp(min=torch.finfo(wide.dtype).tiny).log()
    soft = _softmax(wide + noise, temperature).to(logits.dtype)
    return straight_through(soft) if hard else soft


def straight_through(soft: Tensor) -> Tensor:
    """The one-hot vector of the largest entry of ``soft`` (..., k), whose gradient passes to ``soft`` unchanged.

    Bengio et al. 2013, arXiv:1308.3432. The values are 0 and 1 exactly. Of equal entries the first is taken.

    >>> soft = torch.tensor([0.2, 0.5, 0.3], requires_grad=True)
    >>> straight_through(soft).detach()
    tensor([0., 1., 0.])
    >>> torch.autograd.grad(straight_through(soft)[0], soft)[0]
    tensor([1., 0., 0.])
    """
    still = soft.detach()
    one_hot = torch.zeros_like(still).scatter(-1, still.argmax(-1, keepdim=True), 1.0)
    return one_hot + (soft - still)  # this difference is 0; one_hot + soft - still would be rounded


def choose(
    logits: Tensor,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A category for each row, drawn from ``softmax(logits / temperature)`` without its unlikely part.

    First the ``top_k`` most probable categories are kept (Fan et al. 2018, arXiv:1805.04833), then of these, their sum
    made 1 again, the fewest most probable ones that together have ``top_p`` or more (Holtzman et al. 2020,
    arXiv:1904.09751). What is kept is drawn in proportion. Of equal logits at an edge the first are kept.

    Arguments:
        logits: (n, k).
        temperature: at least 0; 0 takes the largest logit.
        top_k: categories that are kept, at least 1; all where ``None``.
        top_p: above 0 and at most 1; all where ``None``.
        generator: of the draw; torch's own where ``None``.

    Returns the numbers of the categories (n,). Raises ``ParameterError`` for other numbers, ``DataError`` for logits
    of another shape, with NaN, or a row without a finite largest one.

    >>> choose(torch.tensor([[0.1, 2.0, 0.3]]), temperature=0).tolist()
    [1]
    >>> g = torch.Generator().manual_seed(0)
    >>> set(choose(torch.tensor([[0.1, 2.0, 0.3]]).expand(99, 3), top_k=2, generator=g).tolist())
    {1, 2}
    """
    number("choose's temperature", temperature, AtLeast(0))
    if top_k is not None:
        number("choose's top_k", top_k, AtLeast(1), whole=True)
    if top_p is not None:
        number("choose's top_p", top_p, Bound(low=0, high=1, open_low=True))
    _check(logits)
    if temperature == 0:
        return logits.argmax(1)
    p = _softmax(_wide(logits), temperature)
    if top_k is None and top_p in (None, 1):
        return torch.multinomial(p, 1, generator=generator).squeeze(1)
    p, order = p.sort(stable=True, dim=1, descending=True)
    if top_k is not None:
        p = p.clone()
        p[:, top_k:] = 0.0
    if top_p is not None and top_p < 1:
        before = p.cumsum(1) - p
        p = p.masked_fill(before >= top_p * p.sum(1, keepdim=True), 0.0)
    return order.gather(1, torch.multinomial(p, 1, generator=generator)).squeeze(1)


def _wide(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _softmax(logits: Tensor, temperature: float) -> Tensor:
    """Of the distances to the largest, which a small temperature cannot bring to overflow."""
    return torch.softmax((logits - logits.amax(-1, keepdim=True).detach()) / temperature, -1)


def _check(logits: Any) -> None:
    if logits.dim() != 2 or not logits.shape[1] or not logits.is_floating_point():
        raise DataError(
            f"logits (n, k) of at least one category are expected, got {tuple(logits.shape)} of {logits.dtype}; give "
            "a row for each choice."
        )
    if not logits.amax(1).isfinite().all():
        raise DataError(
            "each row of logits must have a finite largest entry, got NaN, inf or only -inf; look at what made them."
        )
