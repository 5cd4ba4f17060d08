"""Multilayer perceptrons for tables: classes or numbers from raw rows."""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between, Known
from ganglion.estimators.network import DenseNetwork
from ganglion.estimators.table import read_labels
from ganglion.estimators.training import Part, weighted_mean
from ganglion.metrics.tasks import fit_scores
from ganglion.objectives.losses import VALUE_LOSSES, Loss, loss_named


class MLPClassifier(ClassifierMixin, DenseNetwork):
    """A multilayer perceptron that predicts classes, trained on raw tables.

    ``p(y | x) = softmax(W_L f(... f(W_1 x + b_1)) + b_L)``, cross-entropy loss, AdamW; see the family's page
    for the defaults' ablation.

    >>> import numpy as np
    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]] * 25)
    >>> y = X[:, 0].astype(int) ^ X[:, 1].astype(int)
    >>> float(MLPClassifier(hidden_layer_sizes=(16,), max_epochs=60).fit(X, y).score(X, y))
    1.0
    """

    class_weight: Annotated[
        dict[Any, float] | Literal["balanced"] | None,
        AtLeast(0),
        "weight of each class; balanced = inverse to its frequency",
    ] = None
    label_smoothing: Annotated[
        float, Between(0, 1, open_high=True), "share of the target spread over all classes"
    ] = 0.0

    def _read_target(self, y: Any, weight: np.ndarray, *, classes: Any, keep: bool) -> np.ndarray:
        y = read_labels(y)
        if keep:
            known = self.classes_
            if classes is not None and not np.array_equal(np.unique(np.asarray(classes)), known):
                raise DataError(
                    f"`classes=` must stay the same between calls, got {list(classes)} after {known.tolist()}."
                )
        elif classes is not None:
            known = np.unique(np.asarray(classes))
        else:
            known = np.unique(y)
        if len(known) < 2:
            raise DataError(
                f"y holds one class ({known.tolist()[0]!r}), at least two classes are expected; check the target."
            )
        if not keep and len(np.unique(y[: len(weight)][weight[: len(y)] > 0])) < 2 and classes is None:
            raise DataError("the rows with weight above 0 hold one class, at least two classes are expected.")
        codes = np.searchsorted(known, y).clip(max=len(known) - 1)
        strange = known[codes] != y
        if np.any(strange):
            raise DataError(
                f"`classes=` must hold every label of y and stay the same between calls, got the unknown label "
                f"{y[strange].tolist()[0]!r}; known are {known.tolist()}."
            )
        self.classes_ = known
        return codes.astype(np.int64)

    def _class_weighted(self, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
        if self.class_weight is None:
            return weight
        k = len(self.classes_)
        if self.class_weight == "balanced":
            mass = np.bincount(codes, weights=weight, minlength=k)
            factors = np.divide(weight.sum(), k * mass, out=np.zeros(k), where=mass > 0)
        else:
            strange = [c for c in self.class_weight if c not in self.classes_]
            if strange:
                raise DataError(
                    f"class_weight names {strange[0]!r}, which is no class of y ({self.classes_.tolist()})."
                )
            factors = np.array([float(self.class_weight.get(c, 1.0)) for c in self.classes_.tolist()])
        return weight * factors[codes]

    def _learn_target(self, y: np.ndarray, weight: np.ndarray) -> None:
        self.n_outputs_ = len(self.classes_)

    def _goal(self, y: np.ndarray) -> np.ndarray:
        return y

    def _start(self, y: np.ndarray, weight: np.ndarray) -> Tensor:
        """Log-odds of the classes, so that training starts from their frequencies."""
        mass = np.bincount(y, weights=weight, minlength=len(self.classes_))
        share = np.maximum(mass / mass.sum(), 1e-6)
        return torch.as_tensor(np.log(share / share.mean()))

    def _loss(self, smooth: bool) -> Loss:
        return loss_named("cross_entropy", smoothing=float(self.label_smoothing) if smooth else 0.0)

    def _score(self, output: Tensor, part: Part) -> float:
        return weighted_mean((output.argmax(1) == part.y).to(output.dtype), part.weight)

    def _task(self) -> str:
        return "binary" if len(self.classes_) == 2 else "multiclass"

    def _fit_scores(self, output: np.ndarray, goal: np.ndarray) -> dict[str, float]:
        return fit_scores(goal, output.argmax(1), classes=len(self.classes_))

    def _dummy(self, part: Part) -> dict[str, float]:
        goal = part.y.cpu().numpy()
        share = np.bincount(goal, minlength=len(self.classes_)) / len(goal)
        entropy = float(-(share[share > 0] * np.log(share[share > 0])).sum())
        return {"loss": entropy, **fit_scores(goal, np.full(len(goal), share.argmax()), classes=len(share))}

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits (n, classes); for two classes their difference (n,), above 0 for the second class."""
        output = self._outputs(X)
        return output[:, 1] - output[:, 0] if len(self.classes_) == 2 else output

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (n, classes), in the order of ``classes_``."""
        return torch.softmax(torch.as_tensor(self._outputs(X)), 1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row (n,)."""
        codes = self._outputs(X).argmax(1)
        return self.classes_[codes]


class MLPRegressor(RegressorMixin, DenseNetwork):
    """A multilayer perceptron that predicts one or several numbers, trained on raw tables.

    The targets are standardised inside, so ``loss=1`` is the level of predicting the mean.

    >>> import numpy as np
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> MLPRegressor(max_epochs=60).fit(X, X[:, 0] ** 2).score(X, X[:, 0] ** 2) > 0.95
    True
    """

    loss: Annotated[str, Known("loss", lambda: list(VALUE_LOSSES)), "what an error costs"] = "squared_error"

    def _read_target(self, y: Any, weight: np.ndarray, *, classes: Any, keep: bool) -> np.ndarray:
        y = np.asarray(y)
        if y.dtype.kind not in "fiub":
            try:
                if y.dtype.kind in "cmM":
                    raise TypeError("neither complex numbers nor dates are numbers to predict")
                y = y.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise DataError(
                    f"MLPRegressor expects numbers in y, got {y.dtype}; use MLPClassifier."
                ) from error
        y = y.astype(np.float64)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if y.ndim not in (1, 2) or not np.isfinite(y).all():
            raise DataError(
                f"y must be (n,) or (n, outputs) without NaN or infinity, got shape {y.shape} with "
                f"{int((~np.isfinite(y)).sum())} of them (Input y contains NaN or infinity); leave such rows out."
            )
        return y

    def _class_weighted(self, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
        return weight

    def _learn_target(self, y: np.ndarray, weight: np.ndarray) -> None:
        self.one_dimensional_, columns = y.ndim == 1, y.reshape(len(y), -1)
        self.n_outputs_ = columns.shape[1]
        self.target_mean_ = np.average(columns, axis=0, weights=weight)
        spread = np.sqrt(np.average((columns - self.target_mean_) ** 2, axis=0, weights=weight))
        self.target_scale_ = np.where(spread > 0, spread, 1.0)

    def _goal(self, y: np.ndarray) -> np.ndarray:
        columns = y.reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs_:
            raise DataError(f"y must have {self.n_outputs_} outputs as before, got {columns.shape[1]}.")
        return (columns - self.target_mean_) / self.target_scale_

    def _start(self, y: np.ndarray, weight: np.ndarray) -> Tensor:
        """Zero: the mean of the standardised targets."""
        return torch.zeros(self.n_outputs_)

    def _loss(self, smooth: bool) -> Loss:
        return loss_named(self.loss)

    def _score(self, output: Tensor, part: Part) -> float:
        """R^2, the mean over outputs."""
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
        return fit_scores(goal, output)

    def _dummy(self, part: Part) -> dict[str, float]:
        goal = part.y.cpu().numpy()
        return {"loss": float((goal**2).mean()), **fit_scores(goal, np.zeros_like(goal))}

    def predict(self, X: Any) -> np.ndarray:
        """The predicted numbers, (n,) or (n, outputs), in the target's own units."""
        output = self._outputs(X)
        values = output * self.target_scale_ + self.target_mean_
        return values[:, 0] if self.one_dimensional_ else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
