"""Residual connections by the syllabus' own criterion."""

import torch
from torch import nn

from ganglion.models.resnet import Parts, ResidualBlock


def chain(skips, blocks=50):
    """Blocks without norms, all convolutions from the same small start."""
    torch.manual_seed(0)
    made = [ResidualBlock(4, 4, 1, "basic", Parts.named("relu", None)) for _ in range(blocks)]
    for block in made:
        for m in block.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.normal_(m.weight, std=0.3 * (4 * 9) ** -0.5)
    return [block if skips else block.branch for block in made]


def gradient_ratio(blocks):
    """The gradient's norm in the first block over that in the last, in double precision."""
    net = nn.Sequential(*blocks).double()
    net(torch.rand(4, 4, 6, 6, dtype=torch.float64)).square().sum().backward()
    first, last = (
        torch.cat([p.grad.flatten() for p in b.parameters()]).norm() for b in (blocks[0], blocks[-1])
    )
    return float(first / last)


def test_residual_connection():
    block = chain(True, 1)[0].double()
    block.silence()
    x = torch.rand(3, 4, 6, 6, dtype=torch.float64)
    assert (block(x) - x).abs().max() <= 1e-12
    assert 0.1 <= gradient_ratio(chain(True)) <= 100
    assert gradient_ratio(chain(False)) < 1e-6
