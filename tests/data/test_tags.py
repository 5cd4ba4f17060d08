"""Tagged sentences from lists and files, sound and unsound."""

import gzip

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ganglion.base.errors import DataError, ParameterError
from ganglion.data.tags import read_conll, read_conllu, read_sentences, read_tags

WORDS, TAGS = [["a", "dog"], ["barks"]], [["DET", "NOUN"], ["VERB"]]


def ragged(lists):
    rows = np.empty(len(lists), object)
    rows[:] = lists
    return rows


def conllu(*rows):
    """Lines of CoNLL-U out of (id, form, upos), or texts as they are."""
    return "\n".join(r if isinstance(r, str) else "\t".join([r[0], r[1], "_", r[2], *"xyzuvw"]) for r in rows)


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "some.conll"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


class TestLists:
    @pytest.mark.parametrize(
        "make", [list, tuple, ragged, pd.Series, pl.Series, lambda lists: [np.array(one) for one in lists],
                 lambda lists: [pd.Series(one) for one in lists]],
    )  # fmt: skip
    def test_collections_of_every_kind(self, make):
        sentences = read_sentences(make(WORDS))
        assert sentences == WORDS
        assert read_tags(make(TAGS), sentences) == TAGS
        assert {type(word) for words in sentences for word in words} == {str}

    def test_a_table_of_equal_lengths(self):
        assert read_sentences(np.array([["a", "b"], ["c", "d"]])) == [["a", "b"], ["c", "d"]]

    def test_odd_words_stay_as_they_are(self):
        odd = [["1 000", "#tag", "\u2028", "naïve", " "]]
        assert read_sentences(odd) == odd

    @pytest.mark.parametrize(
        ("X", "words"),
        [("a dog", "got str; give"), (3, "got int"), (["a dog"], "got str for sentence 0; split"),
         ([["a"], []], "sentence 1 has no"),
         ([["a"], ["b", None]], "None as number 1 of sentence 1"), ([["a", ""]], "'' as number 1 of sentence 0"),
         ([["a"], None], "NoneType for sentence 1"), (np.array(["a", "b"]), "str for sentence 0"),
         ([[1, 2]], "got 1 as")],
    )  # fmt: skip
    def test_what_is_no_sentence_is_refused(self, X, words):
        with pytest.raises(DataError, match=words) as error:
            read_sentences(X)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize(
        ("y", "words"),
        [([["DET", "NOUN"]], "got 2 and 1"), ([["DET", "NOUN"], ["VERB", "X"]], "sentence 1 has 1 words and 2 tags"),
         ([["DET"], ["VERB"]], "sentence 0 has 2 words and 1 tags"),
         ([["DET", float("nan")], ["VERB"]], "tags are texts"),
         ([["DET", "NOUN"], []], "sentence 1 has no tags")],
    )  # fmt: skip
    def test_tags_that_do_not_fit_are_refused(self, y, words):
        with pytest.raises(DataError, match=words):
            read_tags(y, WORDS)


class TestConllu:
    TEXT = conllu(
        "# sent_id = 1", "# text = I haven't (written) .", ("1", "I", "PRON"), ("2-3", "haven't", "_"),
        ("2", "have", "AUX"),
        ("3", "n't", "PART"), ("3.1", "written", "VERB"), ("4", "#", "SYM"), "", "# only a comment", "", "",
        ("1", "_", "X"),
        ("2", "1 000\u2028\x85", "NUM"), "  ", ("1", "End", "NOUN"),
    )  # fmt: skip
    FOUND = (
        [["I", "have", "n't", "#"], ["_", "1 000\u2028\x85"], ["End"]],
        [["PRON", "AUX", "PART", "SYM"], ["X", "NUM"], ["NOUN"]],
    )

    @pytest.mark.parametrize(
        "change", [str.encode, lambda t: gzip.compress(t.encode()), lambda t: t.replace("\n", "\r\n").encode(),
                   lambda t: b"\xef\xbb\xbf" + t.encode(), lambda t: (t + "\n\n\n").encode()],
        ids=["plain", "gzip", "windows", "mark", "end"],
    )  # fmt: skip
    def test_words_without_comments_ranges_and_empty_nodes(self, change, write):
        assert tuple(read_conllu(write(change(self.TEXT)))) == self.FOUND

    def test_other_columns(self, write):
        assert read_conllu(write(self.TEXT), "xpos").tags[2] == ["x"]
        assert read_conllu(write(self.TEXT), "deprel").tags[2] == ["u"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [(conllu(("1", "a", "X"), "2\tb\tb\tX"), "line 2 of 'some.conll' has 4"),
         (conllu("1 a a X _ _ _ _ _ _"), "has 1;"),
         (conllu(("1", "a", "X"), ("1", "b", "X")), "word 2 of the sentence is expected in line 2"),
         (conllu(("0", "a", "X")), "got number '0'"), (conllu(("1", "a", "_")), "its upos are expected, but line 1"),
         (conllu(("1", "", "X")), "line 1"), (conllu("# nothing"), "has none"), (conllu(("²", "a", "X")), "'²'"),
         (b"1\ta\xff\ta\tX\t_\t_\t_\t_\t_\t_", "line 1 is not"), (b"\x00\x01\x02", "binary"), (b"", "empty")],
    )  # fmt: skip
    def test_unsound_files_are_refused(self, text, words, write):
        with pytest.raises(DataError, match=words) as error:
            read_conllu(write(text))
        assert "\n" not in str(error.value)

    def test_files_that_are_not_there_and_wrong_columns(self, tmp_path, write):
        with pytest.raises(DataError, match="does not exist"):
            read_conllu(tmp_path / "none")
        with pytest.raises(DataError, match="folder"):
            read_conll(tmp_path)
        with pytest.raises(ParameterError, match="known are 'upos', 'xpos', 'deprel'"):
            read_conllu(write(self.TEXT), "form")


class TestConll:
    def test_as_conll_2003(self, write):
        text = "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\n# # B-NP O\n\n \nA\u00a0B  NN I-NP  I-LOC \r\n"
        assert read_conll(write(text)) == ([["EU", "#"], ["A\u00a0B"]], [["B-ORG", "O"], ["I-LOC"]])
        assert read_conll(write(text), tag=1).tags == [["NNP", "#"], ["NN"]]
        assert read_conll(write(text), word=-2, tag=0).words == [["B-NP", "B-NP"], ["I-NP"]]

    def test_tabs_and_comments(self, write):
        text = "# id 1\n#hash tag\tO\nx\tB-X\n\n# id 2\ny\tO\n"
        assert read_conll(write(text), comment="# id") == ([["#hash tag", "x"], ["y"]], [["O", "B-X"], ["O"]])

    @pytest.mark.parametrize(
        ("text", "words"),
        [("a O\nb\n", "line 2 of 'some.conll' has 1"), ("a\n", "has 1: 'a'"), ("a B O\nb O", "3 cells"),
         ("a\t\n", "has 2"), ("-DOCSTART- O\n", "has none")],
    )  # fmt: skip
    def test_unsound_files_are_refused(self, text, words, write):
        with pytest.raises(DataError, match=words):
            read_conll(write(text), tag=1)
