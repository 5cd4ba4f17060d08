"""A masked language model: learns from texts what is missing in them, and fills gaps."""

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ganglion.base.errors import DataError
from ganglion.base.fields import Between
from ganglion.data.tokens import BEGIN, END, PAD, SPECIALS, UNKNOWN
from ganglion.estimators.base import plain
from ganglion.estimators.sequences.corpus import BLOCK
from ganglion.estimators.sequences.corpus_learner import CorpusLearner, Part, listed
from ganglion.estimators.table import read_validation
from ganglion.models.language import LanguageNet
from ganglion.objectives.language import NOTHING, HiddenToken, hidden, token_losses

MARK = BEGIN  # stands for what is hidden: nothing else begins here
NEVER = [PAD, UNKNOWN, BEGIN, END]  # are not filled in


class MaskedLanguageModel(CorpusLearner):
    """Learns to tell tokens that are hidden from all that stand around them, and fills gaps in texts.

    An encoder-only transformer with the loss of Devlin et al. 2019 (arXiv:1810.04805), on the same streams as
    ``LanguageModel``. What it learned is where a ``TextClassifier`` may begin, see its ``fit``. Learned:
    ``tokenizer_``; ``history_`` has the loss in nats per hidden token.

    >>> quick = {"units": 32, "layers": 1, "context": 16, "lr": 0.01, "max_epochs": 30}
    >>> model = MaskedLanguageModel(**quick).fit("to be or not to be. " * 40)
    >>> model.fill("to [MASK]e or not")
    'to be or not'
    """

    mask_share: Annotated[
        float,
        Between(0.01, 0.99),
        "share of the tokens that is asked for in training",
    ] = 0.15

    # --- training -----------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation: Any = None
    ) -> "MaskedLanguageModel":
        """Learn from a text, or from several, as ``LanguageModel`` does; y is not looked at.

        Raises ``DataError`` or ``ParameterError``.
        """
        self._check()
        given = self._given(X, sample_weight)
        texts = self._texts(given)
        rows = read_validation(validation, len(given), [bool(text) for text in given])
        self._trained(texts, lambda seed: self._parts(texts, rows, seed))
        self.several_ = len(texts) > 1
        return self

    def _objective(self) -> HiddenToken:
        return HiddenToken(self.module_, MARK, SPECIALS, self.tokenizer_.size, self.mask_share)

    def _promised(self) -> LanguageNet:
        shape = {k: plain(getattr(self, k)) for k in self._shape}
        return LanguageNet(self.tokenizer_.size, causal=False, **shape)

    def _blocks(self, part: Part) -> Iterator[tuple[Tensor, Tensor]]:
        """Windows that do not overlap; always the same tokens are hidden, and all of them."""
        generator = torch.Generator(part.told.device).manual_seed(0)
        for x, _ in part.blocks(self.context):
            yield hidden(x, MARK, self.mask_share, generator)

    # --- answering ----------------------------------------------------------------------------------------

    def _around(self, codes: np.ndarray) -> np.ndarray:
        """The codes of a whole text; ends stand around it where the model learned from several."""
        return np.concatenate([[END], codes, [END]]) if self.several_ else codes

    def fill(self, X: Any, gap: str = "[MASK]") -> Any:
        """Texts with a token in place of each gap: the most probable one there, by all that is seen.

        Several gaps are filled by themselves, each as if the others stayed open.

        Arguments:
            X: a text, or several.
            gap: what stands for a missing token.

        Raises ``DataError`` without a gap to look for.

        >>> model = MaskedLanguageModel(units=16, layers=1, context=8, max_epochs=1).fit(["ab", "ba"] * 9)
        >>> model.fill("no gap here")
        'no gap here'
        """
        check_is_fitted(self, ["module_"])
        if not gap:
            raise DataError(
                "what stands for a gap is expected, got an empty text; give one, such as '[MASK]'."
            )
        found = [self._filled(text.split(gap)) for text in listed(X)]
        return found[0] if isinstance(X, str) else found

    def _filled(self, pieces: list[str]) -> str:
        """The text of pieces with one token between each and the next."""
        parts = [self.tokenizer_.encode(piece) for piece in pieces]
        codes = self._around(np.concatenate([np.append(MARK, part) for part in parts])[1:].astype(np.int64))
        tokens = [self.tokenizer_.decode([code]) for code in self._likeliest(codes)[codes == MARK]]
        return "".join([pieces[0], *(token + piece for token, piece in zip(tokens, pieces[1:]))])

    @torch.inference_mode()
    def _likeliest(self, codes: np.ndarray) -> np.ndarray:
        """The most probable token at each place (m,), in windows of ``context``."""
        found = [np.zeros(0, np.int64)]
        for window in torch.from_numpy(codes).split(self.context):
            logits = self.module_(window[None])[0]
            logits[:, NEVER] = -torch.inf
            found.append(logits.argmax(1).numpy())
        return np.concatenate(found)

    def predict(self, X: Any) -> list[str]:
        """Texts with their gaps, ``[MASK]``, filled."""
        return self.fill([X] if isinstance(X, str) else X)

    @torch.inference_mode()
    def score_samples(self, X: Any) -> np.ndarray:
        """``sum_t log P(x_t | all others)`` (n,) of each text in nats, each token hidden in turn.

        A pseudo-likelihood (Salazar et al. 2020, arXiv:1910.14659): it ranks texts, and is no log P of them. Longer
        texts are read in windows of ``context``.
        """
        check_is_fitted(self, ["module_"])
        found = []
        for text in listed(X):
            codes = torch.from_numpy(self._around(self.tokenizer_.encode(text)).astype(np.int64))
            found.append(-sum(self._turns(window) for window in codes.split(self.context)))
        return np.array(found)

    def _turns(self, codes: Tensor) -> float:
        """``-log P`` of all tokens (t,) but the ends, each hidden in turn."""
        places, total = torch.nonzero(codes != END)[:, 0], 0.0
        for some in places.split(max(1, BLOCK // max(len(codes), 1))):
            at = torch.arange(len(some)), some
            x, told = (value.repeat(len(some), 1) for value in (codes, torch.full_like(codes, NOTHING)))
            told[at], x[at] = x[at], MARK
            total += float(token_losses(self.module_(x), told).double().sum())
        return total

    def score(self, X: Any, y: Any = None) -> float:
        """The mean ``log P`` of a hidden token in nats; a share of them is hidden at a time, always the same ones."""
        check_is_fitted(self, ["module_"])
        return self._told(self._stream(X))["score"]
