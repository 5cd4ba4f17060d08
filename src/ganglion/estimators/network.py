"""Dense networks for tables: what classifier and regressor share, from raw rows to a trained module."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError
from ganglion.base.named import name_in
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.bins import bin_edges
from ganglion.data.columns import Frame
from ganglion.data.facts import table_facts
from ganglion.data.split import MIN_VALIDATION, plain_split, stratified_split
from ganglion.estimators.base import plain
from ganglion.estimators.combinations import check_size, judge
from ganglion.estimators.fields import NetworkFields, TableFields
from ganglion.estimators.learned import check_shapes
from ganglion.estimators.modules import build_module, tried
from ganglion.estimators.supervised import SupervisedLearner
from ganglion.estimators.table import TableMixin, read_rows, read_validation, read_weight, take
from ganglion.estimators.training import (
    DTYPES,
    Part,
    SetUp,
    answers,
    online_settings,
    precision_of,
)
from ganglion.models.mlp import MLP
from ganglion.nn.activations import activation_named
from ganglion.train.find_lr import LrSearch, find_lr
from ganglion.train.plan import DOUBLE_ANSWER_BELOW_PARAMETERS, numpy_on_one_thread
from ganglion.train.run import Run

LSUV_ROWS = 256  # training rows that init="lsuv" scales its layers on


class DenseNetwork(TableMixin, NetworkFields, TableFields, SupervisedLearner):
    """What classifier and regressor share: from rows to a trained module, and from rows to its outputs."""

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None) -> "DenseNetwork":
        """Learn from rows X (n, columns) and targets y, with optional weights (n,).

        X may be a NumPy array, a pandas, polars or Arrow table, or lists; with ``preprocess="auto"`` it may hold
        missing values, words, truth values and dates. ``validation`` (n,) is true for the rows that are not trained
        on and choose the epoch, such as whole groups or the latest; without it ``validation_fraction`` of the rows
        are split off by chance. Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        again = self.warm_start and hasattr(self, "module_")
        rows, target, weight = self._read(X, y, sample_weight, reset=True, classes=None, keep_target=again)
        parts = read_validation(validation, len(target))
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            return self._fit(rows, target, weight, seed, again, parts=parts)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> "DenseNetwork":
        """One pass over some more rows, from the present weights: online learning.

        The first call learns the columns and, for a classifier, needs all ``classes``. The step size stays
        constant, and the optimiser's moments carry on. Each call has its own order and dropout masks.
        """
        self._check()
        settings = online_settings(self)
        first = not hasattr(self, "module_")
        if first and classes is None and isinstance(self, ClassifierMixin):
            raise DataError(
                "the first partial_fit must name all classes, since later rows may bring others; give classes=."
            )
        rows, target, weight = self._read(
            X, y, sample_weight, reset=first, classes=classes, keep_target=not first
        )
        self._calls = 0 if first else getattr(self, "_calls", 0) + 1
        seed = (seed_from(self.random_state) + self._calls) % 2**32
        with seeded(seed), numpy_on_one_thread():
            return self._fit(rows, target, weight, seed, not first, settings, getattr(self, "_moments", None))

    def _read(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool, classes: Any, keep_target: bool
    ) -> tuple[Any, np.ndarray, np.ndarray]:
        self._need(y)
        rows = read_rows(self, X, reset=reset)
        n = rows.shape[0]
        weight = read_weight(sample_weight, rows, n)
        target = self._read_target(y, weight, classes=classes, keep=keep_target)
        if len(target) != n:
            raise DataError(f"X and y must have the same number of rows, got {n} and {len(target)}.")
        return rows, target, self._class_weighted(target, weight)

    def _fit(
        self,
        rows: Any,
        y: np.ndarray,
        weight: np.ndarray,
        seed: int,
        again: bool,
        settings: Any = None,
        moments: Any = None,
        parts: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> "DenseNetwork":
        settings = settings or self
        made = self._prepare(rows, y, weight, seed, settings, again, parts)
        set_up = SetUp.of_rows(
            settings, self.module_, self._loss(smooth=True), made.train, moments, len(made.held.x)
        )
        validate = (lambda: self._validation(made.held)) if len(made.held.x) else None
        run = self._train(set_up, seed, made.contents(), validate)
        online = moments is not None or settings is not self
        self._moments = set_up.optimizer.state_dict()["state"] if online else None
        self._calls = self._calls if online else 0
        self._finish(run, set_up, made)
        return self

    def _prepare(
        self, rows: Any, y: np.ndarray, weight: np.ndarray, seed: int, settings: Any, again: bool,
        parts: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> "Prepared":  # fmt: skip
        """Split, learn columns and target, build the module; everything as tensors on the device."""
        device = pick_device(self.device)
        train, held = parts or self._split(y, settings.validation_fraction, seed)
        if again:
            self._check_outputs()
        else:
            self._learn_columns(take(rows, train), y[train], weight[train])
            self._learn_target(y[train], weight[train])
        # the rows that the columns were learned from
        known = train[:0] if again and settings is not self else train
        matrix, goal = self._training_matrix(rows, known, y, weight), self._goal(y)
        dtype = DTYPES[precision_of(settings, len(train), matrix.shape[1], device)]
        if not again:
            self.module_ = self._build(matrix[train], goal[train], weight[train])
        self.module_ = self.module_.to(device, dtype)
        parts = [Part.of(matrix[i], goal[i], weight[i], device, dtype) for i in (train, held)]
        return Prepared(rows, matrix, y, train, held, *parts)

    def find_lr(self, X: Any, y: Any, sample_weight: Any = None, **search: Any) -> LrSearch:
        """Try ever higher learning rates over a short run of a copy, and suggest one.

        ``search`` may hold ``lowest``, ``highest`` and ``steps`` of ``train.find_lr``; this estimator stays as it
        is: ``set_params(lr=found.suggestion)`` takes the suggestion.
        """
        copy_ = clone(self)
        copy_._check()
        rows, target, weight = copy_._read(X, y, sample_weight, reset=True, classes=None, keep_target=False)
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            made = copy_._prepare(rows, target, weight, seed, copy_, again=False)
            set_up = SetUp.of_rows(copy_, copy_.module_, copy_._loss(smooth=True), made.train)
            with set_up:
                return find_lr(set_up.objective, set_up.batches, set_up.optimizer, seed=seed, **search)

    def _split(self, y: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        everything = np.arange(len(y)), np.zeros(0, dtype=np.int64)
        if round(len(y) * fraction) < MIN_VALIDATION:
            return everything
        if y.dtype.kind in "iu":
            return stratified_split(y, fraction, seed)
        return plain_split(len(y), fraction, seed)

    def _build(self, matrix: np.ndarray, goal: np.ndarray, weight: np.ndarray) -> nn.Module:
        n_real, cardinalities = self._layout()
        start = self._start(goal, weight)
        if self.module is not None:
            return tried(build_module(self.module, matrix.shape[1], len(start)), matrix[:2], len(start))
        bins = 0 if self.preprocessor_ is None else self.bins  # "none" means: the numbers as they are
        edges = bin_edges(matrix[:, :n_real], weight, bins)
        check_size([matrix.shape[1] + sum(len(e) for e in edges), *self._widths(), len(start)])
        net = MLP(
            n_real, cardinalities, self._widths(), len(start), output_bias=start, edges=edges, **self._shape()
        )
        judge(self)
        if name_in(self.init) == "lsuv":
            net.start_from(torch.as_tensor(matrix[:: max(1, len(matrix) // LSUV_ROWS)][:LSUV_ROWS]))
        return net

    def _widths(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        return (int(sizes),) if isinstance(sizes, int | np.integer) else tuple(int(s) for s in sizes)

    def _shape(self) -> dict[str, Any]:
        """The parts of the stack by their names in ``models.mlp.MLP``."""
        names = ("activation", "init", "norm", "residual", "dropout", "dropout_kind", "drop_path", "noise")
        return {name: plain(getattr(self, name)) for name in names}

    def _finish(self, run: Run, set_up: SetUp, made: "Prepared") -> None:
        """Leave what was learned: the module on the CPU, the record, the verdict."""
        scores = self._scores(made.train, made.held)
        baselines, facts = self._yardsticks(made.train, made.held)
        self._rest()
        self._bind_answers()
        sizes = {
            "n_rows": len(made.y),
            "n_train": len(made.train_rows),
            "n_validation": len(made.held_rows),
            "n_columns": self.n_features_in_,
        }
        data = self._facts(made) | facts | sizes
        self._record(run, set_up, data=data, scores=scores, baselines=baselines)

    def _facts(self, made: "Prepared") -> dict[str, Any]:
        """Facts of the training rows; codes of categories have no scale, so they are left out."""
        n_real, _ = self._layout()
        names = self._feature_names(made.matrix)[:n_real]
        raw = take(made.rows, made.train_rows) if isinstance(made.rows, Frame) else None
        matrix = made.matrix[made.train_rows, :n_real]
        y = made.y[made.train_rows]
        labels = self.classes_[y] if hasattr(self, "classes_") else y
        return table_facts(matrix, names, labels, self._task(), frame=raw)

    def _feature_names(self, matrix: np.ndarray) -> list[str]:
        if self.preprocessor_ is not None:
            return list(self.preprocessor_.names_out_)
        named = getattr(self, "feature_names_in_", None)
        return [f"x{i}" for i in range(matrix.shape[1])] if named is None else list(named)

    # --- answering ----------------------------------------------------------------------------------------

    def _bind_answers(self) -> None:
        """The module that answers: in double precision where the network is small (see ``train.plan``)."""
        small = isinstance(self.module_, MLP) and self.record_size() <= DOUBLE_ANSWER_BELOW_PARAMETERS
        self._answering = (
            copy.deepcopy(self.module_).double().requires_grad_(False) if small else self.module_
        )

    def _inputs(self, X: Any, dtype: torch.dtype) -> Tensor:
        return torch.as_tensor(self._matrix(read_rows(self, X, reset=False)), dtype=dtype)

    def _outputs(self, X: Any) -> np.ndarray:
        """Raw outputs (n, k) in double precision."""
        check_is_fitted(self, ["module_", "_answering"])
        model = self._answering
        x = self._inputs(X, next(model.parameters()).dtype)
        return answers(model, x).double().numpy()

    def _load_weights(self, weights: dict[str, np.ndarray]) -> None:
        """Only as much memory is taken as the file's own arrays justify: the shapes come from them."""
        n_real, cardinalities = self._layout()
        if self.module is not None:
            module = build_module(self.module, n_real, self._units())
        else:
            pieces = activation_named(self.activation).pieces
            check_shapes(weights, n_real, cardinalities, self._widths(), self._units(), pieces)
            blank = [np.arange(len(weights["inputs.bins.low"]) + 1.0)]  # as many bins as the file holds
            parts = self._shape() | {"init": "zeros"}
            module = MLP(n_real, cardinalities, self._widths(), self._units(), edges=blank, **parts)
        module.load_state_dict({k: torch.as_tensor(v) for k, v in weights.items()})
        self.module_ = module.eval()
        self._bind_answers()


@dataclass
class Prepared:
    """Rows ready to be learned from: as they came, as a matrix, and as tensors of the two parts."""

    rows: Any
    matrix: np.ndarray
    y: np.ndarray
    train_rows: np.ndarray
    held_rows: np.ndarray
    train: Part
    held: Part

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """What a checkpoint of a run on these rows is named by."""
        yield from self.train.contents()
        yield from self.held.contents()
