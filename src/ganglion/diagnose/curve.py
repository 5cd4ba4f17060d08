"""Rules about learning curves: bias, where more rows do not help, and variance, where they do."""

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.generalisation import ERRORS, GAP, WIDE_GAP
from ganglion.diagnose.view import Row, View, number

# Doubling the rows moved the held-out score by less than this: the curve is flat.
FLAT_CURVE = 0.03
# A fifth of the score apart, while the held-out score still rises with the rows.
RISING_GAP = 0.2
# Without another model to compare with: less than two thirds of the way from a guess to a perfect score.
POOR = 2 / 3


def high_variance(view: View) -> Finding | None:
    """Training and held-out score stay apart while the held-out one rises with the rows: more of them help."""
    rows = points(view)
    if len(rows) < 2:
        return None
    train, held = rows[-1]["train_score"], rows[-1]["val_score"]
    noise = view.noise(held, "curve")
    gap, rise = train - held, held - rows[0]["val_score"]
    best = view.best_baseline
    costs = (
        gap >= WIDE_GAP
        or (gap >= RISING_GAP and rise >= noise)
        or (best is not None and best - held >= max(GAP, ERRORS * noise))
    )
    if gap < max(GAP, ERRORS * noise) or not costs:
        return None
    n = rows[-1]["n_train"]
    return Finding(
        "high_variance",
        "warning",
        where="learning curve",
        evidence={
            "train_score": train, "held_out_score": held, "gap": gap, "threshold": RISING_GAP,
            "rise_with_rows": rise, "n_train": n,
        },
        meaning=(
            f"With {n:.0f} rows the score is {train:.3f} on those trained on and {held:.3f} on others"
            + (f", {rise:+.3f} since {rows[0]['n_train']:.0f} rows" if rise > 0 else "")
            + ": the fit follows the sample (variance), and more rows would bring the two together."
        ),
        remedy=Remedy("regularise", 0.3, "Collect more rows, or drop units, shrink weights and stop early."),
        lab="bias-variance",
    )  # fmt: skip


def high_bias(view: View) -> Finding | None:
    """Both scores meet far below what is possible: more rows do not help, a less stiff network does."""
    rows = points(view)
    if len(rows) < 2:
        return None
    train, held = rows[-1]["train_score"], rows[-1]["val_score"]
    noise = view.noise(held, "curve")
    before = max(
        (r for r in rows[:-1] if r["n_train"] <= 0.7 * rows[-1]["n_train"]),
        key=lambda r: r["n_train"],
        default=rows[0],
    )
    rise = held - before["val_score"]
    possible = view.best_possible
    if possible is None:
        guess = view.guess
        possible = 1.0 if train < guess + POOR * (1.0 - guess) else train
    missing = possible - train
    if (
        missing < max(GAP, ERRORS * noise)
        or train - held >= (max(GAP, ERRORS * noise) if view.best_possible is None else missing + noise)
        or rise >= max(FLAT_CURVE, 2 * noise, missing / 4)
    ):
        return None
    return Finding(
        "high_bias",
        "warning",
        where="learning curve",
        evidence={
            "train_score": train, "held_out_score": held, "possible": possible, "missing": missing,
            "threshold": max(GAP, ERRORS * noise), "rise_in_last_doubling": rise,
        },
        meaning=(
            f"Scores of training ({train:.3f}) and held-out rows ({held:.3f}) have met, and stay "
            f"{missing:.3f} below what is possible: the network is too stiff (bias), and more rows do not help."
        ),
        remedy=Remedy("grow", 4.0, "Make the layers wider, train longer, regularise less; more rows do not help."),
        lab="bias-variance",
    )  # fmt: skip


def points(view: View) -> list[Row]:
    """The rows of the record's learning curve that have all three numbers, fewest examples first."""
    keys = ("n_train", "train_score", "val_score")
    rows = [{k: number(row.get(k)) for k in keys} for row in view.record.curve or []]
    return sorted((r for r in rows if None not in r.values()), key=lambda r: r["n_train"])  # type: ignore[arg-type, return-value]
