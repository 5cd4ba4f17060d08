"""The fields of a forecaster: what is forecast from what, and by which network."""

from typing import Annotated, Literal

from ganglion.base.fields import AtLeast, Between, Bound, Fields, Search


class ForecastFields(Fields):
    """What is forecast from what, and by which network."""

    network: Annotated[
        Literal["auto", "linear", "lstm", "tcn", "transformer"],
        "what forecasts; auto trains all four and keeps the best on validation",
    ] = "auto"
    horizon: Annotated[int, AtLeast(1), "times to forecast"] = 24
    lookback: Annotated[
        int | Literal["auto"], AtLeast(1), "times that are seen; auto takes 14 seasons or 3 horizons, as far as there"
    ] = "auto"  # fmt: skip
    quantiles: Annotated[
        tuple[float, ...], Bound(0, 1, open_low=True, open_high=True), "levels of predict_quantiles, rising; or none"
    ] = (0.1, 0.5, 0.9)  # fmt: skip
    strategy: Annotated[
        Literal["direct", "recursive"], "all times of the horizon at once, or one, seen again for the next"
    ] = "direct"
    season: Annotated[
        int | Literal["auto"], AtLeast(1), "times until a series repeats itself; auto finds it"
    ] = "auto"
    start: Annotated[
        Literal["auto", "mean", "last", "repeat", "season"],
        "the naive forecast that the network adds to: mean or last value, last or mean season; auto takes the nearest",
    ] = "auto"
    time: Annotated[str | None, "a table's column of times"] = None
    targets: Annotated[str | tuple[str, ...], "a table's columns to forecast; none is all others"] = ()
    covariates: Annotated[str | tuple[str, ...], "a table's columns that help to forecast"] = ()
    known: Annotated[bool, "whether covariates are known in the future too"] = True
    calendar: Annotated[bool, "whether hour, weekday and month are covariates, where there are times"] = False
    mixed: Annotated[
        bool, "whether targets see each other, or share one network that reads each by itself"
    ] = False
    loss: Annotated[
        Literal["squared_error", "absolute_error"], "what an error costs: forecasts are means, or medians"
    ] = "squared_error"
    stride: Annotated[int, AtLeast(1), "times between neighbouring windows of training"] = 1
    patch: Annotated[
        int | Literal["auto"], AtLeast(1), "times that lstm, tcn and transformer read as one piece"
    ] = "auto"
    units: Annotated[int, AtLeast(1), Search(8, 256, log=True), "width of lstm, tcn and transformer"] = 32
    layers: Annotated[int, AtLeast(1), Search(1, 6), "layers of lstm, tcn and transformer"] = 2
    heads: Annotated[int, AtLeast(1), "heads of a transformer's attention; they divide its units"] = 4
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share dropped inside lstm, tcn and transformer"
    ] = 0.2
