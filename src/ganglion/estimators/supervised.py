"""Scores of a network's two parts beside those of simple models: what tables and pictures share."""

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ganglion.base.errors import ParameterError
from ganglion.diagnose.doubt import confident_errors
from ganglion.diagnose.yardstick import yardsticks
from ganglion.estimators.learner import Learner
from ganglion.estimators.training import Part, answers, weighted_mean
from ganglion.objectives.losses import Loss, loss_named

TRAIN_SCORE_ROWS = 20_000  # rows of the training part that its score is taken from


class SupervisedLearner(Learner):
    """A learner whose loss compares its answer with a target, for classes (``ClassTarget``) or numbers."""

    _split_by: ClassVar[Any] = None  # (fraction, seed) -> rows to train on and rows kept aside, for one fit

    # --- what the target says -----------------------------------------------------------------------------

    def _loss(self, smooth: bool) -> Loss:
        raise NotImplementedError

    def _start(self, goal: np.ndarray, weight: np.ndarray) -> Tensor:
        raise NotImplementedError

    def _score(self, output: Tensor, part: Part) -> float:
        raise NotImplementedError

    def _fit_scores(self, output: np.ndarray, goal: np.ndarray) -> dict[str, float]:
        raise NotImplementedError

    # --- what the inputs say ------------------------------------------------------------------------------

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

    def _validation(self, held: Part) -> dict[str, float]:
        """Loss and score of the examples kept aside, by the module as it stands."""
        output = self._answers(held.x)
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
