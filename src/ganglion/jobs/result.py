"""What the main job found, as one thing that can predict, be saved and be shown."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ganglion.diagnose.finding import Finding
from ganglion.jobs.job import Job
from ganglion.search.heal import Healed

if TYPE_CHECKING:
    from ganglion.report.inputs import ModelScore


@dataclass
class Result:
    """What the main job found: the network, the rows it was tested on, and how it did beside the baselines."""

    estimator: Any
    job: Job
    plan: str
    train: np.ndarray
    test: np.ndarray
    models: "list[ModelScore]"
    metric: str
    healed: Healed | None = None
    seconds: float = 0.0
    settings: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    path: str = ""  # of the model file, once there is one
    origin: dict[str, Any] = field(default_factory=dict)  # of a loaded model: its source, settings, data_hash

    @property
    def diagnosis(self) -> list[Finding]:
        """The verdict, most likely cause first."""
        return self.estimator.diagnosis_

    @property
    def scores(self) -> dict[str, float]:
        """The network's scores on the test rows."""
        return dict(self.models[0].scores)

    @property
    def healed_metric(self) -> str:
        """The score that healing compared, by its own name."""
        task = self.job.task
        plain = "accuracy" if task.classification else "r2" if task.labels else "score"
        return plain if self.healed is None or self.healed.metric == "score" else self.healed.metric

    @cached_property
    def answer(self) -> Any:
        """What the network says of the test rows: probabilities (n, classes), numbers, texts or tags."""
        return self.job.answer(self.estimator, self.test)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions for a table with the columns of training in any order, or for a folder or files of pictures."""
        return self.estimator.predict(self.job.known(self.estimator, X))

    def save(self, path: Any) -> Any:
        """Write the network with its preprocessing and its card as one ``*.ganglion`` file."""
        from ganglion.jobs.card import save_result

        self.path = str(path)
        return save_result(self, path)

    def report(self, path: Any) -> Any:
        """Write the offline HTML report."""
        from ganglion.jobs.page import write_report

        return write_report(self, path)
