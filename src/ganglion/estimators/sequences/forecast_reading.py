"""From what a user gives to the windows of a forecaster: columns, their scale, season, lookback, the parts."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError, ParameterError
from ganglion.data.grid import Frequency, calendar, season_of
from ganglion.data.histories import History, read_history
from ganglion.estimators.sequences.forecast_training import ForecastTraining, Windows
from ganglion.estimators.sequences.windowed import better_naive, lookback_of, parts, spread_out

PATCHES = 20  # that the times looked at are cut into

Array = NDArray[np.float64]


class ForecastReading(ForecastTraining):
    """The part of a forecaster that reads series and learns what follows from them before any training."""

    def _read(self, X: Any) -> History:
        return read_history(X, self.time, self.targets, self.covariates)

    def _columns(self, history: History, again: bool) -> Array:
        """(n, T, c): the targets, what is known ahead, what is not."""
        n, k = len(history.values), history.values.shape[2]
        given = history.covariates
        ahead, lagged = (given, given[..., :0]) if self.known else (given[..., :0], given)
        turns = self._turns(history.times, history.freq)
        if turns.shape[1]:
            ahead = np.concatenate([ahead, np.broadcast_to(turns, (n, *turns.shape))], 2)
        found = np.concatenate([history.values, ahead, lagged], 2)
        if again and (k, found.shape[2]) != (self.n_features_in_, self.channels_):
            raise DataError(
                f"{self.n_features_in_} targets and {self.channels_ - self.n_features_in_} covariates are expected as "
                f"in training, got {k} and {found.shape[2] - k}; give the same columns."
            )
        return found

    def _turns(self, times: Any, freq: Frequency | None) -> Array:
        """(T, j) what the calendar says, where it is asked."""
        if not self.calendar:
            return np.zeros((0, 0))
        if times is None or freq is None:
            raise DataError(
                "calendar=True expects times, got an array; give a table with time=, or set it False."
            )
        return calendar(times, freq)[0]

    def _learn(self, history: History, columns: Array) -> None:
        """What follows from the series before any training; its scale is that of the part that trains."""
        T, k = history.values.shape[1:]
        given = history.covariates.shape[2]
        self.n_features_in_, self.channels_ = k, columns.shape[2]
        self.lagged_ = 0 if self.known else given
        self.known_ = self.channels_ - k - self.lagged_
        self.given_ = given if self.known else 0
        seen = columns[:, : T - round(self.validation_fraction * T)].reshape(-1, self.channels_)
        if np.isnan(seen).all(axis=0).any():
            raise DataError(
                "each column needs numbers in the part that trains, got one without; leave it out."
            )
        self.column_mean_, spread = np.nanmean(seen, axis=0), np.nanstd(seen, axis=0)
        self.column_scale_ = np.where(spread > 1e-12 * np.abs(self.column_mean_), spread, 1.0)
        self.frequency_ = None
        if history.freq is not None:
            self.frequency_ = (history.freq.unit, int(history.freq.step), int(history.freq.day))
        self.season_ = int(self.season) if self.season != "auto" else self._season(history)
        self.lookback_ = lookback_of(self.lookback, T, self.horizon, self.season_)
        if self.start in ("repeat", "season") and self.season_ > self.lookback_:
            raise ParameterError(
                f"Forecaster: start={self.start!r} needs a lookback of at least the season {self.season_}, got "
                f"{self.lookback_}; set lookback."
            )
        self.patch_ = max(1, self.lookback_ // PATCHES) if self.patch == "auto" else int(self.patch)
        self.patch_ = min(self.patch_, self.lookback_)

    def _season(self, history: History) -> int:
        """The season of at most the first eight series together."""
        T = history.values.shape[1]
        laid = history.values[:8].transpose(1, 0, 2).reshape(T, -1)
        laid = laid[:, ~np.isnan(laid).all(axis=0)]
        return season_of(history.freq or Frequency("number", 1), laid)

    def _parts(self, columns: Array) -> tuple[Windows, Windows]:
        """Windows that train and windows that choose, standardised, on the device."""
        dtype = torch.float64 if self.precision == "float64" else torch.float32
        laid, n = self._standardised(columns.reshape(-1, self.channels_)).to(dtype), len(columns)
        steps = 1 if self.strategy == "recursive" else self.horizon
        found = parts(laid, n, self.lookback_, self.horizon, steps, self.validation_fraction, self.stride)
        device = pick_device(self.device)
        train, held = (Windows(laid.to(device), starts.to(device), n) for starts in found)
        return train, held.taken(spread_out(held.starts))

    def _naive_start(self, train: Windows) -> str:
        """The naive forecast that is nearest to the windows that train."""
        L, H = self.lookback_, self.horizon
        long = train.whole(L + H)
        if not len(long.starts):
            return "last"
        return better_naive(long.columns, long.starts, L, H, self.n_features_in_, self.season_)

    def _standardised(self, columns: Array) -> torch.Tensor:
        return torch.as_tensor((columns - self.column_mean_) / self.column_scale_, dtype=torch.float32)

    def _end(self, history: History, columns: Array) -> None:
        """What a forecast behind the end needs, where nothing of it is missing."""
        tail = columns[:, -self.lookback_ :]
        self.tail_ = tail.copy() if np.isfinite(tail).all() else np.zeros((0, 0, 0))
        self.axes_ = history.axes
        self.last_time_ = None if history.times is None else int(history.times[-1].astype(np.int64))

    def _facts(self, history: History) -> dict[str, Any]:
        n, T, k = history.values.shape
        return {
            "n_rows": n * T, "series": n, "times": T, "targets": k, "lookback": self.lookback_, "season": self.season_,
            "start": self.start_, "repairs": list(history.report),
        }  # fmt: skip
