"""The shared hyper-parameters, each declared once and meaning the same in every estimator."""

import os
from typing import Annotated, Any, Literal

from ganglion.base.fields import Above, AtLeast, Between, Fields, Known, Search
from ganglion.data.interactions import INTERACTIONS, wished
from ganglion.data.select import SELECTIONS, selection
from ganglion.models.mlp import OF_ACTIVATION
from ganglion.nn.activations import ACTIVATIONS, activation_named
from ganglion.nn.init import INITS, init_named
from ganglion.nn.norms import NORMS, norm_named
from ganglion.optim.average import AVERAGES, average_named
from ganglion.optim.optimizers import optimizer_named, optimizer_names
from ganglion.optim.schedules import SCHEDULES, schedule_named


def start_named(text: str) -> object:
    """The rule of ``init``, or nothing where it is left to the activation; raises ``ParameterError``."""
    return None if text in OF_ACTIVATION else init_named(text)


def schedule_field(text: str) -> object:
    """The schedule of a field's text, or nothing where it is chosen; raises ``ParameterError``."""
    return None if text == "auto" else schedule_named(text)


class TrainingFields(Fields):
    """How long, how fast and where a network trains."""

    max_epochs: Annotated[int, AtLeast(1), "passes over the training data at most"] = 40
    time_limit: Annotated[
        float | None, Above(0), "seconds of training at most; the best weights are kept"
    ] = None
    batch_size: Annotated[
        int | Literal["auto", "full"], AtLeast(1), Search(16, 512, log=True), "examples per update"
    ] = "auto"
    lr: Annotated[float, Above(0), Search(1e-5, 1e-1, log=True), "step size of the optimiser"] = 1e-3
    optimizer: Annotated[str, Known("optimizer", optimizer_names, optimizer_named), "rule of the update"] = (
        "adamw"
    )
    momentum: Annotated[
        float, Between(0, 1, open_high=True), "momentum of sgd, beta_1 of adam and its kin"
    ] = 0.9
    schedule: Annotated[
        str,
        Known("schedule", lambda: ["auto", *SCHEDULES], schedule_field),
        "course of the step size; auto is cool_down where many validation rows choose the epoch, else flat_cosine",
    ] = "auto"
    weight_decay: Annotated[
        float, AtLeast(0), Search(1e-6, 1e-1, log=True), "decay of the weights per step, times the step size"
    ] = 1e-2
    l1: Annotated[float, AtLeast(0), "weight of the sum of |weights|; makes exact zeros"] = 0.0
    max_norm: Annotated[float | None, Above(0), "the longest that a unit's incoming weights may be"] = None
    activity: Annotated[
        float, AtLeast(0), "weight of the mean |hidden activation|; makes few units active"
    ] = 0.0
    clip_norm: Annotated[float | None, Above(0), "bound on the gradient's norm"] = None
    clip_value: Annotated[float | None, Above(0), "bound on each entry of the gradient"] = None
    clip_adaptive: Annotated[
        float | None, Above(0), "bound on a unit's gradient norm, as a multiple of its weights' norm"
    ] = None
    scale_norm: Annotated[float | None, Above(0), "norm that every gradient is scaled to"] = None
    average: Annotated[
        str | None,
        Known("average", lambda: list(AVERAGES), average_named),
        "mean of the weights along the run that answers",
    ] = None
    accumulate: Annotated[int, AtLeast(1), "batches per update, for batches that do not fit"] = 1
    early_stopping: Annotated[bool, "stop when the validation loss has stood still for `patience` epochs"] = (
        True
    )
    patience: Annotated[int, AtLeast(1), "epochs to wait for a better validation loss"] = 10
    validation_fraction: Annotated[
        float, Between(0, 1, open_high=True), "share of rows that choose the epoch; 0 trains on everything"
    ] = 0.1
    precision: Annotated[Literal["auto", "float32", "float64", "bf16"], "arithmetic of the training pass"] = (
        "auto"
    )
    device: Annotated[str, "where to compute: auto, cpu, cuda, mps ..."] = "auto"
    checkpoint: Annotated[str | os.PathLike | None, "folder in which the run is saved as it goes"] = None
    resume: Annotated[bool, "continue from the checkpoint folder"] = False
    random_state: Annotated[Any, "seed of everything random; None draws a new one"] = 0
    warm_start: Annotated[bool, "a further fit continues from the present weights"] = False
    verbose: Annotated[int, AtLeast(0), "0 is silent, 1 shows progress"] = 0
    watch: Annotated[
        Literal["off", "default", "full"], "what is watched: nothing, layers and noise, curvature too"
    ] = "default"


class TableFields(Fields):
    """How a raw table becomes numbers."""

    preprocess: Annotated[Literal["auto", "none"], "learn from the columns, or pass numbers through"] = "auto"
    impute: Annotated[
        Literal["mean", "median", "most_frequent", "knn", "iterative"], "what stands in for a missing number"
    ] = "median"
    encode: Annotated[
        Literal["auto", "onehot", "ordinal", "embedding", "target"],
        "how categories become numbers; target: by their mean target in other rows",
    ] = "auto"
    scale: Annotated[
        Literal["auto", "none", "standard", "robust", "minmax", "quantile"], "how numbers are scaled"
    ] = "auto"
    dates: Annotated[
        Literal["parts", "cyclic", "elapsed"], "what becomes of dates: all parts, what turns, or what grows"
    ] = "parts"
    interactions: Annotated[
        str | None,
        Known("interactions", lambda: list(INTERACTIONS), wished),
        "columns made of numbers, as in 'products(10)' for the 10 best pairs",
    ] = None
    select: Annotated[
        str | None,
        Known("select", lambda: list(SELECTIONS), selection),
        "which columns the network gets, as in 'l1' or 'permutation(20)'",
    ] = None


class NetworkFields(Fields):
    """The shape of a dense network, or a module of your own."""

    hidden_layer_sizes: Annotated[tuple[int, ...] | int, AtLeast(1), "units of each hidden layer"] = (
        256,
        256,
    )
    activation: Annotated[
        str, Known("activation", lambda: list(ACTIVATIONS), activation_named), "of the hidden units"
    ] = "silu"
    bins: Annotated[
        int, AtLeast(0), "quantile bins of each number's piecewise-linear encoding; 0 leaves it out"
    ] = 32
    init: Annotated[
        str, Known("init", lambda: [*OF_ACTIVATION, *INITS], start_named), "how weights start"
    ] = "auto"
    norm: Annotated[
        str | None, Known("norm", lambda: list(NORMS), norm_named), "normalisation of the hidden units"
    ] = None
    residual: Annotated[bool, "skips around hidden layers that keep their width, as deep networks need"] = (
        False
    )
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of hidden units dropped"
    ] = 0.1
    dropout_kind: Annotated[Literal["units", "alpha"], "alpha keeps mean and variance of selu's units"] = (
        "units"
    )
    drop_path: Annotated[
        float, Between(0, 1, open_high=True), "share of the last residual branch's examples that skip it"
    ] = 0.0
    noise: Annotated[
        float, AtLeast(0), "standard deviation of noise added to the network's inputs in training"
    ] = 0.0
    module: Annotated[Any, "an nn.Module of your own, (n, columns) -> (n, outputs), or a registered name"] = (
        None
    )
