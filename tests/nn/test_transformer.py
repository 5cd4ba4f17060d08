"""Transformer blocks against torch's, with copied weights, and with a cache against without."""

import pytest
import torch
from torch import nn

from ganglion.nn.positions import POSITIONS, positions_named
from ganglion.nn.transformer import Transformer, TransformerBlock, initialise_blocks


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@torch.no_grad()
def copied(mine, theirs, copy_attention):
    """torch's block with the weights of ours."""
    copy_attention(mine.attention, theirs.self_attn)
    theirs.linear1.load_state_dict(mine.dense[0].state_dict())
    theirs.linear2.load_state_dict(mine.dense[3].state_dict())
    norms = [mine.norm_attention, mine.norm_dense]
    if mine.cross is not None:
        copy_attention(mine.cross, theirs.multihead_attn)
        norms.insert(1, mine.norm_cross)
    for i, norm in enumerate(norms, 1):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        getattr(theirs, f"norm{i}").load_state_dict(norm.state_dict())
    return theirs


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_an_encoders_block_is_torchs(norm_first, activation, copy_attention):
    mine = TransformerBlock(12, 3, hidden=20, norm_first=norm_first, activation=activation).double()
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, 0.0, activation, batch_first=True, norm_first=norm_first
    ).double()
    copied(mine, theirs, copy_attention)
    x, there = torch.randn(2, 5, 12).double(), torch.arange(5) < torch.tensor([[5], [3]])
    known = theirs(x, src_key_padding_mask=~there)
    torch.testing.assert_close(mine(x, there)[0], known[0], rtol=0, atol=1e-10)
    torch.testing.assert_close(mine(x, there)[1, :3], known[1, :3], rtol=0, atol=1e-10)


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoders_block_is_torchs(norm_first, copy_attention):
    options = {"norm_first": norm_first, "activation": "relu"}
    mine = TransformerBlock(12, 3, hidden=20, causal=True, cross=True, **options).double()
    theirs = nn.TransformerDecoderLayer(12, 3, 20, 0.0, batch_first=True, **options).double()
    copied(mine, theirs, copy_attention)
    x, memory = torch.randn(2, 5, 12).double(), torch.randn(2, 7, 12).double()
    there = torch.arange(7) < torch.tensor([[7], [4]])
    known = theirs(x, memory, tgt_mask=torch.ones(5, 5).triu(1).bool(), memory_key_padding_mask=~there)
    found = mine(x, memory=memory, memory_there=there)
    torch.testing.assert_close(found, known, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [*POSITIONS, "learned(20)"])
@pytest.mark.parametrize("cross", [False, True])
def test_with_a_cache_as_without(name, cross):
    stack = Transformer(12, 2, 2, causal=True, cross=cross, positions=positions_named(name)(12, 2)).double()
    initialise_blocks(stack, spread=0.3)
    for parameter in stack.positions.parameters():
        nn.init.normal_(parameter)
    x, memory = torch.randn(2, 7, 12).double(), torch.randn(2, 4, 12).double() if cross else None
    caches, steps = None, []
    for i, place in enumerate(x.split([2, 1, 1, 3], 1)):
        out, caches = stack.step(place, caches, memory=memory if i == 0 else None)
        steps.append(out)
    torch.testing.assert_close(torch.cat(steps, 1), stack(x, memory=memory), rtol=0, atol=1e-9)


def test_the_future_is_not_seen():
    stack = Transformer(12, 2, 2, causal=True, positions=positions_named("rotary")(12, 2))
    x = torch.randn(2, 7, 12)
    other = x.clone()
    other[:, 4:] += torch.randn(2, 3, 12)
    assert torch.equal(stack(x)[:, :4], stack(other)[:, :4])
    assert not torch.allclose(stack(x)[:, 4:], stack(other)[:, 4:])


def test_padding_changes_nothing():
    stack = Transformer(12, 2, 2, positions=positions_named("relative")(12, 2))
    x, there = torch.randn(1, 7, 12), torch.arange(7)[None] < 4
    torch.testing.assert_close(stack(x, there)[:, :4], stack(x[:, :4]), rtol=0, atol=1e-5)


def test_branches_start_smaller_the_deeper_the_stack():
    stack = Transformer(64, 2, 8)
    initialise_blocks(stack)
    block = stack.blocks[3]
    assert abs(block.dense[0].weight.std().item() / 0.02 - 1) < 0.05
    assert abs(block.dense[-1].weight.std().item() / (0.02 / 4) - 1) < 0.05
    assert abs(block.attention.out.weight.std().item() / (0.02 / 4) - 1) < 0.05
