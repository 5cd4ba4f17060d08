"""Capsules and routing by agreement: parts vote for wholes, and votes that agree count more.

Axes: n pictures, i capsules below of k numbers each, j capsules above of d numbers each.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

AT_ONCE = 2**21  # votes' numbers that a processor's cache holds


def squash(s: Tensor) -> Tensor:
    """Vectors (..., d) brought to a length below 1: ``|s|^2 / (1 + |s|^2) s / |s|``.

    Sabour et al. 2017, arXiv:1710.09829, equation 1. Written as ``s |s| / (1 + |s|^2)`` it has its true slope, 0, at 0.

    >>> round(squash(torch.tensor([3.0, 4.0])).norm().item(), 4)
    0.9615
    """
    length = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    return s * (length / (1 + length.square()))


def squash_slope(s: Tensor, g: Tensor) -> Tensor:
    """The gradient in s from the gradient g in ``squash(s)``, both (..., d): l is the length of s.

    ``l / (1 + l^2) g + (1 - l^2) / (1 + l^2)^2 (s . g) s / l``.

    >>> squash_slope(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0]))
    tensor([0.5000, 0.0000])
    """
    length = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    below = 1 + length.square()
    towards = s / length.clamp(min=torch.finfo(s.dtype).tiny)
    along = (s * g).sum(-1, keepdim=True)
    return g * (length / below) + towards * (along * (2 - below) / below.square())


class Turns(NamedTuple):
    """What routing held in each iteration."""

    shares: list[Tensor]  # c (n, j, i), how much of each vote counts; their sum over j is 1
    sums: list[Tensor]  # s (n j, 1, d)
    capsules: list[Tensor]  # v (n j, 1, d)


def turns(votes: Tensor, iterations: int = 3) -> Turns:
    """Every iteration of ``route``, with the same arguments.

    >>> turns(torch.ones(1, 2, 3, 4)).shares[-1].flatten().tolist()
    [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]
    """
    n, j, i, _ = votes.shape
    flat, logits, done = votes.flatten(0, 1), votes.new_zeros(n, j, i), Turns([], [], [])
    for turn in range(iterations):
        if turn:
            logits = logits + torch.bmm(flat, done.capsules[-1].transpose(1, 2)).view(n, j, i)
        done.shares.append(torch.softmax(logits, 1))
        done.sums.append(torch.bmm(done.shares[-1].view(n * j, 1, i), flat))
        done.capsules.append(squash(done.sums[-1]))
    return done


def route(votes: Tensor, iterations: int = 3) -> Tensor:
    """The capsules above, by agreement with the votes for them.

    ``c = softmax_j(b)``, ``v_j = squash(sum_i c_ij u_ij)``, ``b_ij <- b_ij + u_ij . v_j``, from b = 0 (Sabour et al.
    2017, arXiv:1710.09829, procedure 1). The gradient goes through all iterations.

    Arguments:
        votes: u (n, j, i, d), what each capsule i predicts of each capsule j.
        iterations: 1 or more.

    Returns v (n, j, d).

    >>> route(torch.ones(1, 2, 3, 4)).shape
    torch.Size([1, 2, 4])
    """
    return Agreement.apply(votes, iterations)


class Agreement(torch.autograd.Function):
    """``route`` with its backward pass by hand: the votes' gradient is one product and not one for each use of them.

    u is used in 2 r - 1 places, ``s = c u`` and ``a = u v``, each of which adds an outer product to its gradient.
    """

    @staticmethod
    def forward(ctx: Any, votes: Tensor, iterations: int) -> Tensor:
        """See ``route``."""
        done = turns(votes, iterations)
        ctx.iterations = iterations
        ctx.save_for_backward(votes, *done.shares, *done.sums, *done.capsules)
        return done.capsules[-1].view(*votes.shape[:2], -1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        """The gradient in the votes; one that is to have a gradient itself is left to autograd."""
        r, (votes, *kept) = ctx.iterations, ctx.saved_tensors
        n, j, i, d = votes.shape
        if torch.is_grad_enabled():
            v = turns(votes, r).capsules[-1].view(n, j, d)
            return torch.autograd.grad(v, votes, g, create_graph=True)[0], None
        done = Turns(kept[:r], kept[r : 2 * r], kept[2 * r :])
        flat = votes.flatten(0, 1)
        left, right = votes.new_empty(n * j, i, 2 * r - 1), votes.new_empty(n * j, 2 * r - 1, d)
        slope, logits = g.reshape(n * j, 1, d), votes.new_zeros(n, j, i)  # in v, and in b
        for turn in reversed(range(r)):
            slope = squash_slope(done.sums[turn], slope)
            left[..., 2 * turn], right[:, 2 * turn] = done.shares[turn].flatten(0, 1), slope[:, 0]
            if turn:
                part = torch.bmm(flat, slope.transpose(1, 2)).view(n, j, i) * done.shares[turn]
                logits = logits + part - done.shares[turn] * part.sum(1, keepdim=True)  # through the softmax
                slope = torch.bmm(logits.view(n * j, 1, i), flat)
                left[..., 2 * turn - 1] = logits.flatten(0, 1)
                right[:, 2 * turn - 1] = done.capsules[turn - 1][:, 0]
        return torch.bmm(left, right).view_as(votes), None


class Capsules(nn.Module):
    """Capsules that vote for capsules: ``u_ij = W_ij u_i``, and v = ``route`` (u), in single precision at least.

    Pictures go through in groups whose votes fit into a processor's cache: of 64 on, that halves the time.

    Arguments:
        inputs: how many capsules below.
        size: numbers in each of them.
        outputs: how many above.
        width: numbers in each of these.
        iterations: of the routing.

    >>> Capsules(6, 8, 3, 16)(torch.randn(2, 6, 8)).shape
    torch.Size([2, 3, 16])
    """

    def __init__(self, inputs: int, size: int, outputs: int, width: int, iterations: int = 3) -> None:
        super().__init__()
        self.outputs, self.width, self.iterations = outputs, width, iterations
        # inputs half as long as can be then give sums s of length 1/2: longer ones start where squash is flat
        spread = outputs / (inputs * width) ** 0.5
        self.weight = nn.Parameter(spread * torch.randn(inputs, size, outputs * width))

    def votes(self, u: Tensor) -> Tensor:
        """(n, i, k) -> (n, j, i, d)."""
        found = torch.bmm(u.transpose(0, 1), self.weight)  # (i, n, j d)
        return found.unflatten(2, (self.outputs, self.width)).permute(1, 2, 0, 3).contiguous()

    def forward(self, u: Tensor) -> Tensor:
        """(n, i, k) -> (n, j, d)."""
        each = len(self.weight) * self.outputs * self.width
        rows = len(u) if u.is_cuda else max(1, AT_ONCE // each)
        with torch.autocast(u.device.type, enabled=False):
            parts = u.to(self.weight.dtype).split(rows)
            return torch.cat([route(self.votes(part), self.iterations) for part in parts])
