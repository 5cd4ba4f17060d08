"""Series of numbers to a class or to numbers: sensors, gestures, spoken sounds, whatever comes in order."""

from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ganglion.base.errors import DataError
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.gaps import filled
from ganglion.data.padded import Ragged
from ganglion.data.ragged import Sequences, read_sequences
from ganglion.estimators.classes import ClassTarget
from ganglion.estimators.sequences.network import SequenceNetwork, SequencePart
from ganglion.estimators.table import read_validation, read_weight
from ganglion.estimators.training import Part
from ganglion.estimators.values import ValueTarget
from ganglion.models.series import SeriesNet
from ganglion.train.plan import numpy_on_one_thread

YARDSTICK_PLACES = 16  # that a series is resampled to for simple models


class SeriesNetwork(SequenceNetwork):
    """What classifier and regressor of series share; learned: ``channels_``, ``longest_``."""

    max_epochs, lr, patience = 100, 3e-3, 20

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None) -> "SeriesNetwork":
        """Learn from series X and targets y, with optional weights (n,).

        X is an array (n, T) or (n, T, c) of T places and c channels, or a list of n arrays (T_i,) or (T_i, c) of any
        lengths. NaN is a gap and is filled by the line between its neighbours. ``validation`` (n,) is true for the
        series that are not trained on and choose the epoch; without it ``validation_fraction`` of them are split off
        by chance. Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        self._need(y)
        again = self.warm_start and hasattr(self, "module_")
        series = self._read_series(X, reset=not again)
        weight = read_weight(sample_weight, None, len(series))
        target = self._read_target(y, weight, classes=None, keep=again)
        if len(target) != len(series):
            raise DataError(
                f"X and y must have the same number of rows, got {len(series)} and {len(target)}."
            )
        weight = self._class_weighted(target, weight)
        parts = read_validation(validation, len(series))
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            rows = parts or self._split(target, seed)
            return self._fit(series, target, weight, rows, seed, again)

    def _fit(
        self, series: Sequences, y: np.ndarray, weight: np.ndarray, rows: tuple[np.ndarray, np.ndarray], seed: int,
        again: bool,
    ) -> "SeriesNetwork":  # fmt: skip
        device = self._device()
        if again:
            self._check_outputs()
        else:
            self._learn_target(y[rows[0]], weight[rows[0]])
        goal = self._goal(y)
        train, held = (self._part(series, goal, weight, part, device) for part in rows)
        if not again:
            self.module_ = self._build(self._start(goal[rows[0]], weight[rows[0]]).float())
            self.module_.scale.learn(train.x.values)
        self.module_ = self._place(self.module_, device)
        run, set_up = self._run(train, held, seed)
        self._conclude(run, set_up, train, held)
        return self

    def _build(self, start: Tensor) -> nn.Module:
        return SeriesNet(self.channels_, start, pool=self.pool, dropout=float(self.dropout), **self._reader())

    def _part(
        self, series: Sequences, goal: np.ndarray, weight: np.ndarray, rows: np.ndarray, device: torch.device
    ) -> SequencePart:
        part = Part.of(np.empty(0), goal[rows], weight[rows], device, torch.float32)
        return SequencePart(Ragged.of(series.take(rows), device), part.y, part.weight)

    def _read_series(self, X: Any, *, reset: bool) -> Sequences:
        """The series in X without gaps; with ``reset`` their channels are learned."""
        series = filled(read_sequences(X, None if reset else self.channels_))
        if reset:
            self.channels_ = series.values.shape[1]
            self.longest_ = int(series.lengths.max())
            self.n_features_in_ = self.channels_
        return series

    # --- answering ----------------------------------------------------------------------------------------

    def _inputs(self, X: Any, dtype: torch.dtype) -> Tensor:
        return Ragged.of(self._read_series(X, reset=False), torch.device("cpu")).padded().to(dtype)

    def _outputs(self, X: Any) -> np.ndarray:
        """Raw outputs (n, k) in double precision."""
        check_is_fitted(self, ["module_"])
        ragged = Ragged.of(self._read_series(X, reset=False), torch.device("cpu"))
        return self._answers(ragged).double().numpy()

    def _columns(self, x: Any) -> np.ndarray:
        """Each series at places that are evenly spaced along it, as simple models take it: (n, columns)."""
        values, lengths = x.values.cpu().numpy(), x.lengths
        along = np.linspace(0, 1, YARDSTICK_PLACES) * (lengths[:, None] - 1)
        places = x.offsets[:-1, None] + along.round().astype(np.int64)
        return values[places].reshape(len(x), YARDSTICK_PLACES * values.shape[1]).astype(np.float64)

    def _blank(self) -> np.ndarray:
        """A series of zeros, (1, 1, c)."""
        return np.zeros((1, 1, self.channels_), np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.input_tags.allow_nan = True
        return tags


class SequenceClassifier(ClassTarget, SeriesNetwork):
    """Predicts the class of a series: an RNN, LSTM, GRU, temporal convolutions or a transformer reads it.

    ``p(y | x) = softmax(W pool(h_1 ... h_T) + b)`` with the reader's vectors h_t, see ``cell`` and ``pool``.

    >>> rng = np.random.default_rng(0)
    >>> X = [np.sin(np.arange(rng.integers(20, 40)) * (0.5 + 0.5 * (i % 2))) for i in range(60)]
    >>> y = ["slow", "fast"] * 30
    >>> float(SequenceClassifier(units=16, layers=1, max_epochs=20).fit(X, y).score(X, y))
    1.0
    """


class SequenceRegressor(ValueTarget, SeriesNetwork):
    """Predicts one or several numbers from a series, by the same readers as ``SequenceClassifier``.

    The targets are standardised inside; what is predicted follows from the loss, as for ``MLPRegressor``.

    >>> X = np.random.default_rng(0).normal(size=(200, 10, 1))
    >>> y = X[:, :, 0].max(1)
    >>> SequenceRegressor(units=16, layers=1, max_epochs=20).fit(X, y).score(X, y) > 0.8
    True
    """
