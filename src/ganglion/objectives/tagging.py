"""The loss of taggers: how improbable the network finds the tags that people gave."""

from torch import nn

from ganglion.objectives.base import Batch, Objective, Step


class Tagging(Objective):
    """``-log P(y | x) / words`` for each sentence x and its tags y.

    Every word counts the same, whatever the length of its sentence: with ``words`` the mean length, the mean over
    sentences is nats per word.

    Arguments:
        model: with ``emissions(x)`` and ``log_likelihood``, as of ``models.tagger.TagNet``.
        words: what a sentence's loss is divided by.

    Batches have ``x`` (n, t, f) and ``y`` (n, t), codes, anything behind a sentence's end.
    """

    def __init__(self, model: nn.Module, words: float = 1.0) -> None:
        super().__init__()
        self.net, self.words = model, words

    @property
    def model(self) -> nn.Module:
        """The tagger."""
        return self.net

    def forward(self, batch: Batch, phase: str) -> Step:
        """The loss (n,) of each sentence."""
        emissions, there = self.net.emissions(batch["x"])  # type: ignore[operator]
        log_likelihood = self.net.log_likelihood(emissions, there, batch["y"])  # type: ignore[operator]
        return Step(-log_likelihood / self.words)
