"""The margin loss by its formula, and what the objective adds to it."""

import numpy as np
import pytest
import torch

from ganglion.base.errors import ParameterError
from ganglion.models.capsule import CapsuleNet
from ganglion.objectives.capsule import CapsuleObjective, capsule_loss_named


def by_formula(lengths, there, present, absent, down):
    out = []
    for row, marks in zip(lengths, there):
        total = 0.0
        for v, t in zip(row, marks):
            total += t * max(0, present - v) ** 2 + down * (1 - t) * max(0, v - absent) ** 2
        out.append(total)
    return np.array(out)


@pytest.mark.parametrize("numbers", [(0.9, 0.1, 0.5), (0.7, 0.3, 1.0)])
def test_margin_by_its_formula(numbers):
    rng = np.random.default_rng(0)
    lengths, y = rng.random((40, 4)), rng.integers(4, size=40)
    mixed = rng.dirichlet(np.ones(4), 40)
    loss = capsule_loss_named(f"margin({', '.join(map(str, numbers))})")
    for target, there in ((torch.from_numpy(y), np.eye(4)[y]), (torch.from_numpy(mixed), mixed)):
        found = loss.value(torch.from_numpy(lengths), target).numpy()
        assert np.abs(found - by_formula(lengths, there, *numbers)).max() < 1e-12


def test_the_answer_is_shares_of_lengths():
    lengths = torch.tensor([[0.6, 0.2, 0.0]])
    found = torch.softmax(capsule_loss_named("margin").answer(lengths), 1)
    assert torch.allclose(found, torch.tensor([[0.75, 0.25, 0.0]]), atol=1e-6)


def test_no_other_constant_costs_less():
    rng = np.random.default_rng(0)
    y, weight = rng.choice(3, 200, p=[0.7, 0.2, 0.1]), rng.random(200)
    loss = capsule_loss_named("margin")

    def cost(lengths):
        rows = torch.as_tensor(lengths).expand(200, 3)
        return float((loss.value(rows, torch.from_numpy(y)) * torch.from_numpy(weight)).sum())

    best = loss.constant(np.eye(3)[y], weight)
    assert best[0] > best[1] > best[2]
    for k in range(3):
        for step in (-0.02, 0.02):
            assert cost(best) < cost(best + step * np.eye(3)[k])


def test_numbers_without_a_meaning():
    for text in ("margin(0.1, 0.9)", "margin(2)", "margin(0.9, 0.1, -1)", "hinge"):
        with pytest.raises(ParameterError):
            capsule_loss_named(text)


def test_the_loss_of_an_example():
    torch.manual_seed(0)
    net = CapsuleNet((1, 8, 8), 3, widths=(4,), types=1, norm=None)
    x, y = torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8), torch.tensor([0, 1, 2, 0, 1, 2])
    step = CapsuleObjective(net, capsule_loss_named("margin"), 0.01)({"x": x, "y": y}, "train")
    capsules = net.encode(x).detach()
    drawn = (
        net.draw(capsules, torch.eye(3)[y]).detach().double().numpy()
    )  # of the true class, not of the longest
    lengths = np.sqrt((capsules.double().numpy() ** 2).sum(2))
    wanted = by_formula(lengths, np.eye(3)[y], 0.9, 0.1, 0.5)
    wanted += 0.01 * ((drawn - x.numpy() / 255) ** 2).reshape(6, -1).sum(1)
    assert np.abs(step.loss.detach().numpy() - wanted).max() < 1e-5
    active = CapsuleObjective(net, capsule_loss_named("margin"), 0.01, activity=0.5)(
        {"x": x, "y": y}, "train"
    )
    more = 0.5 * active.parts["activity"]
    assert torch.allclose(active.loss, step.loss + more)
    assert (more > 0).all()
