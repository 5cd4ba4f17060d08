"""Attention against a loop over every number."""

import math

import pytest
import torch
from torch import nn

from ganglion.base.errors import ParameterError
from ganglion.nn import attention
from ganglion.nn.attention import AdditiveAttention, AttentionPool, MultiHeadAttention, attend, visible
from ganglion.nn.positions import Relative, Rotary


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def by_loops(q, k, v, may, bias=None):
    """Weighted means with the sums written out, number by number."""
    n, h, queries, e = q.shape
    keys = k.shape[2]
    out = torch.zeros(n, h, queries, v.shape[3], dtype=torch.double)
    for a in range(n):
        for b in range(h):
            for t in range(queries):
                logits = {}
                for s in range(keys):
                    if may(a, t, s):
                        product = sum(float(q[a, b, t, i] * k[a, b, s, i]) for i in range(e))
                        logits[s] = product / math.sqrt(e) + (0.0 if bias is None else float(bias[b, t, s]))
                total = sum(math.exp(x) for x in logits.values())
                for s, x in logits.items():
                    out[a, b, t] += math.exp(x) / total * v[a, b, s]
    return out


def parts(queries=4, keys=6):
    return (torch.randn(2, 3, size, 5, dtype=torch.double) for size in (queries, keys, keys))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("window", [None, 1, 3])
def test_attention_is_the_loop(window, causal, fused, monkeypatch):
    monkeypatch.setattr(attention, "FUSED_FROM", 1 if fused else 10**9)
    q, k, v = parts()
    lengths = [6, 4]
    there = torch.arange(6) < torch.tensor(lengths)[:, None]
    bias = torch.randn(3, 4, 6, dtype=torch.double)

    def may(a, t, s):
        at = t + 2  # four queries stand at the last of six places
        return s < lengths[a] and (not causal or s <= at) and (window is None or abs(s - at) < window)

    found = attend(q, k, v, visible(there, 4, 6, causal=causal, window=window), bias)
    torch.testing.assert_close(found, by_loops(q, k, v, may, bias), rtol=0, atol=1e-9)


def test_a_query_that_sees_nothing_takes_nothing_and_teaches_nothing():
    q, k, v = (t.requires_grad_() for t in parts())
    there = torch.tensor([[True] * 6, [False] * 6])
    out = attend(q, k, v, visible(there, 4, 6))
    assert (out[1] == 0).all()
    out.sum().backward()
    assert all(torch.isfinite(t.grad).all() for t in (q, k, v))
    assert (q.grad[1] == 0).all()


@pytest.mark.parametrize("cross", [False, True])
def test_many_heads_are_torchs(cross, copy_attention):
    mine = MultiHeadAttention(12, 3, cross=cross, causal=not cross).double()
    theirs = copy_attention(mine, nn.MultiheadAttention(12, 3, batch_first=True).double())
    x, memory = torch.randn(2, 5, 12).double(), torch.randn(2, 7, 12).double()
    there = torch.arange(7 if cross else 5) < torch.tensor([[7 if cross else 5], [3]])
    other = memory if cross else x
    hidden = None if cross else torch.ones(5, 5).triu(1).bool()
    known, shares = theirs(
        x, other, other, key_padding_mask=~there, attn_mask=hidden, average_attn_weights=False
    )
    torch.testing.assert_close(mine(x, there, memory), known, rtol=0, atol=1e-10)
    torch.testing.assert_close(mine.weights(x, there, memory), shares, rtol=0, atol=1e-10)


@pytest.mark.parametrize("positions", [None, Rotary(4), Relative(3, farthest=2)])
@pytest.mark.parametrize("window", [None, 3])
def test_with_a_cache_as_without(positions, window):
    if isinstance(positions, Relative):
        nn.init.normal_(positions.table)
    layer = MultiHeadAttention(12, 3, causal=True, window=window, positions=positions).double()
    x = torch.randn(2, 7, 12).double()
    cache, steps = None, []
    for place in x.split([3, 1, 1, 2], 1):
        out, cache = layer.step(place, cache=cache)
        steps.append(out)
    torch.testing.assert_close(torch.cat(steps, 1), layer(x), rtol=0, atol=1e-10)


def test_additive_attention_by_hand():
    layer = AdditiveAttention(2, 3, 4).double()
    query, values = torch.randn(2, 2).double(), torch.randn(2, 5, 3).double()
    there = torch.arange(5) < torch.tensor([[5], [2]])
    with torch.no_grad():
        mean, shares = layer(query, values, there)
    weight = {k: v.detach() for k, v in layer.named_parameters()}
    for n, length in ((0, 5), (1, 2)):
        logits = [
            weight["score.weight"][0]
            @ torch.tanh(
                weight["query.weight"] @ query[n] + weight["keys.weight"] @ values[n, s] + weight["keys.bias"]
            )
            for s in range(length)
        ]
        known = torch.softmax(torch.tensor(logits).double(), 0)
        torch.testing.assert_close(shares[n, :length].double(), known, rtol=0, atol=1e-6)
        assert (shares[n, length:] == 0).all()
        torch.testing.assert_close(mean[n], known @ values[n, :length], rtol=0, atol=1e-6)


def test_a_pool_begins_as_the_mean_of_what_is_there():
    x, there = torch.randn(2, 4, 3), torch.tensor([[True] * 4, [True, False, False, False]])
    pooled = AttentionPool(3)(x, there)
    torch.testing.assert_close(pooled[0], x[0].mean(0))
    torch.testing.assert_close(pooled[1], x[1, 0])


def test_heads_that_do_not_fit():
    with pytest.raises(ParameterError, match="heads must divide"):
        MultiHeadAttention(10, 3)


@pytest.mark.parametrize("n_keys", [40, 300])
def test_half_precision_learns_what_single_does(n_keys):
    """With gradients bf16 goes another way on a CPU, through products or float32; both are attention."""
    layer, x = MultiHeadAttention(16, 2, causal=True), torch.randn(2, n_keys, 16)
    found = []
    for narrow in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            out = layer(x)
        out.float().square().sum().backward()
        found.append((out.detach().float(), layer.query.weight.grad / layer.query.weight.grad.norm()))
    for one, other in zip(*found):
        torch.testing.assert_close(one, other, rtol=0, atol=0.03)
