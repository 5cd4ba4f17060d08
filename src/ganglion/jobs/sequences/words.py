"""What jobs share whose inputs are texts in columns of a table."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.data.columns import Frame
from ganglion.jobs.job import Job
from ganglion.jobs.sequences.reading import new_texts


@dataclass(kw_only=True)
class WordsJob(Job):
    """Texts, each with something that is to be told of it."""

    unit: ClassVar[str] = "texts"
    nameless: ClassVar[str] = "the texts"
    example: ClassVar[str] = "texts.csv"
    call: ClassVar[str] = 'model.predict(["a new text"])'

    texts: list[Any]  # sentences are lists of words
    names: list[str]  # of their columns; none of a file that holds sentences alone
    beside: Frame | None = None  # the whole table

    def take(self, rows: np.ndarray) -> list[Any]:
        """Some of the texts."""
        return [self.texts[i] for i in rows]

    def columns(self) -> Frame:
        """The table."""
        return super().columns() if self.beside is None else self.beside

    def card(self, estimator: Any) -> dict[str, Any]:
        """The columns that hold the texts."""
        return {"text": self.names}

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over texts and what is told of them."""
        from ganglion.jobs.origin import text_hash

        return text_hash(self.texts, self.y.tolist())

    def known(self, estimator: Any, source: Any) -> Any:
        """Texts from a list, a table or a file."""
        return new_texts(source, self.names)[0]
