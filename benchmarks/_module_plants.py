"""Planted faults and sound runs of networks from torch modules, for ``benchmarks/diagnosis_modules.py``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from _module_data import SHAPES, TAKES, Rows, load
from _module_nets import ARCHITECTURES, Drift, Net, Overflow, constant, scaled, shifted, sigmoids
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, r2_score

from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

PARTS = ("tuning", "reporting", "third", "fourth", "fifth", "sixth", "seventh", "eighth")


@dataclass
class Case:
    """One run to be: data, network, settings. ``judge`` gives the rows by which it is judged."""

    kind: str
    arch: str
    data: str
    seed: int
    rows: Rows
    net: Net
    settings: dict[str, Any] = field(default_factory=dict)
    curve: bool = False  # whether a learning curve belongs to the record
    judged: bool = False  # whether rows kept aside by hand judge it, as ``ganglion.fit`` does

    def estimator(self) -> Any:
        """The estimator, not fitted."""
        cls = MLPRegressor if self.rows.regression else MLPClassifier
        return cls(module=self.net, random_state=self.seed, **self.settings)

    def score(self, fitted: Any, X: NDArray | None = None) -> float:
        """R^2 or balanced accuracy on the clean rows; -1 where an answer is no number."""
        answer = fitted.predict(self.rows.X_test if X is None else X)
        if not np.isfinite(np.asarray(answer, dtype=np.float64)).all():
            return -1.0
        if self.rows.regression:
            return float(max(r2_score(self.rows.y_test, answer), -1.0))
        return float(balanced_accuracy_score(self.rows.y_test, answer))


# --- sound ones -------------------------------------------------------------------------------------------


def sound(arch: str, data: str, seed: int) -> Case:
    """A run as people write them: any usual shape, activation, optimiser, rate, batch and length."""
    rng = np.random.default_rng(seed)
    n = int(rng.choice([250, 400, 700]))
    net = NETS[arch](rng)
    net.shape, net.image = SHAPES[arch == "recurrent"].get(data, (1, 16)), data == "digits"
    net.functional = bool(rng.random() < 0.4)
    optimizer = str(rng.choice(["adamw", "adamw", "adam", "nadam", "rmsprop", "sgd", "nesterov"]))
    low, high = {"sgd": (-2.3, -1.3), "nesterov": (-2.3, -1.3), "rmsprop": (-3.5, -2.8)}.get(
        optimizer, (-3.3, -2.3)
    )
    if arch == "recurrent":  # they need a little more of both
        low, high = low + 0.5, high + 0.3
    settings = {
        "optimizer": optimizer,
        "lr": float(10 ** rng.uniform(low, high)),
        "batch_size": [16, 32, 32, 64, 64][rng.integers(5)],
        "max_epochs": int(rng.integers(12, 33)) + 10 * (arch == "recurrent"),
        "schedule": str(rng.choice(["flat_cosine", "cosine", "constant", "one_cycle", "warm_up_cosine"])),
        "weight_decay": float(rng.choice([0.0, 0.01, 0.1])) if optimizer == "adamw" else 0.0,
        "early_stopping": bool(rng.random() < 0.7),
        "clip_norm": [None, None, 1.0, 5.0][rng.integers(4)],
        "validation_fraction": float(rng.choice([0.1, 0.15, 0.2])),
    }
    return Case("healthy", arch, data, seed, load(data, n, rng), net, settings)


def _dense(rng: np.random.Generator) -> Net:
    activation = str(rng.choice(["relu", "relu", "tanh", "gelu", "silu", "leaky_relu", "elu", "sigmoid"]))
    depth = int(rng.integers(1, 3 if activation == "sigmoid" else 4))
    return Net(
        "dense", int(rng.choice([24, 48, 96, 192])), depth, activation,
        norm=str(rng.choice(["none", "none", "batch", "layer"])), dropout=float(rng.choice([0, 0, 0.1, 0.3])),
    )  # fmt: skip


def _deep(rng: np.random.Generator) -> Net:
    activation = str(rng.choice(["relu", "relu", "tanh", "gelu", "silu", "elu"]))
    norm = str(rng.choice(["none", "batch", "layer"]))
    he = norm == "none" or rng.random() < 0.5
    return Net("deep", int(rng.choice([32, 64, 96])), int(rng.integers(5, 11)), activation, norm=norm, he=he)


def _conv(rng: np.random.Generator) -> Net:
    return Net(
        "conv", int(rng.choice([8, 16, 24])), int(rng.integers(1, 4)),
        str(rng.choice(["relu", "relu", "gelu", "tanh", "silu"])), norm=str(rng.choice(["none", "none", "batch"])),
        dropout=float(rng.choice([0, 0, 0.2])),
    )  # fmt: skip


def _recurrent(rng: np.random.Generator) -> Net:
    cell = str(rng.choice(["LSTM", "GRU", "GRU", "RNN"]))
    return Net(
        "recurrent", int(rng.choice([24, 32, 64])), int(rng.integers(1, 3)), str(rng.choice(["relu", "tanh"])),
        norm=str(rng.choice(["none", "layer"])), cell=cell, dropout=float(rng.choice([0, 0, 0.1])),
    )  # fmt: skip


def _residual(rng: np.random.Generator) -> Net:
    activation = str(rng.choice(["relu", "relu", "gelu", "silu", "tanh"]))
    norm = str(rng.choice(["none", "batch", "layer", "layer"]))
    return Net("residual", int(rng.choice([32, 64, 96])), int(rng.integers(2, 7)), activation, norm=norm)


NETS: dict[str, Callable[[np.random.Generator], Net]] = {
    "dense": _dense, "deep": _deep, "conv": _conv, "recurrent": _recurrent, "residual": _residual,
}  # fmt: skip

# --- faults -----------------------------------------------------------------------------------------------
# each takes a sound case (changed in place or replaced) and a generator


def _change(case: Case, net: dict[str, Any] | None = None, **settings: Any) -> Case:
    return replace(case, net=replace(case.net, **(net or {})), settings={**case.settings, **settings})


def _with(case: Case, **rows: Any) -> Case:
    return replace(case, rows=replace(case.rows, **rows))


def unscaled_inputs(case: Case, rng: np.random.Generator) -> Case:
    """Columns in odd units, far from 0, or all far too small or large, and nothing that scales them."""
    d = case.rows.X.shape[1]
    how = rng.integers(3)
    factor = 10 ** rng.uniform(0, 3.5, d) if how == 0 else np.full(d, 10 ** rng.uniform(2, 3.5))
    shift = 10 ** rng.uniform(2.5, 3.5) if how == 1 else 0.0
    if how == 2 and rng.random() < 0.5:
        factor = np.full(d, 1e-4)
    rows = {k: (getattr(case.rows, k) * factor + shift) for k in ("X", "X_test")}
    return _change(_with(case, **rows), preprocess="none")


def suspected_leakage(case: Case, rng: np.random.Generator) -> Case:
    """One column is the target in another unit, with a little noise; on new rows it says nothing."""
    X, y = case.rows.X.copy(), case.rows.y
    at = int(rng.integers(X.shape[1]))
    X[:, at] = 3.0 * y + float(rng.choice([0.0, 0.02])) * y.std() * rng.normal(size=len(y))
    X_test = case.rows.X_test.copy()
    X_test[:, at] = rng.permutation(np.resize(X[:, at], len(X_test)))
    return _with(case, X=X, X_test=X_test)


def too_little_data(case: Case, rng: np.random.Generator) -> Case:
    """A few dozen rows."""
    n = int(rng.integers(20, 50))
    return _with(case, X=case.rows.X[:n], y=case.rows.y[:n])


def ignored_imbalance(case: Case, rng: np.random.Generator) -> Case:
    """One class is rare among the rows to learn from, and its rows are blurred."""
    rows = case.rows
    rare = int(rng.integers(rows.y.max() + 1))
    y, y_test = (rows.y == rare).astype(int), (rows.y_test == rare).astype(int)
    blur = float(rng.uniform(1.0, 2.0)) * rows.X.std(0)
    X, X_test = (A + blur * rng.normal(size=A.shape) for A in (rows.X, rows.X_test))
    rare_rows = np.flatnonzero(y)[: max(8, int((y == 0).sum() * rng.uniform(0.03, 0.07)))]
    keep = np.sort(np.concatenate([np.flatnonzero(y == 0), rare_rows]))
    return _with(case, X=X[keep], y=y[keep], X_test=X_test, y_test=y_test)


def non_finite_step(case: Case, rng: np.random.Generator) -> Case:
    """A layer that computes a log, an exponential, a root or a quotient without a guard."""
    how = str(rng.choice(["log", "exp", "root", "late"]))
    return _change(case, {"inside": lambda width: Overflow(how)})


def exploding_gradients(case: Case, rng: np.random.Generator) -> Case:
    """Weights several times too large in layers without a bound or a norm."""
    depth = max(case.net.depth, 3 if case.arch in ("dense", "conv") else 1)
    low, high = {"deep": (3, 6), "residual": (3, 6), "recurrent": (5, 9)}.get(case.arch, (8, 16))
    factor = float(rng.uniform(low, high))
    activation = str(rng.choice(["relu", "leaky_relu", "elu"])) if case.arch != "recurrent" else "relu"
    change = {
        "norm": "none",
        "activation": activation,
        "depth": depth,
        "damage": scaled(factor),
        "cell": "RNN",
    }
    return _change(case, change, clip_norm=None)


def vanishing_gradients(case: Case, rng: np.random.Generator) -> Case:
    """Many sigmoid layers, or weights far too small in many layers."""
    arch, depth = case.arch, int(rng.integers(8, 14))
    if arch == "recurrent":
        return _change(case, {"inside": sigmoids(int(rng.integers(6, 10)))})
    change: dict[str, Any] = {"norm": "none", "he": False, "skip": 0.0}
    change["depth"] = int(rng.integers(6, 9)) if arch == "conv" else depth
    if rng.random() < 0.4:
        return _change(case, change | {"damage": scaled(float(rng.uniform(0.1, 0.4)))})
    return _change(case, change | {"activation": "sigmoid"})


def dead_units(case: Case, rng: np.random.Generator) -> Case:
    """Rectified layers whose biases keep them off."""
    change = {
        "activation": "relu",
        "cell": "RNN",
        "norm": "none",
        "damage": shifted(-float(rng.uniform(6, 30))),
    }
    return _change(case, change)


def saturated_units(case: Case, rng: np.random.Generator) -> Case:
    """Bounded units with weights far too large."""
    activation = "tanh" if case.arch == "recurrent" else str(rng.choice(["tanh", "sigmoid"]))
    cell = str(rng.choice(["RNN", "LSTM", "GRU"]))
    change = {
        "activation": activation,
        "norm": "none",
        "cell": cell,
        "damage": scaled(float(rng.uniform(25, 80))),
    }
    return _change(case, change)


def lr_too_high(case: Case, rng: np.random.Generator) -> Case:
    """Thirty to three hundred times the usual rate."""
    optimizer = case.settings["optimizer"]
    lr = 10 ** rng.uniform(-0.3, 0.6) if optimizer in ("sgd", "nesterov") else 10 ** rng.uniform(-1.2, -0.3)
    return _change(case, lr=float(lr), clip_norm=None, schedule="constant", batch_size=32)


def lr_too_low(case: Case, rng: np.random.Generator) -> Case:
    """A thousandth of the usual rate and less."""
    optimizer = case.settings["optimizer"]
    lr = 10 ** rng.uniform(-6, -4.7) if optimizer in ("sgd", "nesterov") else 10 ** rng.uniform(-7, -5.7)
    return _change(case, lr=float(lr), batch_size=32)


def plateau(case: Case, rng: np.random.Generator) -> Case:
    """All weights zero, so that all units stay alike and next to nothing comes back."""
    return _change(case, {"damage": constant(0.0), "norm": "none"})


def overfitting(case: Case, rng: np.random.Generator) -> Case:
    """A wide network, few noisy rows, no brake, many passes."""
    rows, n = case.rows, int(rng.integers(160, 251))
    X = rows.X[:n] + float(rng.uniform(0.5, 1.0)) * rows.X.std(0) * rng.normal(size=rows.X[:n].shape)
    y = rows.y[:n]
    if rows.regression:
        y = y + float(rng.uniform(0.4, 0.8)) * y.std() * rng.normal(size=n)
    else:
        y = np.where(rng.random(n) < 0.15, rng.choice(np.unique(y), n), y)
    change = {"width": min(4 * case.net.width, 256 if case.arch != "conv" else 48), "dropout": 0.0}
    brakes = {"early_stopping": False, "weight_decay": 0.0, "max_epochs": 80, "validation_fraction": 0.0}
    rate = {"optimizer": "adamw", "lr": 1e-3, "batch_size": 32}
    return replace(_change(_with(case, X=X, y=y), change, **brakes, **rate), judged=True)


def underfitting(case: Case, rng: np.random.Generator) -> Case:
    """One unit in a layer, nine tenths dropped, a strong penalty, or an end after an epoch or two."""
    how = rng.integers(4)
    if how == 0:
        return _change(case, {"bottleneck": 1, "activation": "none", "he": True})
    if how == 1:
        return _change(
            case, {"dropout": 0.97}, optimizer="adamw", lr=1e-3
        )  # plain descent would be thrown off
    if how == 2:
        return _change(case, optimizer="adamw", lr=2e-3, weight_decay=float(rng.uniform(30, 100)))
    return _change(case, max_epochs=int(rng.integers(1, 3)), batch_size=64)


def no_better_than_baseline(case: Case, rng: np.random.Generator) -> Case:
    """Rows and targets do not belong together."""
    return _with(case, y=rng.permutation(case.rows.y))


def high_bias(case: Case, rng: np.random.Generator) -> Case:
    """Too stiff a network at any number of rows: linear (its pooling and cell too), with one unit at its end."""
    rows = load(case.data, 1200, np.random.default_rng(case.seed + 1))
    change = {"bottleneck": 1, "activation": "none", "norm": "none", "he": True}
    return replace(_change(replace(case, rows=rows), change, max_epochs=15, batch_size=32), curve=True)


def high_variance(case: Case, rng: np.random.Generator) -> Case:
    """Too free a network for so few noisy rows; more rows would help."""
    return replace(overfitting(case, rng), curve=True, judged=False)


def ill_conditioned(case: Case, rng: np.random.Generator) -> Case:
    """A common part in all columns that is a hundred times what tells the target, and plain descent."""
    X, X_test = case.rows.X, case.rows.X_test
    mean, std = X.mean(0), X.std(0) + 1e-6
    size = float(rng.uniform(0.01, 0.05))
    common = rng.normal(size=X.shape[1])
    common /= np.abs(common).mean()

    def mixed(A: NDArray) -> NDArray:
        own = np.random.default_rng(case.seed).normal(size=len(A))[:, None]
        return size * (A - mean) / std + own * common

    return _change(
        _with(case, X=mixed(X), X_test=mixed(X_test)),
        {"norm": "none", "he": case.arch != "residual"},
        preprocess="none",
        optimizer="sgd",
        lr=0.01,
    )


def batch_too_small(case: Case, rng: np.random.Generator) -> Case:
    """One or two rows per step at a rate that suits dozens."""
    size = 2 if case.net.norm == "batch" else int(rng.integers(1, 3))
    n = min(len(case.rows.X), 300)
    return _change(
        _with(case, X=case.rows.X[:n], y=case.rows.y[:n]), batch_size=size, max_epochs=10, clip_norm=None
    )


def batch_too_large(case: Case, rng: np.random.Generator) -> Case:
    """All rows in a step, as many epochs as with small ones."""
    return _change(case, batch_size="full", max_epochs=int(rng.integers(8, 16)))


def internal_shift(case: Case, rng: np.random.Generator) -> Case:
    """What a layer sees moves on with every step, or the kept statistics lag behind."""
    if case.arch in ("dense", "deep", "residual", "conv") and rng.random() < 0.4:
        return _change(case, {"norm": "batch", "norm_momentum": float(rng.choice([1e-4, 1e-3]))})
    how = str(rng.choice(["stretch", "move"]))
    steps = case.settings["max_epochs"] * len(case.rows.X) / 32
    rate = float(rng.uniform(3.0, 6.0) / steps) if how == "stretch" else float(rng.uniform(20, 60) / steps)
    return _change(
        case,
        {"inside": lambda width: Drift(how, rate), "norm": "none", "he": case.arch != "residual"},
        batch_size=32,
    )


def label_noise(case: Case, rng: np.random.Generator) -> Case:
    """Three to four tenths of the labels drawn among the other classes; or gross errors in a fifth of the numbers."""
    y = case.rows.y.copy()
    if case.rows.regression:
        wrong = rng.random(len(y)) < rng.uniform(0.15, 0.25)
        y[wrong] += rng.choice([-1, 1], wrong.sum()) * rng.uniform(5, 10, wrong.sum()) * y.std()
    else:
        k = int(y.max()) + 1
        wrong = rng.random(len(y)) < rng.uniform(0.3, 0.4) * (0.8 if k == 2 else 1.0)
        y[wrong] = (y[wrong] + rng.integers(1, k, wrong.sum())) % k
    return _with(case, y=y)


CLASSES = ("digits", "waves", "table")
# fault -> (what it does, data it needs or None for all)
FAULTS: dict[str, tuple[Callable[[Case, np.random.Generator], Case], tuple[str, ...] | None]] = {
    "unscaled_inputs": (unscaled_inputs, None),
    "suspected_leakage": (suspected_leakage, None),
    "too_little_data": (too_little_data, None),
    "ignored_imbalance": (ignored_imbalance, ("digits", "waves", "table")),
    "non_finite_step": (non_finite_step, None),
    "exploding_gradients": (exploding_gradients, None),
    "vanishing_gradients": (vanishing_gradients, None),
    "dead_units": (dead_units, None),
    "saturated_units": (saturated_units, None),
    "lr_too_high": (lr_too_high, None),
    "lr_too_low": (lr_too_low, None),
    "plateau": (plateau, None),
    "overfitting": (overfitting, ("forecast", "friedman", "table")),
    "underfitting": (underfitting, None),
    "no_better_than_baseline": (no_better_than_baseline, None),
    "high_bias": (high_bias, ("digits", "waves", "friedman")),
    "high_variance": (high_variance, ("forecast", "friedman", "table")),
    "ill_conditioned": (ill_conditioned, None),
    "batch_too_small": (batch_too_small, None),
    "batch_too_large": (batch_too_large, None),
    "internal_shift": (internal_shift, None),
    "label_noise": (label_noise, None),
}
PER_PART = 100


def possible(kind: str, arch: str) -> list[str]:
    """The data sets that an architecture can take and a fault can be planted in."""
    only = FAULTS[kind][1]
    return [d for d in TAKES[arch] if only is None or d in only]


def slots(part: str) -> Iterator[tuple[str, str, str, int]]:
    """(fault, architecture, data, seed) of the 100 planted runs of a part."""
    shift, names = PARTS.index(part), list(FAULTS)
    pairs = [(kind, arch) for arch in ARCHITECTURES for kind in names]  # 110
    rng = np.random.default_rng(77 + shift)
    drop = set(rng.permutation(len(pairs))[: len(pairs) - PER_PART].tolist())
    for i, (kind, arch) in enumerate(pairs):  # the draw comes first, so that it is the same for a single kind
        if i not in drop:
            yield kind, arch, str(rng.choice(possible(kind, arch))), 1_000_000 * (1 + shift) + 1000 * i
