"""Hooks watch a run at five moments; they never change its numbers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ganglion.train.run import Run


class Hook:
    """Base of all watchers: override the moments you want to see.

    ``start(run)`` before the first step, ``backward(run)`` when the gradients of an update stand and the
    weights are still the old ones, ``step(run)`` after the update, ``epoch(run, row)`` when a row of the
    history is complete, ``end(run)`` when the kept weights are in place. Work with random numbers belongs
    into ``run.aside()``, so that the run's own stream stays as it is.
    A hook that ``rests(run)`` where an epoch opens is not called in its steps: on a small network calls that do
    nothing would be most of what watching costs.
    """

    def rests(self, run: "Run") -> bool:
        """Whether no step of the epoch that opens is of interest."""
        return False

    def start(self, run: "Run") -> None:
        """Before the first step."""

    def backward(self, run: "Run") -> None:
        """After the backward pass, before the update."""

    def step(self, run: "Run") -> None:
        """After the update."""

    def epoch(self, run: "Run", row: dict[str, Any]) -> None:
        """After an epoch; ``row`` is its line in the history."""

    def end(self, run: "Run") -> None:
        """After the last step, with the kept weights in place."""


def awake(hooks: "tuple[Hook, ...]", run: "Run") -> "list[Hook]":
    """The hooks that want to see steps of the epoch that opens."""
    return [hook for hook in hooks if not hook.rests(run)]


def listeners(hooks: "list[Hook] | tuple[Hook, ...]", moment: str) -> list[Any]:
    """The bound methods of the hooks that really override a moment, so that an empty one costs nothing."""
    return [getattr(h, moment) for h in hooks if getattr(type(h), moment) is not getattr(Hook, moment)]
