"""What a language model learns from: one stream of tokens, or answers that stand behind prompts.

Both give batches to train on, blocks to be scored by, and the tokens that are told.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from ganglion.data.batches import OrderedBatches
from ganglion.data.padded import Ragged
from ganglion.data.stream import StreamBatches, windows
from ganglion.data.tagged import TaggedBatches
from ganglion.data.tokens import END, PAD, Tokenizer
from ganglion.objectives.language import NOTHING

BLOCK = 2**15  # tokens that go through the network together outside training


@dataclass
class Stream:
    """A part of the text as codes (total,) on the device; every token is told by those before it in its window."""

    codes: Tensor

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def told(self) -> Tensor:
        """The codes that are asked for."""
        return self.codes[1:]

    def first(self, tokens: int) -> "Stream":
        """The beginning, of so many tokens."""
        return Stream(self.codes[:tokens])

    def places(self, context: int) -> float:
        """Tokens that a window holds."""
        return float(context)

    def batches(self, context: int, size: int) -> OrderedBatches:
        """Windows to train on."""
        return StreamBatches(self.codes, context, size)

    def blocks(self, context: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes (n, t) and those that follow (n, t), in windows that do not overlap."""
        cut = windows(self.codes, context)
        for part in cut.split(max(1, BLOCK // context)):
            yield part[:, :-1], part[:, 1:]
        rest = self.codes[len(cut) * context :]
        if cut.shape[1] == context + 1 and len(rest) > 1:
            yield rest[None, :-1], rest[None, 1:]

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes: what a checkpoint of a run on it is named by."""
        yield "codes", self.codes.cpu().numpy().tobytes()


@dataclass
class Answers:
    """Pairs of a prompt and what stands behind it: an end, the prompt, the answer; only the answer is told."""

    x: Ragged
    y: Ragged

    @classmethod
    def of(
        cls, tokenizer: Tokenizer, prompts: list[str], answers: list[str], context: int, device: torch.device
    ) -> "Answers":
        """Texts as codes on a device; of longer pairs the last ``context`` tokens.

        >>> from ganglion.data.tokens import tokenizer_named
        >>> tokenizer = tokenizer_named("characters").learn(["ab"])
        >>> pairs = Answers.of(tokenizer, ["a"], ["b"], 9, torch.device("cpu"))
        >>> pairs.x.padded().tolist(), pairs.y.padded().tolist()
        ([[3, 4, 5]], [[-1, 5, 3]])
        """
        seen, told = [], []
        for prompt, answer in zip(prompts, answers):
            before, behind = [END, *tokenizer.encode(prompt)], [*tokenizer.encode(answer), END]
            seen.append([*before, *behind[:-1]][-context:])
            told.append([*[NOTHING] * (len(before) - 1), *behind][-context:])
        offsets = np.cumsum([0, *map(len, seen)])
        flat = [torch.tensor(list(chain(*rows)), dtype=torch.int64, device=device) for rows in (seen, told)]
        return cls(Ragged(flat[0], offsets, PAD), Ragged(flat[1], offsets, NOTHING))

    def __len__(self) -> int:
        return len(self.x.values)

    @property
    def told(self) -> Tensor:
        """The codes that are asked for."""
        return self.y.values[self.y.values != NOTHING]

    def first(self, tokens: int) -> "Answers":
        """The first pairs, of about so many tokens."""
        rows = max(1, int(np.searchsorted(self.x.offsets, tokens)))
        return Answers(self.x[:rows], self.y[:rows])

    def places(self, context: int) -> float:
        """Tokens that a pair has, on average."""
        return float(self.x.lengths.mean())

    def batches(self, context: int, size: int) -> OrderedBatches:
        """Pairs to train on, about as long as each other."""
        return TaggedBatches(self.x, self.y, {}, size)

    def blocks(self, context: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes (n, t) and those that are asked for behind them (n, t)."""
        for rows in self.x.blocks(BLOCK):
            yield self.x.padded(rows), self.y.padded(rows)

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes: what a checkpoint of a run on it is named by."""
        yield from self.x.contents()
        yield "asked", self.y.values.cpu().numpy().tobytes()
