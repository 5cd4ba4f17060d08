"""Losses of masks against their formulas in NumPy."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.objectives.segmentation import pixel_loss_named


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 3, (4, 5, 6))
    codes[3] = -1  # a picture without any judged pixel
    return rng.normal(size=(4, 3, 5, 6)), codes


def shares(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def by_formula(name, z, codes, weight, gamma=2.0, smooth=1.0):
    p, found = shares(z), []
    for shown, true in zip(p, codes):
        judged = [(shown[:, i, j], true[i, j]) for i, j in np.argwhere(true >= 0)]
        if name == "dice":
            terms = []
            for c in range(3):
                both = sum(q[c] for q, t in judged if t == c)
                each = sum(q[c] for q, _ in judged) + sum(t == c for _, t in judged)
                terms.append((2 * both + smooth) / (each + smooth))
            found.append(1 - np.dot(terms, weight) / np.sum(weight))
        else:
            power = gamma if name == "focal" else 0.0
            losses = [-weight[t] * (1 - q[t]) ** power * np.log(q[t]) for q, t in judged]
            found.append(np.mean(losses) if losses else 0.0)
    return np.array(found)


@pytest.mark.parametrize("name", ["cross_entropy", "dice", "focal"])
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 1.0]])
def test_by_formula(name, weight, example):
    z, codes = example
    loss = pixel_loss_named(name, None if weight is None else torch.tensor(weight))
    found = loss.value(torch.as_tensor(z).float(), torch.as_tensor(codes)).numpy()
    assert np.allclose(found, by_formula(name, z, codes, np.ones(3) if weight is None else weight), atol=1e-6)


def test_numbers_in_brackets_and_sums(example):
    z, codes = (torch.as_tensor(part) for part in example)
    both = pixel_loss_named("focal(1) + dice(0.5)").value(z.float(), codes).numpy()
    wanted = by_formula("focal", *example, np.ones(3), gamma=1.0) + by_formula(
        "dice", *example, np.ones(3), smooth=0.5
    )
    assert np.allclose(both, wanted, atol=1e-6)


def test_what_is_not_judged_has_no_slope(example):
    z, codes = torch.as_tensor(example[0]).float().requires_grad_(), torch.as_tensor(example[1])
    pixel_loss_named("cross_entropy+dice+focal").value(z, codes).sum().backward()
    assert z.grad.abs().sum(1)[codes < 0].max() == 0
    assert z.grad.abs().sum(1)[codes >= 0].min() > 0


def test_what_is_no_loss_is_named():
    with pytest.raises(ParameterError, match="dice"):
        pixel_loss_named("cross_entropy+dise")
    with pytest.raises(ParameterError, match="smooth of dice"):
        pixel_loss_named("dice(-1)")
