"""The captioner's pass over words against NumPy by its formulas, and what hard attention takes."""

import numpy as np
import pytest
import torch

from ganglion.models.captioner import END, CaptionNet

WORDS = torch.tensor([[3, 4, 2, END], [2, END, -1, -1]])


def net(**settings):
    torch.manual_seed(0)
    shape = {"widths": (5,), "units": 6, "norm": None, **settings}
    return CaptionNet((1, 6, 8), 5, **shape).double().eval()


@pytest.fixture
def pictures():
    return torch.rand(2, 1, 6, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def by_formula(model, features, words):
    """Logits and weights of one caption, word by word."""
    w = {k: v.detach().numpy() for k, v in model.state_dict().items()}
    maps = features - w["places"]
    start = np.tanh(w["start.weight"] @ np.r_[maps.mean(0), maps.max(0)] + w["start.bias"])
    h, c = np.split(start, 2)
    before, logits, alphas = model.n_words, [], []
    for word in words:
        y = w["words.weight"][before]
        keys = features @ w["keys.weight"].T + w["keys.bias"]
        odds = np.tanh(keys + w["attention.query.weight"] @ h) @ w["attention.energy.weight"][0]
        alpha = np.exp(odds) / np.exp(odds).sum()
        taken = np.eye(len(alpha))[alpha.argmax()] if model.hard else alpha
        z = taken @ features
        gates = (
            w["cell.weight_ih"] @ np.r_[y, z]
            + w["cell.bias_ih"]
            + w["cell.weight_hh"] @ h
            + w["cell.bias_hh"]
        )
        i, f, g, o = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        deep = np.tanh(y + w["deep.weight"] @ np.r_[h, z] + w["deep.bias"])
        logits.append(w["output.weight"] @ deep + w["output.bias"])
        alphas.append(alpha)
        before = word
    return np.array(logits), np.array(alphas)


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_a_pass_over_words_is_the_formula(attention, pictures):
    model = net(attention=attention)
    memory = model.look(pictures)
    told = model.tell(memory, WORDS)
    for row, words in enumerate(WORDS.tolist()):
        size = sum(word >= 0 for word in words)
        logits, alphas = by_formula(model, memory.features[row].detach().numpy(), words[:size])
        # the weights pass through single precision, as under autocast
        assert np.allclose(told.logits[row, :size].detach(), logits, atol=1e-6)
        assert np.allclose(told.weights[row, :size].detach(), alphas, atol=1e-6)


@pytest.mark.parametrize("attention", ["soft", "hard"])
def test_search_says_what_the_pass_finds_probable(attention, pictures):
    model = net(attention=attention)
    memory = model.look(pictures)
    words, log_p = model.search(memory, steps=5, beam=4)
    logits = model.tell(memory, words).logits.detach().clone()
    logits[..., 1] = -torch.inf  # the unknown word is not said
    each = logits.log_softmax(2).gather(2, words.clamp(min=0)[..., None]).squeeze(2)
    assert torch.allclose((each * (words >= 0)).sum(1), log_p.double(), atol=1e-5)
    assert not (words == 1).any()


def test_the_whole_says_what_is_there_and_how_much_of_it_but_not_where():
    """A spot here, the same one there, and both: one maximum in all three, and a mean that has moved twice as far."""
    model, spots = net(kernel=1, convolutions=1), torch.zeros(4, 1, 6, 8, dtype=torch.float64)
    spots[1, 0, 0, 0] = spots[2, 0, 4, 6] = spots[3, 0, 0, 0] = spots[3, 0, 4, 6] = 1.0
    mean, most = model.look(spots).whole.chunk(2, 1)
    assert torch.allclose(most[1:], most[1].expand(3, -1), atol=1e-12)
    assert not torch.allclose(most[0], most[1], atol=1e-3)
    assert torch.allclose(mean[1], mean[2], atol=1e-12)
    assert torch.allclose(mean[3] - mean[0], 2 * (mean[1] - mean[0]), atol=1e-12)
    assert not torch.allclose(mean[3], mean[1], atol=1e-4)


def test_hard_attention_draws_by_its_weights():
    model = net(attention="hard").train()
    weights = torch.tensor([0.1, 0.6, 0.3]).expand(20_000, 3)
    features = torch.eye(3).expand(20_000, 3, 3)
    torch.manual_seed(0)
    seen, drawn = model.take(weights, features, torch.zeros(20_000, 1, dtype=torch.bool))
    assert ((seen == 0) | (seen == 1)).all()
    assert (seen.sum(1) == 1).all()
    assert np.allclose(seen.mean(0), weights[0], atol=4 * 0.5 / 20_000**0.5)
    assert torch.allclose(drawn.exp(), (seen * weights).sum(1))
    seen, drawn = model.take(weights, features, torch.ones(20_000, 1, dtype=torch.bool))
    assert torch.allclose(seen, weights)
    assert (drawn == 0).all()


def test_half_of_the_captions_take_the_mean_in_training(pictures):
    model = net(attention="hard").train()
    torch.manual_seed(0)
    memory = model.look(pictures[:1].expand(400, -1, -1, -1))
    drawn = model.tell(memory, WORDS[:1].expand(400, -1)).drawn
    by_mean = (drawn == 0).all(1)
    assert 160 < by_mean.sum() < 240
    assert (drawn[~by_mean] < 0).all()
    assert (model.eval().tell(memory, WORDS[:1].expand(400, -1)).drawn == 0).all()
