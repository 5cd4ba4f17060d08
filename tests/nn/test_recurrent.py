"""Recurrent layers against torch's own, place by place and packed."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ganglion.base.errors import ParameterError
from ganglion.nn.recurrent import CELLS, LAYERS, Recurrent, reversed_places, unrolled

KINDS = list(CELLS)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_written_out_is_torchs_fused_layer(kind):
    layer = LAYERS[kind](3, 5, batch_first=True).double()
    x = torch.randn(4, 7, 3, dtype=torch.double, requires_grad=True)
    cell = CELLS[kind](3, 5).double().copy_from(layer)
    mine, state = unrolled(cell, x)
    theirs, last = layer(x)
    torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    for a, b in zip(state, last if kind == "lstm" else (last,)):
        torch.testing.assert_close(a, b[0], rtol=0, atol=1e-12)
    slopes = [torch.autograd.grad(out.square().sum(), x)[0] for out in (mine, theirs)]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_is_torchs_cell(kind):
    theirs = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}[kind](3, 5).double()
    mine = CELLS[kind](3, 5).double()
    with torch.no_grad():
        for name, part in (("ih", mine.input), ("hh", mine.state)):
            part.weight.copy_(getattr(theirs, f"weight_{name}"))
            part.bias.copy_(getattr(theirs, f"bias_{name}"))
    x = torch.randn(4, 3, dtype=torch.double)
    state = tuple(torch.randn(4, 5, dtype=torch.double) for _ in range(mine.states))
    found, known = mine(x, state), theirs(x, state if kind == "lstm" else state[0])
    for a, b in zip(found, known if kind == "lstm" else (known,)):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def packed(mine, kind, x, lengths):
    """torch's own stacked layer on a packed batch, with the weights of ours."""
    layers = len(mine.forwards)
    theirs = LAYERS[kind](x.shape[2], mine.units, layers, batch_first=True, bidirectional=mine.both).double()
    with torch.no_grad():
        for i in range(layers):
            for side, parts in (("", mine.forwards), ("_reverse", mine.backwards)):
                for name, weight in parts[i].named_parameters() if parts else ():
                    getattr(theirs, name.replace("_l0", f"_l{i}{side}")).copy_(weight)
    answers, last = theirs(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    hidden = last[0] if kind == "lstm" else last
    ends = hidden[-2:].transpose(0, 1).flatten(1) if mine.both else hidden[-1]
    return pad_packed_sequence(answers, batch_first=True)[0], ends


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_ragged_batches_as_if_they_were_packed(kind, layers, both):
    lengths = torch.tensor([7, 1, 4, 6])
    there = torch.arange(7) < lengths[:, None]
    x = torch.randn(4, 7, 3, dtype=torch.double)
    mine = Recurrent(kind, 3, 5, layers=layers, bidirectional=both).double()
    answers, last = mine(x, there)
    known, ends = packed(mine, kind, x, lengths)
    torch.testing.assert_close(answers * there[..., None], known, rtol=0, atol=1e-10)
    torch.testing.assert_close(last, ends, rtol=0, atol=1e-10)
    noisy = torch.where(there[..., None], x, 1e6)
    torch.testing.assert_close(mine(noisy, there)[1], last, rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_step_by_step_is_the_whole(kind):
    layer = Recurrent(kind, 3, 5, layers=2).double()
    x = torch.randn(4, 6, 3, dtype=torch.double)
    whole, state, parts = layer(x)[0], None, []
    for place in x.split(2, 1):
        answers, state = layer.step(place, state)
        parts.append(answers)
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-12)


def test_it_starts_as_it_says():
    layer = Recurrent("lstm", 3, 8).forwards[0]
    for part in layer.weight_hh_l0.chunk(4):
        torch.testing.assert_close(part @ part.T, torch.eye(8), rtol=0, atol=1e-5)
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    assert bias.chunk(4)[1].tolist() == [1.0] * 8
    assert bias.sum() == 8


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_gates_remember_for_as_long_as_asked(kind):
    torch.manual_seed(0)
    layer = Recurrent(kind, 3, 400, memory=50).forwards[0]
    parts = (layer.bias_ih_l0 + layer.bias_hh_l0).chunk(4 if kind == "lstm" else 3)
    keeps = torch.sigmoid(parts[1])  # u / (1 + u): half a life of about u places
    assert 0.5 <= keeps.min() < 0.8
    assert 0.975 < keeps.max() <= 49 / 50
    times = parts[1].exp()
    assert abs(times.mean() - 25) < 2.5  # uniform in [1, 49]
    assert abs(times.std() - 48 / 12**0.5) < 1.5
    assert torch.equal(parts[0], -parts[1] if kind == "lstm" else torch.zeros(400))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_with_memory_gradients_reach_back(kind):
    slopes = {}
    for memory in (None, 100):
        torch.manual_seed(0)
        x = torch.randn(8, 60, 3, requires_grad=True)
        Recurrent(kind, 3, 64, memory=memory)(x)[1].pow(2).sum().backward()
        norms = x.grad.norm(dim=2).mean(0)
        slopes[memory] = float(norms[0] / norms[-1])
    assert slopes[100] > 5 * slopes[None]


def test_cells_without_gates_have_no_memory():
    with pytest.raises(ParameterError, match="memory=50"):
        Recurrent("rnn", 3, 4, memory=50)


def test_turning_around_twice_is_nothing():
    lengths = torch.tensor([3, 5, 1])
    places = reversed_places(lengths, 5)
    assert places.gather(1, places).tolist() == [list(range(5))] * 3


def test_an_unknown_cell():
    with pytest.raises(ParameterError, match="lstm"):
        Recurrent("lstn", 3, 4)
