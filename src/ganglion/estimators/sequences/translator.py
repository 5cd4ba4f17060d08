"""A translator: learns from pairs of texts to write the second from the first; a summary is such a second text."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.device import pick_device
from ganglion.base.errors import DataError
from ganglion.base.fields import AtLeast, Between, Known, Search
from ganglion.base.seeds import seed_from, seeded
from ganglion.data.padded import Ragged, RaggedBatches
from ganglion.data.split import MIN_VALIDATION, plain_split
from ganglion.data.tokens import END, PAD, TOKENIZERS, Tokenizer, read_texts, tokenizer_named
from ganglion.estimators.base import plain
from ganglion.estimators.learner import Learner
from ganglion.estimators.table import read_validation, read_weight
from ganglion.estimators.training import SetUp, make_plan, rates_of, weighted_mean
from ganglion.metrics.bleu import bleu
from ganglion.models.translator import TranslatorNet
from ganglion.nn.positions import POSITIONS, positions_named
from ganglion.objectives.translation import Translation
from ganglion.optim.optimizers import make_optimizer
from ganglion.train.plan import numpy_on_one_thread

SHAPE = ("cell", "units", "layers", "heads", "positions", "attention", "dropout")
SCORED = 500  # pairs of each part that are written out for its score
WRITTEN = 2**13  # places of all sources that are written out together


@dataclass
class Pairs:
    """Pairs of one part: sources and targets as codes on the device, weights (n,) or none, and the targets' texts."""

    x: Ragged
    y: Ragged
    weight: Tensor | None
    texts: list[str]

    def tensors(self) -> dict[str, Any]:
        """What batches carry beside the sources."""
        return {"y": self.y} | ({} if self.weight is None else {"weight": self.weight})

    def first(self, n: int) -> "Pairs":
        """The first n pairs."""
        weight = None if self.weight is None else self.weight[:n]
        return Pairs(self.x[:n], self.y[:n], weight, self.texts[:n])

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Everything as bytes: what a checkpoint of a run on it is named by."""
        yield from self.x.contents()
        yield from self.y.contents()
        if self.weight is not None:
            yield "weight", self.weight.cpu().numpy().tobytes()


class Translator(Learner):
    """Writes a text for a text: a translation, a summary, an answer; a transformer or recurrent cells with attention.

    Learned: ``tokenizer_`` of the sources, ``target_tokenizer_``, ``steps_``, the tokens of the longest target with its
    end.

    >>> X = ["rot rund", "rund blau", "blau eckig", "eckig rot"] * 20
    >>> y = ["round red", "round blue", "angular blue", "angular red"] * 20
    >>> model = Translator(units=32, layers=1, dropout=0, batch_size=8, max_epochs=8, tokens="words").fit(X, y)
    >>> model.predict(["rund blau", "rot rund"])
    ['round blue', 'round red']
    """

    cell: Annotated[
        Literal["transformer", "gru", "lstm", "rnn"], "what reads and writes: attention, or recurrent cells"
    ] = "transformer"
    units: Annotated[int, AtLeast(2), Search(64, 1024, log=True), "width of every layer"] = 128
    layers: Annotated[int, AtLeast(1), Search(1, 8), "of the reader; a transformer's writer has as many"] = 3
    heads: Annotated[int, AtLeast(1), "heads of a transformer's attention; they divide its units"] = 4
    positions: Annotated[
        str, Known("positions", lambda: list(POSITIONS), positions_named), "how a transformer tells places"
    ] = "rotary"
    attention: Annotated[bool, "whether a recurrent writer looks at each token of the source"] = True
    tokens: Annotated[
        str, Known("tokens", lambda: list(TOKENIZERS), tokenizer_named), "what texts are cut into"
    ] = "bpe(4000)"
    dropout: Annotated[
        float, Between(0, 1, open_high=True), Search(0, 0.5), "share of what layers hand on that is dropped"
    ] = 0.2
    label_smoothing: Annotated[
        float, Between(0, 1, open_high=True), "share of the target spread over all tokens"
    ] = 0.1
    sampled: Annotated[
        float, Between(0, 1), "share of the tokens before that are the network's own in training"
    ] = 0.0
    beam: Annotated[int, AtLeast(1), "beginnings of a text that are followed; 1 is greedy"] = 4
    length_power: Annotated[
        float, Between(0, 1), "0 looks for the most probable text, 1 for the highest mean log P of a token"
    ] = 0.8
    optimizer, lr, weight_decay, batch_size, max_epochs = "muon", 5e-3, 0.1, 128, 12
    preprocessor_ = None

    _without = ("l1", "max_norm", "activity")

    def _task(self) -> str:
        return "translation"

    # --- training -----------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, validation: Any = None) -> "Translator":
        """Learn from texts X (n,) and the texts y (n,) to be written for them, with optional weights (n,).

        Both are a list, an array or a column. ``validation`` (n,) is true for the pairs that are not trained on and
        choose the epoch; without it ``validation_fraction`` of them are split off by chance. Raises ``DataError`` or
        ``ParameterError``.
        """
        self._check()
        self._need(y, "a text for each text")
        again = self.warm_start and hasattr(self, "module_")
        sources = read_texts(X)
        if not sources:
            raise DataError("texts are expected, got none (0 samples); give at least two pairs.")
        targets = read_texts(y)
        if len(targets) != len(sources):
            raise DataError(
                f"X and y must have the same number of rows, got {len(sources)} and {len(targets)}."
            )
        weight = read_weight(sample_weight, None, len(sources))
        parts = read_validation(validation, len(sources))
        seed = seed_from(self.random_state)
        with seeded(seed), numpy_on_one_thread():
            rows = parts or self._split(len(sources), seed)
            return self._fit(sources, targets, weight, rows, seed, again)

    def _split(self, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        if round(n * self.validation_fraction) < MIN_VALIDATION:
            return np.arange(n), np.zeros(0, np.int64)
        return plain_split(n, self.validation_fraction, seed)

    def _fit(
        self,
        sources: list[str],
        targets: list[str],
        weight: np.ndarray,
        rows: tuple[np.ndarray, np.ndarray],
        seed: int,
        again: bool,
    ) -> "Translator":
        device = pick_device(self.device)
        if not again:
            self.n_features_in_ = 1
            self.tokenizer_, self.target_tokenizer_ = (
                tokenizer_named(self.tokens).learn([texts[i] for i in rows[0]])
                for texts in (sources, targets)
            )
        train, held = (self._pairs(sources, targets, weight, part, device) for part in rows)
        if not again:
            self.steps_ = int(train.y.lengths.max())
            self.module_ = self._promised()
        self.module_ = self._place(self.module_, device)
        set_up = self._set_up(train)
        validate = (lambda: self._validation(set_up.objective, held)) if len(held.x) else None
        contents = (item for part in (train, held) for item in part.contents())
        run = self._train(set_up, seed, contents, validate)
        parts = {"train": train.first(SCORED)} | ({"validation": held.first(SCORED)} if len(held.x) else {})
        scores = {name: self._scores(set_up.objective, part) for name, part in parts.items()}
        dummy = judged([train.texts[0]] * len(train.texts), train.texts)
        self._rest()
        self._record(run, set_up, data=self._facts(train, held), scores=scores, baselines={"dummy": dummy})
        return self

    def _promised(self) -> TranslatorNet:
        shape = {k: plain(getattr(self, k)) for k in SHAPE}
        return TranslatorNet((self.tokenizer_.size, self.target_tokenizer_.size), **shape)

    def _pairs(
        self,
        sources: list[str],
        targets: list[str],
        weight: np.ndarray,
        rows: np.ndarray,
        device: torch.device,
    ) -> Pairs:
        uneven = len(rows) and np.ptp(weight[rows]) > 0
        share = torch.as_tensor(weight[rows] / weight[rows].mean(), dtype=torch.float32) if uneven else None
        texts = [targets[i] for i in rows]
        return Pairs(
            coded(self.tokenizer_, [sources[i] for i in rows], device),
            coded(self.target_tokenizer_, texts, device),
            None if share is None else share.to(device),
            texts,
        )

    def _set_up(self, train: Pairs) -> SetUp:
        lengths = train.y.lengths
        objective = Translation(
            self.module_, float(lengths.mean()), float(self.label_smoothing), float(self.sampled)
        )
        uses, precision = float(lengths.mean()), "float32" if self.precision == "auto" else self.precision
        plan = make_plan(
            self, self.module_, len(train.x), train.x.values.device, precision=precision, uses=uses
        )
        longest = np.maximum(train.x.lengths, lengths)  # of a pair: little of either side is then padding
        by = longest * (2 * longest.max() + 1) + train.x.lengths + lengths
        batches = RaggedBatches(train.x, train.tensors(), plan.batch_size, by)
        return SetUp(
            self, objective, make_optimizer(self.optimizer, objective, **rates_of(self)), batches, plan
        )

    # --- judging ------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _losses(self, objective: Any, part: Pairs) -> Tensor:
        """The loss of each pair, without smoothing."""
        was_training, losses, rows = objective.training, [], []
        objective.eval()
        for block in part.x.blocks():
            batch = {"x": part.x.padded(block), "y": part.y.padded(block)}
            losses.append(objective(batch, "train").loss)
            rows.append(block)
        objective.train(was_training)
        order = torch.from_numpy(np.concatenate(rows)).to(losses[0].device)
        return torch.empty_like(torch.cat(losses)).scatter_(0, order, torch.cat(losses))

    def _validation(self, objective: Any, held: Pairs) -> dict[str, float]:
        loss = weighted_mean(self._losses(objective, held), held.weight)
        return {"val_loss": loss, "val_score": -loss}

    def _scores(self, objective: Any, part: Pairs) -> dict[str, float]:
        """Mean loss, BLEU, and the share of texts exactly right."""
        loss = weighted_mean(self._losses(objective, part), part.weight)
        was_training = self.module_.training
        self.module_.eval()
        texts = self._written(part.x)
        self.module_.train(was_training)
        return {"loss": loss, **judged(texts, part.texts)}

    def _facts(self, train: Pairs, held: Pairs) -> dict[str, Any]:
        return {
            "n_rows": len(train.x) + len(held.x),
            "n_train": len(train.x),
            "n_validation": len(held.x),
            "tokens": self.tokenizer_.size,
            "target_tokens": self.target_tokenizer_.size,
            "longest": self.steps_,
        }

    # --- answering ----------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _written(self, x: Ragged) -> list[str]:
        """The texts for sources, in their order."""
        search = {"steps": self.steps_ + 2, "beam": self.beam, "length_power": float(self.length_power)}
        texts = [""] * len(x)
        for block in x.blocks(WRITTEN):
            codes = self.module_.write(x.padded(block), **search)[0].cpu().numpy()
            for i, row in zip(block, codes):
                texts[i] = self.target_tokenizer_.decode(row[row > END])
        return texts

    def predict(self, X: Any) -> list[str]:
        """The text for each text."""
        check_is_fitted(self, ["module_"])
        return self._written(coded(self.tokenizer_, read_texts(X), torch.device("cpu")))

    def score(self, X: Any, y: Any) -> float:
        """BLEU of the texts for X against y, from 0 to 1."""
        texts = self.predict(X)
        return bleu(texts, read_texts(y, len(texts)))

    def _blank(self) -> list[str]:
        return [""]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.target_tags.required = True
        return tags


def coded(tokenizer: Tokenizer, texts: list[str], device: torch.device) -> Ragged:
    """Texts as codes on a device, an end behind each.

    >>> tokenizer = tokenizer_named("characters").learn(["ab"])
    >>> coded(tokenizer, ["b", ""], torch.device("cpu")).padded().tolist()
    [[5, 3], [3, 0]]
    """
    codes, offsets = tokenizer.encode_all(texts)
    whole = np.insert(codes, offsets[1:], END).astype(np.int64)
    return Ragged(torch.from_numpy(whole).to(device), offsets + np.arange(len(offsets)), PAD)


def judged(texts: list[str], targets: list[str]) -> dict[str, float]:
    """``score``, the BLEU of all, and ``exact``, the share of texts that are exactly right.

    >>> judged(["a b c d"], ["a b c d"])
    {'score': 1.0, 'exact': 1.0}
    """
    exact = float(np.mean([text == target for text, target in zip(texts, targets)]))
    return {"score": bleu(texts, targets), "exact": exact}
