"""Positional encodings by what they promise."""

import math

import pytest
import torch

from ganglion.base.errors import DataError, ParameterError
from ganglion.nn.positions import Alibi, Learned, Relative, Rotary, distances, positions_named, sinusoidal


def test_sines_by_hand_and_a_shift_is_a_turn():
    p = sinusoidal(torch.arange(50.0), 6).double()
    for t in (0, 3, 17):
        for i in range(3):
            angle = t / 10000 ** (2 * i / 6)
            assert p[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-5)
            assert p[t, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=1e-5)
    products = [(p[t] @ p[t + 5]).item() for t in (0, 10, 40)]
    assert max(products) - min(products) < 1e-4
    assert sinusoidal(torch.arange(3.0), 5).shape == (3, 5)


def test_rotary_products_depend_on_the_distance_alone():
    rotary = Rotary(8).double()
    rotary.rates = rotary.rates.double()
    q, k = torch.randn(2, 8, dtype=torch.double)

    def product(t, s):
        a, b = rotary.turn(q.view(1, 1, 1, 8), t), rotary.turn(k.view(1, 1, 1, 8), s)
        return (a * b).sum().item()

    for apart in (-4, 0, 9):
        assert product(30, 30 + apart) == pytest.approx(product(5, 5 + apart), abs=1e-9)
    assert rotary.turn(q.view(1, 1, 1, 8), 7).norm().item() == pytest.approx(q.norm().item())
    assert abs(product(0, 1) - product(0, 4)) > 1e-3


def test_alibi_is_the_papers_slopes():
    bias = Alibi(8).bias(4, 4)
    assert [-bias[h, 3, 2].item() for h in range(8)] == [2.0 ** -(h + 1) for h in range(8)]
    assert bias[0, 3].tolist() == [-1.5, -1.0, -0.5, 0.0]


def test_relative_shares_what_is_far():
    layer = Relative(1, farthest=2)
    layer.table.data = torch.arange(5.0)[None]
    assert layer.bias(1, 5)[0].tolist() == [[0.0, 0.0, 0.0, 1.0, 2.0]]


def test_distances_from_the_last_places():
    assert distances(1, 3, torch.device("cpu")).tolist() == [[-2, -1, 0]]


def test_too_long_for_what_was_learned():
    with pytest.raises(DataError, match="at most 4 places"):
        Learned(2, 4).add(torch.zeros(1, 2, 2), start=3)


@pytest.mark.parametrize("text", ["learned(0)", "rotary(0)", "relative(-1)", "rotari"])
def test_what_is_refused(text):
    with pytest.raises(ParameterError):
        positions_named(text)


def test_rotary_needs_pairs():
    with pytest.raises(ParameterError, match="even"):
        positions_named("rotary")(9, 3)
