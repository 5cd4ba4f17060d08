"""Temporal convolutions against the gradient's reach, padding, and a direct sum."""

import pytest
import torch

from ganglion.nn.temporal import TemporalConv, TemporalStack, ends


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("causal", [True, False])
def test_a_convolution_is_the_direct_sum(causal):
    layer = TemporalConv(2, 3, 3, dilation=2, causal=causal).double()
    x = torch.randn(1, 2, 9).double()
    out, shift = layer(x), 4 if causal else 2
    for d in range(3):
        for t in range(9):
            total = layer.bias[d].item()
            for c in range(2):
                for k in range(3):
                    at = t + 2 * k - shift
                    total += layer.weight[d, c, k].item() * (x[0, c, at].item() if 0 <= at < 9 else 0.0)
            assert out[0, d, t].item() == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("causal", [True, False])
def test_the_receptive_field_is_what_the_gradient_reaches(causal):
    stack = TemporalStack(1, (4, 4, 4), 3, causal=causal).double()
    x = torch.randn(1, 80, 1, dtype=torch.double, requires_grad=True)
    at = 60 if causal else 40
    stack(x)[0, at].sum().backward()
    reached = x.grad[0, :, 0].nonzero().flatten()
    assert reached.max() - reached.min() + 1 == 29 == 1 + 2 * (3 - 1) * (2**3 - 1)
    assert reached.max() == (60 if causal else 54)


def test_padding_changes_nothing():
    stack = TemporalStack(2, (4, 4), 3)
    x, there = torch.randn(1, 9, 2), torch.arange(9)[None] < 5
    noisy = torch.where(there[..., None], x, 0.0)
    torch.testing.assert_close(stack(noisy, there)[:, :5], stack(x[:, :5]), rtol=0, atol=1e-5)
    assert (stack(noisy, there)[:, 5:] == 0).all()


def test_the_end_of_each():
    x = torch.arange(6.0).view(2, 3, 1)
    assert ends(x, torch.tensor([[True, True, False], [True] * 3])).flatten().tolist() == [1.0, 5.0]
    assert ends(x, None).flatten().tolist() == [2.0, 5.0]
