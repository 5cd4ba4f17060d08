"""A series to be forecast: a table with a column of times."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.columns import Frame
from ganglion.data.series import Series, read_series
from ganglion.data.target import Task
from ganglion.jobs.job import Job, Split
from ganglion.jobs.sequences.judged import Judged, tell
from ganglion.jobs.shell import quoted
from ganglion.jobs.table import given_targets

MOST_ORIGINS = 200  # of a test part that forecasts are made from
WINDOWS_PER_SECOND = {"linear": 20_000, "lstm": 3_000, "tcn": 2_000, "transformer": 2_000}
EPOCHS_MADE = 0.5  # of those planned; most trainings end early


@dataclass(kw_only=True)
class ForecastJob(Job):
    """What is to be forecast from a series."""

    unit: ClassVar[str] = "times"
    nameless: ClassVar[str] = "the series"
    example: ClassVar[str] = "series.csv"
    call: ClassVar[str] = "model.predict()"
    command: ClassVar[str] = "ganglion predict {model} --output forecast.csv"

    series: Series
    time: str
    horizon: int
    covariates: list[str]

    @property
    def metric(self) -> str:
        """The mean absolute scaled error leads: 1 is what repeating the last season or value costs in training."""
        return "mase"

    def take(self, rows: np.ndarray) -> Series:
        """A stretch of the series."""
        return stretch(self.series, int(rows[0]), int(rows[-1]) + 1)

    def goal(self, rows: np.ndarray) -> None:
        """Nothing: the series is its own goal."""

    def columns(self) -> Frame:
        """Times are never parted by another rule."""
        raise DataError("--group keeps rows together, but a series is parted by time; leave it out.")

    def parts(self, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, Split | None]:
        """The last times for the test, a horizon at least."""
        n = len(self)
        test = max(round(fraction * n), self.horizon)
        if n - test < max(4, self.horizon):
            raise DataError(
                f"at least {max(4, self.horizon) + test} times are expected for a horizon of {self.horizon}, got {n}; "
                "give more, or a smaller --horizon."
            )
        return np.arange(n - test), np.arange(n - test, n), None

    def networks(self) -> dict[str, type]:
        """One class; its ``network`` chooses what forecasts."""
        from ganglion.estimators.sequences.forecaster import Forecaster

        return {"forecaster": Forecaster}

    def estimator(self, model: str | None, parameters: dict[str, Any]) -> Any:
        """As for all jobs, told which columns there are."""
        own = {"time": self.time, "targets": tuple(self.targets), "covariates": tuple(self.covariates)}
        return super().estimator(model, {**own, "horizon": self.horizon, **parameters})

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Windows of each network that is tried."""
        kinds = WINDOWS_PER_SECOND if estimator.network == "auto" else [estimator.network]
        windows = n_train * len(self.targets) / estimator.stride * estimator.max_epochs * EPOCHS_MADE
        return 2.0 + sum(windows / WINDOWS_PER_SECOND[kind] for kind in kinds)

    def answer(self, estimator: Any, rows: np.ndarray) -> Any:
        """Forecasts from origins in these times, as the fitted estimator makes them: a ``Backtest``."""
        begin = max(
            int(rows[0]), estimator.lookback_ + estimator.horizon
        )  # so that linear baselines have a window
        stride = max(1, -(-(len(self) - estimator.horizon - begin) // MOST_ORIGINS))
        return estimator.backtest(self.series, start=max(begin, 1), stride=stride, refit=0)

    def judge(self, result: Any, compare: bool, limit: float | None) -> None:
        """Errors beside naive rules at the same origins; then forecasts go on from the end of the whole series."""
        tried = result.answer
        stride = int(tried.origins[1] - tried.origins[0]) if len(tried.origins) > 1 else 1
        scale = naive_error(self.series.values[: int(tried.origins[0])], result.estimator.season_)
        found: dict[str, Judged] = {}
        simple = [name for name in tried.forecasts if name != "linear" or len(result.train)]
        for name in simple:
            said = tried.forecasts[name]
            gap = np.abs(said - tried.truth)
            one = Judged({k: v for k, v in tried.scores[name].items() if k not in ("mse", "mae")})
            if len(self.targets) == 1:
                one.scores |= {"mae": float(gap.mean()), "rmse": float(np.sqrt(np.square(gap).mean()))}
            if "mase" in one.scores:
                one.part, one.whole = np.nanmean(gap / scale, axis=(1, 2)), np.ones(len(gap))
                one.block = max(1, -(-self.horizon // stride))
            found["network" if not found else name] = one
        tell(result, found if compare else {"network": found["network"]}, lower=True)
        if len(result.train):
            result.estimator.go_on_from(self.series)

    # --- words --------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """How far ahead."""
        return f"forecast of {self.horizon} times ahead"

    def facts(self) -> str:
        """How many times, in which steps."""
        more = f", {len(self.covariates)} covariates" if self.covariates else ""
        targets = f"{len(self.targets)} targets" if len(self.targets) > 1 else "1 target"
        return f"{len(self):,} times in steps of {self.series.freq}, {targets}{more}"

    def target_flag(self) -> str:
        """The targets, the column of times and how far ahead."""
        return f"{super().target_flag()} --time {quoted(self.time)} --horizon {self.horizon}"

    def target_argument(self) -> str:
        """The targets, the column of times and how far ahead."""
        return f"{super().target_argument()}, time_column={self.time!r}, horizon={self.horizon}"

    def page(self, result: Any) -> dict[str, Any]:
        """Forecasts with intervals, errors by step, and what comes next."""
        from ganglion.jobs.sequences.page_forecast import page_parts

        return page_parts(result)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over times and values."""
        from ganglion.jobs.origin import text_hash

        cells = [self.series.times, self.series.values.ravel(), self.series.covariates.ravel()]
        return text_hash(*(one.tolist() for one in cells))

    def known(self, estimator: Any, source: Any) -> Any:
        """A longer or another series as it is: the estimator reads tables by its own columns. Nothing goes on."""
        return source


def naive_error(values: np.ndarray, season: int) -> np.ndarray:
    """The mean absolute change (k,) over a season, NaN for a column that does not change."""
    season = season if len(values) > season else 1
    change = np.nanmean(np.abs(values[season:] - values[:-season]), axis=0)
    return np.where(change > 0, change, np.nan)


def stretch(series: Series, start: int, stop: int) -> Series:
    """The times from ``start`` to before ``stop``."""
    part = slice(start, stop)
    return replace(
        series, times=series.times[part], values=series.values[part], covariates=series.covariates[part],
        filled=series.filled[part],
    )  # fmt: skip


def moment_text(moment: Any) -> str:
    """A time as a table holds it.

    >>> moment_text(np.datetime64("2020-01-02T00:00", "ns")), moment_text(np.int64(7))
    ('2020-01-02', '7')
    """
    if not isinstance(moment, np.datetime64):
        return str(moment)
    return str(moment.astype("datetime64[s]")).removesuffix("T00:00:00").replace("T", " ")


def open_series(
    table: Frame, target: str | Sequence[str] | None, time_column: str, horizon: int, *,
    covariates: Sequence[str] = (), ignore: Sequence[str] = (),
) -> ForecastJob:  # fmt: skip
    """The job of a table with a column of times; raises ``DataError``."""
    started = time.monotonic()
    table = table.drop(ignore)
    targets = given_targets(table, target)
    series = read_series(table, time_column, targets, covariates)
    n, asked = len(series), {"covariates": list(covariates), "ignore": list(ignore)}
    return ForecastJob(
        series=series, time=time_column, horizon=horizon, covariates=list(covariates), y=np.zeros(n),
        task=Task("forecast"), targets=targets, n_read=len(table), notes=list(series.report),
        settings={k: v for k, v in asked.items() if v}, started=started,
    )  # fmt: skip
