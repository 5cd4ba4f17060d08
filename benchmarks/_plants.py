"""The planted faults and the sound runs of ``benchmarks/diagnosis.py``."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn import datasets
from torch import Tensor, nn

from ganglion.estimators.mlp import MLPClassifier, MLPRegressor

HEALTHY = 60
PARTS = ("tuning", "trial", "reporting")
DATA = ("digits", "cancer", "friedman", "blobs", "wine", "two", "diabetes")


@dataclass
class Plant:
    """One run: the finding it should give, its data and its settings."""

    kind: str
    data: str
    X: np.ndarray
    y: np.ndarray
    regression: bool
    settings: dict[str, Any] = field(default_factory=dict)

    def estimator(self, **changes: Any) -> Any:
        """A fresh estimator with the planted settings."""
        cls = MLPRegressor if self.regression else MLPClassifier
        return cls(**{**self.settings, **changes})


# --- data -------------------------------------------------------------------------------------------------


def load(name: str, seed: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """X, y and whether it is a regression."""
    rng = np.random.default_rng(seed)
    if name == "digits":
        X, y = datasets.load_digits(return_X_y=True)
        pick = rng.permutation(len(X))[:1200]
        return X[pick], y[pick], False
    if name == "cancer":
        return *datasets.load_breast_cancer(return_X_y=True), False
    if name == "wine":
        return *datasets.load_wine(return_X_y=True), False
    if name == "diabetes":
        return *datasets.load_diabetes(return_X_y=True, scaled=False), True
    if name == "friedman":
        return *datasets.make_friedman1(900, 10, noise=1.0, random_state=seed), True
    if name == "two":
        return *datasets.make_classification(900, 15, n_informative=6, flip_y=0.05, random_state=seed), False
    X, y = datasets.make_classification(
        1000, 20, n_informative=8, n_redundant=4, n_classes=3, class_sep=1.5, random_state=seed
    )
    return X, y, False


# --- modules with a fault inside --------------------------------------------------------------------------


class Overflow(nn.Module):
    """Computes something that is not finite for some inputs."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0

    def forward(self, x: Tensor) -> Tensor:
        """Log, exponential or root of what may be zero or large; or infinity after 30 training steps."""
        if self.how == "log":
            return torch.log(torch.relu(x))
        if self.how == "exp":
            return torch.exp(60.0 * x)
        if self.how == "root":
            return torch.sqrt(torch.abs(x) - x)  # above 0 the slope is infinite times 0
        self.calls += self.training
        return x / 0.0 if self.calls > 30 else x


def stack(depth: int, width: int, *, bias: float = 0.0, scale: float = 1.0, inside: str | None = None) -> Any:
    """A maker of ReLU networks ``(n_features, n_outputs) -> module`` with a fault built in."""

    def make(n_features: int, n_outputs: int) -> nn.Module:
        sizes = [n_features] + [width] * depth
        layers: list[nn.Module] = []
        for a, b in pairwise(sizes):
            linear = nn.Linear(a, b)
            with torch.no_grad():
                linear.weight.mul_(scale)
                linear.bias.add_(bias)
            layers += [linear, nn.ReLU()]
        if inside:
            layers.insert(2, Overflow(inside))
        return nn.Sequential(*layers, nn.Linear(width, n_outputs))

    return make


# --- plants -----------------------------------------------------------------------------------------------

# kind -> (data of the four variants, settings of the four variants); each part shifts the data by its number
SETTINGS: dict[str, tuple[tuple[str, ...], tuple[dict[str, Any], ...]]] = {
    "lr_too_high": (
        ("digits", "cancer", "friedman", "blobs"),
        (
            {"lr": 0.2},
            {"lr": 0.2, "hidden_layer_sizes": (32, 32)},
            {"lr": 0.3, "activation": "tanh"},
            {"lr": 2.0, "optimizer": "sgd"},
        ),
    ),
    "lr_too_low": (
        ("digits", "cancer", "friedman", "two"),
        (
            {"lr": 2e-6},
            {"lr": 2e-6, "hidden_layer_sizes": (64, 64)},
            {"lr": 1e-6, "activation": "tanh"},
            {"lr": 1e-6, "optimizer": "sgd"},
        ),
    ),
    "vanishing_gradients": (
        ("digits", "two", "friedman", "blobs"),
        tuple(
            {"activation": "sigmoid", "hidden_layer_sizes": sizes}
            for sizes in ((64,) * 8, (32,) * 6, (64,) * 10, (128,) * 6)
        ),
    ),
    "exploding_gradients": (
        ("digits", "cancer", "friedman", "blobs"),
        (
            {"init": "normal", "hidden_layer_sizes": (64,) * 4},
            {"init": "normal", "hidden_layer_sizes": (128,) * 3},
            {"init": "normal", "hidden_layer_sizes": (32,) * 6, "activation": "elu"},
            {"init": "normal", "hidden_layer_sizes": (256, 256, 256)},
        ),
    ),
    "saturated_units": (
        ("digits", "cancer", "friedman", "blobs"),
        (
            {"init": "normal", "activation": "tanh", "hidden_layer_sizes": (128, 128)},
            {"init": "normal", "activation": "sigmoid", "hidden_layer_sizes": (256, 256)},
            {"init": "normal", "activation": "tanh", "hidden_layer_sizes": (64, 64, 64)},
            {"init": "normal", "activation": "tanh", "hidden_layer_sizes": (256,) * 2, "lr": 1e-3},
        ),
    ),
    "dead_units": (
        ("digits", "cancer", "friedman", "two"),
        tuple(
            {"module": stack(d, w, bias=b)}
            for d, w, b in ((2, 64, -10), (3, 64, -4), (2, 128, -20), (1, 64, -8))
        ),
    ),
    "unscaled_inputs": (
        ("cancer", "wine", "diabetes", "blobs"),
        ({}, {"activation": "tanh"}, {"activation": "silu"}, {"activation": "sigmoid"}),
    ),
    "underfitting": (
        ("digits", "friedman", "digits", "digits"),
        (
            {"hidden_layer_sizes": (1,)},
            {"dropout": 0.95},
            {"weight_decay": 30.0},
            {"hidden_layer_sizes": (64, 1), "activation": "tanh"},
        ),
    ),
    "overfitting": (
        ("two", "blobs", "diabetes", "friedman"),
        tuple(
            {"early_stopping": False, "dropout": 0.0, "weight_decay": 0.0, "hidden_layer_sizes": sizes}
            for sizes in ((256, 256), (512, 512), (256, 256), (512,))
        ),
    ),
    "plateau": (
        ("digits", "cancer", "friedman", "blobs"),
        tuple({"init": "zeros", "activation": a} for a in ("relu", "tanh", "gelu", "silu")),
    ),
    "non_finite_step": (
        ("digits", "cancer", "friedman", "wine"),
        tuple({"module": stack(2, 64, inside=how)} for how in ("log", "exp", "root", "late")),
    ),
    "ignored_imbalance": (
        ("rare",) * 4,
        ({}, {"activation": "tanh"}, {"hidden_layer_sizes": (64,)}, {"dropout": 0.0}),
    ),
    "too_little_data": (("digits", "cancer", "diabetes", "two"), ({},) * 4),
    "suspected_leakage": (("cancer", "diabetes", "two", "blobs"), ({},) * 4),
    "no_better_than_baseline": (("two", "cancer", "friedman", "digits"), ({}, {"early_stopping": False}) * 2),
}
KINDS = tuple(SETTINGS)


def plants(part: str, only: str | None = None) -> Iterator[Plant]:
    """The 60 planted runs of a part."""
    shift = PARTS.index(part)
    for number, kind in enumerate(KINDS):
        names, settings = SETTINGS[kind]
        for i in range(4):
            seed = 1000 * (1 + shift) + 10 * number + i
            # what is too small or too stiff for one task may be right for another, so these stay with theirs
            name = names[i if kind == "underfitting" else (i + shift) % 4]
            if only in (None, kind):
                yield plant(kind, name, dict(settings[i]), i, seed)


def plant(kind: str, name: str, settings: dict[str, Any], i: int, seed: int) -> Plant:
    """One run with a fault; faults of the data are made here, the others stand in ``settings``."""
    rng = np.random.default_rng(seed)
    if name == "rare":
        X, y, regression = rare(i, seed)
    else:
        X, y, regression = load(name, seed)
    if kind == "unscaled_inputs":
        settings["preprocess"] = "none"
        if name == "blobs":
            X = X * 10.0 ** rng.uniform(-2, 4, X.shape[1])
    elif kind == "too_little_data":
        pick = rng.permutation(len(X))[: (60, 36, 70, 44)[i]]
        X, y = X[pick], y[pick]
    elif kind == "suspected_leakage":
        noise = 0.02 * y.std() * rng.normal(size=len(y)) if i % 2 else 0.0
        X = np.column_stack([X, 3.0 * y + noise])
    elif kind == "no_better_than_baseline":
        y = rng.permutation(y)
    elif kind == "overfitting":
        settings |= {"max_epochs": 150}
        y = with_noise(y, regression, rng)
    return Plant(kind, name, X, y, regression, settings | {"random_state": seed})


def rare(i: int, seed: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Two overlapping classes, 1:50, 1:30, 1:20, and one digit kept rare under noise."""
    if i == 3:
        rng = np.random.default_rng(seed)
        X, y = datasets.load_digits(return_X_y=True)
        rare_ones = (y == seed % 10).astype(int)
        keep = (rare_ones == 0) | (rng.random(len(y)) < 0.3)
        return (X + rng.normal(0, 8, X.shape))[keep], rare_ones[keep], False
    share = (0.02, 0.033, 0.05)[i]
    X, y = datasets.make_classification(
        3000, 10, n_informative=5, class_sep=0.7, weights=[1 - share], flip_y=0, random_state=seed
    )
    return X, y, False


def with_noise(y: np.ndarray, regression: bool, rng: np.random.Generator) -> np.ndarray:
    """A third of the labels drawn at random, or noise of 0.7 of the target's spread."""
    if regression:
        return y + 0.7 * y.std() * rng.normal(size=len(y))
    return np.where(rng.random(len(y)) < 0.33, rng.choice(np.unique(y), len(y)), y)


def healthy(part: str, count: int = HEALTHY) -> Iterator[Plant]:
    """Sound runs: any data, activation, size, and step sizes within the usual range."""
    for i in range(count):
        seed = 5000 + 2000 * PARTS.index(part) + i
        rng = np.random.default_rng(seed)
        name = DATA[i % len(DATA)]
        activation = ("relu", "relu", "tanh", "gelu", "silu", "leaky_relu", "elu", "sigmoid")[rng.integers(8)]
        depth = int(rng.integers(1, 3 if activation == "sigmoid" else 4))
        sgd = rng.random() < 0.2 and activation != "sigmoid"  # together they need hundreds of epochs
        settings = {
            "activation": activation,
            "hidden_layer_sizes": (int(rng.choice([32, 64, 128, 256])),) * depth,
            "optimizer": "sgd" if sgd else "adamw",
            "lr": float(10 ** (rng.uniform(-2.5, -2) if sgd else rng.uniform(-3.3, -2.3))),
            "dropout": float(rng.choice([0.0, 0.1, 0.2])),
            "schedule": str(rng.choice(["flat_cosine", "cosine", "constant"])),
            "random_state": seed,
        }
        X, y, regression = load(name, seed)
        yield Plant("healthy", name, X, y, regression, settings)
