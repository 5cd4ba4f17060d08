"""Diagnosis of networks from torch modules: is the planted fault first, and is a sound run left alone?

    python benchmarks/diagnosis_modules.py                     the parts that docs/diagnosis.md reports
    python benchmarks/diagnosis_modules.py --part tuning       runs on which thresholds were set; see PARTS
    python benchmarks/diagnosis_modules.py --cache FOLDER      keeps the records, to judge them again in seconds

100 planted faults and 100 sound runs a part: 22 faults, five architectures, five data sets, all from seeds.
Before any verdict is looked at, runs are drawn again until these hold:

* sound: on clean rows at least 0.9 of the way from a guess to the best of two models of scikit-learn (linear,
  support vectors with a Gaussian kernel) trained on the same rows;
* planted: on clean rows at least 0.1 (R^2 or balanced accuracy) below its sound twin, which differs by the fault
  alone (overfitting and variance: 0.05 below one with brakes; shift: the same network without what moves). For
  leakage: the score that the run reports of itself is 0.1 above that on new rows;
* high bias: the module is affine in its inputs, so that no number of rows makes it bend (half-way between two rows it
  answers half-way between their answers), and three times the epochs gain less than 0.05.
"""

import argparse
import json
import os
import time
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _module_plants import FAULTS, PARTS, Case, possible, slots, sound
from _shared import table
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from ganglion.base.record import TrainingRecord
from ganglion.diagnose import diagnose
from ganglion.diagnose.yardstick import known
from ganglion.evaluate.learning_curve import learning_curve
from ganglion.metrics.tasks import fit_scores

REPORTED = ["seventh", "eighth"]  # the last to be drawn; what was changed when: docs/log.md
SOUND, TRIES, PATIENCE = 0.9, 24, 8  # draws on one data set before the next is taken
HARM = {
    "overfitting": 0.05,
    "high_variance": 0.05,
}  # the weights of the best epoch are kept, which bounds the harm
USUAL_HARM = 0.1
PAGE, MARKS = (
    Path(__file__).parents[1] / "docs" / "diagnosis.md",
    ("<!-- modules -->", "<!-- modules end -->"),
)
# what a fault is measured against, where its twin is not the sound run itself: settings, parts of the network
BRAKES = {"optimizer": "adamw", "weight_decay": 0.3, "early_stopping": True, "validation_fraction": 0.2}
TWINS: dict[str, dict[str, Any]] = {
    "ignored_imbalance": {"class_weight": "balanced"},
    "batch_too_small": {"batch_size": 32},
    "batch_too_large": {"batch_size": 32},
    "overfitting": BRAKES,
    "high_variance": BRAKES,
}
NET_TWINS: dict[str, dict[str, Any]] = {"internal_shift": {"inside": None, "norm_momentum": 0.1}}
MORE, MORE_GAIN, AFFINE = 3, 0.05, 1e-3  # epochs, what they may gain, and float32's rounding over ten layers


@dataclass
class Outcome:
    """A run: what was planted, its record, its score on clean rows and that of its twin."""

    kind: str
    arch: str
    data: str
    seed: int
    score: float
    twin: float
    record: dict[str, Any]
    settings: dict[str, Any]
    drawn: int = 1
    seconds: float = 0.0

    def verdict(self) -> list[Any]:
        """The findings."""
        return diagnose(TrainingRecord.from_dict(self.record))

    def right(self, verdict: list[Any]) -> bool:
        """Whether the planted fault is first with at most two others; a sound run: no warning."""
        if self.kind == "healthy":
            return not any(f.is_warning for f in verdict)
        return verdict[0].name == self.kind and len(verdict) <= 3


def fitted(case: Case) -> Any:
    """The trained estimator; with a learning curve where the case asks for one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if case.curve:
            return learning_curve(case.estimator(), case.rows.X, case.rows.y, seed=case.seed).estimator
        if case.judged:
            return judged(case)
        return case.estimator().fit(case.rows.X, case.rows.y)


def judged(case: Case) -> Any:
    """Trained to the end on three quarters of the rows and judged on the others, as ``ganglion.fit`` judges."""
    rows = case.rows
    n = len(rows.y) * 3 // 4
    net = case.estimator().fit(rows.X[:n], rows.y[:n])
    inputs = [net.preprocessor_.transform(rows.X[part]) for part in (slice(n), slice(n, None))]
    k = None if rows.regression else len(net.classes_)
    y = (
        (rows.y - net.target_mean_) / net.target_scale_
        if rows.regression
        else np.searchsorted(net.classes_, rows.y)
    )
    told = known(inputs[0], y[:n], inputs[1], y[n:], classes=k)
    answer = net.predict(rows.X[n:])
    scores = (
        fit_scores(rows.y[n:, None], answer[:, None])
        if k is None
        else fit_scores(y[n:], np.searchsorted(net.classes_, answer), k)
    )
    net.record_.scores["validation"] = scores
    net.record_.baselines = told["baselines"]
    net.record_.data |= told["data"]
    return net


def known_level(case: Case) -> tuple[float, float]:
    """The score of a guess, and the best one of two models of scikit-learn on the same rows."""
    rows = case.rows
    guess = 0.0 if rows.regression else 1.0 / len(np.unique(rows.y))
    models = (Ridge(), SVR(C=10)) if rows.regression else (RidgeClassifier(), SVC(C=10))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = [make_pipeline(StandardScaler(), m).fit(rows.X, rows.y) for m in models]
    return guess, max(case.score(m) for m in made)


def stiff(case: Case, broken: Any) -> bool:
    """Whether the network is affine in its inputs, and trained to its end."""
    x = torch.randn(3, 64, case.rows.X.shape[1], generator=torch.Generator().manual_seed(case.seed))
    x[2] = (x[0] + x[1]) / 2
    with torch.no_grad():
        a, b, middle = (broken.module_.eval()(part) for part in x)
    if (middle - (a + b) / 2).abs().max() > AFFINE * middle.abs().max():
        return False
    longer = {"max_epochs": MORE * case.settings["max_epochs"]}
    more = fitted(replace(case, curve=False, settings=case.settings | longer))
    return case.score(more) - case.score(broken) < MORE_GAIN


def draw(part: str, kind: str, arch: str, data: str, first_seed: int) -> tuple[Outcome, Outcome]:
    """A sound run and the same with the fault, drawn until both are what they should be."""
    names = possible(kind, arch)
    names = names[names.index(data) :] + names[: names.index(data)]
    for i in range(TRIES):
        seed, start, data = first_seed + i, time.perf_counter(), names[i // PATIENCE % len(names)]
        healthy = sound(arch, data, seed)
        twin = fitted(healthy)
        score, took = healthy.score(twin), time.perf_counter() - start
        guess, best = known_level(healthy)
        if score < guess + SOUND * (best - guess):
            continue
        bad = FAULTS[kind][0](replace(healthy, kind=kind), np.random.default_rng(seed + 500))
        start = time.perf_counter()
        broken = fitted(replace(bad, curve=False, judged=False))
        bad_took = time.perf_counter() - start
        bad_score = bad.score(broken)
        against = score
        if kind == "high_bias" and not stiff(bad, broken):
            continue
        if kind in NET_TWINS:
            net = replace(bad.net, **NET_TWINS[kind])
            against = bad.score(fitted(replace(bad, net=net)))
        elif kind in TWINS:
            net = replace(healthy.net, dropout=0.3) if TWINS[kind] is BRAKES else bad.net
            against = bad.score(
                fitted(replace(bad, net=net, settings=bad.settings | TWINS[kind], curve=False))
            )
        elif kind == "suspected_leakage":
            scores = broken.record_.scores["validation"]
            against = scores.get("balanced_accuracy", scores["score"])
        if against - bad_score >= HARM.get(kind, USUAL_HARM):
            if bad.curve or bad.judged:
                broken = fitted(bad)
            return (
                outcome(healthy, twin, score, score, i + 1, took),
                outcome(bad, broken, bad_score, against, i + 1, bad_took),
            )
    raise RuntimeError(f"no harmful {kind} on {arch}, {data} in {TRIES} draws")


def outcome(case: Case, fitted: Any, score: float, twin: float, drawn: int, took: float) -> Outcome:
    """The outcome of a run."""
    shown = {k: v for k, v in case.net.__dict__.items() if isinstance(v, int | float | str)} | case.settings
    record = json.loads(json.dumps(fitted.record_.to_dict()))
    return Outcome(case.kind, case.arch, case.data, case.seed, score, twin, record, shown, drawn, took)


def pair(part: str, slot: tuple[str, str, str, int], cache: Path | None) -> tuple[Outcome, Outcome] | None:
    """The two runs of a slot, from the cache where they are there."""
    path = cache and cache / f"{part}-{'-'.join(map(str, slot))}.json"
    if path and path.exists():
        return tuple(Outcome(**o) for o in json.loads(path.read_text()))  # type: ignore[return-value]
    try:
        both = draw(part, *slot)
    except RuntimeError as error:
        print(error, flush=True)
        return None
    if path:
        path.write_text(json.dumps([o.__dict__ for o in both]))
    return both


# --- reporting --------------------------------------------------------------------------------------------


def confusion(outcomes: list[Outcome]) -> str:
    """The confusion table in Markdown, with the totals."""
    head = ("planted", "first finding is right", "first finding otherwise", "most other findings")
    rows, right = [], Counter[str]()
    for kind in (*FAULTS, "healthy"):
        found = [(o, o.verdict()) for o in outcomes if o.kind == kind]
        hits = [o.right(v) for o, v in found]
        right["healthy" if kind == "healthy" else "planted"] += sum(hits)
        others = Counter(
            next((f.name for f in v if f.is_warning), v[0].name)
            for (_, v), hit in zip(found, hits)
            if not hit
        )
        otherwise = ", ".join(f"{name} {n}" for name, n in others.most_common()) or "-"
        if found:
            rows.append((kind, f"{sum(hits)} of {len(found)}", otherwise, max(len(v) for _, v in found) - 1))
    sound_runs = sum(o.kind == "healthy" for o in outcomes)
    planted = len(outcomes) - sound_runs
    return (
        table(head, rows)
        + f"\nPlanted faults found first: **{right['planted']} of {planted}**.\n"
        + f"Sound runs with a warning: **{sound_runs - right['healthy']} of {sound_runs}**."
    )


def describe(o: Outcome, verdict: list[Any]) -> str:
    """One line on a run."""
    mark = "ok  " if o.right(verdict) else "MISS"
    names = ", ".join(f"{f.name}({f.severity[0]})" for f in verdict)
    scores = f"{o.score:.2f} vs {o.twin:.2f}, drawn {o.drawn}, {o.seconds:.1f} s"
    return f"{mark} {o.kind} [{o.arch}, {o.data}, {o.seed}] {names} ({scores})"


def main(argv: list[str] | None = None) -> list[Outcome]:
    """Run a part and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=PARTS, nargs="+", default=REPORTED)
    parser.add_argument("--only", choices=[*FAULTS, "healthy"])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--write", action="store_true", help="put the table into docs/diagnosis.md")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    if options.cache:
        os.makedirs(options.cache, exist_ok=True)
    outcomes: list[Outcome] = []
    for part, slot in [(name, slot) for name in options.part for slot in slots(name)]:
        if options.only in (None, "healthy", slot[0]) and (both := pair(part, slot, options.cache)):
            outcomes += both
            for o in both:
                print(describe(o, o.verdict()), flush=True)
    print(
        f"\nPart: {' and '.join(options.part)}. {sum(o.seconds for o in outcomes):.0f} s.\n\n{confusion(outcomes)}"
    )
    if options.write:
        before, _, rest = PAGE.read_text().partition(MARKS[0])
        PAGE.write_text(f"{before}{MARKS[0]}\n{confusion(outcomes)}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}")
    return outcomes


if __name__ == "__main__":
    main()
