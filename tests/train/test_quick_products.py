"""Large products by oneDNN: as exact as MKL's, the same gradients, chosen from shapes alone."""

import math

import pytest
import torch

from ganglion.nn import quick
from ganglion.nn.dense import DenseStack

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),
    reason="this build of torch has no oneDNN",
)


@pytest.fixture
def everywhere(monkeypatch):
    """Every layer of every size goes by oneDNN, whatever the processor."""
    monkeypatch.setattr(quick, "onednn_is_quicker", lambda: True)
    for name in ("LEAST_MULTIPLICATIONS", "LEAST_MULTIPLICATIONS_TURNED", "LEAST_INPUTS_TURNED"):
        monkeypatch.setattr(quick, name, 0)


def error(found: torch.Tensor, truth: torch.Tensor) -> float:
    return float((found.double() - truth).norm() / truth.norm())


@pytest.mark.parametrize(
    "shape", [(1, 3, 2), (37, 20, 64), (256, 256, 10), (256, 512, 512), (64, 1024, 1024)]
)
def test_products_are_as_exact_as_those_of_mkl(shape):
    n, inputs, outputs = shape
    torch.manual_seed(0)
    x, w, b, g = (torch.randn(s) for s in ((n, inputs), (outputs, inputs), (outputs,), (n, outputs)))
    x64, w64, b64, g64 = (t.double() for t in (x, w, b, g))
    pairs = [
        (quick.product(x, w, b), torch.addmm(b, x, w.t()), torch.addmm(b64, x64, w64.t())),
        (quick.product(g, w.t()), g.mm(w), g64.mm(w64)),
        (quick.product(g.t(), x.t()), g.t().mm(x), g64.t().mm(x64)),
    ]
    for found, by_mkl, truth in pairs:
        assert found.shape == truth.shape
        assert error(found, truth) <= max(4 * error(by_mkl, truth), 2e-7)


def test_a_pass_equals_autograd_and_itself(everywhere):
    torch.manual_seed(1)
    stack, x = DenseStack([30, 64, 64, 5], "relu"), torch.randn(50, 30)
    slope = torch.randn(50, 5)
    stack(x).backward(slope)
    wanted = [p.grad.clone() for p in stack.parameters()]
    found = []
    for _ in range(2):
        for p in stack.parameters():
            p.grad.zero_()
        by_hand = stack.by_hand()
        assert all(layer == (0.0, 0.0) for layer in by_hand.quick)
        with torch.no_grad():
            assert torch.allclose(by_hand.forward(x), stack(x), atol=1e-5)
            by_hand.backward(slope)
        found.append([p.grad.clone() for p in stack.parameters()])
    for want, first, again in zip(wanted, *found):
        assert torch.allclose(want, first, atol=1e-4)
        assert torch.equal(first, again)


def test_small_layers_and_other_numbers_stay_with_mkl(monkeypatch):
    monkeypatch.setattr(quick, "onednn_is_quicker", lambda: True)
    assert quick.quick_from(torch.zeros(64, 64))[0] > 256
    assert quick.quick_from(torch.zeros(512, 512)) == (8.0, 16.0)
    assert quick.quick_from(torch.zeros(512, 8))[1] == math.inf
    assert quick.quick_from(torch.zeros(512, 512, dtype=torch.float64)) == (math.inf, math.inf)
    monkeypatch.setattr(quick, "onednn_is_quicker", lambda: False)
    assert quick.quick_from(torch.zeros(512, 512)) == (math.inf, math.inf)
