"""Diagnosis on planted faults: is the planted fault the first finding, and does its remedy help?

    python benchmarks/diagnosis.py                  the reported runs (prints the table of docs/diagnosis.md)
    python benchmarks/diagnosis.py --part tuning    runs on which thresholds were set; so is --part trial
    python benchmarks/diagnosis.py --only plateau   one kind

60 runs with a planted fault (15 kinds, 4 variants each) and 60 sound ones, on seven data sets; the parts
differ in seeds, in the data of each variant and in the sound runs' settings. Three tenths of each data set
are held out; the first remedy is applied, the network retrained, and both are scored on those rows.
"""

import argparse
import copy
import time
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _plants import KINDS, PARTS, Plant, healthy, plants
from _shared import table
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import train_test_split

HELD_OUT = 0.3
PAGE, MARKS = Path(__file__).parents[1] / "docs" / "diagnosis.md", ("<!-- measured -->", "<!-- end -->")


@dataclass
class Outcome:
    """What a run gave."""

    plant: Plant
    names: list[str]
    warned: bool
    before: float = 0.0
    after: float | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether the planted fault is first, with at most two others (a sound run: no warning)."""
        if self.plant.kind == "healthy":
            return not self.warned
        return self.names[0] == self.plant.kind and len(self.names) <= 3

    @property
    def improved(self) -> bool:
        """Whether the network trained again with the remedy is better on held-out rows."""
        return self.after is not None and self.after > self.before


def run(plant: Plant, *, heal: bool = True) -> Outcome:
    """Fit, diagnose, and with ``heal`` apply the first remedy and fit again."""
    start = time.perf_counter()
    stratify = None if plant.regression or np.unique(plant.y, return_counts=True)[1].min() < 4 else plant.y
    parts = train_test_split(plant.X, plant.y, test_size=HELD_OUT, random_state=0, stratify=stratify)
    X, held, y, goal = (
        parts if plant.kind not in ("too_little_data",) else (plant.X, plant.X, plant.y, plant.y)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = plant.estimator().fit(X, y)
        first = estimator.diagnosis_[0]
        outcome = Outcome(
            plant, [f.name for f in estimator.diagnosis_], any(f.is_warning for f in estimator.diagnosis_)
        )
        remedy = first.remedy is not None and first.remedy.by_parameters and heal and plant.kind != "healthy"
        changes = estimator.remedy(first) if remedy else {}
        if changes:
            outcome.before = score(plant, estimator.predict(held), goal)
            outcome.after = score(plant, plant.estimator(**changes).fit(X, y).predict(held), goal)
            outcome.changes = changes
    outcome.seconds = time.perf_counter() - start
    return outcome


def score(plant: Plant, answer: np.ndarray, goal: np.ndarray) -> float:
    """Balanced accuracy, or R^2."""
    if not np.isfinite(np.asarray(answer, dtype=np.float64)).all():
        return -np.inf
    return float(r2_score(goal, answer) if plant.regression else balanced_accuracy_score(goal, answer))


# --- reporting --------------------------------------------------------------------------------------------


def confusion(outcomes: list[Outcome]) -> str:
    """The confusion table in Markdown, with the three totals."""
    head = (
        "planted",
        "first finding is right",
        "first finding otherwise",
        "most other findings",
        "remedy improves",
    )
    rows = []
    for kind in (*KINDS, "healthy"):
        of_kind = [o for o in outcomes if o.plant.kind == kind]
        if not of_kind:
            continue
        others = Counter(o.names[0] for o in of_kind if not o.right)
        otherwise = ", ".join(f"{name} {n}" for name, n in others.most_common()) or "-"
        tried = [o for o in of_kind if o.after is not None]
        improves = f"{sum(o.improved for o in tried)} of {len(tried)}" if tried else "-"
        right = f"{sum(o.right for o in of_kind)} of {len(of_kind)}"
        rows.append((kind, right, otherwise, max(len(o.names) for o in of_kind) - 1, improves))
    faulty = [o for o in outcomes if o.plant.kind != "healthy"]
    sound = [o for o in outcomes if o.plant.kind == "healthy"]
    tried = [o for o in faulty if o.after is not None]
    share = sum(o.improved for o in tried) / max(len(tried), 1)
    return (
        table(head, rows)
        + f"\nPlanted faults found first: **{sum(o.right for o in faulty)} of {len(faulty)}**.\n"
        + f"Sound runs without a warning: **{sum(o.right for o in sound)} of {len(sound)}**.\n"
        + f"Remedies by parameters that improve the held-out score: **{share:.0%}** of {len(tried)}."
    )


def describe(o: Outcome) -> str:
    """One line on a run."""
    shown = {k: v for k, v in o.plant.settings.items() if k not in ("random_state", "module")}
    healed = "" if o.after is None else f"  {o.before:.3f} -> {o.after:.3f} by {o.changes}"
    mark = "ok  " if o.right else "MISS"
    return f"{mark} {o.plant.kind} [{o.plant.data}] {shown}: {', '.join(o.names)}{healed} ({o.seconds:.1f} s)"


def main(argv: list[str] | None = None) -> list[Outcome]:
    """Run a part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, default="reporting")
    parser.add_argument("--only", choices=[*KINDS, "healthy"])
    parser.add_argument("--write", action="store_true", help="put the table into docs/diagnosis.md")
    parser.add_argument("--quiet", action="store_true", help="only the table")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    runs = list(plants(options.part, options.only))
    runs += [] if options.only not in (None, "healthy") else list(healthy(options.part))
    outcomes = []
    for one in runs:
        outcomes.append(run(copy.deepcopy(one)))
        if not options.quiet:
            print(describe(outcomes[-1]), flush=True)
    print(f"\nPart: {options.part}. {sum(o.seconds for o in outcomes):.0f} s.\n")
    print(confusion(outcomes))
    if options.write:
        before, _, rest = PAGE.read_text().partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        PAGE.write_text(f"{before}{MARKS[0]}\n{confusion(outcomes)}\n{MARKS[1]}{after}")
    return outcomes


if __name__ == "__main__":
    main()
