"""Every loss a second time, in NumPy from its formula, and slopes of those to the last digit.

``(z, y) -> (n,)``. Comparisons look at real parts only, so that a tiny imaginary part passes through and carries
the derivative out: ``f'(x) = Im f(x + ih) / h`` without cancellation (Squire and Trapp 1998).
"""

import itertools
import math

import numpy as np


def slope(f, z):
    """The gradient of the sum of f (n,) at z."""
    out = np.zeros(z.shape)
    for at in np.ndindex(z.shape):
        moved = z.astype(complex)
        moved[at] += 1e-30j
        out[at] = f(moved).sum().imag / 1e-30
    return out


def size(g):
    return np.where(g.real < 0, -g, g)


def softmax(z):
    e = np.exp(z - z.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def one_hot(y, k):
    return np.eye(k)[y] if y.ndim == 1 else y


def cross_entropy(z, y, s=0.0):
    k = z.shape[1]
    wanted = (1 - s) * one_hot(y, k) + s / k
    return -(wanted * np.log(softmax(z))).sum(1)


def binary_cross_entropy(z, y, s=0.0):
    p, t = 1 / (1 + np.exp(-z[:, 0])), (1 - s) * y + s / 2
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def focal(z, y, gamma=2.0):
    p = (softmax(z) * one_hot(y, z.shape[1])).sum(1)
    return -((1 - p) ** gamma) * np.log(p)


def hinge(z, y):
    losses = []
    for row, own in zip(z, y):
        rivals = [1 + v - row[own] for j, v in enumerate(row) if j != own]
        losses.append(max([0j, *rivals], key=lambda v: v.real))
    return np.array(losses)


def squared_error(z, y):
    return ((z - y) ** 2).mean(1)


def absolute_error(z, y):
    return size(z - y).mean(1)


def huber(z, y, delta=1.0):
    g = z - y
    return np.where(size(g).real < delta, g * g / 2, delta * (size(g) - delta / 2)).mean(1)


def quantile(z, y, q=0.5):
    under = y - z
    return np.where(under.real > 0, q * under, (q - 1) * under).mean(1)


def log_cosh(z, y):
    return np.log(np.cosh(z - y)).mean(1)


def gaussian_nll(z, y):
    k = y.shape[1]
    v = np.exp(z[:, k:]) + 1e-6
    return -np.log(np.exp(-((y - z[:, :k]) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)).mean(1)


def poisson(z, y):
    rate = np.exp(z)
    return -(y * np.log(rate) - rate - np.vectorize(math.lgamma)(y + 1)).mean(1)


def kl(z, y):
    logs = np.where(y > 0, y * (np.log(np.where(y > 0, y, 1)) - np.log(softmax(z))), 0)
    return logs.sum(1)


def length(z):
    return np.sqrt((z * z).sum(-1))  # without conjugates, so that the derivative passes


def cosine(z, y):
    return 1 - (z * y).sum(1) / (length(z) * length(y))


def triplet(z, y, margin=1.0):
    losses = []
    for i in range(len(z)):
        apart = [length(z[i] - z[j]) if j != i else 0 for j in range(len(z))]
        friends = [apart[j] for j in range(len(z)) if y[j] == y[i] and j != i]
        others = [apart[j] for j in range(len(z)) if y[j] != y[i]]
        if not friends or not others:
            losses.append(0j)
            continue
        far, near = max(friends, key=lambda v: v.real), min(others, key=lambda v: v.real)
        losses.append(max(0j, margin + far - near, key=lambda v: np.real(v)))
    return np.array(losses)


def info_nce(z, y, temperature=0.1):
    losses = []
    for i in range(len(z)):
        similar = [(z[i] * row).sum() / (length(z[i]) * length(row)) / temperature for row in y]
        losses.append(-np.log(np.exp(similar[i]) / np.exp(np.array(similar)).sum()))
    return np.array(losses)


def ctc(z, y, blank=0):
    """All alignments one by one: those that merge into the labels are summed."""
    steps, symbols = z.shape[1:]
    p, losses = softmax(z), []
    for row, labels in zip(p, y):
        wanted = tuple(v for v in labels.tolist() if v >= 0)
        total = 0
        for path in itertools.product(range(symbols), repeat=steps):
            merged = tuple(s for s, _ in itertools.groupby(path) if s != blank)
            if merged == wanted:
                total = total + np.prod([row[t, s] for t, s in enumerate(path)])
        losses.append(-np.log(total))
    return np.array(losses)
