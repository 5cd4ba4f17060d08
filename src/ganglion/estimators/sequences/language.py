"""A language model: learns from texts what comes next, and writes on."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.device import pick_device
from ganglion.base.fields import AtLeast, Between
from ganglion.base.numbers import number
from ganglion.base.seeds import seed_from
from ganglion.data.tokens import BEGIN, END, PAD, UNKNOWN, read_texts
from ganglion.estimators.sequences.corpus import Answers
from ganglion.estimators.sequences.corpus_learner import CorpusLearner, Part, Rows, listed
from ganglion.estimators.table import read_validation
from ganglion.models.generate import generate
from ganglion.objectives.language import NextToken, token_losses


class LanguageModel(CorpusLearner):
    """Learns to tell the next token of a text, and writes texts: a transformer or a recurrent network.

    ``P(x) = prod_t P(x_t | x_1 ... x_{t-1})``, by characters, bytes, words or pieces of words. Learned:
    ``tokenizer_``; ``history_`` has the loss in nats per token.

    >>> model = LanguageModel(units=32, layers=1, context=16, lr=0.01, max_epochs=20).fit("to be or not to be. " * 40)
    >>> model.generate("to be or", length=11, temperature=0)
    ' not to be.'
    """

    cell: Annotated[Literal["transformer", "lstm", "gru", "rnn"], "what reads: attention, or recurrent cells"] = (
        "transformer"
    )  # fmt: skip
    memory: Annotated[
        int | None, AtLeast(2), "places that gates of lstm and gru keep what they read, at the start"
    ] = None
    _shape = ("cell", "memory", *CorpusLearner._shape)

    # --- training -----------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation: Any = None
    ) -> "LanguageModel":
        """Learn from a text, or from several: a list, an array or a column.

        One text is cut: the last ``validation_fraction`` of it chooses the epoch. Of several, those for which
        ``validation`` (n,) is true; without it as many whole texts at the end of a shuffled order. Texts follow one
        another in the windows, an end between them.

        With y (n,), X are prompts and y the answers to be written behind them: each pair is read by itself, of longer
        ones the last ``context`` tokens, and only the answer's tokens count in the loss. Raises ``DataError`` or
        ``ParameterError``.

        >>> X, y = ["one plus two:", "two plus two:"] * 50, ["three", "four"] * 50
        >>> model = LanguageModel(units=32, layers=1, context=24, lr=0.01, max_epochs=20).fit(X, y)
        >>> model.generate("one plus two:", temperature=0, stop=True)
        'three'
        """
        self._check()
        given = self._given(X, sample_weight)
        behind = None if y is None else read_texts(listed(y), len(given))
        texts = self._texts([*given, *(behind or [])])
        rows = read_validation(validation, len(given), [bool(text) or y is not None for text in given])
        self._trained(
            texts,
            lambda seed: (
                self._parts(texts, rows, seed) if behind is None else self._pairs(given, behind, rows, seed)
            ),
        )
        self.answers_ = behind is not None
        return self

    def _objective(self) -> NextToken:
        return NextToken(self.module_)

    def _blocks(self, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Windows that do not overlap, or pairs."""
        return part.blocks(self.context)

    def _pairs(
        self, prompts: list[str], answers: list[str], rows: Rows | None, seed: int
    ) -> tuple[Answers, Answers]:
        """The pairs to learn from and to choose the epoch by, on the device."""
        if rows is None:
            order = np.random.default_rng(seed).permutation(len(prompts))
            kept = len(order) - round(self.validation_fraction * len(order))
            rows = order[:kept], order[kept:]
        chosen = (([prompts[i] for i in part], [answers[i] for i in part]) for part in rows)
        device = pick_device(self.device)
        train, held = (Answers.of(self.tokenizer_, *texts, self.context, device) for texts in chosen)
        return train, held

    # --- answering ----------------------------------------------------------------------------------------

    def _prompt(self, text: str) -> np.ndarray:
        """The codes of a text to be written on; before nothing, and before each prompt of answers, an end."""
        codes = self.tokenizer_.encode(text)
        return np.insert(codes, 0, END) if self.answers_ or not len(codes) else codes

    def generate(
        self,
        prompt: str = "",
        *,
        length: int = 200,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        n: int | None = None,
        stop: bool = False,
        random_state: Any = None,
    ) -> Any:
        """Write on: the text that follows the prompt, or a list of n of them.

        Arguments:
            prompt: what the text begins with; it is not repeated. Without, a new text begins.
            length: tokens at most.
            temperature: below 1 makes the probable more probable; 0 always takes the most probable.
            top_k: only the k most probable tokens are drawn.
            top_p: only the most probable tokens that make up this share.
            n: how many; one text where nothing.
            stop: whether a text ends where the model says that it ends (models of several texts).
            random_state: seed of the drawing; nothing draws a new one.

        Raises ``DataError`` and ``ParameterError``.
        """
        check_is_fitted(self, ["module_"])
        codes = torch.from_numpy(self._prompt(prompt).astype(np.int64))[None].expand(n or 1, -1)
        found = generate(
            self.module_.writing(), codes, length=length, context=self.context, end=END if stop else None,
            forbidden=(PAD, UNKNOWN, BEGIN) if stop else (PAD, UNKNOWN, BEGIN, END),
            temperature=temperature, top_k=top_k, top_p=top_p,
            generator=torch.Generator().manual_seed(seed_from(random_state)),
        )  # fmt: skip
        texts = [self.tokenizer_.decode(row[row >= 0].numpy()) for row in found]
        return texts if n else texts[0]

    @torch.inference_mode()
    def score_samples(self, X: Any, prompt: Any = None, *, overlap: float = 0.0) -> np.ndarray:
        """``log P`` (n,) of each text in nats, its end included, where ``prompt`` stands before it.

        Arguments:
            X: texts.
            prompt: as many texts, or one for all; they are seen and not asked for. Without, a new text begins.
            overlap: texts beyond ``context`` tokens are read in windows, and each begins with this share of the one
                before it, so that no token is told from little. It costs ``1 / (1 - overlap)`` of the time.

        Raises ``DataError`` and ``ParameterError``.
        """
        check_is_fitted(self, ["module_"])
        kept = int(number("score_samples' overlap", overlap, Between(0, 1, open_high=True)) * self.context)
        texts = listed(X)
        before = [prompt or ""] * len(texts) if prompt is None or isinstance(prompt, str) else prompt
        found = []
        for text, seen in zip(texts, read_texts(before, len(texts))):
            head = [END, *self.tokenizer_.encode(seen)]
            codes = torch.tensor([*head, *self.tokenizer_.encode(text), END], dtype=torch.int64)
            found.append(-float(self._losses(codes, kept)[len(head) - 1 :].sum()))
        return np.array(found)

    def _losses(self, codes: Tensor, kept: int) -> Tensor:
        """``-log P`` (m - 1,) of all codes (m,) but the first, in windows that share ``kept`` places."""
        found = []
        for start in range(0, max(1, len(codes) - 1 - kept), self.context - kept):
            part = codes[start : start + self.context + 1]
            losses = token_losses(self.module_(part[None, :-1]), part[None, 1:])[0]
            found.append(losses[kept if start else 0 :])
        return torch.cat(found).double()

    def score(self, X: Any, y: Any = None) -> float:
        """The mean ``log P`` of a token in nats; ``exp(-score)`` is the perplexity.

        One text is read as a stream in windows that do not overlap, several with an end behind each; with y only the
        tokens of these, each behind its text of X.
        """
        check_is_fitted(self, ["module_"])
        if y is not None:
            prompts = listed(X)
            texts = prompts, read_texts(listed(y), len(prompts))
            return self._told(Answers.of(self.tokenizer_, *texts, self.context, torch.device("cpu")))["score"]
        return self._told(self._stream(X))["score"]

    @torch.inference_mode()
    def predict(self, X: Any) -> list[str]:
        """The most probable next token of each text, ``""`` where that is its end."""
        check_is_fitted(self, ["module_"])
        found = []
        for text in listed(X):
            codes = torch.from_numpy(self._prompt(text)[-self.context :].astype(np.int64))
            logits = self.module_(codes[None])[0, -1]
            logits[[PAD, UNKNOWN, BEGIN]] = -torch.inf
            code = int(logits.argmax())
            found.append("" if code == END else self.tokenizer_.decode([code]))
        return found
