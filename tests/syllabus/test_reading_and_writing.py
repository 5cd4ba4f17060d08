"""Networks of two halves, one that reads and one that writes: what each does, and what looking back is worth."""

import numpy as np
import pytest
import torch

from ganglion import Translator
from ganglion.data.tokens import BEGIN
from ganglion.objectives.language import token_losses

GRU = {"cell": "gru", "tokens": "characters", "units": 128, "layers": 1, "dropout": 0.0, "label_smoothing": 0.0,
       "batch_size": 32, "beam": 1, "random_state": 0}  # fmt: skip


def reversals(n, shortest, longest, seed):
    """Texts of letters and the same from their ends on."""
    rng = np.random.default_rng(seed)
    texts = ["".join(rng.choice(list("abcdefgh"), rng.integers(shortest, longest + 1))) for _ in range(n)]
    return texts, [text[::-1] for text in texts]


def exact(model, X, y):
    """The share of texts that are written without a mistake."""
    return np.mean([a == b for a, b in zip(model.predict(X), y)])


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_sequence_to_sequence():
    """Turned around: 99 % of up to 20 letters exactly, and of 30 to 50 letters far more with attention than without."""
    X, y = (a + b for a, b in zip(reversals(6_000, 2, 20, 0), reversals(3_000, 30, 50, 1)))
    short, long = reversals(300, 8, 20, 2), reversals(200, 30, 50, 3)
    found = {}
    for attention in (True, False):
        model = Translator(attention=attention, max_epochs=6, **GRU).fit(X, y)
        found[attention] = exact(model, *short), exact(model, *long)
    assert found[True][0] >= 0.99, found
    assert found[True][1] >= found[False][1] + 0.1, found


def losses(net, source, before, told, rows=None):
    """The loss (n, t) of each token where the writer is handed the codes of these rows."""
    memory = net.reader(source)
    if rows is not None:
        memory = type(memory)(*(part[rows] for part in memory))
    return token_losses(net.writer(memory, before), told)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_encoder_decoder():
    """The writer uses the code (another's costs five times and more), and learns anew behind a reader that is kept."""
    X, y = reversals(3_000, 6, 6, 0)
    first, other = (
        Translator(attention=False, max_epochs=epochs, **{**GRU, "random_state": seed}).fit(X, y)
        for seed, epochs in ((0, 10), (1, 1))
    )
    source = torch.stack([torch.from_numpy(first.tokenizer_.encode(text).astype(np.int64)) for text in X])
    told = torch.stack(
        [torch.from_numpy(first.target_tokenizer_.encode(text).astype(np.int64)) for text in y]
    )
    before = torch.cat([torch.full((len(told), 1), BEGIN), told[:, :-1]], 1)
    net, writer = first.module_, other.module_.writer

    own = losses(net, source[:500], before[:500], told[:500]).mean()
    turned = losses(net, source[:500], before[:500], told[:500], torch.arange(500).roll(1)).mean()
    assert turned >= 5 * own

    net.writer, kept = writer, {k: v.clone() for k, v in net.reader.state_dict().items()}
    net.reader.requires_grad_(False)
    strange = losses(net, source[:500], before[:500], told[:500]).mean()
    optimizer = torch.optim.Adam(writer.parameters(), 3e-3)
    for rows in torch.randperm(3_000, generator=torch.Generator().manual_seed(0)).repeat(6).split(64):
        optimizer.zero_grad()
        losses(net, source[rows], before[rows], told[rows]).mean().backward()
        optimizer.step()
    assert losses(net, source[:500], before[:500], told[:500]).mean() < strange / 5
    assert all(torch.equal(kept[k], v) for k, v in net.reader.state_dict().items())
