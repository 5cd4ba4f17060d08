"""Classes as a target: labels and their weights, losses, scores and answers, whatever the inputs are."""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from torch import Tensor

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import AtLeast, Between, Fields, Known, fields_of
from ganglion.base.named import name_in
from ganglion.estimators.table import read_labels
from ganglion.estimators.training import TELLING, Part, weighted_mean
from ganglion.metrics.calibration import best_temperature
from ganglion.metrics.tasks import fit_scores
from ganglion.objectives.losses import CLASS_LOSSES, Loss, loss_named
from ganglion.train.run import Run

SMOOTHED = ("cross_entropy", "binary_cross_entropy")


class ClassTarget(ClassifierMixin, Fields):
    """What all classifiers that train a network share; needs ``_outputs(X)``, the raw outputs (n, k)."""

    class_weight: Annotated[
        dict[Any, float] | Literal["balanced"] | None,
        AtLeast(0),
        "weight of each class; balanced = inverse to its frequency",
    ] = None
    loss: Annotated[str, Known("loss", lambda: list(CLASS_LOSSES), loss_named), "what an error costs"] = (
        "cross_entropy"
    )
    label_smoothing: Annotated[
        float, Between(0, 1, open_high=True), "share of the target spread over all classes"
    ] = 0.0

    def _check(self) -> None:
        super()._check()
        smoothing = self._smoothing()
        if smoothing and name_in(self.loss) not in SMOOTHED:
            raise ParameterError(
                f"label_smoothing is expected with loss={' or '.join(map(repr, SMOOTHED))}, got "
                f"loss={self.loss!r}; leave label_smoothing at 0."
            )
        if smoothing and "(" in self.loss:
            raise ParameterError(
                f"smoothing is given twice, by label_smoothing={smoothing:g} and by loss={self.loss!r}; "
                "leave label_smoothing at 0."
            )

    def _smoothing(self) -> float:
        """The smoothing in force: a default gives way to losses that have none or name their own."""
        smooth, own = float(self.label_smoothing), fields_of(type(self))["label_smoothing"].default
        return 0.0 if smooth == own and self.loss not in SMOOTHED else smooth

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
        self._loss(smooth=False).units(len(known))  # refuses classes that the loss cannot tell apart
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
        self.n_outputs_, self.temperature_ = len(self.classes_), 1.0

    def _goal(self, y: np.ndarray) -> np.ndarray:
        return y

    def _start(self, goal: np.ndarray, weight: np.ndarray) -> Tensor:
        """Log-odds of the classes, so that training starts from their frequencies."""
        mass = np.bincount(goal, weights=weight, minlength=len(self.classes_))
        share = np.maximum(mass / mass.sum(), 1e-6)
        logs = torch.as_tensor(np.log(share / share.mean()))
        return logs if self._units() == len(logs) else logs[1:] - logs[:1]

    def _loss(self, smooth: bool) -> Loss:
        smoothing = self._smoothing() if smooth else 0.0
        return loss_named(self.loss, **({"smoothing": smoothing} if smoothing else {}))

    def _judged(self, output: Tensor, held: Part) -> dict[str, float]:
        row = super()._judged(output, held)  # type: ignore[misc]
        # few rows can be told apart without a mistake, and then no temperature is the best
        if len(held.y) < TELLING or name_in(self.loss) != "cross_entropy":
            return row
        logits = self._loss(smooth=False).answer(output).double().cpu().numpy()
        weight = None if held.weight is None else held.weight.cpu().numpy()
        temperature = best_temperature(logits, held.y.cpu().numpy(), weight)
        return row | {"val_refined": temperature.loss, "temperature": temperature.value}

    def _record(self, run: Run, *args: Any, **facts: Any) -> None:
        super()._record(run, *args, **facts)  # type: ignore[misc]
        for row in run.history:
            if row["epoch"] == self.best_epoch_:  # type: ignore[attr-defined]
                self.temperature_ = row.get("temperature", self.temperature_)

    def _score(self, output: Tensor, part: Part) -> float:
        codes = self._loss(smooth=False).answer(output).argmax(1)
        return weighted_mean((codes == part.y).to(output.dtype), part.weight)

    def _task(self) -> str:
        return "binary" if len(self.classes_) == 2 else "multiclass"

    def _fit_scores(self, output: np.ndarray, goal: np.ndarray) -> dict[str, float]:
        logits = self._loss(smooth=False).answer(torch.as_tensor(output)).numpy()
        return fit_scores(goal, logits.argmax(1), classes=len(self.classes_))

    def _logits(self, X: Any) -> Tensor:
        """The outputs at the temperature that the examples kept aside ask for."""
        return self._loss(smooth=False).answer(torch.as_tensor(self._outputs(X))) / getattr(
            self, "temperature_", 1.0
        )

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits or margins (n, classes) over ``temperature_``; for two classes their difference (n,).

        That is above 0 for the second class.
        """
        logits = self._logits(X).numpy()
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (n, classes) in the order of ``classes_``: softmax(outputs / ``temperature_``).

        Of margins (``loss="hinge"``) that is a ranking with the right sum, and not how often a class comes true.
        """
        return torch.softmax(self._logits(X), 1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row (n,)."""
        codes = self._logits(X).numpy().argmax(1)
        return self.classes_[codes]
