"""The part of a report that only forecasters have: forecasts with intervals, errors by step, what comes next."""

from typing import Any

import numpy as np

from ganglion.jobs.sequences.forecast import moment_text
from ganglion.jobs.words import number
from ganglion.plot import plot_forecast, plot_horizon
from ganglion.plot.style import new_axes
from ganglion.report import Drawing, Part

TARGETS = 3  # that are drawn
NEXT = 48  # times that are listed
SEEN = 3  # horizons of the past that stand before what comes next


def page_parts(result: Any) -> dict[str, Any]:
    """Fields of ``ReportInput`` that a forecaster fills."""
    parts = [*ahead(result), *tried(result)]
    return {
        "family": "sequence",
        "task": "forecast",
        "facts": facts_of(result),
        "parts": parts,
        "said": said(result),
    }


def said(result: Any) -> list[tuple[str, bool]]:
    """How far forecasts are off, beside the naive ones."""
    job, rows = result.job, {one.name: one.scores for one in result.models}
    own = rows["network"]
    naive = next((name for name in ("seasonal naive", "last value") if name in rows), None)
    start = f"Forecasts {job.horizon} times ahead are off by "
    if "mae" in own:
        pieces = [(start, False), (f"{number(own['mae'])} on average", True)]
        words = {"seasonal naive": "repeating the last season", "last value": "repeating the last value"}
        if naive:
            pieces.append((f"; {words[naive]} would be off by {number(rows[naive]['mae'])}", False))
    else:
        pieces = [(start, False), (f"{own.get('mase', float('nan')):.2f} of a naive step", True)]
    pieces.append((".", False))
    if "coverage" in own:
        levels = result.answer.levels
        pieces.append(
            (f" Intervals for {levels[-1] - levels[0]:.0%} of the values held {own['coverage']:.0%}.", False)
        )
    return pieces


def facts_of(result: Any) -> dict[str, Any]:
    """Facts of the data in words."""
    job, estimator, series = result.job, result.estimator, result.job.series
    facts = {
        "times": f"{len(series):,}, in steps of {series.freq}",
        "from": moment_text(series.times[0]),
        "to": moment_text(series.times[-1]),
    }
    facts |= {
        "targets": ", ".join(job.targets),
        "horizon": f"{job.horizon}",
        "season": f"{estimator.season_}",
    }
    facts |= {
        "seen for a forecast": f"{estimator.lookback_} times",
        "network": str(getattr(estimator, "network_", estimator.network)),
    }
    if job.covariates:
        facts["covariates"] = ", ".join(job.covariates)
    return facts


def tried(result: Any) -> list[Part]:
    """Forecasts from some origins of the test part, and errors by how far ahead."""
    job, back = result.job, result.answer
    chosen = spread(back.origins, job.horizon)
    first = max(0, int(back.origins[0]) - job.horizon)
    times, figures = job.series.times[first:], []
    for j, name in enumerate(job.targets[:TARGETS]):
        forecasts = [
            (int(back.origins[i]) - first, next(iter(back.forecasts.values()))[i, :, j], *ends(back, i, j))
            for i in chosen
        ]
        axes = plot_forecast(times, job.series.values[first:, j], forecasts, ax=new_axes(9.0, 3.0), name=name)
        caption = "Dark is what came, each colour a forecast from its dot on" + (
            ", the band its interval." if len(back.levels) > 1 else ".")  # fmt: skip
        figures.append(Drawing(axes=axes, title=f"{name}: forecasts and what came", caption=caption))
    errors = {
        name: np.abs(one - back.truth).mean(axis=0) / scale_of(back) for name, one in back.forecasts.items()
    }
    named = {
        ("network" if i == 0 else name): one.mean(axis=1) for i, (name, one) in enumerate(errors.items())
    }
    caption = (
        "Mean absolute error"
        + ("" if len(job.targets) == 1 else ", each target in units of its spread")
        + "."
    )
    figures.append(
        Drawing(
            axes=plot_horizon(named, ax=new_axes(4.8, 3.0)), title="Error by how far ahead", caption=caption
        )
    )
    lead = f"{back.verdict} All forecasts were made from {len(back.origins):,} origins in the test part."
    return [
        Part(id="tried", name="Tried out", title="Forecasts of the test part", lead=lead, figures=figures)
    ]


def scale_of(back: Any) -> np.ndarray:
    """What errors (H, k) are divided by: nothing of one target, each one's spread of several."""
    k = back.truth.shape[2]
    return np.ones(1) if k == 1 else np.maximum(back.truth.std(axis=(0, 1)), 1e-12)


def spread(origins: np.ndarray, horizon: int) -> list[int]:
    """Places of origins whose forecasts do not overlap, the last one among them.

    >>> spread(np.arange(10, 20), 4)
    [1, 5, 9]
    """
    chosen, last = [], None
    for i in range(len(origins) - 1, -1, -1):
        if last is None or origins[i] + horizon <= last:
            chosen.append(i)
            last = origins[i]
    return chosen[::-1]


def ends(back: Any, i: int, j: int) -> tuple[Any, Any]:
    """Both ends of the interval, where there are some."""
    return (back.quantiles[i, :, j, 0], back.quantiles[i, :, j, -1]) if len(back.levels) > 1 else (None, None)


def ahead(result: Any) -> list[Part]:
    """What comes behind the end of the series, where covariates are not needed for it."""
    estimator, job = result.estimator, result.job
    if not len(result.train) or estimator.given_ or not estimator.tail_.size:
        return []
    times, told, levels = estimator.times_ahead(), estimator.predict(), estimator.quantiles
    told = told.reshape(len(told), -1, 1)
    if len(levels) > 1:
        told = np.concatenate([told, estimator.predict_quantiles()[..., [0, -1]]], 2)
    past = min(len(job.series), SEEN * max(job.horizon, estimator.season_))
    shown, figures = np.concatenate([job.series.times[-past:], times]), []
    heads, columns = ["time"], [[moment_text(one) for one in times[:NEXT]]]
    for j, name in enumerate(job.targets[:TARGETS]):
        forecast = (past, told[:, j, 0], *(told[:, j, 1:].T if len(levels) > 1 else (None, None)))
        axes = plot_forecast(
            shown, job.series.values[-past:, j], [forecast], ax=new_axes(9.0, 3.0), name=name
        )
        caption = "The last values, and the forecast."
        figures.append(Drawing(axes=axes, title=f"{name}: what comes next", caption=caption))
        heads += (
            [name, *(f"{level:.0%} level" for level in levels[:: len(levels) - 1])]
            if len(levels) > 1
            else [name]
        )
        columns += [[number(value) for value in column] for column in told[:NEXT, j].T]
    lead = f"The {len(times)} times behind the end of the series"
    if len(levels) > 1:
        lead += (
            f", and the levels below which {levels[0]:.0%} and {levels[-1]:.0%} of the values are expected"
        )
    return [
        Part(
            id="next", name="What comes next", title="What comes next", lead=f"{lead}.", figures=figures, heads=heads,
            rows=list(zip(*columns)), numbers=list(range(1, len(heads))),
        )
    ]  # fmt: skip
