"""Every loss against its formula in NumPy: values, slopes, kinks, limits, and what each one is lowest at."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.stats import entropy, norm
from scipy.stats import poisson as counts

from ganglion.base.errors import DataError, ParameterError
from ganglion.objectives.base import Objective
from ganglion.objectives.losses import CLASS_LOSSES, OTHER_LOSSES, VALUE_LOSSES, loss_named
from ganglion.objectives.supervised import Supervised

F = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("formulas.py"))))
N, K = 24, 3


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def numbers(rng):
    return 2 * rng.normal(size=(N, K)), 2 * rng.normal(size=(N, K))


def labels(rng):
    return 2 * rng.normal(size=(N, K)), rng.integers(0, K, N)


def mixtures(rng):
    y = rng.dirichlet(np.ones(K), N)
    y[0] = [0, 1, 0]  # 0 log 0 is 0
    return 2 * rng.normal(size=(N, K)), y


def doubled(rng):
    return rng.normal(size=(N, 2 * K)), rng.normal(size=(N, K))


def one_logit(rng):
    return 3 * rng.normal(size=(N, 1)), rng.integers(0, 2, N)


def amounts(rng):
    return rng.normal(size=(N, K)), rng.poisson(2.0, size=(N, K)).astype(float)


def sentences(rng):
    # of 4 steps and 3 symbols, blank among them: none, one, a repeat that needs a blank, several
    return rng.normal(size=(4, 4, 3)), np.array([[-1, -1], [1, -1], [2, 2], [1, 2]])


# text -> (its formula, what it is fed)
CASES = {
    "cross_entropy": (F.cross_entropy, labels),
    "cross_entropy(0.2)": (lambda z, y: F.cross_entropy(z, y, 0.2), labels),
    "cross_entropy(smoothing=0.3)": (lambda z, y: F.cross_entropy(z, y, 0.3), mixtures),
    "binary_cross_entropy": (F.binary_cross_entropy, one_logit),
    "binary_cross_entropy(0.2)": (lambda z, y: F.binary_cross_entropy(z, y, 0.2), one_logit),
    "focal": (F.focal, labels),
    "focal(0.5)": (lambda z, y: F.focal(z, y, 0.5), labels),
    "focal(0)": (F.cross_entropy, labels),
    "hinge": (F.hinge, labels),
    "squared_error": (F.squared_error, numbers),
    "mse": (F.squared_error, numbers),
    "absolute_error": (F.absolute_error, numbers),
    "mae": (F.absolute_error, numbers),
    "huber": (F.huber, numbers),
    "huber(2)": (lambda z, y: F.huber(z, y, 2), numbers),
    "quantile(0.9)": (lambda z, y: F.quantile(z, y, 0.9), numbers),
    "quantile": (F.quantile, numbers),
    "log_cosh": (F.log_cosh, numbers),
    "gaussian_nll(0)": (F.gaussian_nll, doubled),
    "poisson": (F.poisson, amounts),
    "kl": (F.kl, mixtures),
    "cosine": (F.cosine, numbers),
    "triplet": (F.triplet, labels),
    "triplet(0.3)": (lambda z, y: F.triplet(z, y, 0.3), labels),
    "info_nce": (F.info_nce, numbers),
    "info_nce(temperature=0.5)": (lambda z, y: F.info_nce(z, y, 0.5), numbers),
    "ctc": (F.ctc, sentences),
}
NAMES = CLASS_LOSSES | VALUE_LOSSES | OTHER_LOSSES


def test_no_loss_is_forgotten():
    assert {text.split("(")[0] for text in CASES} == set(NAMES)


@pytest.mark.parametrize("text", CASES)
def test_values_and_slopes(text, rng):
    """To 1e-10 in double precision; the slope by autograd, and the one written by hand, weighted too."""
    formula, feed = CASES[text]
    z, y = feed(rng)
    loss, weight = loss_named(text), rng.random(len(z))
    output, goal = torch.tensor(z, requires_grad=True), torch.tensor(y)
    values = loss.value(output, goal)
    assert values.shape == (len(z),)
    np.testing.assert_allclose(values.detach(), formula(z.astype(complex), y).real, rtol=0, atol=1e-10)
    (values * torch.tensor(weight)).sum().backward()
    wanted = F.slope(lambda moved: weight * formula(moved, y), z)
    np.testing.assert_allclose(output.grad, wanted, rtol=0, atol=1e-10)
    if loss.by_hand is None:
        assert text.split("(")[0] in OTHER_LOSSES
        return
    values, slope = loss.by_hand(torch.tensor(z), goal)
    np.testing.assert_allclose(values, formula(z.astype(complex), y).real, rtol=0, atol=1e-10)
    spread = weight.reshape(-1, *[1] * (z.ndim - 1))
    np.testing.assert_allclose(slope.numpy() * spread, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("text", CASES)
def test_gradcheck(text, rng):
    z, y = CASES[text][1](rng)
    goal = torch.tensor(y)
    assert torch.autograd.gradcheck(
        lambda output: loss_named(text).value(output, goal), torch.tensor(z, requires_grad=True)
    )


@pytest.mark.parametrize("text", [t for t in CASES if loss_named(t).by_hand])
def test_far_out_and_at_kinks_both_slopes_are_finite_and_agree(text):
    feed = CASES[text][1]
    columns = {one_logit: 1, doubled: 6}.get(feed, 3)
    z = torch.tensor([[0.0] * columns, [60.0] + [0.0] * (columns - 1), [0.0] * (columns - 1) + [60.0]])
    z = z.double().requires_grad_()
    shape = (3,) if feed in (labels, one_logit) else (3, 3)
    for number in (0, 1):
        if feed is mixtures:
            y = torch.eye(3).double()
        else:
            y = torch.full(shape, number).to(torch.int64 if len(shape) == 1 else torch.float64)
        loss = loss_named(text)
        (auto,) = torch.autograd.grad(loss.value(z, y).sum(), z)
        values, slope = loss.by_hand(z.detach(), y)
        assert torch.isfinite(values).all()
        assert torch.isfinite(slope).all()
        if text != "hinge":  # between two equal rivals any share of the slope is a subgradient
            torch.testing.assert_close(slope, auto, rtol=1e-10, atol=1e-12)


# --- each against something else that knows it --------------------------------------------------------------


def test_likelihoods_are_those_of_scipy(rng):
    z, y = doubled(rng)
    v = np.exp(z[:, K:]) + 1e-6
    found = loss_named("gaussian_nll").value(torch.tensor(z), torch.tensor(y))
    np.testing.assert_allclose(found, -norm.logpdf(y, z[:, :K], np.sqrt(v)).mean(1), atol=1e-12)
    z, y = amounts(rng)
    found = loss_named("poisson").value(torch.tensor(z), torch.tensor(y))
    np.testing.assert_allclose(found, -counts.logpmf(y, np.exp(z)).mean(1), atol=1e-12)


def test_kl_is_scipys_relative_entropy(rng):
    z, y = mixtures(rng)
    found = loss_named("kl").value(torch.tensor(z), torch.tensor(y))
    np.testing.assert_allclose(found, entropy(y, F.softmax(z), axis=1), atol=1e-12)
    same = loss_named("kl").value(torch.tensor(np.log(y[1:])), torch.tensor(y[1:]))
    np.testing.assert_allclose(same, 0, atol=1e-14)


def test_gaussian_beta_changes_the_slope_by_the_variance_and_not_the_value(rng):
    z, y = doubled(rng)
    goal, v = torch.tensor(y), np.exp(z[:, K:]) + 1e-6
    plain, scaled = loss_named("gaussian_nll(0)"), loss_named("gaussian_nll")  # 0.5
    wanted = F.slope(lambda moved: F.gaussian_nll(moved, y), z) * np.tile(np.sqrt(v), 2)
    output = torch.tensor(z, requires_grad=True)
    values = scaled.value(output, goal)
    assert torch.equal(values.detach(), plain.value(output, goal).detach())
    values.sum().backward()
    np.testing.assert_allclose(output.grad, wanted, rtol=0, atol=1e-10)
    np.testing.assert_allclose(scaled.by_hand(torch.tensor(z), goal)[1], wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("q", [0.1, 0.5, 0.9])
def test_the_pinball_loss_is_lowest_at_the_empirical_quantile(q, rng):
    y = rng.exponential(size=101)
    loss, goal = loss_named(f"quantile({q})"), torch.tensor(y)[:, None]
    means = [float(loss.value(torch.full((101, 1), c, dtype=torch.float64), goal).mean()) for c in y]
    assert y[int(np.argmin(means))] == np.quantile(y, q, method="inverted_cdf")
    start = loss.constant(y[:, None], np.ones(101))
    assert start == np.quantile(y, q, method="inverted_cdf")
    weight = rng.integers(0, 4, 101)
    repeated = np.quantile(np.repeat(y, weight), q, method="inverted_cdf")
    assert loss.constant(y[:, None], weight.astype(float)) == repeated


def test_one_logit_is_softmax_of_two(rng):
    z, y = one_logit(rng)
    one, two = loss_named("binary_cross_entropy"), loss_named("cross_entropy")
    output, goal = torch.tensor(z), torch.tensor(y)
    pair = one.answer(output)
    torch.testing.assert_close(one.value(output, goal), two.value(pair, goal), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.softmax(pair, 1)[:, 1:], output.sigmoid(), rtol=0, atol=1e-12)
    slopes = one.by_hand(output, goal)[1], two.by_hand(pair, goal)[1]
    torch.testing.assert_close(slopes[0][:, 0], slopes[1][:, 1], rtol=0, atol=1e-12)


def test_two_classes_make_the_binary_hinge(rng):
    z, y = 2 * rng.normal(size=(N, 2)), rng.integers(0, 2, N)
    found = loss_named("hinge").value(torch.tensor(z), torch.tensor(y))
    np.testing.assert_allclose(found, np.maximum(0, 1 - (2 * y - 1) * (z[:, 1] - z[:, 0])), atol=1e-14)


def test_ctc_with_outputs_of_different_lengths(rng):
    z, y = sentences(rng)
    steps = torch.tensor([4, 2, 3, 2])
    found = loss_named("ctc").value(torch.tensor(z), (torch.tensor(y), steps))
    alone = [F.ctc(z[i : i + 1, :n], y[i : i + 1])[0] for i, n in enumerate(steps.tolist())]
    np.testing.assert_allclose(found, alone, atol=1e-10)
    assert torch.isinf(
        loss_named("ctc").value(torch.tensor(z)[:, :2], torch.tensor(y))[2]
    )  # 2, blank, 2: 3 steps
    last = loss_named("ctc(2)").value(torch.tensor(z), torch.tensor(y) - 1 + (torch.tensor(y) < 0).long())
    np.testing.assert_allclose(last, F.ctc(z, np.where(y < 0, -1, y - 1), blank=2), atol=1e-10)


# --- names, coupling, refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", sorted(NAMES))
def test_only_contrasts_couple_the_batch(text, rng):
    """The loss of a row beside others and alone; the objective then says that a batch cannot be cut."""
    z, y = next(CASES[t] for t in CASES if t.split("(")[0] == text)[1](rng)
    loss = loss_named(text)
    whole = loss.value(torch.tensor(z), torch.tensor(y))
    parts = torch.cat(
        [loss.value(torch.tensor(z[i : i + 1]), torch.tensor(y[i : i + 1])) for i in range(len(z))]
    )
    assert torch.allclose(whole, parts) is not loss.couples_batch
    assert Supervised(torch.nn.Linear(2, 2), loss).couples_batch is loss.couples_batch


def test_a_row_without_friend_or_without_stranger_has_no_triplet(rng):
    z, loss = torch.tensor(rng.normal(size=(5, 2))), loss_named("triplet(100)")
    lone = loss.value(z, torch.tensor([0, 0, 0, 0, 1]))
    assert lone[4] == 0
    assert (lone[:4] > 50).all()
    assert (loss.value(z, torch.zeros(5)) == 0).all()


def test_a_network_learns_embeddings_with_a_contrast():
    """The same face as any other loss: two classes part under the triplet loss."""
    torch.manual_seed(0)
    x, y = torch.randn(60, 2), torch.arange(60) % 2
    x[:, 0] += 4.0 * y
    net = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    objective, rule = Supervised(net, loss_named("triplet(0.5)")), torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(60):
        rule.zero_grad()
        losses.append(float(Objective.gradients(objective, {"x": x, "y": y}, "train", 60)[0]) / 60)
        rule.step()
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("quantile(1.5)", "q of quantile must be a number above 0 and below 1, got 1.5"),
        ("quantile(0)", "above 0 and below 1"),
        ("quantile('a')", "got 'a'"),
        ("huber(-1)", "delta of huber must be a number above 0"),
        ("huber(True)", "got True"),
        ("focal(-1)", "gamma of focal must be a number at least 0"),
        ("cross_entropy(1)", "smoothing of cross_entropy must be a number at least 0 and below 1"),
        ("gaussian_nll(2)", "beta of gaussian_nll must be a number at least 0 and at most 1"),
        ("triplet(0)", "margin of triplet"),
        ("info_nce(0)", "temperature of info_nce"),
        ("hubber(2)", "did you mean 'huber'"),
        ("hinge(3)", "takes"),
    ],
)
def test_refusals(text, sentence):
    with pytest.raises(ParameterError, match=sentence.replace("(", r"\(")):
        loss_named(text)


def test_one_logit_for_three_classes_is_refused():
    with pytest.raises(DataError, match="tells 2 classes apart, got 3"):
        loss_named("binary_cross_entropy").units(3)
