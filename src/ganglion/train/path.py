"""The way of the weights: snapshots along a run, for a landscape to show."""

from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganglion.train.hooks import Hook

if TYPE_CHECKING:
    from ganglion.train.run import Run

MOST = 64  # snapshots; beyond, every second one goes


class WeightPath(Hook):
    """Keeps a copy of the weights before training, after epochs ever further apart, and at the end.

    ``weights`` holds at most 65 snapshots (name -> tensor), in time order: the ``path`` of
    ``diagnose.landscape.landscape``. ``every`` is the number of epochs between them in the end.
    """

    def __init__(self) -> None:
        self.weights: list[dict[str, Tensor]] = []
        self.every = 1

    def start(self, run: "Run") -> None:
        """The first weights."""
        self._keep(run)

    def epoch(self, run: "Run", row: dict[str, Any]) -> None:
        """The weights after an epoch."""
        if row["epoch"] % self.every:
            return
        self._keep(run)
        if len(self.weights) > MOST:
            del self.weights[1::2]
            self.every *= 2

    def end(self, run: "Run") -> None:
        """The kept weights."""
        self._keep(run)

    def _keep(self, run: "Run") -> None:
        self.weights.append({k: p.detach().clone() for k, p in run.objective.model.named_parameters()})
