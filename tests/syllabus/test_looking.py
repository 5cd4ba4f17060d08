"""Attention finds by content, and needs to be told where things stand."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganglion import Translator
from ganglion.data.tokens import BEGIN
from ganglion.explain.attention import attention_maps
from ganglion.models.captioner import CaptionNet
from ganglion.nn.attention import AttentionPool, MultiHeadAttention, attend, weights
from ganglion.nn.positions import sinusoidal
from ganglion.nn.transformer import Transformer

SMALL = {"units": 64, "layers": 2, "tokens": "characters", "dropout": 0.0, "lr": 2e-3, "batch_size": 64,
         "random_state": 0}  # fmt: skip


def test_attention_mechanism():
    """Weights are shares, the mean is torch's, and one of fifty pairs is found, which a plain mean cannot."""
    q, k, v = (torch.randn(2, 3, n, 8, dtype=torch.double) for n in (4, 6, 6))
    shares = weights(q, k)
    assert (shares >= 0).all()
    assert (shares.sum(-1) - 1).abs().max() <= 1e-12
    assert (attend(q, k, v) - F.scaled_dot_product_attention(q, k, v)).abs().max() <= 1e-10

    generator = torch.Generator().manual_seed(0)

    def pairs(n):
        """Fifty keys (n, 50, 32), their values of forty kinds (n, 50), one of the keys, and its value."""
        keys, values = (
            torch.randn(n, 50, 32, generator=generator),
            torch.randint(40, (n, 50), generator=generator),
        )
        at = torch.randint(50, (n, 1), generator=generator)
        return keys, values, keys.gather(1, at[..., None].expand(-1, -1, 32)), values.gather(1, at)[:, 0]

    found = {}
    for looks in (True, False):
        torch.manual_seed(0)
        ask, offer = nn.Linear(32, 32), nn.Linear(32, 32)
        optimizer = torch.optim.Adam([*ask.parameters(), *offer.parameters()], 1e-2)

        def told(keys, values, query, ask=ask, offer=offer, looks=looks):
            v = F.one_hot(values, 40).float()[:, None]
            return (
                attend(ask(query)[:, None], offer(keys)[:, None], v)[:, 0, 0] if looks else v[:, 0].mean(1)
            ) + 1e-6

        for _ in range(800 if looks else 0):
            *given, value = pairs(64)
            optimizer.zero_grad()
            F.nll_loss(told(*given).log(), value).backward()
            optimizer.step()
        *given, value = pairs(1_000)
        found[looks] = float((told(*given).argmax(1) == value).float().mean())
    assert found[True] >= 0.99
    assert found[False] <= 0.1


def test_cross_attention(copy_attention):
    """Queries of one sequence over the keys of a longer one, as torch's module with the same weights."""
    own = MultiHeadAttention(8, 2, cross=True).double()
    known = copy_attention(own, nn.MultiheadAttention(8, 2, batch_first=True).double())
    x, memory = torch.randn(3, 4, 8, dtype=torch.double), torch.randn(3, 7, 8, dtype=torch.double)
    told, shares = known(x, memory, memory, average_attn_weights=False)
    assert (own(x, memory=memory) - told).abs().max() <= 1e-10
    assert (own.weights(x, memory=memory) - shares).abs().max() <= 1e-10


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cross_attention_copies():
    """A writer that copies looks at the source's diagonal in 95 % of its steps."""
    X, X_test = words(4_000, 0), words(100, 1)
    settings = SMALL | {"layers": 1, "heads": 1, "positions": "sinusoidal"}
    model = Translator(max_epochs=10, **settings).fit(X, X)
    assert np.mean([a == b for a, b in zip(model.predict(X_test), X_test)]) >= 0.95
    on = []
    for text in X_test:
        source = torch.from_numpy(model.tokenizer_.encode(text).astype(np.int64))[None]
        before = torch.from_numpy(model.target_tokenizer_.encode(text).astype(np.int64))[None]
        before = torch.cat([torch.tensor([[BEGIN]]), before[:, :-1]], 1)
        (look,) = (look for look in attention_maps(model.module_, source, before) if look.cross)
        on += (look.weights[0, 0].argmax(1) == torch.arange(len(text))).tolist()
    assert np.mean(on) >= 0.95


def words(n, seed):
    """Texts of 5 to 12 letters."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("abcdefgh"), rng.integers(5, 13))) for _ in range(n)]


def right(model, X, y):
    """The share of tokens of y that are written at their places."""
    return np.mean([p == q for a, b in zip(model.predict(X), y) for p, q in zip(a.ljust(len(b)), b)])


def reversals(n, seed):
    """Texts of letters and the same from their ends on."""
    X = words(n, seed)
    return X, [text[::-1] for text in X]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_positional_encoding(monkeypatch):
    """The waves of the formula, whose shift is a turn; with them a transformer turns texts around, and not without."""
    t, i = np.arange(200)[:, None], np.arange(0, 16, 2)
    angles = t * 10000.0 ** (-i / 16)
    waves = sinusoidal(torch.arange(200, dtype=torch.double), 16).numpy()
    assert abs(waves - np.stack([np.sin(angles), np.cos(angles)], -1).reshape(200, 16)).max() <= 1e-12
    turn = np.linalg.lstsq(waves[:-7], waves[7:], rcond=None)[0]
    assert abs(waves[:-7] @ turn - waves[7:]).max() <= 1e-10

    X, y = reversals(4_000, 0)
    test = reversals(300, 1)
    found = {}
    for positions in ("sinusoidal", "none"):
        model = Translator(positions=positions, max_epochs=12, **SMALL).fit(X, y)
        found[positions] = right(model, *test)
    assert found["sinusoidal"] >= 0.99, found
    assert found["none"] <= found["sinusoidal"] - 0.5, found


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of its own quick paths
@pytest.mark.parametrize("norm_first", [True, False])
def test_transformer(norm_first, copy_attention):
    """Encoder and decoder are torch's with the same weights, padding and future hidden."""
    shape = {"norm_first": norm_first, "dropout": 0.0, "activation": "relu", "hidden": 20}
    reader = Transformer(12, 3, 2, **shape).double()
    writer = Transformer(12, 3, 2, causal=True, cross=True, **shape).double()
    known = nn.Transformer(12, 3, 2, 2, 20, 0.0, batch_first=True, norm_first=norm_first).double()
    for mine, theirs in ((reader, known.encoder), (writer, known.decoder)):
        for block, layer in zip(mine.blocks, theirs.layers):
            copy_attention(block.attention, layer.self_attn)
            norms = [block.norm_attention, block.norm_dense]
            if block.cross is not None:
                copy_attention(block.cross, layer.multihead_attn)
                norms.insert(1, block.norm_cross)
            parts = [(block.dense[0], layer.linear1), (block.dense[3], layer.linear2)]
            for ours, other in [
                *parts,
                *zip(norms, (layer.norm1, layer.norm2, getattr(layer, "norm3", None))),
            ]:
                other.load_state_dict(ours.state_dict())
        if norm_first:
            theirs.norm.load_state_dict(mine.norm.state_dict())
        else:
            theirs.norm = None  # torch ends with a norm more, which Vaswani et al. do not have
    source, before = torch.randn(3, 7, 12, dtype=torch.double), torch.randn(3, 5, 12, dtype=torch.double)
    there = torch.arange(7) < torch.tensor([[7], [4], [5]])
    own = writer(before, memory=reader(source, there), memory_there=there)
    later = torch.ones(5, 5).triu(1).bool()
    told = known(source, before, tgt_mask=later, src_key_padding_mask=~there, memory_key_padding_mask=~there)
    assert (own - told).abs().max() <= 1e-8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_transformer_sorts():
    """99 % of the tokens of unseen texts stand where sorting puts them."""
    X, X_test = words(4_000, 0), words(300, 1)
    model = Translator(max_epochs=12, **SMALL).fit(X, ["".join(sorted(text)) for text in X])
    assert right(model, X_test, ["".join(sorted(text)) for text in X_test]) >= 0.99


def cued(n, generator):
    """Ten places (n, 10, 3) of noise, one with the cue; where it is (n,), and the number (n,) that stands there."""
    x, at = torch.randn(n, 10, 3, generator=generator), torch.randint(10, (n,), generator=generator)
    x[..., 2] /= 10
    x[torch.arange(n), at, 2] += 1
    return x, at, x[torch.arange(n), at, 0]


def test_soft_attention():
    """Slopes are those of finite differences, and nearly all weight comes to lie on the place with the cue."""
    pool = AttentionPool(4).double()
    nn.init.normal_(pool.score.weight)
    x = torch.randn(2, 5, 4, dtype=torch.double, requires_grad=True)
    there = torch.arange(5) < torch.tensor([[5], [3]])
    assert torch.autograd.gradcheck(lambda x: pool(x, there), x, eps=1e-6, atol=1e-6)

    generator = torch.Generator().manual_seed(0)
    pool, answer = AttentionPool(3), nn.Linear(3, 1)
    optimizer = torch.optim.Adam([*pool.parameters(), *answer.parameters()], 0.05)
    whole = torch.ones(64, 10, dtype=torch.bool)
    for _ in range(400):
        x, _, value = cued(64, generator)
        optimizer.zero_grad()
        F.mse_loss(answer(pool(x, whole))[:, 0], value).backward()
        optimizer.step()
    x, at, _ = cued(1_000, generator)
    shares = torch.softmax(pool.score(x)[..., 0], 1)
    assert shares[torch.arange(1_000), at].mean() >= 0.9


def test_hard_attention():
    """One place each step; the drawn slopes' mean is the enumerated one's; rewards teach it to take the cue's place."""
    net, generator = (
        CaptionNet((3, 8, 8), 5, widths=(4,), units=4, attention="hard"),
        torch.Generator().manual_seed(0),
    )
    logits = torch.randn(10, generator=generator, requires_grad=True)
    reward = torch.randn(10, generator=generator)
    (exact,) = torch.autograd.grad((torch.softmax(logits, 0) * reward).sum(), logits)
    copies = logits.detach().expand(20_000, 10).clone().requires_grad_()
    no_mean = torch.zeros(20_000, 1, dtype=torch.bool)
    torch.manual_seed(0)
    seen, drawn = net.take(torch.softmax(copies, 1), torch.eye(10).expand(20_000, 10, 10), no_mean)
    assert ((seen == 0) | (seen == 1)).all()
    assert (seen.sum(1) == 1).all()
    ((seen @ reward).detach() * drawn).sum().backward()
    error = copies.grad.mean(0) - exact
    assert (error.abs() <= 3 * copies.grad.std(0) / 20_000**0.5).all()

    score = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(score.parameters(), 0.05)
    for _ in range(400):
        x, _, value = cued(64, generator)
        seen, drawn = net.take(torch.softmax(score(x)[..., 0], 1), x, no_mean[:64])
        paid = -((seen[:, 0] - value) ** 2).detach()
        optimizer.zero_grad()
        (-(paid - paid.mean()) * drawn).mean().backward()
        optimizer.step()
    x, at, _ = cued(1_000, generator)
    assert (score(x)[..., 0].argmax(1) == at).float().mean() >= 0.9
