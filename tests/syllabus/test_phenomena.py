"""What goes wrong in training, made on purpose: the verdict names it, and it goes away with its remedy."""

import re

import numpy as np
import pytest
import torch
from torch import nn

import ganglion
from ganglion import MLPClassifier, TrainingRecord
from ganglion.data.batches import ResidentBatches
from ganglion.diagnose import diagnose
from ganglion.evaluate import baselines
from ganglion.metrics.tasks import fit_scores
from ganglion.nn.dense import DenseStack
from ganglion.objectives.losses import loss_named
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.clip import Clip
from ganglion.train.loop import fit

SLOPES = {
    "he relu": ("relu", 2**0.5),
    "too large": ("relu", 2.0),
    "sigmoid": ("sigmoid", 1.0),
    "tanh": ("tanh", 1.0),
}


def thirty_layers(kind: str) -> DenseStack:
    """30 layers of 256 units whose weights have a standard deviation of c / sqrt(n)."""
    activation, c = SLOPES[kind]
    stack = DenseStack([64, *[256] * 29, 10], activation)
    for linear in stack.linears:
        nn.init.normal_(linear.weight, 0.0, c * linear.in_features**-0.5)
        nn.init.zeros_(linear.bias)
    return stack


def watched(module: nn.Module, digits) -> tuple[float, list[str]]:
    """First layer's gradient over the last one's at the first look, and the names of the findings."""
    X, _, y, _ = digits
    net = MLPClassifier(module=module, preprocess="none", max_epochs=2, lr=1e-5, batch_size=64)
    net.fit(X[:400], y[:400])
    norms = [row["grad_norm"] for row in net.record_.layers if row["step"] == net.record_.layers[0]["step"]]
    return norms[0] / norms[-1], [f.name for f in net.diagnosis_]


class Normed(nn.Sequential):
    """Sigmoid layers with batch normalisation before each."""

    def __init__(self, stack: DenseStack) -> None:
        *hidden, last = stack.linears
        super().__init__(*(m for h in hidden for m in (h, nn.BatchNorm1d(256), nn.Sigmoid())), last)


class Skipping(nn.Module):
    """Sigmoid layers whose input is added to their output."""

    def __init__(self, stack: DenseStack) -> None:
        super().__init__()
        self.linears = stack.linears

    def forward(self, x):
        x = self.linears[0](x)
        for linear in self.linears[1:-1]:
            x = x + torch.sigmoid(linear(x))
        return self.linears[-1](x)


def through_time(cell: str) -> float:
    """Gradient at the first of 30 time steps over that at the last, for the last output."""
    net = getattr(nn, cell)(8, 64, batch_first=True)
    if cell == "LSTM":
        net.bias_hh_l0.data[64:128] = 3.0  # the usual open forget gate
    x = torch.randn(16, 30, 8, requires_grad=True)
    slope = torch.autograd.grad(net(x)[0][:, -1].sum(), x)[0]
    return float(slope[:, 0].norm() / slope[:, -1].norm())


def test_vanishing_gradient(digits):
    """30 sigmoid layers are flagged and their ReLU twin with He's start is not; every listed remedy gains 1,000 times.

    The remedies beyond activation and start are written here from torch's parts: batch normalisation, residual
    links, and for time steps an LSTM in place of a plain recurrent cell (which mitigates, and prevents nothing).
    """
    ratio, names = watched(thirty_layers("sigmoid"), digits)
    assert ratio < 1e-10
    assert names[0] == "vanishing_gradients"
    healthy, names = watched(thirty_layers("he relu"), digits)
    assert 0.1 < healthy < 10
    assert "vanishing_gradients" not in names
    for cure in (thirty_layers("tanh"), Normed(thirty_layers("sigmoid")), Skipping(thirty_layers("sigmoid"))):
        assert watched(cure, digits)[0] > 1e3 * ratio
    assert through_time("LSTM") > 1e3 * through_time("RNN")


class Recurrent(nn.Module):
    """A plain leaky recurrence over 40 steps, with weights that let the signal grow."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.again, self.out = nn.Linear(2, 32), nn.Linear(32, 32), nn.Linear(32, 1)
        nn.init.orthogonal_(self.again.weight, 1.5)

    def forward(self, x):
        h = torch.zeros(len(x), 32)
        for t in range(x.shape[1]):
            h = nn.functional.leaky_relu(self.enter(x[:, t]) + self.again(h), 0.3)
        return self.out(h)


def test_exploding_gradient(digits):
    """Weights of 2 / sqrt(n) are flagged; a recurrent network meets infinity within 200 steps, clipped it learns."""
    module = thirty_layers("too large")
    x = torch.randn(64, 64, requires_grad=True)
    out = module(x)
    slope = torch.randn_like(out)
    assert torch.autograd.grad(out, x, slope)[0].norm() / slope.norm() > 1e3
    assert watched(module, digits)[1][0] == "exploding_gradients"
    assert "exploding_gradients" not in watched(thirty_layers("he relu"), digits)[1]

    x = torch.randn(128, 40, 2)
    batches = ResidentBatches({"x": x, "y": x[:, -1].sum(1, keepdim=True)}, 32)
    runs = {}
    for clip in (Clip(), Clip(norm=0.1)):
        torch.manual_seed(0)
        model = Recurrent()
        rule = {"train": make_optimizer("sgd", model, 0.1, momentum=0.0)}
        runs[clip.norm] = fit(
            Supervised(model, loss_named("squared_error")), batches, optimizers=rule, max_steps=200, clip=clip
        )
    assert runs[None].stopped == "non_finite"
    assert runs[0.1].step == 200
    assert runs[0.1].history[-1]["loss"] < 0.5 * runs[0.1].history[0]["loss"]


def test_overfitting(digits):
    """Digits with random labels, learned by heart (99 % of the training rows, 10 % of the others), are flagged.

    In a loop of one's own that keeps the last weights; an estimator keeps the best ones, and does not get there.
    Where the record also knows the dummy's score, the verdict says what lies behind: nothing to be learned.
    """
    X, X_held, y, y_held = (torch.as_tensor(part) for part in digits)
    X, X_held, y = X[:500].float(), X_held.float(), y[torch.randperm(len(y))[:500]]
    model = DenseStack([64, 256, 10], "relu")

    @torch.no_grad()
    def validate() -> dict[str, float]:
        out = model(X_held)
        hits = (out.argmax(1) == y_held).float().mean()
        return {"val_loss": float(nn.functional.cross_entropy(out, y_held)), "val_score": float(hits)}

    rule = {"train": make_optimizer("adam", model, 3e-3)}
    batches = ResidentBatches({"x": X, "y": y}, 64)
    run = fit(
        Supervised(model, loss_named("cross_entropy")),
        batches,
        optimizers=rule,
        epochs=160,
        validate=validate,
    )
    with torch.no_grad():
        scores = {
            part: fit_scores(goal.numpy(), model(x).argmax(1).numpy(), classes=10)
            for part, x, goal in (("train", X, y), ("validation", X_held, y_held))
        }
    assert scores["train"]["accuracy"] >= 0.99
    assert scores["validation"]["accuracy"] == pytest.approx(0.1, abs=0.05)
    record = TrainingRecord(task="multiclass", history=run.history, scores=scores)
    record.data = {"n_train": len(X), "n_validation": len(X_held), "n_columns": 64}
    assert diagnose(record)[0].name == "overfitting"
    record.baselines = {"dummy": {"score": 0.1, "balanced_accuracy": 0.1}}
    assert diagnose(record)[0].name == "no_better_than_baseline"

    sound = MLPClassifier(hidden_layer_sizes=(64,), max_epochs=40).fit(digits[0], digits[2])
    assert "overfitting" not in [f.name for f in sound.diagnosis_]
    assert sound.score(digits[0], digits[2]) - sound.score(digits[1], digits[3]) <= 0.04


def test_underfitting(rng):
    """Logistic regression on XOR is flagged beside boosted trees; with hidden units the finding is gone."""
    X = rng.uniform(-1, 1, (600, 2))
    y = ((X[:, 0] > 0) ^ (X[:, 1] > 0)).astype(int)
    verdicts = {}
    for hidden in ((), (32,)):
        net = MLPClassifier(hidden_layer_sizes=hidden, bins=0, max_epochs=80, init="glorot").fit(X, y)
        train, held = net._split(y, net.validation_fraction, 0)
        others = baselines(X[train], y[train], X[held], y[held], "binary")
        net.record_.baselines |= {name: b.scores for name, b in others.items()}
        verdicts[hidden] = [f.name for f in diagnose(net.record_)]
        if not hidden:
            assert net.score(X[train], y[train]) <= 0.75
    assert verdicts[()][0] == "underfitting"
    assert verdicts[(32,)] == ["healthy"]


def test_class_imbalance(rng, tmp_path):
    """At 3 % rare rows the report shows 97 % right answers, not one rare row found, and warns."""
    pandas = pytest.importorskip("pandas")
    X, rare = rng.normal(size=(4000, 2)), rng.random(4000) < 0.03
    X[rare] += 1.0
    frame = pandas.DataFrame(X, columns=["a", "b"]).assign(kind=np.where(rare, "rare", "common"))
    result = ganglion.fit(frame, target="kind", max_epochs=4, hidden_layer_sizes=16, random_state=0)
    assert result.scores["accuracy"] == pytest.approx(0.97, abs=0.005)
    finding = result.diagnosis[0]
    assert (finding.name, finding.severity, finding.where) == ("ignored_imbalance", "warning", "class rare")
    result.report(tmp_path / "page.html")
    page = re.sub(r"<(style|svg).*?</\1>", "", (tmp_path / "page.html").read_text(), flags=re.DOTALL)
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "Ignored imbalance" in words
    assert "97.0%" in words
    recall = re.search(r" rare \d+ \d+ (\d+\.\d)%", words)
    assert recall
    assert float(recall.group(1)) < 10
