"""Texts to classes: a bag of words that starts from naive Bayes, or a network that reads in order."""

import re
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ganglion.base.errors import DataError, ParameterError
from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.padded import Ragged
from ganglion.data.tokens import PAD, TOKENIZERS, read_texts, tokenizer_named
from ganglion.estimators.classes import ClassTarget
from ganglion.estimators.sequences.corpus_learner import CorpusLearner
from ganglion.estimators.sequences.network import SequenceNetwork, SequencePart
from ganglion.estimators.sequences.reader import tokens_field
from ganglion.estimators.table import read_validation, read_weight
from ganglion.estimators.training import Part
from ganglion.models.text import BagNet, TextNet, log_ratios
from ganglion.train.plan import numpy_on_one_thread

BAG = "words(100000, lower=True, ngrams=2, min_count=2, most_ngrams=400000)"
WORDS = "words(30000, lower=True, min_count=2)"
FEW_TEXTS = 2_000  # below, a word that stands once may still be the one that tells
LONG_NUMBER = re.compile(r"\d{4,}")
YARDSTICK_TOKENS = 256  # the most frequent ones, whose shares simple models get


class TextClassifier(ClassTarget, SequenceNetwork):
    """Predicts the class of a text: spam or not, its subject, its tone, its language.

    ``cell="bag"`` counts words and pairs of words, starts from naive Bayes and learns which of them to trust (see
    ``models.text.BagNet``): quick, and hard to beat on long texts. The others read in order: ``"cnn"``
    (convolutions of three widths), recurrent cells, ``"tcn"`` and ``"transformer"``. Learned: ``tokenizer_``.

    >>> texts = ["good film", "a bad film", "so good", "so bad", "bad, really bad", "really good"] * 10
    >>> model = TextClassifier().fit(texts, ["+", "-", "+", "-", "-", "+"] * 10)
    >>> model.predict(["good or not", "as bad as that"]).tolist()
    ['+', '-']
    """

    cell: Annotated[
        Literal["bag", "cnn", "rnn", "lstm", "gru", "tcn", "transformer"],
        "what reads: a bag of tokens, convolutions, recurrent cells, or attention",
    ] = "bag"
    tokens: Annotated[
        str,
        Known("tokens", lambda: ["auto", *TOKENIZERS], tokens_field),
        "what a text is cut into; auto takes words in lower case, for a bag pairs too, long numbers by length",
    ] = "auto"
    longest: Annotated[int, AtLeast(2), "tokens that are read in order at most: half from either end"] = 400
    dropout: Annotated[
        float,
        Between(0, 1, open_high=True),
        Search(0, 0.8),
        "share of a bag's tokens, or of what layers hand on, dropped",
    ] = 0.5
    units, layers, max_epochs = 96, 1, 4

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None, start: Any = None
    ) -> "TextClassifier":
        """Learn from texts X (n,) and their classes y (n,), with optional weights (n,).

        X is a list, an array or a column of texts; missing ones count as empty. ``validation`` (n,) is true for the
        texts that are not trained on and choose the epoch; without it ``validation_fraction`` of them are split off
        by chance. ``start`` is a fitted ``MaskedLanguageModel`` or ``LanguageModel`` of the same ``cell``, ``units``
        and so on: texts are cut as it cuts them, and the reader begins with what it learned (fine-tuning; Devlin et
        al. 2019, arXiv:1810.04805). Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        self._check_start(start)
        self._need(y)
        again = self.warm_start and hasattr(self, "module_")
        texts = read_texts(X)
        if not texts:
            raise DataError("texts are expected, got none (0 samples); give at least two.")
        weight = read_weight(sample_weight, None, len(texts))
        codes = self._read_target(y, weight, classes=None, keep=again)
        if len(codes) != len(texts):
            raise DataError(f"X and y must have the same number of rows, got {len(texts)} and {len(codes)}.")
        weight = self._class_weighted(codes, weight)
        parts = read_validation(validation, len(texts))
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            return self._fit(texts, codes, weight, parts or self._split(codes, seed), seed, again, start)

    def _fit(
        self, texts: list[str], y: np.ndarray, weight: np.ndarray, rows: tuple[np.ndarray, np.ndarray], seed: int,
        again: bool, start: Any,
    ) -> "TextClassifier":  # fmt: skip
        device = self._device()
        if again:
            self._check_outputs()
        else:
            self._learn_target(y[rows[0]], weight[rows[0]])
            self.n_features_in_ = 1
            read, self.started_ = [texts[i] for i in rows[0]], start is not None
            self.tokenizer_ = (
                start.tokenizer_
                if self.started_
                else tokenizer_named(self._tokens(len(read))).learn(self._cleaned(read))
            )
        train, held = (self._part(texts, y, weight, part, device) for part in rows)
        if not again:
            self.module_ = self._build(self._start(y[rows[0]], weight[rows[0]]).float())
            self._count(train, weight[rows[0]])
            if self.started_:
                self.module_.begin_from(start.module_)
        self.module_ = self._place(self.module_, device)
        run, set_up = self._run(train, held, seed)
        self._conclude(run, set_up, train, held)
        return self

    def _check_start(self, start: Any) -> None:
        """Refuse to begin from what does not fit."""
        if start is None:
            return
        check_is_fitted(start, ["module_"])
        if not isinstance(start, CorpusLearner):
            raise ParameterError(
                f"start must be a fitted MaskedLanguageModel or LanguageModel, got a {type(start).__name__}; leave it "
                "out, or learn one from texts first."
            )
        shape = start.reader_shape()
        if any(getattr(self, k) != v for k, v in shape.items()):
            wanted = ", ".join(f"{k}={v!r}" for k, v in shape.items())
            raise ParameterError(
                f"a classifier that begins from a {type(start).__name__} must have its shape, got another; set "
                f"{wanted}."
            )

    def _tokens(self, n: int) -> str:
        """The name of the tokenizer for so many texts."""
        if self.tokens != "auto":
            return self.tokens
        name = BAG if self.cell == "bag" else WORDS
        return name.replace("min_count=2", "min_count=1") if n < FEW_TEXTS else name

    def _build(self, start: Tensor) -> nn.Module:
        dropout = float(self.dropout)
        if self.cell == "bag":
            return BagNet(self.tokenizer_.size, start, dropout=dropout)
        reader = self._reader() | {"units": self.units}
        return TextNet(self.tokenizer_.size, start, pool=self.pool, dropout=dropout, **reader)

    def _count(self, train: SequencePart, weight: np.ndarray) -> None:
        """Start a bag from the frequencies of tokens in each class."""
        if not isinstance(self.module_, BagNet):
            return
        outputs, lengths = len(self.module_.bias), train.x.lengths
        if outputs != len(self.classes_):
            raise DataError("a bag has an output for each class; take loss='cross_entropy', or another cell.")
        y = np.repeat(train.y.cpu().numpy(), lengths)
        codes = train.x.values.cpu().numpy()
        ratios = log_ratios(codes, y, np.repeat(weight, lengths), self.tokenizer_.size, outputs)
        self.module_.ratio.copy_(torch.from_numpy(ratios))

    def _cleaned(self, texts: list[str]) -> list[str]:
        """Texts as the tokenizer gets them; where it was named by the user, or comes with a start, as they are."""
        own = self.tokens == "auto" and not self.started_
        return [by_length(text) for text in texts] if own else texts

    # --- texts as codes -----------------------------------------------------------------------------------

    def _part(
        self, texts: list[str], y: np.ndarray, weight: np.ndarray, rows: np.ndarray, device: torch.device
    ) -> SequencePart:
        part = Part.of(np.empty(0), y[rows], weight[rows], device, torch.float32)
        return SequencePart(self._coded([texts[i] for i in rows], device), part.y, part.weight)

    def _coded(self, texts: list[str], device: torch.device) -> Ragged:
        """Texts as codes on the device: each token of a bag once, else the ends of what is too long."""
        codes, offsets = self.tokenizer_.encode_all(self._cleaned(texts))
        if self.cell == "bag":
            codes, offsets = each_once(codes, offsets)
        else:
            codes, offsets = both_ends(codes, offsets, self.longest)
        return Ragged(torch.from_numpy(codes.astype(np.int64)).to(device), offsets, PAD)

    def _inputs(self, X: Any, dtype: torch.dtype) -> Tensor:
        return self._coded(read_texts(X), torch.device("cpu")).padded()

    def _outputs(self, X: Any) -> np.ndarray:
        """Raw outputs (n, k) in double precision."""
        check_is_fitted(self, ["module_"])
        return self._answers(self._coded(read_texts(X), torch.device("cpu"))).double().numpy()

    def _columns(self, x: Any) -> np.ndarray:
        """The shares of the most frequent tokens in each text, as simple models take them: (n, columns)."""
        codes, lengths = x.values.cpu().numpy(), x.lengths
        known = codes < YARDSTICK_TOKENS
        row = np.repeat(np.arange(len(x)), lengths)[known]
        table = np.bincount(row * YARDSTICK_TOKENS + codes[known], minlength=len(x) * YARDSTICK_TOKENS)
        return table.reshape(len(x), YARDSTICK_TOKENS) / np.maximum(lengths, 1)[:, None]

    def _blank(self) -> list[str]:
        return [""]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        return tags


def by_length(text: str) -> str:
    """A text whose numbers of four digits and more are noughts: no two telephone numbers are alike but in length.

    >>> by_length("call 08712460324 at 10")
    'call 00000000000 at 10'
    """
    return LONG_NUMBER.sub(lambda found: "0" * len(found[0]), text)


def each_once(codes: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each text's codes in order, none twice.

    >>> [part.tolist() for part in each_once(np.array([5, 4, 5, 4]), np.array([0, 3, 4]))]
    [[4, 5, 4], [0, 2, 3]]
    """
    row = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    key = np.sort((row << 32) | codes)
    key = key[np.append(True, key[1:] != key[:-1])] if len(key) else key
    return key & 0xFFFFFFFF, np.searchsorted(key, np.arange(len(offsets)) << 32)


def both_ends(codes: np.ndarray, offsets: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """Each text's codes, of longer ones the first and last half of ``longest``.

    >>> [part.tolist() for part in both_ends(np.array([4, 5, 6, 7, 8]), np.array([0, 4, 5]), 2)]
    [[4, 7, 8], [0, 2, 3]]
    """
    lengths = np.diff(offsets)
    if (lengths <= longest).all():
        return codes, offsets
    place = np.arange(len(codes)) - np.repeat(offsets[:-1], lengths)
    behind = np.repeat(lengths, lengths) - place
    kept = (place < longest - longest // 2) | (behind <= longest // 2)
    return codes[kept], np.append(0, np.cumsum(np.minimum(lengths, longest)))
