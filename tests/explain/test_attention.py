"""Attention maps: the weights that were used, in every network that has some, and nothing is left behind."""

import pytest
import torch

from ganglion.explain import attention_maps
from ganglion.models.language import LanguageNet
from ganglion.models.translator import TranslatorNet
from ganglion.nn.attention import MultiHeadAttention

SHAPE = {"units": 8, "layers": 2, "heads": 2, "positions": "rotary", "dropout": 0.3}


def test_a_map_is_what_the_layer_took_its_values_by():
    torch.manual_seed(0)
    layer = MultiHeadAttention(6, 2, causal=True).double()
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    (look,) = attention_maps(layer, x)
    values = layer.query(x).unflatten(2, (3, 2, 3))[:, :, 2]  # (n, t, h, e)
    taken = torch.einsum("nhts,nshe->nthe", look.weights, values).flatten(2)
    torch.testing.assert_close(layer.out(taken), layer(x))
    assert not look.cross
    assert not look.weights[0, 0, 0, 1:].any()


@pytest.mark.parametrize("cell", ["transformer", "gru"])
def test_a_translator_looks_at_its_source_once_for_each_place_that_it_writes(cell):
    net = TranslatorNet((9, 7), cell=cell, attention=True, **SHAPE)
    source, before = torch.tensor([[4, 5, 6, 3]]), torch.tensor([[2, 4, 5]])
    crossing = [look for look in attention_maps(net, source, before) if look.cross]
    assert len(crossing) == (2 if cell == "transformer" else 1)
    for look in crossing:
        assert look.weights.shape == (1, 2 if cell == "transformer" else 1, 3, 4)
        torch.testing.assert_close(look.weights.sum(-1), torch.ones(look.weights.shape[:3]))


def test_the_network_is_left_as_it_was_also_after_an_error():
    net = LanguageNet(9, cell="transformer", tied=False, **SHAPE).train()
    before = {name: dict(m.__dict__) for name, m in net.named_modules()}
    assert len(attention_maps(net, torch.tensor([[4, 5]]))) == 2
    with pytest.raises(IndexError):
        attention_maps(net, torch.tensor([[99]]))
    assert net.training
    for name, m in net.named_modules():
        assert "step" not in m.__dict__
        assert len(m._forward_hooks) == len(before[name]["_forward_hooks"])


def test_a_network_without_attention_has_no_maps():
    assert attention_maps(LanguageNet(9, cell="gru", tied=False, **SHAPE), torch.tensor([[4, 5]])) == []
