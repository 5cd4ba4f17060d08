"""What is to be learned, whatever it is learned from: what tables and pictures share, and where they differ."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.base.fields import fields_of
from ganglion.data.columns import Frame
from ganglion.data.target import Task
from ganglion.jobs.shell import quoted

Split = Callable[[np.ndarray, float, int], tuple[np.ndarray, np.ndarray]]


@dataclass(kw_only=True)
class Job:
    """Inputs, target and what was found out about both; subclasses say what only they know of their inputs."""

    unit: ClassVar[str] = "rows"  # what examples are called
    nameless: ClassVar[str] = "the table"  # what a source without a name is called
    example: ClassVar[str] = "data.csv"  # the name that stands for it in a command
    call: ClassVar[str] = "model.predict(rows)"  # how the loaded model is used, in Python
    command: ClassVar[str] = "ganglion predict {model} new.csv --output predictions.csv"

    y: np.ndarray
    task: Task
    targets: list[str]
    n_read: int
    notes: list[str]
    settings: dict[str, Any] = field(default_factory=dict)  # what was asked for beyond the default
    started: float = field(default_factory=time.monotonic)
    rows: np.ndarray | None = None  # places in the table of the rows that have a target

    def __len__(self) -> int:
        """Examples that have a target."""
        return len(self.y)

    @property
    def target(self) -> str:
        """The names of the target columns."""
        return ", ".join(self.targets)

    # --- inputs -------------------------------------------------------------------------------------------

    def take(self, rows: np.ndarray) -> Any:
        """Some rows as the estimator takes them."""
        raise NotImplementedError

    def read(self, estimator: Any, stage: Callable[[str], None]) -> None:
        """Look at what an estimator is about to learn from, and leave out what cannot be used."""

    def columns(self) -> Frame:
        """The columns that rows may be split by; raises ``DataError`` where there are none."""
        raise NotImplementedError

    def without(self, name: str) -> None:
        """Take a column that keeps rows together out of the inputs, if it is one of them."""

    def parts(self, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, Split | None] | None:
        """Training rows, test rows and the rule for validation rows, where the data come with them.

        ``fraction`` is the share of test rows, and ``seed`` that of chance, for data that only say how they are cut.
        """
        return None

    def goal(self, rows: np.ndarray) -> Any:
        """What is to be told of some rows, as the estimator takes it."""
        return self.y[rows]

    # --- networks -----------------------------------------------------------------------------------------

    def networks(self) -> dict[str, type]:
        """The estimators to choose from by ``model``; the first is the default."""
        raise NotImplementedError

    def estimator(self, model: str | None, parameters: dict[str, Any]) -> Any:
        """The estimator for the task; raises ``ParameterError`` for a parameter that it does not have."""
        known = self.networks()
        model = next(iter(known)) if model is None else model
        if model not in known:
            raise ParameterError(unknown_name("model", model, list(known)))
        cls = known[model]
        fields = fields_of(cls)
        for name in parameters:
            if name not in fields:
                raise ParameterError(f"{cls.__name__}: " + unknown_name("parameter", name, list(fields)))
        estimator = cls(**parameters)
        estimator._check()
        return estimator

    def seconds(self, estimator: Any, n_train: int) -> float:
        """How long training may take, by counting; early stopping makes it shorter."""
        raise NotImplementedError

    def baseline_inputs(self, estimator: Any, train: np.ndarray, test: np.ndarray) -> "Inputs":
        """What simple models learn from and are scored on."""
        raise NotImplementedError

    # --- judgement ----------------------------------------------------------------------------------------

    @property
    def metric(self) -> str:
        """The score that leads: AUC where one of two classes is rare, else accuracy or R^2."""
        if not self.task.classification:
            return "r2"
        if self.task.kind == "binary" and max(self.task.counts) >= 4 * min(self.task.counts):
            return "auc"
        return "accuracy"

    def answer(self, estimator: Any, rows: np.ndarray) -> Any:
        """What a fitted estimator says of some rows: probabilities (n, classes), or numbers."""
        inputs = self.take(rows)
        return estimator.predict_proba(inputs) if self.task.classification else estimator.predict(inputs)

    def baselines(self, result: Any, classes: list[Any] | None, limit: float | None) -> dict[str, Any]:
        """Simple models of the same rows, ``evaluate.baselines.Baseline`` by name."""
        from ganglion.jobs.judge import run_baselines

        return run_baselines(result, classes, limit)

    def judge(self, result: Any, compare: bool, limit: float | None) -> None:
        """Score the network and the baselines on the test rows; the verdict then rests on these rows."""
        from ganglion.jobs.judge import judge

        judge(result, compare, limit)

    # --- words --------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """What is learned, in words."""
        task = self.task
        if task.kind == "binary":
            return f"binary classification, classes {class_ratio(task.counts)}"
        if task.kind == "multiclass":
            return f"classification into {len(task.classes)} classes"
        return "regression" if task.n_outputs == 1 else f"regression of {task.n_outputs} targets"

    def facts(self) -> str:
        """The inputs in a few words for the plan line."""
        raise NotImplementedError

    def title(self, name: str) -> str:
        """What is learned from a source of this name."""
        return f"{self.target} from {name}"

    def doubts(self) -> list[list[str]]:
        """Sentences on inputs that are left out or were read with a doubt, a list for each kind."""
        return []

    def target_flag(self) -> str:
        """The target as the command takes it."""
        return f"--target {quoted(','.join(self.targets))}"

    def target_argument(self) -> str:
        """The target as ``ganglion.fit`` takes it."""
        return f", target={self.targets if len(self.targets) > 1 else self.targets[0]!r}"

    def card(self, estimator: Any) -> dict[str, Any]:
        """What the model file's card says of the inputs."""
        return {}

    def page(self, result: Any) -> dict[str, Any]:
        """The parts of the report that only this kind of inputs has, as fields of ``ReportInput``."""
        raise NotImplementedError

    @cached_property
    def data_hash(self) -> str:
        """A short name for the content of inputs and target."""
        raise NotImplementedError

    # --- use ----------------------------------------------------------------------------------------------

    def known(self, estimator: Any, source: Any) -> Any:
        """New inputs from whatever a person gives, as the fitted estimator takes them."""
        raise NotImplementedError


def class_ratio(counts: Sequence[int]) -> str:
    """The ratio of two classes, the larger first, such as ``3:1``."""
    large, small = max(counts), max(min(counts), 1)
    ratio = large / small
    return f"{ratio:.0f}:1" if ratio >= 1.95 or ratio < 1.05 else f"{ratio:.1f}:1"


@dataclass
class Inputs:
    """Numbers for simple models: two matrices, what of their last columns are codes, and which rows were taken."""

    train: np.ndarray
    test: np.ndarray
    rows: np.ndarray
    cardinalities: list[int] = field(default_factory=list)
