"""Answers of other kinds than a class or numbers, as cells of a table."""

import numpy as np
import pytest

from ganglion import LanguageModel, SequenceClassifier, TokenTagger
from ganglion.base.errors import DataError
from ganglion.jobs.opened import open_model
from ganglion.jobs.use import cells, predicted


@pytest.fixture
def table(tmp_path):
    """A table of one column of texts."""
    path = tmp_path / "texts.csv"
    path.write_text("text\nto be or no\nto be\n")
    return path


def test_texts_and_tags_are_cells(tmp_path, table):
    model = LanguageModel(units=8, heads=2, layers=1, context=8, max_epochs=1).fit(
        "to be or not to be. " * 10
    )
    told = predicted(open_model(model.save(tmp_path / "m.ganglion")), table)
    assert len(told) == 2
    assert all(isinstance(cell, str) for cell in told.columns[0])
    tagger = TokenTagger(units=4, width=4, max_epochs=1).fit([["to", "be"]] * 12, [["TO", "VERB"]] * 12)
    opened = open_model(tagger.save(tmp_path / "t.ganglion"))
    assert [len(cell.split()) for cell in predicted(opened, table).columns[0]] == [4, 2]
    with pytest.raises(DataError, match="one a word"):
        predicted(opened, table, proba=True)


def test_what_no_cell_holds():
    with pytest.raises(DataError, match="fit into a cell"):
        cells([np.zeros(4)])


def test_a_table_is_no_series(tmp_path, table):
    model = SequenceClassifier(units=4, layers=1, max_epochs=1).fit(np.ones((20, 5)), [0, 1] * 10)
    with pytest.raises(DataError, match="got a table"):
        predicted(open_model(model.save(tmp_path / "m.ganglion")), table)
