"""Model files that are sound as files and absurd as models: what a stranger could write with our own writer.

``variants(path, seed, count)`` takes a real model file apart and yields ``(what was done, parts)``; the parts
go to ``write_model``.
"""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ganglion.base.files import read_model

Parts = dict[str, Any]
Rng = np.random.Generator
PARTS = ("config", "card", "preprocess", "arrays", "weights")

LEAVES: list[Any] = [
    None, True, 0, -1, 1, 2, 7, 10**6, 10**9, 10**18, 2**63, -(10**30), 0.5, -0.5, 1e308, float("nan"), float("inf"),
    "", "x", "os.system", "../../etc/passwd", "__import__('os').system('true')", "a" * 10_000, "\x1b[2J", "\u202e",
    [], [[]], [1, 2, 3], ["a"], [None] * 1000, {}, {"a": 1}, {"array": [1, 2], "dtype": "object"},
    {"array": [], "dtype": "float64"}, {"array": [[1], [2, 3]], "dtype": "int64"}, {"array": [1], "dtype": "int99"},
    {"array": ["x"], "dtype": "float64"}, {"tuple": [10**9]}, {"tuple": []}, {"tuple": "abc"}, {"pairs": [[1, 2]]},
    {"pairs": [[[1], 2]]}, {"pairs": 3}, {"array": [10**30], "dtype": "int64"}, {"array": 3, "dtype": "str"},
]  # fmt: skip

WIDTHS: list[Any] = [
    {"tuple": [10**9]}, {"tuple": [10**9] * 50}, {"tuple": [8] * 100_000}, {"tuple": [-5]}, {"tuple": [0]}, 10**12,
    -3, 0,
    {"tuple": [8, 8]}, {"tuple": [9]}, {"tuple": ["8"]}, {"tuple": [8.5]}, [8], "8", None, True, {"tuple": [[8]]},
]  # fmt: skip
NAMED: dict[str, list[Any]] = {
    "activation": ["maxout(1000000000)", "maxout(2)", "prelu", "threshold", "relu(" * 5000, "elu(__import__('os'))",
                   "leaky_relu(9e999)", "leaky_relu(*[1])", "maxout(pieces=True)", "swish", "softmax()", "RELU"],
    "norm": ["batch", "layer", "instance", "group(1000000000)", "group(0)", "group(1)", "rms", "weight", "spectral"],
    "init": ["zero_residual", "lsuv", "sparse(1)", "orthogonal(1e308)", "normal(0)", "zeros"],
    "residual": [True, 1, "yes"], "dropout_kind": ["alpha", "spatial", 3], "drop_path": [0.5, 1.0, -1],
    "optimizer": ["a" * 10**6, "sam(" * 1000, "sam(base='sam(base=1)')", "muon(rounds=1000000000)", "adam(amsgrad=7)"],
    "schedule": ["step(0)", "warm_up(then='warm_up(2)')", "s" * 10**6], "average": ["ema(2)", "swa(start='x')"],
    "loss": ["huber", "focal(1e999)", "quantile(nan)", "binary_cross_entropy", "hinge", "gaussian_nll(9)"],
    "interactions": ["products(0)", "chosen('x * x')", "squares", None],
    "select": ["l1(0)", "l1(penalty=0)", "q" * 10**6],
    "noise": [1e308, -1, float("nan")], "max_norm": [1e-300, 0, float("inf")], "activity": [1e308, -1],
}  # fmt: skip
ESTIMATORS = [
    "os.system", "sklearn.svm.SVC", "builtins.eval", "ganglion.estimators.mlp.MLPClassifier", "MLPClassifier ",
    "MLPRegressor", "Perceptron", "DenseNetwork", "", "x" * 100_000, "torch.nn.Linear", "subprocess",
    "__class__", "../x",
]  # fmt: skip
CLASSES: list[Any] = [
    {"array": [], "dtype": "object"}, {"array": ["a"], "dtype": "object"}, {"array": ["a", "a"], "dtype": "object"},
    {"array": ["a", "b", "c"], "dtype": "object"}, {"array": [f"c{i}" for i in range(100_000)], "dtype": "object"},
    {"array": [[1, 2]], "dtype": "int64"}, {"array": ["=1+1", "\x1b[2J"], "dtype": "object"},
    {"array": [1, 1], "dtype": "int64"}, {"array": [0.5, float("nan")], "dtype": "float64"},
    {"array": [None, None], "dtype": "object"}, ["no", "yes"], "no", None, 2,
    {"array": [[["x"]], "y"], "dtype": "object"}, {"pairs": [["no", 0], ["yes", 1]]}, {"array": "no", "dtype": "str"},
]  # fmt: skip
LEARNED: dict[str, list[Any]] = {
    "n_features_in_": [0, -1, 10**12, 1, 3, None, "2", 2.5, True],
    "feature_names_in_": [None, [], ["x"], {"array": ["x"], "dtype": "object"}, "xc",
                          {"array": ["c", "x"], "dtype": "object"},
                          {"array": [1, 2], "dtype": "int64"}, {"array": ["x", "x"], "dtype": "object"}],
    "n_outputs_": [0, -1, 1, 3, 10**9, None, "1", 1.5],
    "target_scale_": [0, None, "x", {"array": [float("nan")], "dtype": "float64"},
                      {"array": [[1, 2]], "dtype": "float64"}],
    "predict": [1, None, "x"], "fit": [0], "__class__": ["x"], "__dict__": [{}], "_answering": [None],
    "module_": ["x"], "preprocessor_": ["x"], "record_": [3], "diagnosis_": [[]], "set params": [1], "": [1],
    "mro": [1], "x" * 10_000: [1], "summary": [1], "remedy": [1],
}  # fmt: skip


def pick(rng: Rng, options: list[Any]) -> Any:
    return copy.deepcopy(options[int(rng.integers(len(options)))])


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The path of everything inside nested containers."""
    found = [path] if path else []
    if isinstance(value, dict):
        return found + [p for k, v in value.items() for p in places(v, (*path, k))]
    if isinstance(value, list):
        return found + [p for i, v in enumerate(value[:50]) for p in places(v, (*path, i))]
    return found


def parent(value: Any, path: tuple) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def estimator(parts: Parts, rng: Rng) -> str:
    parts["config"]["estimator"] = name = pick(rng, ESTIMATORS)
    return name[:30]


def widths(parts: Parts, rng: Rng) -> str:
    parts["config"]["parameters"]["hidden_layer_sizes"] = value = pick(rng, WIDTHS)
    return str(value)[:40]


def parameter(parts: Parts, rng: Rng) -> str:
    known = parts["config"]["parameters"]
    name = pick(rng, [*known, "nonsense", "__class__", "fit"])
    known[name] = value = pick(rng, LEAVES)
    return f"{name} = {str(value)[:40]}"


def part(parts: Parts, rng: Rng) -> str:
    """Another part by name than the arrays are of, or none at all."""
    name = pick(rng, list(NAMED))
    parts["config"]["parameters"][name] = value = pick(rng, NAMED[name])
    return f"{name} = {str(value)[:40]}"


def classes(parts: Parts, rng: Rng) -> str:
    parts["config"]["learned"]["classes_"] = value = pick(rng, CLASSES)
    return str(value)[:60]


def learned(parts: Parts, rng: Rng) -> str:
    name = pick(rng, list(LEARNED))
    parts["config"]["learned"][name] = value = pick(rng, LEARNED[name])
    return f"{name[:20]} = {str(value)[:40]}"


def leaf(parts: Parts, rng: Rng) -> str:
    """Anything anywhere in the JSON parts becomes something else, or goes."""
    part = pick(rng, ["config", "config", "card", "preprocess", "preprocess", "preprocess"])
    path = pick(rng, places(parts[part]))
    holder = parent(parts[part], path)
    if rng.random() < 0.2:
        del holder[path[-1]]
        return f"{part} {path} gone"
    holder[path[-1]] = value = pick(rng, LEAVES)
    return f"{part} {path} = {str(value)[:40]}"


def card(parts: Parts, rng: Rng) -> str:
    """The words of the file: they decide nothing, and steer no terminal."""
    name = pick(
        rng,
        [
            "target",
            "metric",
            "models",
            "plan",
            "record",
            "findings",
            "settings",
            "source",
            "created",
            "columns",
        ],
    )
    parts["card"][name] = value = pick(rng, LEAVES)
    return f"{name} = {str(value)[:40]}"


def record(parts: Parts, rng: Rng) -> str:
    """A leaf of the training record."""
    tree = parts["card"]["record"]
    path = pick(rng, places(tree))
    parent(tree, path)[path[-1]] = value = pick(rng, LEAVES)
    return f"{path} = {str(value)[:40]}"


def array(parts: Parts, rng: Rng) -> str:
    """An array of the columns or of the network: other values, shape, kind, or none."""
    part = pick(rng, ["arrays", "weights"])
    name = pick(rng, sorted(parts[part]))
    old = parts[part][name]
    changes: dict[str, Callable[[], Any]] = {
        "gone": lambda: None,
        "not numbers": lambda: np.full(old.shape, np.nan),
        "infinite": lambda: np.full(old.shape, np.inf),
        "empty": lambda: np.zeros((0, *old.shape[1:])),
        "one more": lambda: np.concatenate([old.reshape(-1), old.reshape(-1)[:1]]),
        "turned": lambda: np.ascontiguousarray(old.T[::-1]),
        "flat": lambda: old.reshape(-1),
        "deep": lambda: old.reshape(*old.shape, *[1] * 4),
        "booleans": lambda: np.zeros(old.shape, bool),
        "negative": lambda: -np.abs(old.astype(np.float64)) - 1,
        "huge": lambda: np.full(old.shape, 1e300),
        "bytes": lambda: old.astype(np.uint8) if old.dtype.kind in "fiu" else old,
        "a million": lambda: np.zeros(1_000_000, np.float32),
    }
    what = pick(rng, list(changes))
    value = changes[what]()
    if value is None:
        del parts[part][name]
    else:
        parts[part][name] = value
    return f"{part} {name} {what}"


def stranger(parts: Parts, rng: Rng) -> str:
    """Something more than there should be."""
    part = pick(rng, ["arrays", "weights", "config", "preprocess"])
    name = pick(rng, ["extra", "stack.linears.99.weight", "../x", "module", "__reduce__", ""])
    parts[part][name] = np.zeros((3, 3), np.float32) if part in ("arrays", "weights") else pick(rng, LEAVES)
    return f"{part} {name}"


def emptied(parts: Parts, rng: Rng) -> str:
    part = pick(rng, ["arrays", "weights", "preprocess", "card"])
    parts[part] = {}
    return part


KINDS = (
    estimator, widths, part, parameter, parameter, classes, learned, leaf, leaf, leaf, card, record, array, array,
    stranger, emptied,
)  # fmt: skip


def variants(path: Path, seed: int, count: int) -> Iterator[tuple[str, Parts]]:
    """``count`` absurd models made of the one at ``path``."""
    model = read_model(path)
    sound = {name: getattr(model, name) for name in PARTS}
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        parts = copy.deepcopy(sound)
        kind = KINDS[i % len(KINDS)]
        yield f"{kind.__name__}: {kind(parts, rng)}", parts
