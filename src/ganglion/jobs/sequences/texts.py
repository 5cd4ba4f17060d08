"""Texts with classes, ready to be learned from: a table with a column of texts."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganglion.data.target import Task
from ganglion.jobs.sequences.look import Wanted
from ganglion.jobs.sequences.words import WordsJob
from ganglion.jobs.table import missing_note

BAG_TOKENS = 1e6  # that a bag learns from in a second of one core, cut into words and pairs
READ_TOKENS = 3e4  # that a network learns from in order


@dataclass(kw_only=True)
class TextJob(WordsJob):
    """What is to be learned from texts: their classes."""

    def networks(self) -> dict[str, type]:
        """One class; its ``cell`` chooses what reads."""
        from ganglion.estimators.sequences.text import TextClassifier

        return {"text": TextClassifier}

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Words that are learned from, a word being some six characters."""
        words = np.mean([len(text) for text in self.texts]) / 6
        if estimator.cell == "bag":
            return estimator.max_epochs * n_train * words / BAG_TOKENS + 1.0
        return estimator.max_epochs * n_train * min(words, estimator.longest) / READ_TOKENS + 2.0

    def baselines(self, result: Any, classes: list[Any] | None, limit: float | None) -> dict[str, Any]:
        """The most frequent class, and a weight for each word."""
        from ganglion.evaluate.text_baselines import text_baselines

        train, test = result.train, result.test
        parts = self.take(train), self.y[train], self.take(test), self.y[test]
        return text_baselines(*parts, classes=classes or [], time_limit=limit)

    # --- words --------------------------------------------------------------------------------------------

    def facts(self) -> str:
        """How many, and how long."""
        return f"{len(self):,} texts of {length_words(self.texts)}"

    def page(self, result: Any) -> dict[str, Any]:
        """Which words speak for which class, and the surest mistakes."""
        from ganglion.jobs.sequences.page_texts import page_parts

        return page_parts(result)


def length_words(texts: list[str]) -> str:
    """How long texts are, in words.

    >>> length_words(["abc", "a" * 1400, "a" * 5])
    '5 characters (median; the longest 1,400)'
    """
    lengths = [len(text) for text in texts]
    return f"{int(np.median(lengths)):,} characters (median; the longest {max(lengths):,})"


def texts_of(wanted: Wanted, task: Task) -> TextJob:
    """The job of texts and their classes."""
    started, rows = time.monotonic(), np.flatnonzero(task.kept)
    kept = wanted.table.take(rows)
    return TextJob(
        texts=wanted.texts(kept), names=wanted.names, beside=kept,
        y=task.decode(task.encode(kept.stored(wanted.target))), task=task, targets=[wanted.target],
        n_read=len(wanted.table), notes=[*wanted.table.notes, *missing_note(task), *wanted.notes],
        settings=wanted.settings, started=started, rows=rows,
    )  # fmt: skip
