"""Scores of a network's two parts beside those of simple models: what tables and pictures share."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.errors import DataError, ParameterError
from ganglion.diagnose.doubt import confident_errors
from ganglion.diagnose.yardstick import yardsticks
from ganglion.estimators.learner import Learner
from ganglion.estimators.training import Part, answers, weighted_mean
from ganglion.objectives.losses import Loss, loss_named

TRAIN_SCORE_ROWS = 20_000  # rows of the training part that its score is taken from


class Pass(NamedTuple):
    """What a forward pass of a fitted module takes, what its output costs, and that cost in words."""

    inputs: tuple[Tensor, ...]
    cost: Callable[[Any], Tensor] | None  # none without a truth
    words: str


class SupervisedLearner(Learner):
    """A learner whose loss compares its answer with a target, for classes (``ClassTarget``) or numbers."""

    _unit: ClassVar[str] = "rows"  # what the examples are called

    # --- what the target says -----------------------------------------------------------------------------

    def _read_target(self, y: Any, weight: np.ndarray, *, classes: Any, keep: bool) -> np.ndarray:
        raise NotImplementedError

    def _goal(self, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _loss(self, smooth: bool) -> Loss:
        raise NotImplementedError

    def _start(self, goal: np.ndarray, weight: np.ndarray) -> Tensor:
        raise NotImplementedError

    def _score(self, output: Tensor, part: Part) -> float:
        raise NotImplementedError

    def _fit_scores(self, output: np.ndarray, goal: np.ndarray) -> dict[str, float]:
        raise NotImplementedError

    # --- what the inputs say ------------------------------------------------------------------------------

    def _inputs(self, X: Any, dtype: torch.dtype) -> Tensor:
        """Raw inputs as the fitted module takes them, in floating-point numbers."""
        raise NotImplementedError

    def _answers(self, x: Tensor) -> Tensor:
        """The module's outputs for inputs that lie on its device."""
        return answers(self.module_, x)

    def _columns(self, x: Tensor) -> np.ndarray:
        """The inputs as simple models take them, (n, columns)."""
        return x.cpu().numpy()

    def _units(self) -> int:
        """Output units: one per class or target, unless the loss asks for another number."""
        return self._loss(smooth=False).units(self.n_outputs_)

    def _check_outputs(self) -> None:
        """Refuse to go on from outputs that meant something else under the loss of the first fit."""
        record = getattr(self, "record_", None)
        before = self.loss if record is None else record.settings.get("loss", self.loss)
        old, new = loss_named(before), self._loss(smooth=False)
        if (old.units(self.n_outputs_), old.standardised) != (new.units(self.n_outputs_), new.standardised):
            raise ParameterError(
                f"a further fit expects a loss whose outputs mean the same, got {self.loss!r} after {before!r}; "
                "set warm_start=False or fit a new estimator."
            )

    # --- what follows from both ---------------------------------------------------------------------------

    def _pass(self, X: Any, y: Any, dtype: torch.dtype) -> Pass:
        """A forward pass over raw inputs and, where their truth is given, its loss; raises ``DataError``."""
        check_is_fitted(self, ["module_"])
        x = self._inputs(X, dtype)
        if y is None:
            return Pass((x,), None, "sum of the outputs, no truth was given")
        target = self._read_target(y, np.ones(len(x)), classes=None, keep=True)
        if len(target) != len(x):
            raise DataError(f"x and y must have the same number of rows, got {len(x)} and {len(target)}.")
        goal = self._goal(target)
        whole = goal.dtype.kind in "iu"
        return self._compared(x, torch.as_tensor(goal, dtype=torch.int64 if whole else dtype))

    def _compared(self, x: Tensor, goal: Tensor) -> Pass:
        """The pass whose output is compared with a goal by the estimator's own loss."""
        value = self._loss(smooth=True).value
        words = f"{self.loss}, mean of {len(x):,} {self._unit}"
        return Pass((x,), lambda output: value(output, goal).mean(), words)

    def _validation(self, held: Part) -> dict[str, float]:
        """Loss and score of the examples kept aside, by the module as it stands."""
        return self._judged(self._answers(held.x), held)

    def _judged(self, output: Tensor, held: Part) -> dict[str, float]:
        """Loss and score of the examples kept aside by the outputs for them."""
        losses = self._loss(smooth=False).value(output, held.y)
        return {"val_loss": weighted_mean(losses, held.weight), "val_score": self._score(output, held)}

    def _scores(self, train: Part, held: Part) -> dict[str, dict[str, float]]:
        """Loss and scores of both parts, of the training part from its first examples."""
        parts = {"train": train.first(TRAIN_SCORE_ROWS), "validation": held}
        return {name: self._part_scores(part) for name, part in parts.items() if len(part.x)}

    def _part_scores(self, part: Part) -> dict[str, float]:
        output = self._answers(part.x)
        loss = weighted_mean(self._loss(smooth=False).value(output, part.y), part.weight)
        return {"loss": loss, **self._fit_scores(output.double().cpu().numpy(), part.y.cpu().numpy())}

    def _yardsticks(self, train: Part, held: Part) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
        """Simple models on the examples kept aside, where there are some, and what they tell about the data."""
        classes = len(self.classes_) if hasattr(self, "classes_") else None
        parts = [(self._columns(p.x), p.y.cpu().numpy()) for p in (train, held)]
        found, facts = yardsticks(*parts[0], *parts[1], classes=classes)
        found = found if self._loss(smooth=False).mean else {}  # they answer with means
        if classes is not None and len(held.x):
            answer = self._loss(smooth=False).answer(self._answers(held.x)).double().cpu().numpy()
            facts["confident_errors"] = confident_errors(parts[1][1], answer, part=2)
        return {"dummy": self._dummy(held if len(held.x) else train), **found}, facts

    def _dummy(self, part: Part) -> dict[str, float]:
        """Loss and scores of an answer that does not look at the inputs."""
        y = part.y.cpu() if part.y.dtype == torch.int64 else part.y.cpu().double()
        start = self._start(y.numpy(), np.ones(len(y))).double()
        output = start.expand(len(y), -1)
        loss = float(self._loss(smooth=False).value(output, y).mean())
        return {"loss": loss, **self._fit_scores(output.numpy(), y.numpy())}
