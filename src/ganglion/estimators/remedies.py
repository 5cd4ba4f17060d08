"""From a remedy's abstract words to the parameters of an estimator."""

import copy
from collections.abc import Callable
from typing import Any

from ganglion.base.errors import ParameterError
from ganglion.base.fields import fields_of
from ganglion.diagnose.finding import Finding
from ganglion.estimators.fields import NetworkFields

Settings = Any
ADAPTIVE_LR = 1e-3  # the usual step of Adam's kin; the one before was in another unit


def _widths(settings: Settings) -> tuple[int, ...]:
    sizes = settings.hidden_layer_sizes
    return (sizes,) if isinstance(sizes, int) else tuple(sizes)


def _scaled_widths(settings: Settings, factor: float) -> dict[str, Any]:
    return {"hidden_layer_sizes": tuple(max(4, round(w * factor)) for w in _widths(settings) or (32,))}


def _grow(settings: Settings, factor: float) -> dict[str, Any]:
    """Wider, and back from whatever holds a network down."""
    small = tuple(max(w, 32) for w in _widths(settings)) or (32,)
    return {"hidden_layer_sizes": tuple(round(w * factor) for w in small)}


REMEDIES: dict[str, Callable[[Settings, Any], dict[str, Any]]] = {
    "lower_lr": lambda s, amount: {"lr": s.lr * (amount or 0.1)},
    "raise_lr": lambda s, amount: {"lr": s.lr * (amount or 10.0)},
    "keep_lr": lambda s, amount: {"schedule": amount or "flat_cosine"},
    "scale_inputs": lambda s, amount: {"preprocess": "auto", "scale": "auto"},
    "clip_norm": lambda s, amount: {"clip_norm": float(amount or 1.0)},
    "reset_init": lambda s, amount: {"init": "auto"},
    "change_activation": lambda s, amount: {"activation": amount or "silu", "init": "auto"},
    "regularise": lambda s, amount: {
        "dropout": max(s.dropout, float(amount or 0.3)),
        "weight_decay": max(s.weight_decay, 1.0),
        "early_stopping": True,
        **_scaled_widths(s, 0.5),
        "validation_fraction": s.validation_fraction or 0.1,
    },
    "regularise_less": lambda s, amount: {
        "dropout": s.dropout * (amount or 0.0),
        "weight_decay": s.weight_decay * (amount or 0.0),
        "l1": s.l1 * (amount or 0.0),
    },
    "earlier_stop": lambda s, amount: {
        "early_stopping": True,
        "patience": int(amount or 10),
        "validation_fraction": s.validation_fraction or 0.1,
    },
    "smaller_network": lambda s, amount: _scaled_widths(s, amount or 0.5),
    "grow": lambda s, amount: _grow(s, amount or 4.0),
    "more_epochs": lambda s, amount: {
        "max_epochs": round(s.max_epochs * (amount or 3.0)),
        "time_limit": None,
    },
    "weigh_classes": lambda s, amount: {"class_weight": "balanced"},
    "larger_batch": lambda s, amount: {"batch_size": int(amount or 32)},
    "smaller_batch": lambda s, amount: {"batch_size": int(amount or 32)},
    "change_optimizer": lambda s, amount: {"optimizer": amount or "adamw", "lr": ADAPTIVE_LR},
    "normalise": lambda s, amount: {"norm": amount or "layer"},
    "shortcuts": lambda s, amount: {"residual": True, "norm": s.norm or "layer", "init": "auto"},
    "soften_labels": lambda s, amount: {
        "label_smoothing": max(s.label_smoothing, float(amount or 0.1)),
        "early_stopping": True,
        "validation_fraction": s.validation_fraction or 0.1,
    },
    "robust_loss": lambda s, amount: {"loss": amount or "huber"},
}


def parameters_for(estimator: Any, finding: Finding) -> dict[str, Any]:
    """Parameters that ``set_params`` accepts and that follow the finding's remedy; empty if there are none.

    Only fields that the estimator has and that change are returned; nothing where its other settings forbid them.
    """
    if finding.remedy is None or finding.remedy.action not in REMEDIES:
        return {}
    try:
        wanted = REMEDIES[finding.remedy.action](estimator, finding.remedy.amount)
    except AttributeError:  # a field that this estimator does not have
        return {}
    known = set(fields_of(estimator.__class__))
    if getattr(estimator, "module", None) is not None:  # a module of one's own has a shape of its own
        known -= set(fields_of(NetworkFields))
    changed = {k: v for k, v in wanted.items() if k in known and getattr(estimator, k) != v}
    try:
        copy.copy(estimator).set_params(**changed)._check()
    except ParameterError:
        return {}
    return changed
