"""200 random networks: the products of the chain-rule table are autograd's gradients, and the slopes of the loss.

An entry is *away from a kink* if moving it by 1e-3 either way leaves every unit on its side of every bend and every
maximum at its entry (``random_nets.Pattern`` records both, of every pass).
"""

import copy
import runpy
from pathlib import Path

import pytest
import torch

import ganglion

nets = runpy.run_path(str(Path(__file__).with_name("random_nets.py")))
FAST, ALL = range(0, 20), range(200)


def backpropagated(case) -> dict[str, torch.Tensor]:
    """Autograd's gradients of a copy, by name."""
    module, x = copy.deepcopy(case.module), case.x.clone().requires_grad_()
    nets["Case"](case.kind, module, x, case.cost).losses().mean().backward()
    return {"input": x.grad, **{name: p.grad for name, p in module.named_parameters()}}


def compared(seeds, every: int) -> dict[str, float]:
    """How far table, autograd and central differences are apart over the networks of some seeds.

    Differences are taken in each ``every``-th entry.
    """
    found = {"autograd": 0.0, "differences": 0.0, "entries": 0, "near a kink": 0}
    for seed in seeds:
        case = nets["make"](seed)
        trace = ganglion.trace(case.module, case.x, loss=case.cost)
        assert not [row.name for row in trace.rows if not row.by_formula], (
            "every operation has a formula of its own"
        )
        ours = {"input": trace.input_gradients[0], **trace.gradients}
        theirs = backpropagated(case)
        largest = max(float(g.abs().max()) for g in theirs.values())
        for name, g in theirs.items():
            size = float(g.abs().max())
            scale = size if size > 1e-8 * largest else largest  # one that is 0 but for rounding
            found["autograd"] = max(found["autograd"], float((ours[name] - g).abs().max()) / scale)
        pattern = nets["side"](case)
        for name, tensor in nets["entries"](case):
            flat, slopes = tensor.view(-1), ours[name].flatten().tolist()
            for i, slope in list(enumerate(slopes))[seed % every :: every]:
                difference = nets["difference"](case, flat, i, pattern)
                found["entries"] += 1
                if difference is None:
                    found["near a kink"] += 1
                    continue
                error = abs(difference - slope) / max(abs(difference), abs(slope), 1e-8)
                found["differences"] = max(found["differences"], error)
    return found


@pytest.mark.parametrize(
    ("seeds", "every"),
    [(FAST, 5), pytest.param(ALL, 1, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
    ids=["20", "200"],
)
def test_products_are_the_gradient(seeds, every, record_property):
    found = compared(seeds, every)
    record_property("told", f"trace on {len(seeds)} random networks: {found}")
    assert found["autograd"] < 1e-10
    assert found["differences"] < 1e-6
    assert found["near a kink"] < 0.02 * found["entries"]


def test_the_networks_are_what_they_should_be():
    cases = [nets["make"](seed) for seed in ALL]
    kinds = [type(m).__name__ for case in cases for m in case.module.modules()]
    assert {"Linear", "Conv1d", "Conv2d", "LSTM", "GRU", "RNN", "BatchNorm1d", "LayerNorm", "GroupNorm", "RMSNorm",
            "InstanceNorm2d", "Skip", "Dropout", "MaxPool1d", "AvgPool2d", "Mish", "PReLU"} <= set(kinds)  # fmt: skip
    assert [case.kind for case in cases[:8]] == list(nets["KINDS"]) * 2
    with_skip = sum("Skip" in {type(m).__name__ for m in case.module.modules()} for case in cases)
    assert with_skip > 60


def test_a_kink_nearer_than_a_thousandth_is_seen():
    """relu(w x) at x = 1: w = 5e-4 is near the kink, w = 5e-3 is not."""
    for w, near in ((5e-4, True), (5e-3, False)):
        module = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.ReLU()).double()
        torch.nn.init.constant_(module[0].weight, w)
        case = nets["Case"](
            "dense", module, torch.ones(1, 1, dtype=torch.float64), lambda output: output.sum(1)
        )
        found = nets["difference"](case, module[0].weight.data.view(-1), 0, nets["side"](case))
        assert (found is None) is near
