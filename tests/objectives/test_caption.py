"""The loss of captions by loops, and the gradient that hard attention adds by hand."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.models.captioner import CaptionNet, Told
from ganglion.objectives import caption
from ganglion.objectives.caption import Captioning


def net(**settings):
    torch.manual_seed(0)
    return CaptionNet((1, 4, 4), 5, **{"widths": (4,), "units": 6, "norm": None, **settings}).double()


def test_the_loss_is_the_mean_over_captions_of_log_p():
    model = net()
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    words = torch.tensor([[[2, 3, 0], [4, 0, -1], [0, -1, -1]], [[3, 0, -1], [-1, -1, -1], [-1, -1, -1]]])
    loss = Captioning(model)({"x": x, "words": words}, "train").loss.detach()
    for i, captions in enumerate(words.tolist()):
        each = []
        for codes in captions:
            said = [code for code in codes if code >= 0]
            if said:
                share = model(x[i : i + 1], torch.tensor([said]))[0].softmax(1).detach().numpy()
                each.append(-sum(np.log(share[t, code]) for t, code in enumerate(said)))
        assert float(loss[i]) == pytest.approx(np.mean(each), rel=1e-5)


def test_padding_changes_nothing():
    model, x = net(), torch.rand(1, 1, 4, 4, dtype=torch.float64)
    short = torch.tensor([[[2, 3, 0]]])
    long = torch.full((1, 2, 6), -1)
    long[0, 0, :3] = short
    gradients = []
    for words in (short, long):
        model.zero_grad()
        Captioning(model)({"x": x, "words": words}, "train").loss.sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(*gradients))


class Seen(NamedTuple):
    """What the stand-in sees: nothing."""

    nothing: torch.Tensor


class StandIn(nn.Module):
    """A model with one free distribution of places, which places it draws being given."""

    hard = True

    def __init__(self, places):
        super().__init__()
        self.odds = nn.Parameter(torch.tensor([0.2, -0.5, 1.0], dtype=torch.float64))
        self.logits = nn.Parameter(torch.randn(2, 3, 4, dtype=torch.float64))
        self.drawn = places

    def look(self, x):
        return Seen(x)

    def tell(self, memory, words):
        log_alpha = self.odds.log_softmax(0)
        drawn = log_alpha[self.drawn.clamp(min=0)] * (self.drawn >= 0)
        return Told(self.logits, log_alpha.exp().expand(2, 3, 3), drawn)


def test_hard_attention_learns_by_reward_baseline_and_entropy():
    places = torch.tensor([[0, 2, 2], [-1, -1, -1]])  # the second caption took the mean
    words = torch.tensor([[[1, 3, 0]], [[2, 0, -1]]])
    model = StandIn(places)
    objective = Captioning(model)
    objective.baseline.fill_(-2.5)
    loss = objective({"x": torch.zeros(2, 1), "words": words}, "train").loss
    loss.sum().backward()
    log_p = model.logits.detach().log_softmax(2).numpy()
    rewards = np.array([log_p[0, 0, 1] + log_p[0, 1, 3] + log_p[0, 2, 0], log_p[1, 0, 2] + log_p[1, 1, 0]])
    assert np.allclose(loss.detach(), -rewards)  # the added terms have no value, only a gradient
    alpha = np.exp(model.odds.detach().numpy())
    alpha /= alpha.sum()
    entropy = -(alpha * np.log(alpha)).sum()
    by_entropy = -alpha * (np.log(alpha) + entropy)  # dH / d odds
    by_reward = sum(np.eye(3)[place] - alpha for place in (0, 2, 2))  # d sum log alpha / d odds
    wanted = -caption.REWARD * (rewards[0] + 2.5) * by_reward - caption.ENTROPY * (3 + 2) * by_entropy
    assert np.allclose(model.odds.grad, wanted)
    assert float(objective.baseline) == pytest.approx(0.9 * -2.5 + 0.1 * rewards.mean(), rel=1e-6)
    assert "baseline" in objective.state_dict()  # so that a resumed run knows it


def test_answering_adds_nothing():
    objective = Captioning(net(attention="hard")).eval()
    before = objective.baseline.clone()
    batch = {"x": torch.rand(2, 1, 4, 4, dtype=torch.float64), "words": torch.tensor([[[2, 0]], [[3, 0]]])}
    first, second = (objective(batch, "train").loss for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, objective.baseline)
