"""Rules about steps: a learning rate that is too high or too low, and training that stands still."""

import math

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.units import DEAD, is_at_zero, worst
from ganglion.diagnose.view import LARGE_STEP, View, number, numbers

# A good step moves a layer by about a thousandth to a hundredth of its size.
GOOD_STEP = 5e-3
# A step of half the weights' size forgets what they were.
HUGE_STEP = 0.5
# Weights that double within a few hundred steps (see view.FEW_STEPS) were thrown, not trained.
GROWTH = 2.0
# Gradients that grew so much before an overflow were driven by the steps.
RUNAWAY = 5.0
# Ten times the loss of a prediction that does not look at the inputs: thrown off, not learning.
OVERSHOOT = 10.0
# The rises of the loss add up to half of its whole range.
ROUGH = 0.5
# At 1/5000 per step even a thousand steps in one direction move a layer by a fifth at most.
TINY_STEP = 2e-4

# Less than 1 % of the loss in half of the run is no progress.
FLAT = 0.01
# So few steps are a beginning, in which a loss may well stand still.
BEGINNING = 50
# At 1/1000 of its peak a learning rate does nothing more.
FROZEN_LR = 1e-3
# A gradient still that large, compared with the first epoch, says that there was more to learn.
LIVE_GRADIENT = 0.1
# A score within so much of the baseline is as good as equal.
MARGIN = 0.1


def lr_too_high(view: View) -> Finding | None:
    """Steps about as large as the weights themselves, or a loss that jumps instead of falling."""
    largest, growth = max(view.update_ratios, default=0.0), view.early_growth
    signs = harm(view)
    if growth >= GROWTH and signs:
        signs["weight_growth"] = growth
    elif "diverged" in signs and view.gradient_growth >= RUNAWAY:
        signs["gradient_growth"] = view.gradient_growth
    elif largest < (LARGE_STEP if signs else HUGE_STEP) and (view.update_ratios or not _diverged(view)):
        return None
    # what was measured while the weights flew apart says little of how much less is right
    factor = max(power_of_ten(GOOD_STEP / max(largest, LARGE_STEP)), 1e-3) if view.update_ratios else 0.1
    evidence = dict(signs)
    if view.update_ratios:
        evidence |= {"update_ratio": largest, "threshold": HUGE_STEP if largest >= HUGE_STEP else LARGE_STEP}
    return Finding(
        "lr_too_high",
        "error" if "below_baseline" in signs or view.record.stopped == "non_finite" else "warning",
        evidence=evidence,
        meaning=(
            f"Single steps change a layer by {largest:.0%} of its size (about 0.5 % is usual): each forgets "
            "what the ones before it learned."
            if largest >= LARGE_STEP
            else "Gradients grew from step to step until nothing was finite: each step overshot further."
            if "gradient_growth" in signs
            else f"Within a few steps the weights grew {growth:.1f}-fold: steps are far too large."
            if growth >= GROWTH
            else "The loss jumps up and down or grows instead of falling."
        ),
        remedy=Remedy("lower_lr", factor, f"Multiply the learning rate by {factor:g}."),
        lab="learning-rate",
    )


def harm(view: View) -> dict[str, float]:
    """Signs that steps were too large, as evidence."""
    signs = {}
    if view.losses and max(view.losses) >= OVERSHOOT * view.chance_loss:
        signs["loss_over_chance"] = max(view.losses) / view.chance_loss
    if len(view.losses) >= 5 and view.roughness >= ROUGH:
        signs["roughness"] = view.roughness
    score, best = view.score("validation"), view.best_baseline
    if score is not None and best is not None and best - score >= max(MARGIN, 2 * view.noise(score)):
        signs["below_baseline"] = best - score
    if view.record.stopped == "non_finite" and (number((view.record.non_finite or {}).get("step")) or 0) > 1:
        signs["diverged"] = 1.0
    died = worst(view.last_look, "dead")[0]
    if died >= DEAD and worst(view.first_look, "dead")[0] < DEAD / 2:
        signs["units_died"] = died
    return signs


def _diverged(view: View) -> bool:
    """For a record without layers: the loss ended far above its best, or jumped all the time."""
    if len(view.losses) < 3:
        return False
    grew = view.losses[-1] >= 2 * min(view.losses) and view.losses[-1] >= view.chance_loss
    jumped = (
        len(view.losses) >= 5 and view.roughness >= 2 * ROUGH and view.losses[-1] >= 0.5 * view.chance_loss
    )
    return grew or jumped


def lr_too_low(view: View) -> Finding | None:
    """Tiny steps all along, and a loss that was still far from what is possible."""
    largest = max(view.update_ratios, default=None)
    cut_short = len(view.moments) < 2 or view.record.stopped == "non_finite"
    if largest is None or not 0 < largest < TINY_STEP or cut_short or not view.unfinished:
        return None
    factor = power_of_ten(GOOD_STEP / largest)
    evidence = {"update_ratio": largest, "threshold": TINY_STEP, "still_falling": view.fall(0.25)}
    if view.losses:
        evidence["loss_over_chance"] = view.losses[-1] / view.chance_loss
    return Finding(
        "lr_too_low",
        "warning",
        evidence=evidence,
        meaning=(
            f"No step changed a layer by more than {largest:.1g} of its size (about 5e-3 is usual): the run "
            "ended long before the network could learn."
        ),
        remedy=Remedy("raise_lr", factor, f"Multiply the learning rate by {factor:g}."),
        lab="learning-rate",
    )


def plateau(view: View) -> Finding | None:
    """Training that stands still although there is more to learn."""
    return _frozen(view) or _stuck(view)


def _frozen(view: View) -> Finding | None:
    """The learning rate fell to nothing while the gradient was still large."""
    rates = numbers(view.history, "lr")
    norms = numbers(view.history, "grad_norm")
    if len(rates) < 4 or not norms or max(rates) <= 0 or not norms[0]:
        return None
    idle = sum(r < FROZEN_LR * max(rates) for r in rates) / len(rates)
    live = norms[-1] / norms[0]
    if idle < 0.4 or live < LIVE_GRADIENT or view.fall(idle) >= FLAT:
        return None
    return Finding(
        "plateau",
        "warning",
        where="schedule",
        evidence={
            "idle_share_of_epochs": idle,
            "gradient_left": live,
            "threshold": LIVE_GRADIENT,
            "fall_in_that_time": view.fall(idle),
        },
        meaning=(
            f"For {idle:.0%} of the epochs the learning rate was below a thousandth of its peak and the loss "
            f"stood still, while the gradient was still {live:.0%} of the first epoch's."
        ),
        remedy=Remedy("keep_lr", "constant", "Let the learning rate fall later or less."),
        lab="plateau",
    )


def _stuck(view: View) -> Finding | None:
    """The loss is flat at the level of a guess that ignores the inputs, and a baseline does better."""
    train, dummy, best = view.score("train"), view.baseline("dummy"), view.best_baseline
    at_zero = is_at_zero(view)
    begun = at_zero or not 0 < view.steps < BEGINNING
    if len(view.losses) < 4 or not begun or (not at_zero and abs(view.fall(0.5)) >= FLAT):
        return None
    at_chance = view.losses[-1] >= 0.9 * view.chance_loss
    if train is not None and dummy is not None:
        guess = 0.0 if view.is_regression else dummy  # the mean's R^2 is 0 on the rows that it was taken from
        at_chance = train - guess < max(MARGIN / 2, 2 * view.noise(guess, "train"))
    possible = best is not None and train is not None and best - train >= MARGIN
    if not at_chance or (best is not None and not possible):
        return None
    linear = view.baseline("linear")
    if not at_zero and view.linear and linear is not None and linear < view.guess + MARGIN:
        return None  # a network without activations cannot do more: it is too stiff, not stuck
    evidence = {
        "fall_in_second_half": view.fall(0.5),
        "threshold": FLAT,
        "loss_over_chance": view.losses[-1] / view.chance_loss,
    }
    if best is not None and train is not None:
        evidence |= {"train_score": train, "best_baseline": best}
    bent_down = view.bends_down
    if bent_down is not None:
        evidence["negative_curvature"] = bent_down
    if at_zero:
        remedy = Remedy(
            "reset_init", None, "Start with random weights: with equal ones all units stay alike."
        )
    else:
        remedy = Remedy("raise_lr", 10.0, "Multiply the learning rate by 10, or start from other weights.")
    return Finding(
        "plateau",
        "warning",
        where="weights" if at_zero else "",
        evidence=evidence,
        meaning=(
            "The loss stands still at the level of a guess that does not look at the inputs"
            + (": all weights began at 0." if at_zero else ", although there is something to learn.")
            + (" It bends down in some direction: a saddle, and no minimum." if bent_down is not None else "")
        ),
        remedy=remedy,
        lab="plateau",
    )


def power_of_ten(factor: float) -> float:
    """The nearest power of ten, at least one step away from 1."""
    exponent = round(math.log10(factor))
    return 10.0 ** (exponent or (1 if factor > 1 else -1))
