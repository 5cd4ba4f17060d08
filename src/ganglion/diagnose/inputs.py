"""Rules about the data: unscaled inputs, leakage, too little of it, classes that drown."""

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.view import View, number

# He and Glorot initialisation assume inputs of size 1; ten times more or less is ten times too steep or flat.
LARGE_INPUT = 10.0
SMALL_INPUT = 0.1

# A real measurement hardly ever ranks all but 1 % of the pairs alone; real tables stay below .985.
LEAK_AUC = 0.99
LEAK_R2 = 0.98
# With several classes the easiest one against the rest decides, and one class often is easy.
LEAK_AUC_OF_SEVERAL = 0.995
# A column of many classes is hard to score on few rows, but no other comes near to one that knows the answer.
LEAK_AUC_APART = 0.98
APART = 0.05

# A score from the 16 rows that are a fifth of 80 is known to within 25 points (two standard errors).
FEW_ROWS = 80
# Below two rows per column even a linear model fits noise exactly.
ROWS_PER_COLUMN = 2.0

# From 10:1 on, always answering the larger class is right in more than 90 % of the rows.
IMBALANCE = 10.0
# Accuracy and balanced accuracy are equal when every class is found equally often.
BALANCE_GAP = 0.05


def unscaled_inputs(view: View) -> Finding | None:
    """Input columns whose typical size, sqrt(mean^2 + std^2), is far from 1."""
    sizes = {}
    for name, s in (view.data.get("scales") or {}).items():
        mean, std = number(s.get("mean")), number(s.get("std"))
        if mean is not None and std is not None and (std > 0 or mean != 0):
            sizes[str(name)] = (mean**2 + std**2) ** 0.5
    if not sizes:
        return None
    largest = max(sizes, key=sizes.__getitem__)
    if SMALL_INPUT <= sizes[largest] <= LARGE_INPUT:
        return None
    smallest = min(sizes, key=sizes.__getitem__)
    too_large = sizes[largest] > LARGE_INPUT
    return Finding(
        "unscaled_inputs",
        "warning",
        where=largest,
        evidence={
            "largest_size": sizes[largest],
            "smallest_size": sizes[smallest],
            "threshold": LARGE_INPUT if too_large else SMALL_INPUT,
            "columns_beyond": sum(v > LARGE_INPUT or v < SMALL_INPUT for v in sizes.values()),
        },
        meaning=(
            f"Inputs reach the network {'as large' if too_large else 'as small'} as {sizes[largest]:.3g} "
            f"(column {largest!r}), where it expects about 1; "
            + ("large columns drown the others and make steps jump." if too_large else "it hardly sees them.")
        ),
        remedy=Remedy("scale_inputs", None, "Standardise the columns (mean 0, standard deviation 1)."),
        lab="input-scaling",
    )


def suspected_leakage(view: View) -> Finding | None:
    """A single column that predicts the target (nearly) perfectly."""
    scores = {str(k): number(v) for k, v in (view.data.get("single_column_scores") or {}).items()}
    found = {k: v for k, v in scores.items() if v is not None}
    if len(found) < 2 or (view.size("train") or FEW_ROWS) < FEW_ROWS:
        return None  # one column is all there is; or few rows, where some column fits by chance
    top = max(found, key=found.__getitem__)
    several = len(view.counts) > 2
    threshold = LEAK_R2 if view.is_regression else LEAK_AUC_OF_SEVERAL if several else LEAK_AUC
    second = max(v for k, v in found.items() if k != top)
    if several and 1.0 - found[top] <= APART * (1.0 - second):
        threshold = LEAK_AUC_APART
    if found[top] < threshold:
        return None
    measure = "R^2" if view.is_regression else "AUC"
    return Finding(
        "suspected_leakage",
        "warning",
        where=top,
        evidence={"score_alone": found[top], "threshold": threshold, "next_best_column": second},
        meaning=(
            f"Column {top!r} alone predicts the target ({measure} {found[top]:.3f}). It may be a copy of the "
            "target or be known only after it; then the score will not hold on new rows."
        ),
        remedy=Remedy(
            "drop_column", top, f"Check where {top!r} comes from; train without it if it knows the answer."
        ),
        lab="leakage",
    )


def few_rows(view: View) -> Finding | None:
    """So few that statistics of batches mean little either."""
    return too_little_data(view) if (view.size("train") or FEW_ROWS) < FEW_ROWS else None


def too_little_data(view: View) -> Finding | None:
    """So few training rows that neither the fit nor its score can be trusted."""
    n = view.size("train")
    if n is None or n <= 0:
        return None
    columns = number(view.data.get("n_columns")) or number(view.data.get("n_features")) or 0.0
    need = FEW_ROWS
    if n >= FEW_ROWS:
        train, validation = view.score("train"), view.score("validation")
        if n >= ROWS_PER_COLUMN * columns or train is None or validation is None:
            return None
        if train - validation < max(0.1, 2 * view.noise(validation)):
            return None
        need = int(ROWS_PER_COLUMN * columns)
    evidence = {"n_train": n, "threshold": need, "n_columns": columns}
    wide = f" for {columns:.0f} columns" if columns else ""  # pictures have none
    validation = view.score("validation")
    if validation is not None:
        evidence["validation_error_margin"] = 2 * view.noise(validation)
    return Finding(
        "too_little_data",
        "warning",
        where="training rows",
        evidence=evidence,
        meaning=(
            f"{n} training rows{wide} are too few to tell a rule from chance"
            + (
                f"; the score may be off by {2 * view.noise(validation):.2f}."
                if validation is not None
                else "."
            )
        ),
        remedy=Remedy(
            "more_rows",
            float(need),
            f"Collect at least {need} rows, or use a simpler model{' and fewer columns' if wide else ''}.",
        ),
        lab="sample-size",
    )


def ignored_imbalance(view: View) -> Finding | None:
    """Rare classes that the network does not find, with no weight on them."""
    if view.imbalance < IMBALANCE or view.settings.get("class_weight"):
        return None
    part = min(
        (p for p in ("train", "validation") if view.score(p, "balanced_accuracy") is not None),
        key=lambda p: view.score(p, "balanced_accuracy") or 0.0,
        default=None,
    )
    if part is None:
        return None
    balanced, accuracy = (
        view.score(part, "balanced_accuracy"),
        view.score(part, "accuracy") or view.score(part, "score"),
    )
    if balanced is None or accuracy is None or accuracy - balanced < BALANCE_GAP:
        return None
    rare = min(view.data["classes"], key=lambda k: number(view.data["classes"][k]) or 0.0)
    return Finding(
        "ignored_imbalance",
        "warning",
        where=f"class {rare}",
        evidence={
            "largest_to_smallest": view.imbalance,
            "threshold": IMBALANCE,
            "accuracy": accuracy,
            "balanced_accuracy": balanced,
            "gap_threshold": BALANCE_GAP,
        },
        meaning=(
            f"The largest class is {view.imbalance:.0f} times the smallest. Accuracy {accuracy:.3f} hides "
            f"that the classes are found in only {balanced:.0%} of their rows on average."
        ),
        remedy=Remedy(
            "weigh_classes",
            None,
            "Weigh each class by its inverse frequency, and judge by balanced accuracy.",
        ),
        lab="imbalance",
    )
