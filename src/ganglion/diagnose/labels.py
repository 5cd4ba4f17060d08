"""A rule about targets: labels that models which are sure of themselves contradict, and gross errors in numbers."""

import math

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.view import Row, View, number

# Where sound models are surest, fewer than one in twenty labels contradict them.
CONTRADICTED = 0.06
# Overlapping classes are mostly clear where a model is sure; wrong labels are as frequent there as elsewhere.
AS_ELSEWHERE = 0.5
# Of Gaussian errors none, of Laplace ones 0.6 % lie beyond five robust standard deviations.
GROSS_SHARE = 0.03
# At so many wrong labels no brake makes a good network: the data come before the fit.
MANY = 0.28
MANY_GROSS = 0.08  # of gross errors fewer do it: their squares are large
ROBUST = ("huber", "absolute_error", "log_cosh")


def label_noise(view: View) -> Finding | None:
    """Targets that are wrong at random."""
    return _contradicted(view) or _gross(view)


def many_wrong_labels(view: View) -> Finding | None:
    """The same, for so many wrong targets that they explain a poor fit."""
    found = label_noise(view)
    many = MANY if view.counts else MANY_GROSS
    return found if found is not None and found.evidence["share"] >= many else None


def _contradicted(view: View) -> Finding | None:
    simple, network = (_share(view, key) for key in ("doubtful_labels", "confident_errors"))
    judge = simple or network  # of pictures no simple model is asked
    if judge is None or (network is not None and network[0] < CONTRADICTED):
        return None
    share, rows, everywhere = judge
    low = share - 2 * math.sqrt(share * (1 - share) / rows)
    guess = 1.0 - view.guess
    if low < CONTRADICTED or share < AS_ELSEWHERE * everywhere or everywhere > 0.85 * guess:
        return None
    who = "a simple model" if simple else "the network"
    evidence = {"share": share, "threshold": CONTRADICTED}
    evidence["errors_of_simple_model" if simple else "errors"] = everywhere
    if network is not None:
        evidence["confident_errors"] = network[0]
    return Finding(
        "label_noise",
        "warning",
        where="target",
        evidence=evidence,
        meaning=(
            f"Where {who} is surest, {share:.0%} of the labels say otherwise, about as many as elsewhere "
            f"({everywhere:.0%}): labels seem to be wrong at random, and no network can learn those."
        ),
        remedy=Remedy(
            "soften_labels", 0.1, "Look at the contradicted rows; smooth the labels and stop early."
        ),
        lab="label-noise",
    )


def _gross(view: View) -> Finding | None:
    gross = view.data.get("gross_errors") or {}
    share, rows = number(gross.get("share")), number(gross.get("rows"))
    if share is None or not rows or share - 2 * math.sqrt(share * (1 - share) / rows) < GROSS_SHARE:
        return None
    robust = str(view.settings.get("loss")).split("(")[0] in ROBUST
    return Finding(
        "label_noise",
        "note" if robust else "warning",
        where="target",
        evidence={"share": share, "threshold": GROSS_SHARE},
        meaning=(
            f"{share:.1%} of the targets are more than five robust standard deviations from what a simple model "
            "expects: gross errors, which pull a squared error to themselves."
        ),
        remedy=Remedy(
            "robust_loss", "huber", "Look at these rows; take a loss that outliers do not rule (Huber)."
        ),
        lab="label-noise",
    )


def _share(view: View, key: str) -> tuple[float, float, float] | None:
    found: Row = view.data.get(key) or {}
    share, rows, everywhere = (number(found.get(k)) for k in ("share", "rows", "all"))
    return None if share is None or not rows or everywhere is None else (share, rows, everywhere)
