"""Pairs of texts, ready to be learned from: a table with a column to read and a column to write."""

import time
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ganglion.data.split import plain_split
from ganglion.data.target import Task
from ganglion.jobs.job import Split
from ganglion.jobs.sequences.judged import Judged, share, tell
from ganglion.jobs.sequences.look import Wanted, texts_in
from ganglion.jobs.sequences.words import WordsJob

MOST_TEST = 1_000  # pairs; a search for the best text takes a while
TOKENS_PER_SECOND = 4_000  # of one core, for three layers of 128 units


@dataclass(kw_only=True)
class PairJob(WordsJob):
    """What is to be learned from pairs of texts: to write the second for the first."""

    unit: ClassVar[str] = "pairs of texts"
    example: ClassVar[str] = "pairs.csv"
    command: ClassVar[str] = 'ganglion translate {model} "a new text"'

    @property
    def metric(self) -> str:
        """BLEU leads."""
        return "bleu"

    def goal(self, rows: np.ndarray) -> list[str]:
        """The texts to be written for them."""
        return self.y[rows].tolist()

    def parts(self, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, Split | None]:
        """Pairs by chance, no more for the test than are written in a moment."""
        return *plain_split(len(self), min(fraction, MOST_TEST / len(self)), seed), None

    def networks(self) -> dict[str, type]:
        """One class; its ``cell`` chooses what reads and writes."""
        from ganglion.estimators.sequences.translator import Translator

        return {"translator": Translator}

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Pieces of words that are written in training, one for some four characters."""
        tokens = n_train * np.mean([len(str(text)) for text in self.y]) / 4
        work = estimator.units / 128 * (estimator.layers + 1) / 4
        return estimator.max_epochs * tokens * work / TOKENS_PER_SECOND + 10.0

    def answer(self, estimator: Any, rows: np.ndarray) -> list[str]:
        """The texts that it writes."""
        return estimator.predict(self.take(rows))

    def judge(self, result: Any, compare: bool, limit: float | None) -> None:
        """BLEU, the share that is exactly right and ROUGE, beside the known text that is nearest and the source."""
        from ganglion.evaluate.text_baselines import nearest_texts

        source, truth = self.take(result.test), self.goal(result.test)
        said = {"network": result.answer}
        if compare and len(result.train):
            said["nearest"] = nearest_texts(self.take(result.train), self.goal(result.train), source)
        if compare:
            said["copy"] = source
        tell(result, {name: judged_texts(texts, truth) for name, texts in said.items()})

    # --- words --------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """From which column to which."""
        return f"{', '.join(self.names)} to {self.target}"

    def facts(self) -> str:
        """How many, and how long."""
        lengths = [int(np.median([len(one) for one in texts])) for texts in (self.texts, self.y.tolist())]
        return f"{len(self):,} pairs of texts, {lengths[0]:,} and {lengths[1]:,} characters at the median"

    def page(self, result: Any) -> dict[str, Any]:
        """Texts that were written, and where the network looked."""
        from ganglion.jobs.sequences.page_pairs import page_parts

        return page_parts(result)


def judged_texts(texts: list[str], truth: list[str]) -> Judged:
    """What texts are worth beside those that were wanted."""
    from ganglion.metrics.bleu import bleu
    from ganglion.metrics.rouge import rouge

    scores = {
        "bleu": bleu(texts, truth),
        "exact": share(a == b for a, b in zip(texts, truth)),
        "rouge_l": rouge(texts, truth, "l").f1,
    }
    return Judged(scores)


def pairs_of(wanted: Wanted) -> PairJob:
    """The job of a table's pairs; rows that lack one text are left out."""
    started = time.monotonic()
    texts, answers = wanted.texts(), texts_in(wanted.table, [wanted.target])
    rows = np.array([i for i, pair in enumerate(zip(texts, answers)) if all(pair)], dtype=np.int64)
    notes = [*wanted.table.notes, *wanted.notes]
    if len(rows) < len(texts):
        notes.append(f"{len(texts) - len(rows):,} rows that lack one of the texts were left out")
    return pair_job(
        [texts[i] for i in rows], [answers[i] for i in rows], wanted.names, wanted.target,
        beside=wanted.table.take(rows), n_read=len(texts), notes=notes, settings=wanted.settings, started=started,
        rows=rows,
    )  # fmt: skip


def pair_job(texts: list[str], answers: list[str], names: list[str], target: str, **more: Any) -> PairJob:
    """The job of these texts and what is to be written for them."""
    y = np.array(answers, dtype=object)
    return PairJob(texts=texts, names=names, y=y, task=Task("translation"), targets=[target], **more)
