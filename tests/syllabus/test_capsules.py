"""Capsules: lengths below 1, shares that sum to 1, the length as the score, numbers that mean something."""

import numpy as np
import pytest
import torch

from ganglion import CapsuleClassifier
from ganglion.nn.routing import squash, turns

SMALL = {"widths": (8, 16), "convolutions": 1, "types": 4, "class_size": 8, "decoder": (64,), "batch_size": 32,
         "augment": None, "watch": "off"}  # fmt: skip


def strokes(n, seed, side=16):
    """Bars (0) and rings (1) of any tilt and thickness, both in even shares: pictures, classes, tilts, thicknesses."""
    rng = np.random.default_rng(seed)
    y, tilt, thick = rng.integers(2, size=n), rng.uniform(-1, 1, n), rng.uniform(0.8, 2.0, n)
    x = np.arange(side) - (side - 1) / 2
    turn, half = (part[:, None, None] for part in (tilt * np.pi / 4, thick))
    along, across = x * np.sin(turn) + x[:, None] * np.cos(turn), x * np.cos(turn) - x[:, None] * np.sin(turn)
    bar = np.maximum(np.abs(along) - 6, np.abs(across) - half)
    ring = np.abs(np.hypot(along, 1.6 * across) - 5) - half
    ink = np.clip(0.5 - np.where(y[:, None, None] == 1, ring, bar), 0, 1)
    return (255 * ink).astype(np.uint8), y, tilt, thick


def test_capsule_network():
    s = torch.randn(200, 8) * torch.logspace(-3, 3, 200)[:, None]
    assert (squash(s).norm(dim=1) < 1).all()
    for c in turns(torch.randn(5, 4, 9, 3), 3).shares:
        assert torch.allclose(c.sum(1), torch.ones(5, 9))
        assert (c > 0).all()
    X, y, _, _ = strokes(300, seed=0)
    model = CapsuleClassifier(**SMALL, max_epochs=6).fit(X, y)
    Xt, yt, _, _ = strokes(200, seed=1)
    lengths = np.linalg.norm(model.capsules(Xt), axis=2)
    assert (lengths < 1).all()
    assert (model.classes_[lengths.argmax(1)] == yt).mean() > 0.95
    assert model.routing == 3


@pytest.mark.slow
def test_capsule_network_on_mnist(mnist):
    """At most 5 errors in a thousand, with the class capsule's length as the score."""
    X, X_held = ((255 * mnist[part].reshape(-1, 28, 28)).round().astype(np.uint8) for part in (0, 2))
    y, y_held = mnist[1], mnist[3]
    model = CapsuleClassifier().fit(X, y)
    lengths = np.linalg.norm(model.capsules(X_held), axis=2)
    assert model.routing == 3
    assert model.record_size() <= 3_000_000
    assert (model.classes_[lengths.argmax(1)] != y_held).mean() <= 0.005


@pytest.mark.slow
def test_a_number_of_a_capsule_tells_the_tilt():
    X, y, _, _ = strokes(800, seed=0)
    model = CapsuleClassifier(**SMALL, max_epochs=15).fit(X, y)
    Xt, yt, tilt, _ = strokes(400, seed=1)
    capsules = model.capsules(Xt)
    for k in (0, 1):
        own = capsules[yt == k, k]
        told = [abs(np.corrcoef(number, tilt[yt == k])[0, 1]) for number in own.T]
        assert max(told) >= 0.6
    mean = np.stack([X[y == k].mean(0) for k in yt])
    assert np.abs(model.reconstruct(Xt)[..., 0] - Xt).mean() < 0.4 * np.abs(mean - Xt).mean()
