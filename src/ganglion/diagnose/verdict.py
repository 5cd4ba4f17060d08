"""The verdict: all rules asked, causes before their symptoms, a few findings at most."""

from collections.abc import Callable
from contextlib import suppress

from ganglion.base.record import TrainingRecord
from ganglion.diagnose.batches import batch_too_large, batch_too_small
from ganglion.diagnose.conditioning import ill_conditioned
from ganglion.diagnose.curve import high_bias, high_variance
from ganglion.diagnose.finding import Finding
from ganglion.diagnose.generalisation import held_back, no_better_than_baseline, overfitting, underfitting
from ganglion.diagnose.gradients import exploding_gradients, non_finite_step, vanishing_gradients
from ganglion.diagnose.inputs import (
    few_rows,
    ignored_imbalance,
    suspected_leakage,
    too_little_data,
    unscaled_inputs,
)
from ganglion.diagnose.labels import label_noise, many_wrong_labels
from ganglion.diagnose.shift import internal_shift
from ganglion.diagnose.steps import lr_too_high, lr_too_low, plateau
from ganglion.diagnose.units import dead_from_start, dead_units, saturated_from_start, saturated_units
from ganglion.diagnose.view import View

Rule = Callable[[View], Finding | None]

MOST = 3  # findings in a verdict: a list of ten helps nobody

# From cause to symptom: data, start, steps, what training did to the units, and at last the scores.
RULES: tuple[Rule, ...] = (
    suspected_leakage,
    unscaled_inputs,
    batch_too_small,
    exploding_gradients,
    saturated_from_start,
    vanishing_gradients,
    lr_too_high,
    dead_from_start,
    few_rows,
    ill_conditioned,
    internal_shift,
    dead_units,
    lr_too_low,
    non_finite_step,
    saturated_units,
    high_bias,
    high_variance,
    too_little_data,
    many_wrong_labels,
    plateau,
    ignored_imbalance,
    batch_too_large,
    no_better_than_baseline,
    underfitting,
    overfitting,
    label_noise,
)

SCORES = frozenset(
    {
        "underfitting", "overfitting", "no_better_than_baseline", "plateau", "ignored_imbalance", "ill_conditioned",
        "batch_too_large", "high_bias", "high_variance",
    }
)  # fmt: skip
START = frozenset({"saturated_units", "dead_units", "vanishing_gradients", "exploding_gradients"})

# What a cause explains is left out: it would go away with it, or show itself in the next verdict.
EXPLAINS: dict[str, frozenset[str]] = {
    "unscaled_inputs": SCORES | START | {"lr_too_high", "lr_too_low"},
    "exploding_gradients": SCORES | START | {"lr_too_high", "lr_too_low"},
    "batch_too_small": SCORES | START | {"lr_too_high", "internal_shift"},
    "lr_too_high": SCORES | START | {"internal_shift"},
    "internal_shift": SCORES | START | {"lr_too_high"},
    "ill_conditioned": SCORES | {"lr_too_low", "internal_shift"},
    "label_noise": SCORES,
    "batch_too_large": SCORES,
    "high_bias": frozenset({"underfitting", "high_variance", "overfitting"}),
    "high_variance": frozenset({"overfitting", "too_little_data"}),
    "saturated_units": SCORES | START | {"lr_too_high", "lr_too_low"},
    "dead_units": SCORES | START | {"lr_too_low"},
    "vanishing_gradients": SCORES | {"lr_too_low"},
    "lr_too_low": SCORES,
    "non_finite_step": SCORES | {"too_little_data"},
    "too_little_data": frozenset(
        {
            "overfitting",
            "no_better_than_baseline",
            "underfitting",
            "ignored_imbalance",
            "batch_too_large",
            "internal_shift",
        }
    ),
    "plateau": frozenset({"underfitting", "no_better_than_baseline"}),
    "ignored_imbalance": frozenset({"no_better_than_baseline", "overfitting", "underfitting"}),
    "no_better_than_baseline": frozenset({"overfitting", "underfitting"}),
}


def diagnose(record: TrainingRecord, *, most: int = MOST) -> list[Finding]:
    """Say what a training record shows, most likely cause first; never raises.

    Arguments:
        record: of any run; missing parts only silence the rules that need them.
        most: findings at most.

    Returns at least one finding: ``healthy`` leads the list when nothing asks for action.

    >>> diagnose(TrainingRecord())[0].name
    'healthy'
    """
    found: list[Finding] = []
    explained: set[str] = set()
    with suppress(Exception):
        view = View(record)
        for rule in in_order(view):
            finding = ask(rule, view)
            if finding is not None and finding.name not in explained:
                found.append(finding)
                explained |= EXPLAINS.get(finding.name, frozenset()) | {finding.name}
    found.sort(
        key=lambda finding: not finding.is_warning
    )  # what asks for something before what is worth knowing
    if not any(finding.is_warning for finding in found):
        found.insert(0, healthy(record))
    return found[:most]


def in_order(view: View) -> list[Rule]:
    """The rules; a setting that by itself keeps the network from fitting goes before what it brings about."""
    first: list[Rule] = []
    with suppress(Exception):
        first = [suspected_leakage, unscaled_inputs, underfitting] if held_back(view) else []
    return first + [rule for rule in RULES if rule not in first]


def ask(rule: Rule, view: View) -> Finding | None:
    """A rule's finding; a part of the record that it cannot read counts as missing."""
    with suppress(Exception):
        return rule(view)
    return None


def healthy(record: TrainingRecord) -> Finding:
    """The finding that nothing stands out, with the scores where there are some."""
    evidence, rest = {}, ""
    with suppress(Exception):
        view = View(record)
        key = view.score_key
        rest = " The loss came to rest at a minimum." if view.at_rest else ""
        scores = {f"{part}_{key}": view.score(part) for part in ("train", "validation")}
        evidence = {k: v for k, v in scores.items() if v is not None}
    return Finding(
        "healthy",
        "ok",
        evidence=evidence,
        meaning=f"Training went well: nothing in the record asks for action.{rest}",
    )
