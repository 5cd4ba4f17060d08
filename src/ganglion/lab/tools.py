"""What several experiments share: small data sets, a short training run."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F


@cache
def _digits() -> tuple[Tensor, Tensor]:
    X, y = load_digits(return_X_y=True)
    return torch.tensor(X / 16.0, dtype=torch.float32), torch.tensor(y)


def digits(n_train: int, seed: int = 0, n_test: int = 797) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The 8 x 8 digits, drawn and split by seed: X, y to train on, X, y to test on; X (n, 64) from 0 to 1.

    >>> [len(part) for part in digits(100)]
    [100, 100, 797, 797]
    """
    X, y = _digits()
    order = np.random.default_rng(seed).permutation(len(X))
    train, test = order[:n_train], order[n_train : n_train + n_test]
    return X[train], y[train], X[test], y[test]


def dense(widths: list[int], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """A plain dense network of torch's layers, with torch's own start."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths[:-1]):
        layers += [nn.Linear(a, b), activation()]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))


def train(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    X: Tensor,
    y: Tensor,
    *,
    steps: int,
    batch: int | None = None,
    loss: Callable[..., Tensor] = F.cross_entropy,
    rate: Callable[[float], float] | None = None,
    watch: Callable[[int, float], Any] | None = None,
) -> list[float]:
    """Plain training steps on batches drawn anew each epoch; returns the loss of every step.

    Arguments: ``batch`` rows a step (all of them if not given); ``rate`` a factor on the step size as a function of
    progress from 0 to 1; ``watch(step, loss)`` is called before each update, when gradients stand.
    """
    base = [group["lr"] for group in optimizer.param_groups]
    order, losses = torch.randperm(len(X)), []
    for step in range(steps):
        if batch is None:
            xs, ys = X, y
        else:
            at = step * batch % (len(X) - len(X) % batch)
            order = torch.randperm(len(X)) if at == 0 else order
            xs, ys = X[order[at : at + batch]], y[order[at : at + batch]]
        for group, lr in zip(optimizer.param_groups, base):
            group["lr"] = lr * (rate(step / steps) if rate else 1.0)
        optimizer.zero_grad()
        value = loss(net(xs), ys)
        value.backward()
        losses.append(float(value.detach()))
        if watch is not None:
            watch(step, losses[-1])
        optimizer.step()
    return losses


@torch.no_grad()
def accuracy(net: nn.Module, X: Tensor, y: Tensor) -> float:
    """The share of rows that a network answers rightly, in evaluation mode."""
    was = net.training
    net.eval()
    right = float((net(X).argmax(1) == y).float().mean())
    net.train(was)
    return right
