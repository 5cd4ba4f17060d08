"""A rule about conditioning: what tells the target lies in directions that are far weaker than others."""

from ganglion.base.named import name_in
from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.view import View, number, numbers

# Gradient descent needs about as many steps as this ratio; short runs have some hundreds.
CONDITION = 300.0
# One direction with all but a hundredth of the variance hides the others, also from a linear model.
ONE_DIRECTION = 0.99
# At 2 gradient descent becomes unstable: near it, the rate cannot be raised.
AT_THE_EDGE = 1.5
PLAIN = ("sgd", "momentum", "nesterov")


def ill_conditioned(view: View) -> Finding | None:
    """Directions of very different strength, and a fit that has not got to the weak ones."""
    known = view.data.get("directions") or {}
    condition, largest = number(known.get("condition")), number(known.get("largest_share"))
    by_inputs = (condition or 0.0) >= CONDITION or (largest or 0.0) >= ONE_DIRECTION
    edge = max(numbers([p for p in view.probes if p.get("kind") == "curvature"], "lr_top"), default=0.0)
    plain = descends_plainly(str(view.settings.get("optimizer")))
    by_edge = edge >= AT_THE_EDGE and plain and view.crawling
    # a linear model without a brake gets to the weak directions at once
    linear = number(known.get("score")) if view.score_key == "score" else None
    if not (by_inputs or by_edge) or not (view.unfinished or view.falls_short_of(linear)):
        return None
    evidence = {
        "condition": condition,
        "threshold": CONDITION,
        "variance_in_one_direction": largest,
        "lr_times_curvature": edge or None,
        "linear_score": linear,
    }
    return Finding(
        "ill_conditioned",
        "warning",
        where="inputs" if by_inputs else "loss",
        evidence={k: v for k, v in evidence.items() if v is not None},
        meaning=(
            "What tells the target lies in directions of the inputs that are "
            + (
                f"{condition:.0f} times weaker (in variance) than the strongest one"
                if condition
                else "next to nothing beside one"
            )
            + ": steps that suit the one are far too small for the other."
            if by_inputs
            else f"The learning rate is at the edge of what the steepest direction bears (times curvature {edge:.2g}), "
            "and the loss hardly falls along the flat ones."
        ),
        remedy=(
            Remedy("change_optimizer", "adamw", "Take an optimiser that scales each direction (AdamW).")
            if plain
            else Remedy(
                "normalise",
                "batch",
                "Remove what all columns share (differences, whitening), or normalise in layers.",
            )
        ),
        lab="conditioning",
    )


def descends_plainly(optimizer: str) -> bool:
    """Whether all directions get one step size, also inside a wrapper: SAM stands around SGD unless it says otherwise.

    >>> [descends_plainly(name) for name in ("momentum", "sgd(nesterov=True)", "sam", "sam+adamw", "adamw")]
    [True, True, True, False, False]
    """
    base = name_in(optimizer).split("+")[-1]
    return base in PLAIN or (base == "sam" and "base" not in optimizer)
