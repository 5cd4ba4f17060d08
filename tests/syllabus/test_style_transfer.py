"""One photograph in the style of another."""

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import nn

from ganglion import StyleTransfer
from ganglion.objectives.style import gram


def test_style_transfer():
    """Gram matrices to 1e-10 by hand; the style loss falls by 90 %, the content loss to half of a random picture's."""
    features = torch.randn(1, 5, 6, 7, dtype=torch.float64)
    flat = features[0].flatten(1).numpy()
    by_hand = np.array([[sum(a * b) for b in flat] for a in flat])
    assert np.abs(gram(features)[0].numpy() - by_hand).max() <= 1e-10
    china, flower = load_sample_images().images
    network = nn.Sequential(
        nn.Conv2d(3, 12, 3, padding=1, bias=False), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(12, 16, 3, padding=1, bias=False), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(16, 16, 3, padding=1, bias=False),
    )  # fmt: skip
    model = StyleTransfer(network=network, image_size=64, max_epochs=15).fit(china, flower)
    random, painted = model.record_.scores["start"], model.record_.scores["end"]  # it starts from white noise
    assert painted["style"] <= 0.1 * random["style"]
    assert painted["content"] <= 0.5 * random["content"]
