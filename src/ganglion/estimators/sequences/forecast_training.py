"""From windows of a series to a trained forecaster: one network or the best of four, its scores, its intervals."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ganglion.base.seeds import seeded
from ganglion.data.window_batches import WindowBatches
from ganglion.data.windows import whole_windows
from ganglion.estimators.learner import Learner
from ganglion.estimators.sequences.forecast_fields import ForecastFields
from ganglion.estimators.sequences.windowed import apart, forecasts, spread_out, widths
from ganglion.estimators.training import SetUp, make_plan, rates_of
from ganglion.evaluate.forecasts import forecast_baselines
from ganglion.models.forecast import NETWORKS, ForecastNet, naive_forecast
from ganglion.objectives.forecast import forecast_loss
from ganglion.objectives.supervised import Supervised
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.run import Run

LINEAR_ROWS = 20_000  # windows and targets that the linear baseline of a record is fitted on
EPOCH = 1024  # windows of an epoch at least: those of short series come several times
SCORED = 500  # windows of training that its score is taken from


@dataclass
class Windows:
    """A part of the data: n series of T times, standardised and laid end to end, and where its windows start."""

    columns: Tensor
    """(n T, c)."""
    starts: Tensor
    n: int

    def taken(self, starts: Tensor) -> "Windows":
        """Other windows of the same series."""
        return Windows(self.columns, starts, self.n)

    def whole(self, length: int) -> "Windows":
        """Those that have so many times before the end of their series."""
        T = len(self.columns) // self.n
        kept = self.starts[self.starts % T + length <= T]
        return self.taken(whole_windows(self.columns, kept, length))


class Trained(NamedTuple):
    """One of several networks, its run, and its squared error on validation."""

    name: str
    module: ForecastNet
    run: Run
    set_up: SetUp
    error: float


def skill(mse: float, naive: float) -> float:
    """``1 - mse / naive``: 1 is perfect, 0 as good as the naive forecast.

    >>> skill(0.5, 2.0)
    0.75
    """
    return 1.0 - mse / max(naive, 1e-12)


class ForecastTraining(ForecastFields, Learner):
    """The part of a forecaster that trains and scores; the series are standardised windows here."""

    def _levels(self) -> tuple[float, ...]:
        """Levels of the quantiles that the network tells itself."""
        return tuple(map(float, self.quantiles)) if self.strategy == "direct" else ()

    def _promised(self) -> ForecastNet:
        return ForecastNet(
            self.network_, self.lookback_, 1 if self.strategy == "recursive" else int(self.horizon),
            targets=self.n_features_in_, known=self.known_, lagged=self.lagged_, outputs=1 + len(self._levels()),
            naive=self.start_, season=self.season_, mixed=bool(self.mixed), patch=self.patch_, units=int(self.units),
            layers=int(self.layers), heads=int(self.heads), dropout=float(self.dropout),
        )  # fmt: skip

    def _learned_from(
        self, train: Windows, held: Windows, seed: int, again: bool, facts: dict[str, Any]
    ) -> None:
        """Train the network, or all and keep the best; leave it with its intervals and its record."""
        names = [self.network_] if again else [self.network]
        if names == ["auto"]:  # without windows that choose there is no choice
            names = list(NETWORKS) if len(held.starts) else ["linear"]
        found = [self._trained(name, train, held, seed, again) for name in names]
        best = min(found, key=lambda one: one.error)
        self.network_, self.module_ = best.name, best.module
        self.candidates_ = {one.name: one.error for one in found} if len(held.starts) else {}
        long = train.whole(self.lookback_ + self.horizon)
        judging = held if len(held.starts) else long.taken(spread_out(long.starts))
        self.shift_ = self._widths(judging)
        scores = (
            {"train": self._errors(long.taken(spread_out(long.starts, SCORED)))} if len(long.starts) else {}
        )
        if len(held.starts):
            scores["validation"] = self._errors(held)
        baselines = self._beside(long, judging) if len(long.starts) else {}
        self._rest()
        facts |= {"n_train": len(train.starts), "n_validation": len(held.starts), "network": self.network_}
        self._record(best.run, best.set_up, data=facts, scores=scores, baselines=baselines)

    def _trained(self, name: str, train: Windows, held: Windows, seed: int, again: bool) -> Trained:
        """One network, from the same seed whichever others are tried."""
        self.network_ = name
        with seeded(seed):
            if not again:
                self.module_ = self._promised()
            self.module_ = self._place(self.module_, train.columns.device).to(train.columns.dtype)
            set_up = self._set_up(train, held)
            named = {"columns": train.columns, "train": train.starts, "held": held.starts}
            contents = ((f"{name} {what}", t.cpu().numpy().tobytes()) for what, t in named.items())
            validate = (lambda: self._validation(held)) if len(held.starts) else None
            run = self._train(set_up, seed, contents, validate)
        error = self._errors(held)["mse"] if len(held.starts) else 0.0
        return Trained(name, self.module_, run, set_up, error if np.isfinite(error) else float("inf"))

    def _set_up(self, train: Windows, held: Windows) -> SetUp:
        settings, net = self, self.module_
        if self.checkpoint is not None and self.network == "auto":  # each network has a folder of its own
            settings = copy.copy(self).set_params(checkpoint=Path(self.checkpoint) / self.network_)
        starts = train.starts.repeat(max(1, EPOCH // len(train.starts)))
        objective = Supervised(
            net, forecast_loss(self._levels(), self.loss), self.l1, self.max_norm, self.activity
        )
        places = 1.0 if self.network_ == "linear" else self.lookback_ / self.patch_
        plan = make_plan(
            self, net, len(starts), train.columns.device, uses=places * (1 if self.mixed else net.k),
            precision="float32" if self.precision == "auto" else self.precision,
        )  # fmt: skip
        batches = WindowBatches(train.columns, starts, net.L, net.H, net.k, net.known > 0, plan.batch_size)
        optimizer = make_optimizer(self.optimizer, objective, **rates_of(self))
        return SetUp(settings, objective, optimizer, batches, plan, held=len(held.starts))

    # --- scores -------------------------------------------------------------------------------------------

    def _validation(self, held: Windows) -> dict[str, float]:
        found = self._errors(held, self.module_.H)
        return {"val_loss": found["loss"], "val_score": found["score"]}

    def _errors(self, part: Windows, steps: int | None = None) -> dict[str, float]:
        """Loss, errors in units of the spread, and skill over the windows of a part."""
        told, y, _ = forecasts(self.module_, part.columns, part.starts, steps or self.horizon)
        return self._scored(told, y, self._naive(part, y.shape[1]))

    def _scored(self, told: Tensor, y: Tensor, naive: Tensor) -> dict[str, float]:
        gap = (told[..., 0] - y).double()
        loss = forecast_loss(self._levels(), self.loss).value(told.double(), y.double()).mean()
        mse, least = float(gap.square().mean()), float((naive - y).double().square().mean())
        return {"loss": float(loss), "score": skill(mse, least), "mse": mse, "mae": float(gap.abs().mean())}

    def _naive(self, part: Windows, steps: int) -> Tensor:
        """What the score compares with: the last season again, or the last value."""
        kind = "repeat" if 1 < self.season_ <= self.lookback_ else "last"
        places = part.starts[:, None] + torch.arange(self.lookback_, device=part.starts.device)
        return naive_forecast(part.columns[places][..., : self.n_features_in_], steps, kind, self.season_)

    def _widths(self, part: Windows) -> np.ndarray:
        """See ``windowed.widths``."""
        levels, by_step = tuple(map(float, self.quantiles)), self.strategy == "recursive"
        if not levels or not len(part.starts):
            return np.zeros((self.horizon if by_step else 1, len(levels)))
        n = apart(part.starts, self.horizon)
        return widths(*forecasts(self.module_, part.columns, part.starts, self.horizon), levels, by_step, n)

    def _beside(self, train: Windows, judging: Windows) -> dict[str, dict[str, float]]:
        """Scores of the naive rules and of a linear regression."""
        L, H, k = self.lookback_, self.horizon, self.n_features_in_
        few = spread_out(train.starts, max(200, LINEAR_ROWS // k))
        values = train.columns[:, :k].double().cpu().numpy()
        found = forecast_baselines(values, few.cpu(), judging.starts.cpu(), L, H, self.season_)
        ahead = judging.starts[:, None] + L + torch.arange(H, device=judging.starts.device)
        y, naive = judging.columns[ahead][..., :k], self._naive(judging, H)
        rows = {}
        for name, one in found.items():
            told = torch.as_tensor(one.prediction).to(y)[..., None]
            rows[name] = self._scored(told.expand(*y.shape, 1 + len(self._levels())), y, naive)
        return {"dummy": rows["last value"], **rows}
