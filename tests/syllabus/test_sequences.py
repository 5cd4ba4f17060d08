"""Sequences: recurrent layers, attention in all its forms, transformer blocks, relaxed choices."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ganglion import SequenceClassifier
from ganglion.nn.attention import MultiHeadAttention, attend
from ganglion.nn.positions import positions_named
from ganglion.nn.recurrent import LAYERS, Recurrent
from ganglion.nn.samplers import gumbel_softmax
from ganglion.nn.transformer import Transformer, TransformerBlock


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_recurrent_layer():
    """Padded batches of lengths 1 to 50 as torch's packed ones, to 1e-10 with all gradients; padding has none."""
    lengths = torch.tensor([50, 1, 17, 33, 2, 50])
    there = torch.arange(50) < lengths[:, None]
    for kind in LAYERS:
        x = torch.randn(6, 50, 3, dtype=torch.double, requires_grad=True)
        mine = Recurrent(kind, 3, 4, bidirectional=True).double()
        theirs = LAYERS[kind](3, 4, batch_first=True, bidirectional=True).double()
        with torch.no_grad():
            for side, layer in (("", mine.forwards[0]), ("_reverse", mine.backwards[0])):
                for name, weight in layer.named_parameters():
                    getattr(theirs, name + side).copy_(weight)
        packed = theirs(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[0]
        known = pad_packed_sequence(packed, batch_first=True)[0]
        found = mine(x, there)[0] * there[..., None]
        torch.testing.assert_close(found, known, rtol=0, atol=1e-10)
        slope = torch.randn_like(known)
        ours = torch.autograd.grad((found * slope).sum(), [x, *mine.parameters()])
        others = torch.autograd.grad((known * slope).sum(), [x, *theirs.parameters()])
        for a, b in zip(ours, others):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-10)
        assert (ours[0][~there] == 0).all()


def test_self_attention():
    """Permuted inputs give permuted outputs to 1e-12; behind a causal mask no output sees later tokens."""
    layer = MultiHeadAttention(12, 3).double()
    x, order = torch.randn(2, 9, 12, dtype=torch.double), torch.randperm(9)
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order], rtol=0, atol=1e-12)
    causal, x = MultiHeadAttention(12, 3, causal=True).double(), x.requires_grad_()
    for t in range(9):
        slope = torch.autograd.grad(causal(x)[:, t].square().sum(), x)[0]
        assert (slope[:, t + 1 :] == 0).all()
        assert (slope[:, : t + 1] != 0).all()


@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_multi_head_attention(heads):
    """torch's with copied weights to 1e-10; one head is plain attention and the last map."""
    mine = MultiHeadAttention(16, heads).double()
    theirs = nn.MultiheadAttention(16, heads, batch_first=True).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(mine.query.weight)
        theirs.in_proj_bias.copy_(mine.query.bias)
    theirs.out_proj.load_state_dict(mine.out.state_dict())
    x = torch.randn(3, 7, 16, dtype=torch.double)
    torch.testing.assert_close(mine(x), theirs(x, x, x)[0], rtol=0, atol=1e-10)
    if heads == 1:
        q, k, v = mine.query(x).chunk(3, 2)
        single = attend(*(part[:, None] for part in (q, k, v)))[:, 0]
        torch.testing.assert_close(mine(x), mine.out(single), rtol=0, atol=1e-12)


def test_gumbel_softmax():
    """The choices' frequencies are the probabilities at every temperature; near 0 draws are one-hot."""
    logits = torch.tensor([1.0, 0.0, -1.0, 0.5])
    p = torch.softmax(logits.double(), 0).numpy()
    for i, temperature in enumerate((0.01, 0.5, 1.0, 5.0)):
        generator = torch.Generator().manual_seed(i)
        draws = gumbel_softmax(logits.expand(100_000, 4), temperature, generator=generator)
        counts = np.bincount(draws.argmax(1).numpy(), minlength=4)
        assert stats.chisquare(counts, p / p.sum() * counts.sum()).pvalue > 0.01
        if temperature == 0.01:
            assert (draws.amax(1) > 0.99).double().mean() >= 0.95
    wide = logits.expand(1000, 4).clone().requires_grad_()
    hard = gumbel_softmax(wide, 0.5, hard=True)
    assert set(hard.unique().tolist()) == {0.0, 1.0}
    assert (hard.sum(1) == 1).all()
    (hard * torch.arange(4.0)).sum().backward()
    assert torch.isfinite(wide.grad).all()
    assert wide.grad.any()


@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer_encoder(norm_first, copy_attention):
    """torch's layer to 1e-10, norms in front or behind; padding changes no real token by more than 1e-12."""
    mine = TransformerBlock(12, 3, hidden=20, norm_first=norm_first, activation="relu").double()
    theirs = nn.TransformerEncoderLayer(12, 3, 20, 0.0, batch_first=True, norm_first=norm_first).double()
    with torch.no_grad():
        copy_attention(mine.attention, theirs.self_attn)
    for ours, other in (
        (mine.dense[0], theirs.linear1), (mine.dense[3], theirs.linear2), (mine.norm_attention, theirs.norm1),
        (mine.norm_dense, theirs.norm2),
    ):  # fmt: skip
        other.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 12, dtype=torch.double)
    torch.testing.assert_close(mine(x), theirs(x), rtol=0, atol=1e-10)
    there = torch.arange(9)[None] < 6
    padded = torch.cat([x, torch.randn(2, 3, 12).double() * 100], 1)
    found = mine(padded, there.expand(2, -1))[:, :6]
    torch.testing.assert_close(found, mine(x), rtol=0, atol=1e-12)


def test_transformer_decoder(copy_attention):
    """torch's layer to 1e-10; nothing of the future; step by step with a cache as all at once, to 1e-10."""
    mine = TransformerBlock(12, 3, hidden=20, causal=True, cross=True, activation="relu").double()
    theirs = nn.TransformerDecoderLayer(12, 3, 20, 0.0, batch_first=True, norm_first=True).double()
    with torch.no_grad():
        copy_attention(mine.attention, theirs.self_attn)
        copy_attention(mine.cross, theirs.multihead_attn)
    for ours, other in (
        (mine.dense[0], theirs.linear1), (mine.dense[3], theirs.linear2), (mine.norm_attention, theirs.norm1),
        (mine.norm_cross, theirs.norm2), (mine.norm_dense, theirs.norm3),
    ):  # fmt: skip
        other.load_state_dict(ours.state_dict())
    x = torch.randn(2, 6, 12, dtype=torch.double, requires_grad=True)
    memory = torch.randn(2, 4, 12, dtype=torch.double)
    known = theirs(x, memory, tgt_mask=torch.ones(6, 6).triu(1).bool())
    torch.testing.assert_close(mine(x, memory=memory), known, rtol=0, atol=1e-10)
    slope = torch.autograd.grad(mine(x, memory=memory)[:, 2].square().sum(), x)[0]
    assert (slope[:, 3:] == 0).all()
    stack = Transformer(
        12, 3, 3, causal=True, cross=True, positions=positions_named("rotary")(12, 3)
    ).double()
    caches, steps = None, []
    for i, place in enumerate(x.split(1, 1)):
        out, caches = stack.step(place, caches, memory=memory if i == 0 else None)
        steps.append(out)
    torch.testing.assert_close(torch.cat(steps, 1), stack(x, memory=memory), rtol=0, atol=1e-10)


def test_feedforward_neural_network():
    """A network without loops: its graph has no cycle, it forgets earlier calls, and it takes series of any length."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = [np.sin(np.arange(rng.integers(10, 30)) * (0.4 + 0.6 * k) + rng.uniform(0, 6)) for k in y]
    model = SequenceClassifier(cell="tcn", units=16, layers=2, max_epochs=20, lr=0.01).fit(X[:80], y[:80])
    assert model.score(X[80:], y[80:]) > 0.9
    first = model.predict_proba(X[80:])
    model.predict_proba(X[:80])
    assert (model.predict_proba(X[80:]) == first).all()
    program = torch.export.export(model.module_, (torch.zeros(2, 12, 1),))
    places = {node: i for i, node in enumerate(program.graph.nodes)}
    assert all(places[source] < places[node] for node in places for source in node.all_input_nodes)
