"""Content and style losses by loops, and their gradients in double precision."""

import numpy as np
import pytest
import torch
from torch import nn

from ganglion.objectives.style import Styling, Weights, content_loss, gram, style_loss, variation

DOUBLE = {"dtype": torch.float64}


@pytest.fixture
def maps():
    """Features of a picture and of another, (2, 3, 4, 5)."""
    return torch.randn(2, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0), **DOUBLE)


def gram_by_loops(features):
    """``G_ij = sum_k F_ik F_jk`` of one picture's maps (d, h, w)."""
    d, h, w = features.shape
    table = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            for y in range(h):
                for x in range(w):
                    table[i, j] += features[i, y, x] * features[j, y, x]
    return table


def test_gram(maps):
    found = gram(maps[0]).numpy()
    for one, features in zip(found, maps[0].numpy()):
        assert np.abs(one - gram_by_loops(features)).max() < 1e-12


def test_content_loss(maps):
    for found, f, p in zip(content_loss(*maps), *maps.numpy()):
        assert float(found) == pytest.approx(((f - p) ** 2).sum() / (p**2).sum(), rel=1e-12)


def test_style_loss_is_the_papers_up_to_what_the_style_is(maps):
    """``1 / (4 N^2 M^2) sum (G - A)^2`` over the same of a picture without any features."""
    wanted = gram(maps[1]) / 20
    for found, f, a in zip(style_loss(maps[0], wanted), *maps.numpy()):
        g, a = gram_by_loops(f), gram_by_loops(a)
        n, m = 3, 20
        papers, nothing = (((one - a) ** 2).sum() / (4 * n**2 * m**2) for one in (g, 0))
        assert float(found) == pytest.approx(papers / nothing, rel=1e-12)


def test_a_style_of_another_size(maps):
    """The same texture twice as large has the same style."""
    twice = maps[0].repeat(1, 1, 2, 1)
    assert torch.allclose(style_loss(twice, gram(maps[0]) / 20), torch.zeros(2, **DOUBLE), atol=1e-24)


def test_variation():
    pixels = torch.rand(1, 2, 3, 4, **DOUBLE)
    p, total = pixels[0].numpy(), 0.0
    for c in range(2):
        total += sum((p[c, y + 1, x] - p[c, y, x]) ** 2 for y in range(2) for x in range(4)) / (2 * 2 * 4)
        total += sum((p[c, y, x + 1] - p[c, y, x]) ** 2 for y in range(3) for x in range(3)) / (2 * 3 * 3)
    assert float(variation(pixels)) == pytest.approx(total, rel=1e-12)


class Pixels(nn.Module):
    """A picture without a bound."""

    def __init__(self):
        super().__init__()
        self.pixels = nn.Parameter(torch.rand(1, 1, 4, 5, **DOUBLE))

    def forward(self):
        return self.pixels


def styling(weights):
    torch.manual_seed(0)
    layer = nn.Conv2d(1, 3, 3, **DOUBLE).requires_grad_(False)

    def features(x):
        first = torch.tanh(layer(x))
        return {"a": first, "b": first.square()}

    content, style = (features(torch.rand(1, 1, 4, 5, **DOUBLE)) for _ in range(2))
    grams = {k: gram(f) / (f.shape[2] * f.shape[3]) for k, f in style.items()}
    return Styling(Pixels(), features, {"b": content["b"]}, grams, weights)


def test_the_whole_is_the_weighed_sum_of_its_parts():
    objective = styling(Weights(2.0, 3.0, 0.5))
    step = objective({}, "train")
    parts = {k: float(v.detach()) for k, v in step.parts.items()}
    assert float(step.loss.detach()) == pytest.approx(
        2 * parts["content"] + 3 * parts["style"] + 0.5 * parts["variation"]
    )
    assert list(objective.parameters_of("train")) == [objective.picture.pixels]


@pytest.mark.parametrize("weights", [Weights(1, 0, 0), Weights(0, 1, 0), Weights(0, 0, 1)], ids=str)
def test_gradients(weights):
    objective = styling(weights)

    def loss(pixels):
        return sum(w * objective.parts(pixels)[name] for name, w in weights._asdict().items())

    assert torch.autograd.gradcheck(loss, (torch.rand(1, 1, 4, 5, requires_grad=True, **DOUBLE),))
