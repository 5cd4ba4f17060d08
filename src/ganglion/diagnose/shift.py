"""A rule about what layers see: statistics that keep moving, or that differ between training and answering."""

import math
from itertools import pairwise

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.view import Row, View, number, numbers

# At the end of a run a layer's inputs move by less than their spread from look to look, and by up to 2.8 spreads
# where a fit is unfinished for other reasons.
SHIFT = 3.5
# Where rows have become alike, their spread is next to nothing and any movement is many of it; but then their size
# stays the same. What moves them also makes them larger or smaller from look to look.
RESIZED = 1.25
# The mean loss of the epoch that was kept against the same rows answered in evaluation mode: sound runs stay below
# 1.5, since weights improve within an epoch and dropout only makes training harder.
APART = 2.0
WORSE = 0.15  # ... in units of a guess's loss, so that two losses near 0 do not count (sound runs: below .05)
# Without that loss: so many more wrong answers than the loss in training mode allows.
WRONG = 0.3
LOOKS = 3


def internal_shift(view: View) -> Finding | None:
    """Layers whose inputs are not what they were when the layer learned."""
    return _lagging(view) or _drifting(view)


def _drifting(view: View) -> Finding | None:
    """The means of a layer's inputs still move by more than their spread at the last two looks."""
    looks = [rows for rows in view.moments if any(number(r.get("input_shift")) is not None for r in rows)]
    if len(looks) < LOOKS or not (view.unfinished or view.falls_short_of(view.best_possible)):
        return None
    by_layer: dict[str, list[Row]] = {}
    for rows in looks:
        for row in rows:
            by_layer.setdefault(str(row.get("layer", "")), []).append(row)
    shifts = {name: _still_moves(rows[-LOOKS:]) for name, rows in by_layer.items()}
    layer = max(shifts, key=shifts.__getitem__, default="")
    if not layer or shifts[layer] < SHIFT:
        return None
    return Finding(
        "internal_shift",
        "warning",
        where=layer,
        evidence={
            "input_shift": shifts[layer],
            "threshold": SHIFT,
            "layers_concerned": sum(v >= SHIFT for v in shifts.values()),
        },
        meaning=(
            f"What enters layer {layer!r} keeps moving, by {shifts[layer]:.1f} of its standard deviations from look to "
            "look even at the end of the run: the layer learns for inputs that do not come again."
        ),
        remedy=Remedy(
            "normalise", "layer", "Normalise the inputs of the layers, and lower the learning rate."
        ),
        lab="internal-shift",
    )


def _still_moves(rows: list[Row]) -> float:
    """By how many spreads a layer's inputs moved to each of the last two looks; 0 where their size stayed the same."""
    moved = numbers(rows[1:], "input_shift")
    sizes = [math.hypot(*numbers([row], "input_mean"), *numbers([row], "input_std")) for row in rows]
    resized = all(a <= 0 or not a / RESIZED < b < a * RESIZED for a, b in pairwise(sizes))
    return min(moved) if len(moved) == LOOKS - 1 and resized else 0.0


def _lagging(view: View) -> Finding | None:
    """The same rows cost far more in evaluation than in training mode: kept statistics are out of date."""
    best = view.record.best_epoch
    row = next((r for r in view.history if r.get("epoch") == best), view.history[-1] if view.history else {})
    trained = number(row.get("loss"))
    averaged = view.settings.get("average")  # a mean over the run answers, and lags behind on purpose
    if trained is None or averaged or len(view.history) < LOOKS or not (evidence := _apart(view, trained)):
        return None
    return Finding(
        "internal_shift",
        "warning",
        where="kept statistics",
        evidence={"loss_in_training": trained, **evidence},
        meaning=(
            f"The loss fell to {trained:.3g} in training mode, and the same rows are answered much worse in evaluation "
            "mode: statistics that layers keep (as batch normalisation does) are not those they learned with."
        ),
        remedy=Remedy(
            "normalise",
            "layer",
            "Let kept statistics follow faster, or normalise within each row (layer norm).",
        ),
        lab="internal-shift",
    )


def _apart(view: View, trained: float) -> dict[str, float]:
    """By how much answering is worse than training, if it is much."""
    loss, score = number((view.record.scores.get("train") or {}).get("loss")), view.score("train", "score")
    if loss is not None:
        much = loss >= APART * max(trained, 0.0) and loss - trained >= WORSE * view.chance_loss
        return {"loss_in_answering": loss, "threshold": APART} if much else {}
    if score is None or view.record.task not in ("binary", "multiclass"):
        return {}
    # a wrong answer costs ln 2 and more, since another class has at least its probability
    explained = trained / math.log(2.0)
    much = 1.0 - score >= explained + WRONG
    return {"errors_in_answering": 1.0 - score, "errors_at_most_by_loss": explained} if much else {}
