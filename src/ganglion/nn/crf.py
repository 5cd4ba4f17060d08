"""A linear-chain conditional random field: the probability of a whole sequence of tags, not of each tag by itself.

Axes: n sequences, T places, k tags. Number k stands for the outside, before the first place and behind the last. A
mask (n, T) says which places there are; a sequence consists of these, wherever they lie, and may have none.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F

from ganglion.base.errors import DataError, ParameterError, unknown_name
from ganglion.base.fields import AtLeast
from ganglion.base.numbers import number

# finite, so that slopes stay so, and far beyond the scores of a network
FORBIDDEN = -1e9
SCHEMES = ("bio", "iobes")


class Walk(NamedTuple):
    """What a pass over the places holds: how each tag is reached, the sum of each place, and where it ends."""

    reached: Tensor  # (n, T, k), log of the share that comes to each tag before its emission
    sums: Tensor  # (n, T), log of what the place multiplies the partition function by, 0 where there is none
    last: Tensor  # (n, k + 1), log shares of the last place's tags, or of the outside where there is none


class CRF(nn.Module):
    """The probability of tags y given emissions: ``P(y | e) = exp(s(y)) / Z`` with Z the sum over all tag sequences.

    ``s(y) = start[y_1] + sum_t e_t[y_t] + sum_t transition[y_(t-1), y_t] + end[y_T]`` (Lafferty et al. 2001; over
    a network's emissions Collobert et al. 2011, arXiv:1103.0398). All scores of the layer begin at 0, where it is a
    softmax at each place. Half precision is computed in single; each place is normalised, so long sequences lose no
    digits. A sequence without places has Z = 1 and the likelihood 1. Nothing here waits for an accelerator.

    Arguments:
        k: number of tags.
        allowed: (k + 1, k + 1) truth values, whether the tag of the column may follow that of the row; row k says
            which may be first, column k which may be last (``allowed_transitions`` makes it from names). What is
            forbidden scores -1e9, so its probability is 0; it happens only where nothing else is possible.

    Raises ``ParameterError`` for k below 1 or ``allowed`` of another shape or kind.

    >>> crf = CRF(2)
    >>> crf(torch.zeros(1, 3, 2), torch.tensor([[0, 1, -1]]), torch.tensor([[True, True, False]])).exp()
    tensor([0.2500], grad_fn=<ExpBackward0>)
    """

    allowed: Tensor | None

    def __init__(self, k: int, allowed: ArrayLike | Tensor | None = None) -> None:
        super().__init__()
        self.k = number("a CRF's number of tags", k, AtLeast(1), whole=True)
        self.transitions = nn.Parameter(torch.zeros(k, k))
        self.starts = nn.Parameter(torch.zeros(k))
        self.ends = nn.Parameter(torch.zeros(k))
        table = None if allowed is None else torch.as_tensor(allowed)
        if table is not None and (table.dtype != torch.bool or table.shape != (k + 1, k + 1)):
            raise ParameterError(
                f"allowed must be truth values of shape {(k + 1, k + 1)} for {k} tags and the outside, got "
                f"{str(table.dtype).removeprefix('torch.')} of shape {tuple(table.shape)}; see allowed_transitions."
            )
        if table is not None:
            table = table.clone()
            table[k, k] = True  # the sequence without places
        self.register_buffer("allowed", table, persistent=False)

    def forward(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The log-likelihood (n,), see ``log_likelihood``."""
        return self.log_likelihood(emissions, tags, mask)

    def log_likelihood(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """``log P(y | e)``: emissions (n, T, k), tags (n, T) in 0..k-1, anything where the mask is False -> (n,)."""
        emissions = self._checked(emissions, mask)
        scores = self._scores(emissions.dtype)
        tags = tags.masked_fill(~mask, 0)
        own = emissions.gather(2, tags[..., None]).squeeze(2)
        places = torch.where(mask, torch.arange(mask.shape[1], device=mask.device), -1)
        # the last place before each, or -1: (n, T + 1)
        latest = F.pad(places, (1, 0), value=-1).cummax(1).values
        before = F.pad(tags, (1, 0), value=self.k).gather(1, latest + 1)
        walk = self._walk(emissions, mask, scores)
        steps = (own + scores[before[:, :-1], tags]).masked_fill(~mask, 0.0) - walk.sums
        last = torch.logsumexp(walk.last + scores[:, self.k], 1)
        return steps.sum(1) + scores[before[:, -1], self.k] - last

    def log_partition(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """``log Z``, the log of the sum of ``exp(s(y))`` over all sequences of tags: (n, T, k), (n, T) -> (n,)."""
        emissions = self._checked(emissions, mask)
        scores = self._scores(emissions.dtype)
        walk = self._walk(emissions, mask, scores)
        return walk.sums.sum(1) + torch.logsumexp(walk.last + scores[:, self.k], 1)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The probability of each tag at each place, by the forward-backward algorithm -> (n, T, k), 0 at no place."""
        emissions = self._checked(emissions, mask)
        scores = self._scores(emissions.dtype)
        ahead = self._walk(emissions, mask, scores).reached
        behind = self._walk(emissions.flip(1), mask.flip(1), scores.T).reached.flip(1)
        return torch.softmax(ahead + emissions + behind, 2).masked_fill(~mask[..., None], 0.0)

    @torch.no_grad()
    def decode(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The most probable tags by Viterbi's algorithm -> (n, T), -1 where the mask is False."""
        emissions = self._checked(emissions, mask)
        scores = self._scores(emissions.dtype)
        best, stay = self._outside(emissions), torch.arange(self.k, device=mask.device)
        pointers = []
        for e, there in zip(emissions.unbind(1), mask[..., None].unbind(1)):
            came, pointer = (best[:, :, None] + scores[:, : self.k]).max(1)
            came = came + e
            came = came - came.amax(1, keepdim=True)
            best = torch.where(there, F.pad(came, (0, 1), value=-torch.inf), best)
            pointers.append(torch.where(there, pointer, stay))
        state = (best + scores[:, self.k]).argmax(1)
        tags = []
        for pointer in reversed(pointers):
            tags.append(state)
            state = pointer.gather(1, state.clamp(max=self.k - 1)[:, None]).squeeze(1)
        path = torch.stack(tags[::-1], 1) if tags else mask.long()
        return torch.where(mask, path, -1)

    def _walk(self, emissions: Tensor, mask: Tensor, scores: Tensor) -> Walk:
        """The forward algorithm."""
        shares, reached, sums = self._outside(emissions), [], []
        for e, there in zip(emissions.unbind(1), mask.unbind(1)):
            reached.append(torch.logsumexp(shares[:, :, None] + scores[:, : self.k], 1))
            total = torch.logsumexp(reached[-1] + e, 1)
            new = F.pad(reached[-1] + e - total[:, None], (0, 1), value=-torch.inf)
            shares = torch.where(there[:, None], new, shares)
            sums.append(total.masked_fill(~there, 0.0))
        if not sums:
            return Walk(emissions, emissions.new_zeros(mask.shape), shares)
        return Walk(torch.stack(reached, 1), torch.stack(sums, 1), shares)

    def _outside(self, emissions: Tensor) -> Tensor:
        """Log shares (n, k + 1) before the first place: all of them outside."""
        shares = emissions.new_full((len(emissions), self.k + 1), -torch.inf)
        shares[:, self.k] = 0.0
        return shares

    def _scores(self, dtype: torch.dtype) -> Tensor:
        """The scores of all pairs (k + 1, k + 1), the outside last."""
        table = F.pad(torch.cat([self.transitions, self.starts[None]]), (0, 1))
        table = table + F.pad(self.ends[:, None], (self.k, 0, 0, 1))
        table = table.to(dtype)
        return table if self.allowed is None else table.masked_fill(~self.allowed, FORBIDDEN)

    def _checked(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The emissions in at least single precision, 0 where there is no place."""
        fits = emissions.dim() == 3 and emissions.shape[2] == self.k and mask.shape == emissions.shape[:2]
        if not fits or mask.dtype != torch.bool:
            raise DataError(
                f"emissions (n, T, {self.k}) and truth values (n, T) as mask are expected, got "
                f"{tuple(emissions.shape)} and {tuple(mask.shape)} of {mask.dtype}; bring them to these shapes."
            )
        own = torch.promote_types(emissions.dtype, self.transitions.dtype)
        emissions = emissions.to(torch.promote_types(own, torch.float32))
        return emissions.masked_fill(~mask[..., None], 0.0)  # what stands there may be anything, NaN too

    def extra_repr(self) -> str:
        """Its tags, and how many pairs of them are forbidden."""
        return f"{self.k}" if self.allowed is None else f"{self.k}, forbidden={int((~self.allowed).sum())}"


def allowed_transitions(tags: Sequence[str], scheme: str = "bio") -> Tensor:
    """Which tag may follow which, (k + 1, k + 1), for tags of spans such as B-PER, I-PER and O.

    In both schemes I-X and E-X only continue X, so they follow B-X or I-X; in ``"iobes"`` these must also be followed
    by one of the two, since spans end with E-X or are S-X. The outside, row and column k, counts as O. IOB1, where
    any tag may follow any, needs no such table.

    Arguments:
        tags: k different names, O or a letter, a hyphen and the kind of span.
        scheme: "bio" or "iobes".

    Raises ``ParameterError`` for another scheme, names that are no tags of it, or the same name twice.

    >>> allowed_transitions(["O", "B-X", "I-X"]).int().tolist()
    [[1, 1, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]]
    """
    if scheme not in SCHEMES:
        raise ParameterError(unknown_name("scheme", scheme, SCHEMES))
    letters = {"bio": "BI", "iobes": "BIES"}[scheme]
    for tag in tags:
        if tag != "O" and not (tag[:1] and tag[0] in letters and tag[1:2] in ("", "-")):
            raise ParameterError(
                f"tags of {scheme!r} are O or begin with one of {', '.join(letters)} and a hyphen, got {tag!r}; "
                "rename it."
            )
    if len(set(tags)) < len(tags):
        raise ParameterError(f"different tags are expected, got {list(tags)!r}; leave out what stands twice.")
    around = [*tags, "O"]
    return torch.tensor([[_may_follow(one, next_, scheme) for next_ in around] for one in around])


def _may_follow(one: str, next_: str, scheme: str) -> bool:
    open_, goes_on, same = one[0] in "BI", next_[0] in "IE", one[1:] == next_[1:]
    if goes_on or (open_ and scheme == "iobes"):
        return open_ and goes_on and same
    return True
