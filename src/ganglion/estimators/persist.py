"""Fitted estimators as one model file, and back: names and numbers only, never code."""

import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ganglion.base.errors import GanglionError, ModelFileError, ParameterError
from ganglion.base.fields import fields_of
from ganglion.base.files import ModelFile, read_model, write_model
from ganglion.base.record import TrainingRecord
from ganglion.base.registry import lookup, name_of
from ganglion.data.preprocess import TablePreprocessor
from ganglion.data.target import label_array
from ganglion.data.tokens import Tokenizer, tokenizer_from
from ganglion.diagnose import diagnose
from ganglion.estimators.learned import check_learned, check_together

UNSAVED = {"checkpoint", "resume", "verbose"}  # of the machine or the moment, not of the model
MODULES = {
    "module": "(n_features, n_outputs)",
    "backbone": "(channels, height, width)",
}  # modules of the user's own


def save(estimator: Any, path: str | Path, card: dict[str, Any] | None = None) -> Path:
    """Write a fitted estimator to ``path`` atomically; ``card`` joins the file's card.

    Raises ``GanglionError`` if it holds something that a file cannot name.
    """
    check_is_fitted(estimator)
    preprocess, arrays = estimator.preprocessor_.state() if estimator.preprocessor_ is not None else ({}, {})
    config = {
        "estimator": type(estimator).__name__,
        "parameters": saved_parameters(estimator),
        "learned": {k: _coded(v) for k, v in estimator._learned().items()},
        "preprocessed": estimator.preprocessor_ is not None,
    }
    write_model(
        path,
        config=config,
        card={**standard_card(estimator), **(card or {})},
        preprocess=preprocess,
        arrays=arrays,
        weights=estimator._weights(),
    )
    return Path(path)


def load(path: str | Path, module: Any = None) -> Any:
    """The fitted estimator in a model file.

    Arguments:
        path: of a ``*.ganglion`` file.
        module: the ``nn.Module`` (or what makes it) of an estimator whose own module was not registered.

    Raises ``ModelFileError`` for a file that is damaged, foreign, newer, or inconsistent in itself.
    """
    return rebuild(read_model(path), path, module)


def rebuild(file: ModelFile, path: str | Path, module: Any = None) -> Any:
    """The fitted estimator in what ``read_model`` read from ``path``; raises ``ModelFileError`` as ``load`` does."""
    try:
        return _rebuild(file, module)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (
        GanglionError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        OverflowError,
        MemoryError,
    ) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise ModelFileError(f"{path} does not fit together ({reason}); write or fetch it again.") from error


def _rebuild(file: Any, module: Any) -> Any:
    config = file.config
    cls = lookup("estimator", config["estimator"])
    parameters = {k: _decoded(v) for k, v in config["parameters"].items()}
    unknown = sorted(set(parameters) - set(fields_of(cls)))
    if unknown:
        raise ModelFileError(f"it holds the unknown parameter {unknown[0]!r}; update Ganglion.")
    if module is not None:
        parameters["backbone" if "backbone" in fields_of(cls) else "module"] = module
    estimator = cls(**parameters)
    estimator._check()
    for key, value in config["learned"].items():
        learned = _decoded(value)
        check_learned(estimator, key, learned)
        setattr(estimator, key, learned)
    estimator.preprocessor_ = (
        TablePreprocessor.from_state(file.preprocess, file.arrays) if config["preprocessed"] else None
    )
    if hasattr(estimator, "preprocess") and config["preprocessed"] is not (estimator.preprocess == "auto"):
        raise ModelFileError("it says two things about how its columns were read.")
    check_together(estimator, file.weights)
    estimator._load_weights(file.weights)
    try_out(estimator)
    estimator.record_ = TrainingRecord.from_dict(file.card["record"])
    estimator.diagnosis_ = diagnose(estimator.record_)
    return estimator


def try_out(estimator: Any) -> None:
    """One blank example must pass, so that what is missing in a file is met when it is opened."""
    if getattr(estimator, "n_features_in_", 0) and hasattr(estimator, "predict"):
        estimator.predict(estimator._blank())


def saved_parameters(estimator: Any) -> dict[str, Any]:
    """The hyper-parameters as a file holds them; raises ``GanglionError`` for what it cannot."""
    out = {}
    for name in fields_of(type(estimator)):
        value = getattr(estimator, name)
        if name in UNSAVED:
            continue
        if name in MODULES and value is not None and not isinstance(value, str):
            known = name_of("module", type(value) if isinstance(value, nn.Module) else value)
            if known is None:
                raise GanglionError(
                    f"the estimator holds a {name} that is not registered, so a file cannot name it; call "
                    f"ganglion.register_module(TheClass) before saving, where TheClass takes {MODULES[name]}."
                )
            value = known
        if name == "random_state" and value is not None and not isinstance(value, int | np.integer):
            value = None  # a generator's state is not part of the model
        out[name] = _coded(value)
    return out


def standard_card(estimator: Any) -> dict[str, Any]:
    """What every model file tells of itself."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
        },
        "record": estimator.record_.to_dict(),
        "findings": [f.to_dict() for f in estimator.diagnosis_],
    }


def _coded(value: Any) -> Any:
    """A value as JSON with what JSON would lose: tuples, arrays with their dtype, keys that are no text."""
    if isinstance(value, np.ndarray):
        kind = (
            "str"
            if value.dtype.kind in "OU" and all(isinstance(v, str) for v in value.tolist())
            else value.dtype.kind
        )
        if kind not in ("str", "b", "i", "u", "f"):
            raise GanglionError(
                f"labels of dtype {value.dtype} cannot be saved; use texts, whole numbers or booleans."
            )
        dtype = ("object" if value.dtype.kind == "O" else "str") if kind == "str" else value.dtype.name
        return {"array": value.tolist(), "dtype": dtype}
    if isinstance(value, Tokenizer):
        return {"tokenizer": value.state()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return {"tuple": [_coded(v) for v in value]}
    if isinstance(value, dict):
        return {"pairs": [[_coded(k), _coded(v)] for k, v in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [_coded(v) for v in value]
    raise GanglionError(f"a {type(value).__name__} cannot be saved in a model file; use plain values.")


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(v) for v in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        if value["dtype"] == "object":
            return label_array(value["array"]) if value["array"] else np.array([], dtype=object)
        if value["dtype"] not in ("str", "bool") and not str(value["dtype"]).startswith(
            ("int", "uint", "float")
        ):
            raise ParameterError(f"an array of dtype {value['dtype']!r} is not expected in a model file.")
        return np.array(value["array"], dtype=value["dtype"])
    if "tokenizer" in value:
        return tokenizer_from(value["tokenizer"])
    if "tuple" in value:
        return tuple(_decoded(v) for v in value["tuple"])
    return {_decoded(k): _decoded(v) for k, v in value["pairs"]}
