"""Parts that do not go well together: a word about poor pairs, and a stop for those that undo each other."""

import itertools
import os
import warnings
from collections.abc import Sequence
from typing import Any

from ganglion.base.errors import ParameterError
from ganglion.base.named import name_in
from ganglion.nn.init import HE

BENT = ("tanh", "sigmoid", "logistic", "softmax", "threshold")  # neither side of 0 is cut off


def judge(settings: Any) -> None:
    """Warn of poor pairs of parts; ``settings`` has the fields of ``NetworkFields`` and ``TrainingFields``.

    Raises ``ParameterError`` for a bound on weights whose length a normalisation takes away.
    """
    activation, init = name_in(settings.activation), name_in(settings.init)
    if settings.max_norm is not None and settings.norm in ("weight", "spectral"):
        raise ParameterError(
            f"max_norm bounds the length of weights, and norm={settings.norm!r} divides that length away; set "
            "max_norm=None or take another norm."
        )
    if not settings.hidden_layer_sizes:
        return
    if init in HE and activation in BENT:
        _warn(
            f"init={settings.init!r} doubles the variance because ReLU cuts half of it off, and {activation} cuts "
            "nothing off: its units start saturated in deep networks; init='glorot_normal' or 'auto' suits it."
        )
    if activation == "threshold":
        _warn(
            "activation='threshold' has no slope, so no gradient reaches the layers before the last: they stay as they "
            "started; a sigmoid is its smooth form."
        )
    if settings.dropout_kind == "alpha" and settings.dropout and activation != "selu":
        _warn(
            f"dropout_kind='alpha' gives dropped units selu's lowest value, which for {activation} is just noise; take "
            "activation='selu' or dropout_kind='units'."
        )


def check_size(widths: Sequence[int]) -> None:
    """Refuse a dense network that this machine's memory cannot hold while it trains.

    Weights, gradients and an optimiser's two moments take 16 bytes a weight. Raises ``ParameterError``.
    """
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # a system that does not tell
        return
    if 16 * weights > memory:
        raise ParameterError(
            f"a network of {weights:.3g} weights needs about {16 * weights / 2**30:,.0f} GiB while it trains and this "
            f"machine has {memory / 2**30:,.0f}; take smaller hidden_layer_sizes."
        )


def _warn(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=7)
