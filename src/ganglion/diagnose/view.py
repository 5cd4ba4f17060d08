"""A record as the rules read it: finite numbers only, ``None`` for what is missing."""

import math
from functools import cached_property
from statistics import median, median_low
from typing import Any

from ganglion.base.record import TrainingRecord

Row = dict[str, Any]

TINY = 1e-12  # a norm below is a layer of zeros
LARGE_STEP = 0.15  # a step of a seventh of the weights may go well; it is the cause only with a sign of harm
FEW_STEPS = 300  # so few steps of a sound size cannot double a layer's weights
BENT = 0.05  # a direction that bends down by so much of the steepest one leads away from a saddle
AT_REST = 0.02  # so little of the loss went in the last quarter of the run
FEW_WATCHED = 8  # a unit that is on for half of the rows is off for all of so many in one case of 256
LINEAR = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d"})  # layers that are linear by themselves
LEAST_R2 = 0.1  # below, the error of R^2 is no longer ruled by R^2 itself
UNEVEN = 3.0  # from this ratio of classes on, accuracy mostly tells how frequent the largest is


def number(value: Any) -> float | None:
    """The value as a finite float, or ``None``."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def numbers(rows: list[Row], key: str) -> list[float]:
    """The finite values of a key over rows."""
    found = (number(row.get(key)) for row in rows)
    return [v for v in found if v is not None]


def _depth(row: Row) -> float:
    return number(row.get("index")) or 0.0


class View:
    """What rules ask of a record; every question has an answer, also for a record with missing parts."""

    def __init__(self, record: TrainingRecord) -> None:
        self.record = record
        self.settings: Row = record.settings or {}
        self.plan: Row = record.plan or {}
        self.data: Row = record.data or {}
        self.history: list[Row] = [row for row in record.history or [] if isinstance(row, dict)]
        self.probes: list[Row] = [row for row in record.probes or [] if isinstance(row, dict)]

    # what was trained on -------------------------------------------------------------------------------

    @cached_property
    def counts(self) -> list[int]:
        """Examples per class, smallest first; empty for regression."""
        found = (number(v) for v in (self.data.get("classes") or {}).values())
        return sorted(int(v) for v in found if v)

    @property
    def imbalance(self) -> float:
        """The largest class over the smallest one; 1 where there are no classes."""
        return self.counts[-1] / self.counts[0] if len(self.counts) > 1 else 1.0

    @property
    def is_regression(self) -> bool:
        """Whether scores are R^2."""
        return self.record.task == "regression"

    def size(self, part: str) -> int | None:
        """Rows of ``"train"`` or ``"validation"``."""
        n = number(self.data.get(f"n_{part}"))
        return None if n is None else int(n)

    @property
    def batch(self) -> float | None:
        """Examples per step: as planned, or by the steps of an epoch."""
        planned = number((self.record.plan or {}).get("batch_size")) or number(
            self.settings.get("batch_size")
        )
        n, epochs = self.size("train"), len(self.history)
        if planned is None and n and self.steps and epochs:
            return max(1.0, n * epochs / self.steps)
        return planned

    @property
    def rows(self) -> float | None:
        """Training rows: as told, or by the batches of an epoch."""
        n, epochs = self.size("train"), len(self.history)
        return n if n is not None or not epochs or self.batch is None else self.batch * self.steps / epochs

    @property
    def few_watched(self) -> bool:
        """Whether units were watched on a handful of rows, the first batch of a loop of one's own."""
        return self.plan.get("loop") == "own" and (self.batch or 1) < FEW_WATCHED

    @property
    def steps(self) -> float:
        """Steps in all."""
        return (number(self.history[-1].get("step")) or 0.0) if self.history else 0.0

    @property
    def guess(self) -> float:
        """The score of a guess: the dummy's, else by the number of classes."""
        dummy = self.baseline("dummy")
        if dummy is not None or self.is_regression:
            return dummy or 0.0
        even = 1.0 / len(self.counts) if self.counts else 0.0
        return (
            even
            if self.score_key == "balanced_accuracy"
            else max(even, (self.counts or [0])[-1] / max(sum(self.counts), 1))
        )

    @property
    def own_module(self) -> bool:
        """Whether the network is a module of the user's own, whose shape no parameter changes."""
        return self.settings.get("module") is not None

    def setting(self, name: str) -> float:
        """A hyper-parameter as a number, 0 where it is missing or not a number."""
        return number(self.settings.get(name)) or 0.0

    # the curve ------------------------------------------------------------------------------------------

    @cached_property
    def losses(self) -> list[float]:
        """The training loss per epoch."""
        return numbers(self.history, "loss")

    @cached_property
    def chance_loss(self) -> float:
        """The loss of a prediction that does not look at the inputs: the unit in which losses are judged.

        Cross-entropy: the entropy of the class frequencies. Regression: what R^2 divides by, so that a
        loop of your own may leave its targets in their own units.
        """
        dummy = number((self.record.baselines.get("dummy") or {}).get("loss"))
        if dummy is not None and dummy > 0:
            return dummy
        if len(self.counts) > 1:
            total = sum(self.counts)
            return -sum(c / total * math.log(c / total) for c in self.counts)
        spreads = []
        for row in self.history:
            loss, score = number(row.get("val_loss")), number(row.get("val_score"))
            if self.is_regression and loss is not None and score is not None and score < 0.999:
                spreads.append(loss / (1.0 - score))
        if spreads and median(spreads) > 0:
            return median(spreads)
        first = numbers(self.history[:1], "loss") + numbers(self.history[:1], "val_loss")
        return max(first, default=1.0) or 1.0  # a loop of your own that tells no more

    @property
    def gradient_unit(self) -> float:
        """By what gradients are divided to be free of the target's unit (1 for classes)."""
        return math.sqrt(self.chance_loss) if self.is_regression else 1.0

    def fall(self, share: float) -> float:
        """The share of the loss that the last ``share`` of the epochs took away (3 epochs at either end)."""
        span = max(2, round(len(self.losses) * share))
        tail = self.losses[-span:]
        if len(tail) < 2:
            return 0.0
        ends = min(3, len(tail) // 2)
        before, after = sum(tail[:ends]) / ends, sum(tail[-ends:]) / ends
        return (before - after) / abs(before) if before else 0.0

    @property
    def roughness(self) -> float:
        """All rises of the loss over its range: 0 for a falling or a flat curve, large for a jumping one."""
        rises = sum(max(0.0, b - a) for a, b in zip(self.losses, self.losses[1:]))
        span = max(self.losses) - min(self.losses) if self.losses else 0.0
        return rises / span if span > 0.1 * self.chance_loss else 0.0

    # the layers -----------------------------------------------------------------------------------------

    @cached_property
    def moments(self) -> list[list[Row]]:
        """The layers' rows by watched step, earliest first; inside, nearest to the input first."""
        by_step: dict[float, list[Row]] = {}
        for row in self.record.layers or []:
            if isinstance(row, dict):
                by_step.setdefault(number(row.get("step")) or 0.0, []).append(row)
        return [sorted(by_step[step], key=_depth) for step in sorted(by_step)]

    @property
    def first_look(self) -> list[Row]:
        """The layers before training changed them (much): the first moment, if it lies in the first epoch."""
        if not self.moments:
            return []
        step, epoch = (number(self.moments[0][0].get(key)) for key in ("step", "epoch"))
        return self.moments[0] if (step or 0.0) <= 2 or (epoch or 0.0) <= 1 else []

    @property
    def gradient_look(self) -> list[Row]:
        """The earliest moment at which gradients reached more than one layer.

        A last layer that starts at zero passes nothing back in the very first step.
        """
        for rows in self.moments[:4]:
            if sum((number(row.get("grad_norm")) or 0.0) > 0 for row in rows) > 1:
                return rows
        return self.first_look

    @property
    def linear(self) -> bool:
        """Whether the layers are linear and no activation was heard between them: as stiff as a linear model."""
        kinds = {row.get("kind") for row in self.last_look}
        heard = any(row.get("activation") for row in self.last_look)
        return len(self.last_look) > 1 and kinds <= LINEAR and not heard

    @property
    def last_look(self) -> list[Row]:
        """The layers at the last watched moment."""
        return self.moments[-1] if self.moments else []

    @cached_property
    def update_ratios(self) -> list[float]:
        """|update| / |weight| per watched moment: the typical hidden layer's.

        Without the output layer, which often starts at zero and then moves by many times its size.
        """
        ratios = []
        for rows in self.moments:
            found = numbers([row for row in rows[:-1] if number(row.get("weight_norm"))], "update_ratio")
            if found:
                ratios.append(median_low(found))
        return ratios

    @property
    def early_growth(self) -> float:
        """By what factor the typical hidden layer's weights grew between two looks at most ``FEW_STEPS`` apart.

        Without the output layer, as in ``update_ratios``.
        """
        growth = [1.0]
        for before, after in zip(self.moments, self.moments[1:]):
            steps = (number(after[0].get("step")) or 0.0) - (number(before[0].get("step")) or 0.0)
            old, new = numbers(before[:-1], "weight_norm"), numbers(after[:-1], "weight_norm")
            factors = [n / o for o, n in zip(old, new) if o > TINY]
            if steps <= FEW_STEPS and len(old) == len(new) and factors:
                growth.append(median_low(factors))
        return max(growth)

    @property
    def gradient_growth(self) -> float:
        """The largest layer gradient ever watched over that of the first look."""
        sizes = [max(found) for rows in self.moments if (found := numbers(rows, "grad_norm"))]
        return max(sizes) / sizes[0] if sizes and sizes[0] > 0 else 1.0

    @property
    def non_finite(self) -> bool:
        """Whether a number that is none ended the run."""
        return self.record.stopped == "non_finite"

    @property
    def crawling(self) -> bool:
        """Whether the second half of the run took away less than a tenth of the loss."""
        return len(self.losses) >= 4 and self.fall(0.5) < 0.1

    @property
    def unfinished(self) -> bool:
        """Whether more could be learned: training rows below a baseline; without one, half of the chance loss left."""
        if (short := self.falls_short_of(self.best_baseline)) is not None:
            return short
        return bool(self.losses) and self.losses[-1] >= 0.5 * min(self.chance_loss, self.losses[0])

    @property
    def bends_down(self) -> float | None:
        """The lowest curvature over the highest one at the last reading, where it is clearly below 0."""
        rows = [row for row in self.probes if row.get("kind") == "curvature"]
        top, bottom = (number(rows[-1].get(k)) for k in ("top", "bottom")) if rows else (None, None)
        if top is None or bottom is None or not bottom < -BENT * abs(top):
            return None
        return bottom / max(abs(top), TINY)

    @property
    def at_rest(self) -> bool:
        """Whether the loss stands still and the gradient is small beside that of the first epoch: a minimum."""
        norms = numbers(self.history, "grad_norm")
        still = len(self.losses) >= 8 and abs(self.fall(0.25)) < AT_REST
        return still and len(norms) > 1 and norms[-1] <= 0.1 * norms[0] and self.bends_down is None

    def falls_short_of(self, score: float | None) -> bool | None:
        """Whether training rows are fitted worse than with this score; ``None`` if it is no better than a guess."""
        train = self.score("train")
        if train is None or score is None or score <= self.guess + 0.1:
            return None
        return score - train >= max(0.05, 0.1 * (score - self.guess))

    @property
    def beaten(self) -> bool:
        """Whether held-out rows are predicted clearly worse than by a simple model."""
        held, best = self.score("validation"), self.best_baseline
        return held is not None and best is not None and best - held >= max(0.1, 2 * self.noise(held))

    # the probes -----------------------------------------------------------------------------------------

    @property
    def noise_rows(self) -> list[Row]:
        """Readings of the gradient noise scale."""
        rows = [row for row in self.probes if row.get("kind") == "noise"]
        return [row for row in rows if number(row.get("noise_scale")) is not None]

    @property
    def noise_to_batch(self) -> float | None:
        """The typical noise scale over the batch: by how much noise rules a step."""
        found = [
            row["noise_scale"] / row["batch_size"] for row in self.noise_rows if number(row.get("batch_size"))
        ]
        return median(found) if found else None

    # the scores -----------------------------------------------------------------------------------------

    @property
    def score_key(self) -> str:
        """Balanced accuracy where classes are uneven and it is there, else the plain score."""
        uneven = self.imbalance >= UNEVEN and "balanced_accuracy" in (
            self.record.scores.get("validation") or {}
        )
        return "balanced_accuracy" if uneven else "score"

    def score(self, part: str, key: str | None = None) -> float | None:
        """The score on ``"train"`` or ``"validation"``; the history's ``train_score`` or ``val_score`` stands in."""
        key = key or self.score_key
        found = number((self.record.scores.get(part) or {}).get(key))
        if found is None and key == "score":
            found = number((self.record.scores.get(part) or {}).get("accuracy"))
        if found is None and key == "score":
            found = self._of_history("val_score" if part == "validation" else "train_score")
        return found

    def _of_history(self, key: str) -> float | None:
        """A score as a loop of your own reports it: of the best epoch if that was kept, else of the last one."""
        found = numbers(self.history, key)
        kept = [row for row in self.history if row.get("epoch") == self.record.best_epoch]
        return next(iter(numbers(kept, key)), found[-1] if found else None)

    def baseline(self, name: str, key: str | None = None) -> float | None:
        """A baseline's score on the validation part."""
        key = key or self.score_key
        scores = self.record.baselines.get(name) or {}
        found = number(scores.get(key))
        return number(scores.get("accuracy")) if found is None and key == "score" else found

    @property
    def best_baseline(self) -> float | None:
        """The best score of a baseline that looks at the inputs."""
        names = [n for n in self.record.baselines if n != "dummy"]
        if "trees" in names:  # judged on other rows than the quick kernel model
            names = [n for n in names if n != "kernel"]
        found = [self.baseline(n) for n in names]
        return max((f for f in found if f is not None), default=None)

    @property
    def left_out(self) -> float | None:
        """The score of the kernel model's own rows, each answered without itself; not where classes are uneven."""
        found = number((self.record.baselines.get("kernel") or {}).get("left_out"))
        return found if self.score_key == "score" else None

    @property
    def best_possible(self) -> float | None:
        """The best that a simple model reaches on rows it has not seen."""
        return max((v for v in (self.best_baseline, self.left_out) if v is not None), default=None)

    def noise(self, score: float, part: str = "validation") -> float:
        """The standard error of a score on so many rows: binomial; for R^2 it is 2 (1 - R^2) sqrt(R^2 / n).

        Both are the usual large-sample values; near 0, where the second one vanishes, ``LEAST_R2`` stands in for R^2.
        """
        n = float(max(self.size(part) or 100, 2))
        if self.is_regression:
            return 2.0 * max(1.0 - score, 0.0) * math.sqrt(min(max(abs(score), LEAST_R2), 1.0) / n)
        p = min(max(score, 0.0), 1.0)
        if self.score_key == "balanced_accuracy":
            # the smallest class decides: its share of the rows is all that half of the score stands on
            n = max(2.0, n * self.counts[0] / sum(self.counts) * len(self.counts))
        return math.sqrt(max(p * (1.0 - p), 0.25 / n) / n)
