"""Numbers as a target: their scale, losses, scores and answers, whatever the inputs are."""

from typing import Annotated, Any

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import Fields, Known
from ganglion.estimators.training import Part, weighted_mean
from ganglion.metrics.tasks import fit_scores
from ganglion.objectives.losses import VALUE_LOSSES, Loss, loss_named


class ValueTarget(RegressorMixin, Fields):
    """What all regressors that train a network share; needs ``_outputs(X)``, the raw outputs (n, k).

    The targets are standardised inside, so a squared error of 1 is the level of predicting the mean.
    """

    loss: Annotated[str, Known("loss", lambda: list(VALUE_LOSSES), loss_named), "what an error costs"] = (
        "squared_error"
    )

    def _read_target(self, y: Any, weight: np.ndarray, *, classes: Any, keep: bool) -> np.ndarray:
        y = np.asarray(y)
        if y.dtype.kind not in "fiub":
            try:
                if y.dtype.kind in "cmM":
                    raise TypeError("neither complex numbers nor dates are numbers to predict")
                y = y.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"{type(self).__name__} expects numbers in y, got {y.dtype}; use a classifier for labels."
                ) from error
        y = y.astype(np.float64)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.ndim not in (1, 2) or not np.isfinite(y).all():
            raise DataError(
                f"y must be (n,) or (n, outputs) without NaN or infinity, got shape {y.shape} with "
                f"{int((~np.isfinite(y)).sum())} of them (Input y contains NaN or infinity); leave such rows out."
            )
        loss = self._loss(smooth=False)
        if y.size and y.min() < loss.least:
            raise DataError(
                f"loss={self.loss!r} expects targets of at least {loss.least:g}, got {y.min():g}; use another loss."
            )
        return y

    def _class_weighted(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return weight

    def _learn_target(self, y: np.ndarray, weight: np.ndarray) -> None:
        self.one_dimensional_, columns = y.ndim == 1, y.reshape(len(y), -1)
        self.n_outputs_ = columns.shape[1]
        if not self._loss(smooth=False).standardised:
            self.target_mean_, self.target_scale_ = np.zeros(self.n_outputs_), np.ones(self.n_outputs_)
            return
        self.target_mean_ = np.average(columns, axis=0, weights=weight)
        spread = np.sqrt(np.average((columns - self.target_mean_) ** 2, axis=0, weights=weight))
        self.target_scale_ = np.where(spread > 0, spread, 1.0)

    def _goal(self, y: np.ndarray) -> np.ndarray:
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs_:
            raise DataError(f"y must have {self.n_outputs_} outputs as before, got {columns.shape[1]}.")
        return (columns - self.target_mean_) / self.target_scale_

    def _start(self, goal: np.ndarray, weight: np.ndarray) -> Tensor:
        """The best answer that does not look at the inputs; for squared errors zero, the mean."""
        return torch.as_tensor(self._loss(smooth=False).constant(goal, weight))

    def _loss(self, smooth: bool) -> Loss:
        return loss_named(self.loss)

    def _score(self, output: Tensor, part: Part) -> float:
        """R^2, the mean over outputs; of quantiles the share of the loss that is gone."""
        loss = self._loss(smooth=False)
        if not loss.mean:
            return self._gone(output, part.y, part.weight)
        output = loss.answer(output)
        w = (
            torch.ones(len(output), dtype=output.dtype, device=output.device)
            if part.weight is None
            else part.weight
        )
        rest = (w[:, None] * (part.y - output).square()).mean(0)
        spread = (w[:, None] * (part.y - (w[:, None] * part.y).mean(0)).square()).mean(0)
        return float((1 - rest / spread.clamp(min=1e-12)).mean())

    def _task(self) -> str:
        return "regression"

    def _fit_scores(self, output: np.ndarray, goal: np.ndarray) -> dict[str, float]:
        loss, tensor = self._loss(smooth=False), torch.as_tensor(output)
        scores = fit_scores(goal, loss.answer(tensor).numpy())
        return scores if loss.mean else scores | {"score": self._gone(tensor, torch.as_tensor(goal))}

    def _gone(self, output: Tensor, y: Tensor, weight: Tensor | None = None) -> float:
        """``1 - loss / loss of the best constant answer``, which is R^2 where the loss is the squared error."""
        loss = self._loss(smooth=False)
        rows = np.ones(len(y)) if weight is None else weight.cpu().numpy()
        best = torch.as_tensor(loss.constant(y.cpu().numpy(), rows)).to(output)
        least = weighted_mean(loss.value(best.expand_as(output), y), weight)
        return 1.0 - weighted_mean(loss.value(output, y), weight) / max(least, 1e-12)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The predicted numbers, (n,) or (n, outputs), in the target's own units.

        With ``return_std`` a pair: they, and the standard deviation of the noise that the network predicts for
        each of them; raises ``ParameterError`` for a loss that learns none.
        """
        loss = self._loss(smooth=False)
        if return_std and loss.noise is None:
            raise ParameterError(
                f"return_std needs a network that learned its noise, got loss={self.loss!r}; "
                "fit with loss='gaussian_nll'."
            )
        output = torch.as_tensor(self._outputs(X))
        values = loss.answer(output).numpy() * self.target_scale_ + self.target_mean_
        told = [values, loss.noise(output).numpy() * self.target_scale_] if return_std else [values]  # type: ignore[misc]
        told = [part[:, 0] if self.one_dimensional_ else part for part in told]
        return tuple(told) if return_std else told[0]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
