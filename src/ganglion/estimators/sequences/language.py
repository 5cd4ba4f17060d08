"""A language model: learns from texts what comes next, and writes on."""

from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.base.numbers import number
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.tokens import BEGIN, END, PAD, TOKENIZERS, UNKNOWN, Tokenizer, read_texts, tokenizer_named
from ganglion.estimators.base import plain
from ganglion.estimators.learner import Learner
from ganglion.estimators.sequences.corpus import Answers, Stream
from ganglion.estimators.sequences.reader import tokens_field
from ganglion.estimators.table import read_validation
from ganglion.estimators.training import SetUp, make_plan, rates_of
from ganglion.models.generate import generate
from ganglion.models.language import LanguageNet
from ganglion.nn.positions import POSITIONS, positions_named
from ganglion.objectives.language import NextToken, token_losses, total_loss
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import numpy_on_one_thread

SHAPE = ("cell", "units", "layers", "heads", "positions", "dropout", "memory", "tied")
CHARACTERS_BELOW = 2_000_000  # characters of text, below which words are too rare to be learned
PIECES = "bpe(4000)"
SCORED = 50_000  # tokens of the training part that its score is taken from
LEAST_HELD = 100  # tokens; fewer tell epochs apart by luck
Rows = tuple[np.ndarray, np.ndarray]
Part = Stream | Answers


class LanguageModel(Learner):
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
    units: Annotated[int, AtLeast(2), Search(32, 1024, log=True), "width of every layer"] = 128
    layers: Annotated[int, AtLeast(1), Search(1, 12), "blocks, or recurrent layers"] = 4
    heads: Annotated[int, AtLeast(1), "heads of a transformer's attention; they divide its units"] = 4
    positions: Annotated[
        str, Known("positions", lambda: list(POSITIONS), positions_named), "how a transformer tells places"
    ] = "rotary"
    context: Annotated[int, AtLeast(1), "tokens that are seen at most"] = 128
    tokens: Annotated[
        str,
        Known("tokens", lambda: ["auto", *TOKENIZERS], tokens_field),
        "what a text is cut into; auto takes characters of short texts and bpe(4000) of long ones",
    ] = "auto"
    tied: Annotated[bool, "whether inputs and outputs share the tokens' vectors"] = False
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of what layers hand on that is dropped"
    ] = 0.0
    memory: Annotated[
        int | None, AtLeast(2), "places that gates of lstm and gru keep what they read, at the start"
    ] = None
    max_steps: Annotated[int | None, AtLeast(1), "updates at most, whatever the epochs"] = None
    optimizer, lr, weight_decay, schedule = "muon", 4e-3, 0.1, "flat_cosine"
    max_epochs = 10
    preprocessor_ = None

    _without = ("l1", "max_norm", "activity")

    def _task(self) -> str:
        return "language"

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
        if sample_weight is not None:
            raise DataError("texts are learned without weights, got sample_weight; leave it out.")
        again = self.warm_start and hasattr(self, "module_")
        given = listed(X)
        behind = None if y is None else read_texts(listed(y), len(given))
        texts = self._texts([*given, *(behind or [])])
        rows = read_validation(validation, len(given), [bool(text) or y is not None for text in given])
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            if not again:
                self.tokenizer_ = self._tokenizer(texts).learn(texts)
                self.n_features_in_ = 1
            self.answers_ = behind is not None
            parts = (
                self._parts(texts, rows, seed) if behind is None else self._pairs(given, behind, rows, seed)
            )
            return self._fit(*parts, seed, again)

    def _texts(self, X: Any) -> list[str]:
        texts = [text for text in listed(X) if text]
        if not texts:
            raise DataError("a text, or a list of texts, is expected, got nothing to read; give some text.")
        return texts

    def _tokenizer(self, texts: list[str]) -> Tokenizer:
        name = self.tokens
        if name == "auto":
            name = "characters" if sum(map(len, texts)) < CHARACTERS_BELOW else PIECES
        return tokenizer_named(name)

    def _parts(self, texts: list[str], rows: Rows | None, seed: int) -> tuple[Stream, Stream]:
        """The streams to learn from and to choose the epoch by, on the device; ``rows`` says which texts are which."""
        device = pick_device(self.device)
        rng = np.random.default_rng(seed)
        if rows is None and len(texts) == 1:
            whole = self.tokenizer_.encode(texts[0])
            kept = len(whole) - round(self.validation_fraction * len(whole))
            parts = [whole[:kept], whole[kept:]]
        elif rows is None:
            order = rng.permutation(len(texts))
            kept = len(texts) - round(self.validation_fraction * len(texts))
            parts = [self._joined([texts[i] for i in part]) for part in (order[:kept], order[kept:])]
        else:  # what was given in some order is shuffled too, lest neighbours in a window tell of one another
            parts = [self._joined([texts[i] for i in part]) for part in (rng.permutation(rows[0]), rows[1])]
        if rows is None and len(parts[1]) < LEAST_HELD:
            parts = [np.concatenate(parts), parts[1][:0]]
        if len(parts[0]) < 2:
            raise DataError(f"a text of at least 2 tokens is expected, got {len(parts[0])}; give more text.")
        train, held = (Stream(torch.from_numpy(part.astype(np.int64)).to(device)) for part in parts)
        return train, held

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

    def _joined(self, texts: list[str]) -> np.ndarray:
        """Codes of texts, an end before the first and behind each."""
        if not texts:
            return np.zeros(0, np.int32)
        codes, offsets = self.tokenizer_.encode_all(texts)
        return np.concatenate([[END], np.insert(codes, offsets[1:], END)]).astype(np.int32)

    def _fit(self, train: Part, held: Part, seed: int, again: bool) -> "LanguageModel":
        if not again:
            self.module_ = self._promised()
        self.module_ = self._place(self.module_, train.told.device)
        set_up = self._set_up(train)
        validate = (lambda: self._validation(held)) if len(held) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held} if len(held) else {})
        scores = {name: self._told(part) for name, part in parts.items()}
        dummy = {"dummy": self._dummy(train, held if len(held) else train)}
        self._rest()
        self._record(run, set_up, data=self._facts(train, held), scores=scores, baselines=dummy)
        return self

    def _promised(self) -> LanguageNet:
        shape = {k: plain(getattr(self, k)) for k in SHAPE}
        return LanguageNet(self.tokenizer_.size, **shape)

    def _set_up(self, train: Part) -> SetUp:
        objective = NextToken(self.module_)
        precision = "float32" if self.precision == "auto" else self.precision
        plan = make_plan(
            self,
            self.module_,
            len(train.batches(self.context, 1)),  # type: ignore[arg-type]
            train.told.device,
            precision=precision,
            uses=train.places(self.context),
        )
        batches = train.batches(self.context, plan.batch_size)
        return Steps(
            self, objective, make_optimizer(self.optimizer, objective, **rates_of(self)), batches, plan
        )

    def _validation(self, held: Part) -> dict[str, float]:
        told = self._told(held)
        return {"val_loss": told["loss"], "val_score": told["score"]}

    @torch.inference_mode()
    def _told(self, part: Part) -> dict[str, float]:
        """Mean ``-log P`` of a token in nats, over windows that do not overlap; its opposite is the score."""
        was_training = self.module_.training
        self.module_.eval()
        total, asked = total_loss(self.module_, part.blocks(self.context))
        self.module_.train(was_training)
        loss = total / max(asked, 1)
        return {"loss": loss, "score": -loss, "perplexity": float(np.exp(min(loss, 700.0)))}

    def _dummy(self, train: Part, part: Part) -> dict[str, float]:
        """The scores of telling each token's frequency in the training text, one added to each count."""
        counts = torch.bincount(train.told, minlength=self.tokenizer_.size).double() + 1
        loss = float(-(counts / counts.sum()).log()[part.told].mean())
        return {"loss": loss, "score": -loss, "perplexity": float(np.exp(loss))}

    def _facts(self, train: Part, held: Part) -> dict[str, Any]:
        sizes = {"n_train": len(train), "n_validation": len(held)}
        return {
            "n_rows": sum(sizes.values()),
            **sizes,
            "tokens": self.tokenizer_.size,
            "tokenizer": repr(self.tokenizer_),
        }

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
            self.module_.step, codes, length=length, context=self.context, end=END if stop else None,
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
        texts = self._texts(X)
        codes = self.tokenizer_.encode(texts[0]) if len(texts) == 1 else self._joined(texts)
        if len(codes) < 2:
            raise DataError(f"a text of at least 2 tokens is expected, got {len(codes)}; give more text.")
        return self._told(Stream(torch.from_numpy(codes.astype(np.int64))))["score"]

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

    def _blank(self) -> list[str]:
        return [""]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.target_tags.required = False
        return tags


def listed(X: Any) -> list[str]:
    """The texts of a list, an array or a column, or the one that is given."""
    return [X] if isinstance(X, str) else read_texts(X)


class Steps(SetUp):
    """A set-up whose run may be bounded by its number of updates."""

    def arguments(self, *given: Any) -> dict[str, Any]:
        """As of every run; ``max_steps`` takes the place of the epochs where it is given."""
        arguments = super().arguments(*given)
        if self.settings.max_steps is not None:
            arguments |= {"epochs": None, "max_steps": self.settings.max_steps}
        return arguments
