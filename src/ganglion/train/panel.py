"""Which watchers a run has: none, the cheap ones, or the full panel."""

from typing import Any

from ganglion.base.errors import ParameterError, unknown_name
from ganglion.train.hooks import Hook
from ganglion.train.noise import NoiseWatch
from ganglion.train.probes import Probes
from ganglion.train.watch import LayerWatch

LEVELS: dict[str, tuple[type[Any], ...]] = {
    "off": (),
    "default": (LayerWatch, NoiseWatch),
    "full": (LayerWatch, NoiseWatch, Probes),
}


class Panel:
    """The watchers of a level, and what they wrote.

    ``"off"`` has none; ``"default"`` watches layers and the gradient noise scale; ``"full"`` adds curvature,
    the loss along the step, and the shift of what layers see. None of them changes a bit of the weights.

    Raises ``ParameterError`` for an unknown level.

    >>> [type(hook).__name__ for hook in Panel("default").hooks]
    ['LayerWatch', 'NoiseWatch']
    """

    def __init__(self, level: str = "default") -> None:
        if level not in LEVELS:
            raise ParameterError(unknown_name("watch", level, list(LEVELS)))
        self.hooks: tuple[Hook, ...] = tuple(make() for make in LEVELS[level])

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The rows per layer, for ``TrainingRecord.layers``."""
        return [row for hook in self.hooks if isinstance(hook, LayerWatch) for row in hook.rows]

    @property
    def probes(self) -> list[dict[str, Any]]:
        """The other readings in the order of steps, for ``TrainingRecord.probes``."""
        rows = [row for hook in self.hooks if isinstance(hook, NoiseWatch | Probes) for row in hook.rows]
        return sorted(rows, key=lambda row: row["step"])
