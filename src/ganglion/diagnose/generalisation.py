"""Rules about scores: too close a fit, too loose a fit, and nothing learned at all."""

import math
from statistics import median_low

from ganglion.diagnose.finding import Finding, Remedy
from ganglion.diagnose.kernel import ROWS
from ganglion.diagnose.view import TINY, View, number, numbers

# Ten points of the score, beyond twice its standard error: a difference that matters and is not chance.
GAP = 0.1
ERRORS = 2.0
# Three tenths of the score are lost between training and held-out rows.
WIDE_GAP = 0.3
UNGUARDED_GAP = 0.25  # where neither the best epoch was kept nor an early stop in force
GUARDED_GAP = 0.4  # where the best epoch was kept: an earlier stop would not have helped
# So far below a simple model on the same rows, the fit itself does harm ...
BEATEN = 0.2
# ... if it fits the training rows at least as well as that model does others.
BESIDE = 0.02
# In units of the loss of a guess: a held-out loss that rose by so much undid what was learned ...
RISE = 0.3
# ... and one that stays so far above a training loss near 0 means that rows were learned, not a rule.
APART = 0.5
# The kept epoch is the luckiest of many, which is worth about half a standard error more.
SELECTED = 2.5
# The kept weights' validation loss over the best epoch's: what an earlier stop would have saved.
REGRET = 1.15
# Five points of the held-out score, and its standard error, lost after the best epoch.
FELL = 0.05
# Dropout of a third makes training mode half as dear again.
TWICE = 2.0
# Still losing 2 % of the loss in the last quarter of the run.
FALLING = 0.02
# A seventh of the way from a guess to what a simple model reaches; a tenth if more epochs would have helped.
MISSING, MISSING_FALLING = 0.15, 0.1
# Penalties beyond these rule over the loss in any network.
STRONG_DROPOUT = 0.6
STRONG_DECAY = 3.0  # decoupled: with lr 2e-3 the weights halve every 115 steps
STRONG_L1 = 0.1
# Weights at a tenth of their start carry a hundredth of the signal through two layers.
SHRUNK = 0.1
# Fewer units than this in a layer pass on fewer numbers than most targets need.
NARROW = 4


def overfitting(view: View) -> Finding | None:
    """Training rows are fitted much better than held-out ones, to the harm of the latter."""
    kept = _regret(view)
    gap, by_heart = _gap(view, kept), _learned_by_heart(view)
    if not gap and not by_heart:
        return None
    kept_best = view.record.best_epoch is not None
    ran_on = bool(by_heart) and not in_time(view) and (bool(gap) or not kept_best or _fell(view))
    harmful = ran_on or gap.get("harmful", 0.0) > 0
    gap.pop("harmful", None)
    if "gap" in gap:
        meaning = (
            f"Score {gap['train_score']:.3f} on the rows trained on, {gap['validation_score']:.3f} on held-out "
            "ones"
        )
    else:
        meaning = (
            f"The training loss fell to {by_heart['train_loss']:.3g} while the held-out loss ended at "
            f"{by_heart['validation_loss']:.3g} (best {by_heart['best_validation_loss']:.3g})"
        )
    if harmful:
        meaning += ": the network has learned rows by heart."
    else:
        meaning += "; training stopped in time, so little is lost."
    return Finding(
        "overfitting",
        "warning" if harmful else "note",
        evidence=gap | by_heart,
        meaning=meaning,
        remedy=_regularise(view, kept),
        lab="overfitting",
    )


def in_time(view: View) -> bool:
    """Whether training stopped, or would have stopped, where the held-out loss was best."""
    return view.record.stopped == "early" or bool(view.settings.get("early_stopping"))


def _gap(view: View, regret: float) -> dict[str, float]:
    """The gap of the scores at the kept weights, if it is beyond chance; ``harmful`` is 1 if it costs."""
    train, validation = view.score("train"), view.score("validation")
    if train is None or validation is None:
        return {}
    noise, gap = view.noise(validation), train - validation
    threshold = max(GAP, ERRORS * noise)
    if gap < threshold:
        return {}
    found = {"train_score": train, "validation_score": validation, "gap": gap, "threshold": threshold}
    best = view.best_baseline
    beaten = best is not None and train >= best - BESIDE and best - validation >= max(BEATEN, 3 * noise)
    if best is not None:
        found["best_baseline"] = best
    kept_best = view.record.best_epoch is not None
    much = GUARDED_GAP if kept_best else WIDE_GAP if in_time(view) else UNGUARDED_GAP
    wide = gap >= much
    harmful = beaten or regret >= REGRET or wide
    return found | {"kept_loss_over_best": regret, "harmful": float(harmful)}


def _learned_by_heart(view: View) -> dict[str, float]:
    """What the curves show: at the end next to no loss on training rows, and a large or risen one on others."""
    held = numbers(view.history, "val_loss")
    if len(held) < 4 or len(view.losses) < 4:
        return {}
    train, end, best = view.losses[-1], held[-1], min(held)
    risen = (end - best) / view.chance_loss
    apart = (end - train) / view.chance_loss
    if not (risen >= RISE and train <= 0.5 * end) and not (apart >= APART and train <= 0.2 * end):
        return {}
    found = {"train_loss": train, "validation_loss": end, "best_validation_loss": best}
    return found | {"rise_over_chance": risen, "rise_threshold": RISE, "apart_over_chance": apart}


def _fell(view: View) -> bool:
    """Whether the held-out score of the last epochs is clearly below its best."""
    scores = numbers(view.history, "val_score")
    end = sum(scores[-3:]) / max(len(scores[-3:]), 1)
    return bool(scores) and max(scores) - end >= max(FELL, view.noise(max(scores)))


def _regret(view: View) -> float:
    """The kept weights' validation loss over the chosen epoch's, or the best; 1 where it is not known."""
    chosen = [
        row for row in view.history if row.get("epoch") == view.record.best_epoch and "val_refined" in row
    ]
    held = numbers(chosen or view.history, "val_loss")
    kept = number((view.record.scores.get("validation") or {}).get("loss"))
    return kept / min(held) if kept is not None and held and min(held) > 0 else 1.0


def _regularise(view: View, regret: float) -> Remedy:
    if regret >= REGRET:
        return Remedy("earlier_stop", 10.0, "Stop early: keep the weights of the best validation epoch.")
    if view.setting("dropout") < 0.5:
        return Remedy(
            "regularise", 0.5, "Drop half of the units at random, shrink weights, halve the widths."
        )
    return Remedy("smaller_network", 0.5, "Halve the widths of the layers.")


def underfitting(view: View) -> Finding | None:
    """Even the rows trained on are fitted worse than a baseline does held-out ones."""
    train, best = view.score("train"), view.best_possible
    if train is None or best is None:
        return None
    share = MISSING if view.fall(0.25) < FALLING else MISSING_FALLING
    least = GAP / 2 if _noisy(view) else GAP
    usual = max(least, share * (best - view.guess) * least / GAP, ERRORS * view.noise(best))
    margin = view.noise(best) if held_back(view) else usual
    if best - train < margin and not shrunk(view):
        return None
    remedy, reason = _loosen(view)
    return Finding(
        "underfitting",
        "warning",
        evidence={
            "train_score": train,
            "best_baseline": best,
            "threshold": margin,
            "still_falling": view.fall(0.25),
        },
        meaning=(
            f"Score {train:.3f} on the very rows trained on, where a baseline reaches {best:.3f} on new "
            f"ones: {reason}."
        ),
        remedy=remedy,
        lab="underfitting",
    )


def _noisy(view: View) -> bool:
    """Whether training mode costs twice what the same rows cost in answering: dropout or noise rules the fit."""
    kept = number((view.record.scores.get("train") or {}).get("loss"))
    rows = [r for r in view.history if r.get("epoch") == view.record.best_epoch] or view.history[-1:]
    trained = number(rows[0].get("loss")) if rows else None
    return (
        kept is not None and trained is not None and trained >= TWICE * kept >= TWICE * 0.1 * view.chance_loss
    )


def _loosen(view: View) -> tuple[Remedy, str]:
    if reason := held_back(view):
        return reason
    if shrunk(view):
        return Remedy(
            "regularise_less", 0.1, "Divide the penalties by 10."
        ), "a penalty shrank the weights to nothing"
    if view.linear:
        remedy = Remedy("change_activation", "relu", "Put activations between the layers.")
        return remedy, "without an activation between its layers it is a linear model"
    if view.record.stopped == "time":  # a larger network would get even less far
        return Remedy("more_epochs", 5.0, "Give it five times the time."), "the time limit ended training"
    if view.fall(0.25) >= FALLING and view.record.stopped in ("epochs", "steps", "interrupt"):
        remedy = Remedy("more_epochs", 5.0, "Train five times longer; the loss was still falling.")
        return remedy, "training ended too soon"
    return Remedy("grow", 4.0, "Make the layers four times wider."), "the network is too small or too stiff"


def held_back(view: View) -> tuple[Remedy, str] | None:
    """Whether settings alone keep the network from fitting: too strong a penalty, too narrow a layer."""
    limits = {"dropout": STRONG_DROPOUT, "weight_decay": STRONG_DECAY, "l1": STRONG_L1}
    name = max(limits, key=lambda k: view.setting(k) / limits[k])
    if view.setting(name) >= limits[name]:
        remedy = Remedy("regularise_less", 0.1, f"Divide {name} by 10.")
        return remedy, f"{name} {view.setting(name):g} holds it back"
    sizes = view.settings.get("hidden_layer_sizes")
    widths = [w for w in map(number, sizes if isinstance(sizes, list | tuple) else [sizes]) if w]
    if widths and min(widths) <= NARROW:
        return Remedy("grow", 4.0, "Make the layers four times wider, none narrow."), "a layer is too narrow"
    return None


def no_better_than_baseline(view: View) -> Finding | None:
    """Held-out rows are predicted no better than by a guess, by the network and by every baseline."""
    validation, dummy, best = view.score("validation"), view.baseline("dummy"), view.best_baseline
    if dummy is None and view.is_regression:
        dummy = 0.0
    if validation is None or dummy is None:
        return None
    # a prediction without any merit has R^2 of about 0, and hardly ever above 1 / sqrt(n)
    noise = (
        1.0 / SELECTED / math.sqrt(view.size("validation") or 100)
        if view.is_regression
        else view.noise(dummy)
    )
    limit = dummy + SELECTED * noise
    left_out = view.left_out or dummy
    sure = max(GAP, 1.5 / math.sqrt(min(view.size("train") or 100, ROWS)))  # three standard errors of a guess
    if validation > limit or left_out > dummy + sure or (best is not None and best > max(limit, dummy + GAP)):
        return None  # where a simple model does find something, the fault lies in the fit
    evidence = {"validation_score": validation, "dummy": dummy, "threshold": limit}
    if best is not None:
        evidence["best_baseline"] = best
    return Finding(
        "no_better_than_baseline",
        "error",
        evidence=evidence,
        meaning=(
            f"Score {validation:.3f} on held-out rows; not looking at the inputs at all gives {dummy:.3f}"
            + (". Other models find nothing either:" if best is not None else ":")
            + " the columns may not tell about the target."
        ),
        remedy=Remedy(
            "check_data",
            None,
            "Check that rows and targets belong together, and look for columns that matter.",
        ),
        lab="no-signal",
    )


def shrunk(view: View) -> bool:
    """Whether a penalty drove the typical layer's weights to a tenth of their start."""
    if not view.first_look or not (view.setting("weight_decay") or view.setting("l1")):
        return False
    start = numbers(view.first_look[:-1], "weight_norm")
    end = numbers(view.last_look[:-1], "weight_norm")
    ratios = [e / s for s, e in zip(start, end) if s > TINY]
    return bool(ratios) and median_low(ratios) < SHRUNK
