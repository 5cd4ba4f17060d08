"""Parts of speech and names by ``TokenTagger``: accuracy, F1 of spans, and seconds of a fit.

    python benchmarks/tagging.py [--sets ewt names] [--seeds 1] [--test] [--set NAME=VALUE ...]

* ``ewt``: Universal Dependencies' English Web Treebank, parts of speech (UPOS), 12,544 sentences to learn from; the
  2,001 of the development part choose the epoch and the settings; the 2,077 of the test part are only looked at with
  ``--test``.
* ``names``: made sentences with names of persons, places and firms. All names are made of the same syllables, so that
  only the words around tell the kind, and none of the test names stands in the training sentences.
"""

import argparse
import re
import time
from typing import Any

import numpy as np
from _shared import data_folder, machine, setting, table

from ganglion import TokenTagger
from ganglion.data.tags import read_conllu
from ganglion.estimators.sequences.sentences import judged, most_frequent

Tagged = tuple[list[list[str]], list[list[str]]]
SYLLABLES = re.findall(
    "[a-z]+", "ba bel cor dan dra el fen gal hol ir ka lin mor na or pel qua ros sa tol ul ven wes yar zi"
)
SENTENCES = """\
{PER} lives in {LOC} .
{PER} , who was born in {LOC} , works for {ORG} .
Yesterday {ORG} said it had hired {PER} .
The shares of {ORG} fell on Monday .
In {LOC} , the police arrested {PER} and {PER} .
Mr. {PER} flew from {LOC} to {LOC} .
" We are proud , " said {PER} , the head of {ORG} .
{ORG} and {ORG} will merge in May .
The road to {LOC} was closed .
English is spoken in {LOC} , she told {PER} .
It rained all day in the north of {LOC} .
Nobody at {ORG} answered the telephone .
the letter that {PER} wrote was never read .
{LOC} has 40,000 inhabitants and one school .
Ms. {PER} left {ORG} after 12 years .
On Tuesday nothing happened .""".splitlines()
WORDS = {"PER": 2, "LOC": 1, "ORG": 3}  # of the longest name of a kind


def ewt() -> tuple[Tagged, Tagged, Tagged]:
    """Sentences and parts of speech to learn from, to choose by, to test by."""
    folder = data_folder() / "ud_english_ewt"
    train, dev, test = (
        read_conllu(folder / f"en_ewt-ud-{part}.conllu.gz") for part in ("train", "dev", "test")
    )
    return (train.words, train.tags), (dev.words, dev.tags), (test.words, test.tags)


def made(n: int, rng: np.random.Generator, odd: bool) -> Tagged:
    """n sentences and the tags of their names, of the odd half of all names or of the even one (see ``a_name``)."""
    words: list[list[str]] = []
    tags: list[list[str]] = []
    for _ in range(n):
        own: list[str] = []
        said: list[str] = []
        for word in SENTENCES[rng.integers(len(SENTENCES))].split():
            kind = word.strip("{}")
            parts = (
                [a_name(rng, odd) for _ in range(rng.integers(WORDS[kind]) + 1)] if kind in WORDS else [word]
            )
            own += parts
            said += [f"{'I' if i else 'B'}-{kind}" for i in range(len(parts))] if kind in WORDS else ["O"]
        words.append(own)
        tags.append(said)
    return words, tags


def a_name(rng: np.random.Generator, odd: bool) -> str:
    """Two or three syllables whose numbers add up to an odd number, or to an even one."""
    while True:
        chosen = rng.integers(len(SYLLABLES), size=rng.integers(2, 4))
        if chosen.sum() % 2 == odd:
            return "".join(SYLLABLES[i] for i in chosen).capitalize()


def names(seed: int) -> tuple[Tagged, Tagged, Tagged]:
    """Sentences with names to learn from, to choose by, and with names that stand in neither to test by."""
    rng = np.random.default_rng(seed)
    return made(2000, rng, False), made(500, rng, False), made(1000, rng, True)


def row(name: str, seed: int, parts: tuple[Tagged, Tagged, Tagged], chosen: Any) -> list[object]:
    """Fit on the first part, choose the epoch by the second, judge on the last."""
    (X, y), (X_dev, y_dev), (X_test, y_test) = parts
    if name == "ewt" and not chosen.test:
        X_test, y_test = X_dev, y_dev
    start = time.perf_counter()
    model = TokenTagger(random_state=seed, **dict(chosen.set))
    model.fit(X + X_dev, y + y_dev, validation=np.arange(len(X) + len(X_dev)) >= len(X))
    seconds = time.perf_counter() - start
    found = model.scores(X_test, y_test)
    most, own = most_frequent(X, y)
    simple = [[own.get(word, most) for word in words] for words in X_test]
    other = judged(y_test, simple, spans="f1" in found, weight=np.ones(len(y_test)))
    key = "f1" if "f1" in found else "score"
    print(name, seed, found, f"{seconds:.0f} s", model.best_epoch_, flush=True)
    return [name, seed, f"{found['score']:.4f}", f"{found[key]:.4f}", f"{other[key]:.4f}", f"{seconds:.0f}"]


def main() -> None:
    """Every set with every seed; print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sets", nargs="+", choices=["ewt", "names"], default=["ewt", "names"])
    ask.add_argument("--seeds", type=int, default=1)
    ask.add_argument("--test", action="store_true", help="judge ewt on its test part")
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    chosen = ask.parse_args()
    rows = [
        row(name, seed, ewt() if name == "ewt" else names(seed), chosen)
        for name in chosen.sets
        for seed in range(chosen.seeds)
    ]
    head = [
        "set",
        "seed",
        "right tags",
        "F1 of spans, or right tags",
        "each word's most frequent tag",
        "seconds a fit",
    ]
    print(table(head, rows))
    print(machine())


if __name__ == "__main__":
    main()
