"""Rosenblatt's perceptron: the learning rule, its convergence, and a word when it cannot converge."""

import time
import warnings
from typing import Annotated, Any, Literal

import numpy as np
from scipy.optimize import linprog
from sklearn.base import ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from ganglion.base.errors import DataError, ModelFileError
from ganglion.base.fields import AtLeast, fields_of
from ganglion.base.record import TrainingRecord
from ganglion.base.seeds import seed_from
from ganglion.diagnose import diagnose
from ganglion.estimators.base import Estimator
from ganglion.estimators.fields import TableFields
from ganglion.estimators.table import TableMixin, read_labels, read_rows, read_weight
from ganglion.metrics.tasks import fit_scores

BLOCK = 256  # rows looked at together for the next mistake
PROVE_BELOW = 2_000_000  # numbers in the linear program that decides separability


class Perceptron(TableMixin, ClassifierMixin, TableFields, Estimator):
    """The perceptron with its learning rule: on each mistake, ``w <- w + s y x``.

    Two classes share one weight vector; more classes have one each, and a mistake adds x to the true class
    and takes it from the predicted one (Kesler's construction, Duda and Hart 1973). On separable data there
    are at most ``(R / gamma)^2`` mistakes (Novikoff 1962), R the longest row (with its constant 1) and gamma
    the margin. Otherwise the rule never settles: the weights with the fewest mistakes are kept (the pocket
    algorithm, Gallant 1990), ``separable_`` says whether a linear program proves it, and a warning tells.

    Learned: ``coef_`` (1 or classes, features), ``intercept_``, ``n_updates_``, ``separable_`` (True, False, or
    None where it was not decided), ``n_iter_``.

    >>> import numpy as np
    >>> X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    >>> model = Perceptron(max_epochs=50).fit(X, [0, 0, 0, 1])
    >>> model.predict(X).tolist(), model.separable_
    ([0, 0, 0, 1], True)
    """

    max_epochs: Annotated[int, AtLeast(1), "passes over the training data at most"] = 200
    batch_size: Annotated[
        Literal[1, "full"],
        "1 corrects each mistake at once; full all mistakes of a pass together",
    ] = 1
    shuffle: Annotated[bool, "look at the rows in a new order in each pass"] = True
    random_state: Annotated[Any, "seed of the order; None draws a new one"] = 0

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Perceptron":
        """Learn from rows X (n, columns) and labels y (n,); weights (n,) scale the corrections."""
        self._check()
        self._need(y)
        rows = read_rows(self, X, reset=True)
        weight = read_weight(sample_weight, rows, rows.shape[0])
        y = read_labels(y)
        if len(y) != len(weight):
            raise DataError(f"X and y must have the same number of rows, got {len(weight)} and {len(y)}.")
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2 or len(np.unique(codes[weight > 0])) < 2:
            raise DataError("y holds one class, at least two classes are expected; check the target.")
        self._learn_columns(rows, codes, weight)
        x = self._one_hot(self._training_matrix(rows, np.arange(len(codes)), codes, weight))
        used = weight > 0
        self._learn(np.c_[x, np.ones(len(x))][used], codes[used], weight[used], seed_from(self.random_state))
        return self

    def _learn(self, x: np.ndarray, codes: np.ndarray, weight: np.ndarray, seed: int) -> None:
        started, history = time.monotonic(), []
        w = np.zeros((len(self.classes_), x.shape[1]))
        pocket, fewest, updates = w.copy(), np.inf, 0
        for epoch in range(self.max_epochs):
            order = (
                np.random.default_rng([seed, epoch]).permutation(len(x))
                if self.shuffle
                else np.arange(len(x))
            )
            if self.batch_size == "full":
                made = self._correct_together(w, x, codes, weight)
            else:
                made = self._correct_one_by_one(w, x[order], codes[order], weight[order])
            updates += made
            wrong = float((weight * (self._choose(w, x) != codes)).sum())
            history.append(
                {
                    "epoch": epoch + 1,
                    "step": updates,
                    "seconds": time.monotonic() - started,
                    "loss": wrong / weight.sum(),
                }
            )
            if wrong < fewest:
                pocket, fewest = w.copy(), wrong
            if wrong == 0:
                break
        self.separable_: bool | None = True if fewest == 0 else separability(x, codes)
        self.n_updates_, self.n_iter_ = updates, len(history)
        self._keep(pocket)
        self._tell(fewest / weight.sum())
        self._record(history, x, codes, started)

    def _correct_one_by_one(self, w: np.ndarray, x: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> int:
        """One pass; looks for the next mistake a block of rows at a time, corrects it, goes on behind it."""
        at = updates = 0
        while at < len(x):
            stop = min(at + BLOCK, len(x))
            chosen = self._choose(w, x[at:stop])
            wrong = np.flatnonzero(chosen != codes[at:stop])
            if not len(wrong):
                at = stop
                continue
            i = at + int(wrong[0])
            self._correct(w, x[i], codes[i], int(chosen[wrong[0]]), weight[i])
            updates += 1
            at = i + 1
        return updates

    def _correct_together(self, w: np.ndarray, x: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> int:
        chosen = self._choose(w, x)
        wrong = np.flatnonzero(chosen != codes)
        correction = np.zeros_like(w)
        np.add.at(correction, codes[wrong], x[wrong] * weight[wrong, None])
        np.add.at(correction, chosen[wrong], -x[wrong] * weight[wrong, None])
        w += correction
        return len(wrong)

    def _correct(self, w: np.ndarray, x: np.ndarray, true: int, chosen: int, weight: float) -> None:
        w[true] += weight * x
        w[chosen] -= weight * x

    @staticmethod
    def _choose(w: np.ndarray, x: np.ndarray) -> np.ndarray:
        return (x @ w.T).argmax(1)

    def _keep(self, w: np.ndarray) -> None:
        if len(w) == 2:  # one boundary: the difference of the two
            w = (w[1] - w[0])[None]
        self.coef_, self.intercept_ = w[:, :-1], w[:, -1]

    def _tell(self, share: float) -> None:
        if self.separable_ is True or share == 0:
            return
        proven = (
            "the data are not linearly separable, so it never will"
            if self.separable_ is False
            else ("it may be that no plane separates the classes, or that it needs more max_epochs")
        )
        warnings.warn(
            f"the perceptron still makes {share:.1%} mistakes after {self.n_iter_} epochs: {proven}; "
            "the weights with the fewest mistakes are kept. An MLPClassifier can bend its boundary.",
            ConvergenceWarning,
            stacklevel=4,
        )

    def _record(
        self, history: list[dict[str, Any]], x: np.ndarray, codes: np.ndarray, started: float
    ) -> None:
        share = np.bincount(codes) / len(codes)
        k = len(share)
        self.record_ = TrainingRecord(
            task="binary" if k == 2 else "multiclass",
            settings={f: getattr(self, f) for f in fields_of(type(self)) if f != "random_state"},
            plan={"device": "cpu", "precision": "float64", "backward": "perceptron rule"},
            history=history,
            data={"n_rows": len(x), "n_train": len(x), "n_validation": 0, "n_columns": self.n_features_in_,
                  "n_features": x.shape[1] - 1, "n_parameters": self.coef_.size + self.intercept_.size},
            scores={"train": fit_scores(codes, self._codes(x[:, :-1]), classes=k)},
            baselines={"dummy": fit_scores(codes, np.full(len(codes), share.argmax()), classes=k)},
            stopped="converged" if self.separable_ else "epochs",
            seconds=time.monotonic() - started,
        )  # fmt: skip
        self.diagnosis_ = diagnose(self.record_)

    def _one_hot(self, matrix: np.ndarray) -> np.ndarray:
        """Codes of large categories as columns of 0 and 1: one plane needs them apart."""
        n_real, cardinalities = self._layout()
        blocks = [matrix[:, :n_real].astype(np.float64)]
        for i, k in enumerate(cardinalities):
            blocks.append(np.eye(k)[matrix[:, n_real + i].astype(np.int64)])
        return np.hstack(blocks)

    def _codes(self, x: np.ndarray) -> np.ndarray:
        values = x @ self.coef_.T + self.intercept_
        return (values[:, 0] > 0).astype(np.int64) if values.shape[1] == 1 else values.argmax(1)

    def _weights(self) -> dict[str, Any]:
        return {"coef": self.coef_, "intercept": self.intercept_}

    def _load_weights(self, weights: dict[str, np.ndarray]) -> None:
        n_real, cardinalities = self._layout()
        rows = 1 if len(self.classes_) == 2 else len(self.classes_)
        wanted = (rows, n_real + sum(cardinalities))
        if weights["coef"].shape != wanted or weights["intercept"].shape != wanted[:1]:
            raise ModelFileError(
                f"coef should be {wanted} by its columns and classes and is {weights['coef'].shape}."
            )
        self.coef_, self.intercept_ = weights["coef"], weights["intercept"]

    def _learned(self) -> dict[str, Any]:
        return {k: v for k, v in super()._learned().items() if k not in ("coef_", "intercept_")}

    def decision_function(self, X: Any) -> np.ndarray:
        """Weighted sums (n, classes); for two classes (n,), above 0 for the second class."""
        check_is_fitted(self, "coef_")
        x = self._one_hot(self._matrix(read_rows(self, X, reset=False)))
        values = x @ self.coef_.T + self.intercept_
        return values[:, 0] if values.shape[1] == 1 else values

    def predict(self, X: Any) -> np.ndarray:
        """The class of each row (n,)."""
        values = self.decision_function(X)
        codes = (values > 0).astype(np.int64) if values.ndim == 1 else values.argmax(1)
        return self.classes_[codes]


def separability(x: np.ndarray, codes: np.ndarray) -> bool | None:
    """False if a linear program proves that no planes separate the classes, None if it was not decided.

    Separable means that weights exist with ``(w_true - w_other) x >= 1`` for every row and other class; the
    program looks for any such weights.
    """
    k, d = codes.max() + 1, x.shape[1]
    if len(x) * (k - 1) * (d if k == 2 else k * d) > PROVE_BELOW:
        return None
    if k == 2:
        rows = -x * np.where(codes == 1, 1.0, -1.0)[:, None]
    else:
        blocks = []
        for other in range(k):
            part = np.zeros((len(x), k, d))
            part[np.arange(len(x)), codes] -= x
            part[:, other] += x
            blocks.append(part[codes != other].reshape(-1, k * d))
        rows = np.concatenate(blocks)
    found = linprog(
        np.zeros(rows.shape[1]), A_ub=rows, b_ub=-np.ones(len(rows)), bounds=(None, None), method="highs"
    )
    return False if found.status == 2 else None
