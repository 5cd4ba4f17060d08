"""What a stranger's model file says was learned, checked before anything rests on it."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ganglion.base.errors import ModelFileError
from ganglion.data.augment import augment_named
from ganglion.data.tokens import Tokenizer
from ganglion.metrics.calibration import COLDEST, HOTTEST
from ganglion.models.forecast import NAIVES, NETWORKS
from ganglion.nn.tabular import embedding_width

MOST = 10_000_000  # columns, outputs, epochs


def check_learned(estimator: Any, name: str, value: Any) -> None:
    """Refuse a learned attribute that no ``fit`` leaves; raises ``ModelFileError``."""
    sound = name.isidentifier() and name.endswith("_") and not name.startswith("_")
    if not sound or hasattr(type(estimator), name) or name in ("module_", "preprocessor_", "record_"):
        raise ModelFileError(f"it holds the learned name {name[:60]!r}, which no estimator has.")
    if not CHECKS.get(name, is_plain)(value):
        raise ModelFileError(f"its {name} is not what fit leaves there ({type(value).__name__}).")


def check_together(estimator: Any, weights: dict[str, np.ndarray]) -> None:
    """Refuse learned attributes, columns and weights that contradict each other; raises ``ModelFileError``."""
    known = vars(estimator)
    columns, names = known.get("preprocessor_"), known.get("feature_names_in_")
    n = known.get("n_features_in_")
    outputs = known.get("n_outputs_")
    contradictions = {
        "columns": columns is not None and columns.n_features_in_ != n,
        "names": names is not None and len(names) != n,
        "classes": outputs is not None and len(known.get("classes_", range(outputs))) != outputs,
        "targets": any(len(known[k]) != outputs for k in ("target_mean_", "target_scale_") if k in known),
    }
    for what, wrong in contradictions.items():
        if wrong:
            raise ModelFileError(f"its number of {what} contradicts what it says elsewhere.")
    for name, array in weights.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ModelFileError(f"its weights {name[:60]!r} are not all finite.")


def check_shapes(
    weights: dict[str, np.ndarray],
    n_real: int,
    cardinalities: tuple[int, ...],
    widths: tuple[int, ...],
    outputs: int,
    pieces: int = 1,
) -> None:
    """Refuse a file whose settings promise other layers than its arrays are, before any are made.

    ``pieces`` is how many weighted sums a hidden unit takes (see ``nn.activations``).
    """
    bins = weights["inputs.bins.source"]
    if bins.shape != weights["inputs.bins.low"].shape or ((bins < 0) | (bins >= n_real)).any():
        raise ModelFileError("the bins of its numbers name columns that it does not have.")
    first = n_real + len(bins) + sum(embedding_width(k) for k in cardinalities)
    sums = [*(width * pieces for width in widths), outputs]
    shapes = zip(sums, [first, *widths])
    wanted = {f"stack.linears.{i}.weight": shape for i, shape in enumerate(shapes)}
    for name, shape in wanted.items():
        got = weights[name].shape if name in weights else None
        if got != shape:
            raise ModelFileError(f"{name} should be {shape} by its settings and is {got}.")
    if any((array < 0).any() for name, array in weights.items() if name.endswith(".running_var")):
        raise ModelFileError("a running variance of its normalisation is below 0.")


def is_count(value: Any) -> bool:
    """A whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST


def is_size(value: Any) -> bool:
    """A whole number, 1 or more."""
    return is_count(value) and value > 0


def is_labels(value: Any, least: int = 2) -> bool:
    """At least two different labels of one kind, or another number of them."""
    if not isinstance(value, np.ndarray) or value.ndim != 1 or len(value) < least:
        return False
    kinds = {type(label) for label in value.tolist()}
    if len(kinds) != 1 or not kinds <= {str, int, bool, float} or len(set(value.tolist())) != len(value):
        return False
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def is_names(value: Any) -> bool:
    """Different column names."""
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        return False
    names = value.tolist()
    return all(isinstance(name, str) for name in names) and len(set(names)) == len(names)


def is_row(value: Any) -> bool:
    """A finite number per output."""
    sound = isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind == "f"
    return sound and bool(np.isfinite(value).all())


def is_plain(value: Any) -> bool:
    """A number, a text, a truth value, nothing, or an array of those."""
    return value is None or isinstance(value, bool | int | float | str | np.ndarray)


def is_shape(value: Any) -> bool:
    """Channels, height and width of a picture."""
    return isinstance(value, tuple) and len(value) == 3 and all(map(is_size, value))


def is_range(value: Any) -> bool:
    """The numbers for black and for white."""
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, float) for v in value)


def is_texts(value: Any) -> bool:
    """A list of texts."""
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def is_thresholds(value: Any) -> bool:
    """A confidence from 0 to 1 for each of some keywords."""
    if not isinstance(value, dict) or not all(isinstance(word, str) for word in value):
        return False
    return all(isinstance(least, float) and 0 <= least <= 1 for least in value.values())


def is_block(value: Any, axes: int) -> bool:
    """Finite numbers with so many axes."""
    sound = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return sound and (value.ndim == axes or not value.size) and bool(np.isfinite(value).all())


def is_frequency(value: Any) -> bool:
    """The unit, step and day of ``data.grid.Frequency``, or nothing."""
    if value is None:
        return True
    sound = isinstance(value, tuple) and len(value) == 3 and all(map(is_plain, value))
    return (
        sound
        and value[0] in ("time", "month", "workday", "number")
        and isinstance(value[1], int)
        and is_size(value[2])
    )


def is_augment(value: Any) -> bool:
    """An augmentation by name, or none."""
    return value in (None, "") or (isinstance(value, str) and augment_named(value) is not None)


CHECKS: dict[str, Callable[[Any], bool]] = {
    "n_features_in_": is_size,
    "n_outputs_": is_size,
    "n_iter_": is_count,
    "n_updates_": is_count,
    "best_epoch_": lambda value: value is None or is_count(value),
    **dict.fromkeys(
        ("one_dimensional_", "answers_", "several_", "started_"), lambda value: isinstance(value, bool)
    ),
    "classes_": is_labels,
    "temperature_": lambda value: isinstance(value, float) and COLDEST <= value <= HOTTEST,
    "object_classes_": lambda value: is_labels(value, least=1),
    "feature_names_in_": is_names,
    "target_mean_": is_row,
    "target_scale_": is_row,
    "image_shape_": is_shape,
    "pixel_range_": is_range,
    "augment_": is_augment,
    "words_": is_texts,
    "signs_": is_texts,
    "scheme_": lambda value: value in ("none", "bio", "iobes"),
    "steps_": is_size,
    "target_tokenizer_": lambda value: isinstance(value, Tokenizer),
    "tokenizer_": lambda value: isinstance(value, Tokenizer),
    "channels_": is_size,
    "longest_": is_size,
    "thresholds_": is_thresholds,
    "augment_reasons_": is_texts,
    **dict.fromkeys(("lookback_", "season_", "patch_"), is_size),
    **dict.fromkeys(("known_", "lagged_", "given_"), is_count),
    "network_": lambda value: value in NETWORKS,
    "start_": lambda value: value in NAIVES,
    "candidates_": lambda value: (
        isinstance(value, dict) and all(isinstance(v, float) for v in value.values())
    ),
    "frequency_": is_frequency,
    "column_mean_": is_row,
    "column_scale_": lambda value: is_row(value) and bool((value > 0).all()),
    "tail_": lambda value: is_block(value, 3),
    "shift_": lambda value: is_block(value, 2),
    "axes_": lambda value: value in (1, 2, 3),
    "last_time_": lambda value: value is None or (isinstance(value, int) and abs(value) < 2**63),
}
