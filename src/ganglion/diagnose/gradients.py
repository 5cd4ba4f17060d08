"""Rules about gradients: steps that are not numbers, gradients that explode or vanish."""

import math
from typing import Any

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.units import saturated_share
from ganglion.diagnose.view import View, number, numbers

# Sound networks start with layer gradients of .1 to 30 (loss in nats, or targets of spread 1).
LARGE_GRADIENT = 100.0
# Above that range, with a first epoch at several times the loss of a guess, or one that overflows.
LARGEST_SOUND, FAR_FROM_CHANCE = 30.0, 3.0
# A step a hundred times the epoch's mean undoes what the others learned.
SPIKE = 100.0

# Five sigmoid layers lose a factor of 500; sound networks stay within one of 10 from layer to layer.
SMALL_SHARE = 1e-2
# Where every layer's gradient is that small, none of them moves.
SMALL_GRADIENT = 1e-5

# Weights and gradients that grew less than this before an overflow did not cause it.
GROWN = 1.2
GRADIENT_GROWN = 10.0

# Dropping so many units multiplies the kept ones (and the gradients) by 1 / (1 - p) in every layer.
STRONG_DROPOUT = 0.8


def non_finite_step(view: View) -> Finding | None:
    """A loss, activation or gradient that is not a number; names its layer."""
    found: dict[str, Any] | None = view.record.non_finite
    if not found and view.record.stopped != "non_finite":
        bad = next((r for r in view.history if "loss" in r and number(r["loss"]) is None), None)
        if bad is None:
            return None
        found = {"epoch": bad.get("epoch"), "step": bad.get("step"), "quantity": "loss"}
    found = found or {}
    layer, quantity = str(found.get("layer") or ""), str(found.get("quantity") or "loss")
    evidence = {k: number(found.get(k)) for k in ("epoch", "step")}
    cause = f" Likely cause: {found['cause']}." if found.get("cause") else ""
    return Finding(
        "non_finite_step",
        "error",
        where=layer,
        evidence={k: v for k, v in evidence.items() if v is not None},
        meaning=(
            f"The {quantity}{f' of layer {layer!r}' if layer else ''} is not a finite number"
            + (f" at step {evidence['step']:.0f}" if evidence["step"] is not None else "")
            + f"; training ended there.{cause}"
        ),
        remedy=_against_overflow(view, layer, quantity, str(found.get("cause") or "")),
        lab="non-finite",
    )


def _against_overflow(view: View, layer: str, quantity: str, cause: str) -> Remedy:
    if "batch" in cause or quantity in ("x", "y"):
        return Remedy("check_data", None, "Look for infinite or missing numbers in the data.")
    at_once = number((view.record.non_finite or {}).get("step")) == 1
    sound = bool(view.moments) and view.early_growth < GROWN and view.gradient_growth < GRADIENT_GROWN
    if layer and (at_once or sound):
        return Remedy(
            "check_layer",
            layer,
            f"Weights and gradients were sound: look at what layer {layer!r} computes (division, log, exp, root).",
        )
    if not view.setting("clip_norm"):
        return Remedy("clip_norm", 1.0, "Bound the gradient's norm to 1, and start again from fresh weights.")
    return Remedy("lower_lr", 0.1, "Divide the learning rate by 10, and start again from fresh weights.")


def exploding_gradients(view: View) -> Finding | None:
    """Gradients far above the loss's own scale, at the start or in single steps."""
    if view.setting("dropout") >= STRONG_DROPOUT or saturated_share(view.first_look)[0] >= 0.5:
        return None  # these explain large gradients, and have findings of their own
    start = [v / view.gradient_unit for v in numbers(view.first_look, "grad_norm")]
    if start and max(start) >= LARGE_GRADIENT:
        layer = max(view.first_look, key=lambda row: number(row.get("grad_norm")) or 0.0)
        evidence = {"grad_norm_at_start": max(start), "threshold": LARGE_GRADIENT}
        return _exploding(str(layer.get("layer", "")), evidence, True, view.own_module)
    first = view.losses[0] / view.chance_loss if view.losses else math.inf if view.non_finite else 0.0
    if start and max(start) >= LARGEST_SOUND and first >= FAR_FROM_CHANCE:
        evidence = {
            "grad_norm_at_start": max(start),
            "threshold": LARGEST_SOUND,
            "first_loss_over_chance": first,
        }
        return _exploding("", evidence, True, view.own_module)
    if not start and view.history:
        norm = number(view.history[0].get("grad_norm"))
        if norm is not None and norm / view.gradient_unit >= LARGE_GRADIENT * 10:
            evidence = {"grad_norm_first_epoch": norm / view.gradient_unit, "threshold": LARGE_GRADIENT * 10}
            return _exploding("", evidence, True)
    for row in view.history[1:]:
        mean, largest = number(row.get("grad_norm")), number(row.get("grad_norm_max"))
        if mean and largest and largest / view.gradient_unit >= LARGE_GRADIENT and largest >= SPIKE * mean:
            return _exploding("", {"largest": largest, "mean": mean, "threshold": SPIKE}, False)
    return None


def _exploding(where: str, evidence: dict[str, float], at_start: bool, own: bool = False) -> Finding:
    if at_start:
        meaning = "Before the first update gradients are already huge: signals grow from layer to layer."
    if at_start and own:
        remedy = Remedy(
            "clip_norm",
            1.0,
            "Give the module's layers the usual initialisation (He, Glorot); bound the gradient to 1.",
        )
    elif at_start:
        remedy = Remedy(
            "reset_init", None, "Use the usual initialisation (He, Glorot), which keeps signals at one size."
        )
    else:
        meaning = "Single steps have gradients a hundred times the usual, and throw the weights off."
        remedy = Remedy("clip_norm", 1.0, "Bound the gradient's norm to 1.")
    return Finding(
        "exploding_gradients", "warning", where, evidence, meaning, remedy, lab="exploding-gradients"
    )


def vanishing_gradients(view: View) -> Finding | None:
    """A gradient that hardly reaches the first layers."""
    # the output layer has its own size of gradient, and embeddings see one row at a time
    layers = [row for row in view.gradient_look if row.get("kind") not in ("Embedding", "EmbeddingBag")]
    norms = [v / view.gradient_unit for v in numbers(layers, "grad_norm")]
    hidden = norms[:-1]
    if len(norms) < 3 or max(norms) <= 0:  # all exactly 0: dead units or weights of 0, not depth
        return None
    by_depth = len(hidden) >= 3 and max(hidden) > 0 and hidden[0] < SMALL_SHARE * max(hidden)
    if not by_depth and max(norms) >= SMALL_GRADIENT:
        return None
    share = hidden[0] / (max(hidden) or 1.0)
    bounded = {str(row.get("activation")).lower() for row in layers} & {"sigmoid", "tanh"}
    evidence = {
        "first_to_largest": share,
        "threshold": SMALL_SHARE,
        "largest": max(norms),
        "layers": len(norms),
    }
    if bounded and by_depth:
        remedy = Remedy(
            "change_activation", "relu", "Use ReLU, whose slope is 1 where it is on (with He initialisation)."
        )
    elif by_depth and str(view.settings.get("init", "auto")) == "auto":
        remedy = Remedy("shortcuts", None, "Let skips lead around the layers, and normalise what they get.")
    else:
        remedy = Remedy(
            "reset_init", None, "Use the usual initialisation (He, Glorot), which keeps signals at one size."
        )
    return Finding(
        "vanishing_gradients",
        "warning",
        where=str(layers[0].get("layer", "")),
        evidence=evidence,
        meaning=(
            f"At the start the first layer's gradient is {share:.1g} of the largest one; it hardly learns."
            if by_depth
            else f"At the start no layer's gradient exceeds {max(norms):.1g}; the network can hardly learn."
        ),
        remedy=remedy,
        lab="vanishing-gradients",
    )
