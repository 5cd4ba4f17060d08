"""Names of 18 languages by one ``LanguageModel`` that reads a language's sign and a name: perplexity, samples, guesses.

    python benchmarks/names.py [--validation] [--seed 0] [--set NAME=VALUE ...]

Every language's distinct names are split by chance (seed 0), 80 % to learn from and 20 % to test; of the Arabic ones
108 of 2,000 are distinct, so without that the test would mostly hold learned names. A tenth of the learned names
chooses the epoch; with ``--validation`` the settings are judged on it and the test names are not looked at. Perplexity
is ``exp`` of the mean loss of a character given the language and all characters before it, a name's end among them.
Beside it stands a trigram of each language's own names, the orders mixed as by Witten and Bell 1991.
"""

import argparse
import tarfile
import time
from collections.abc import Iterable

import numpy as np
from _shared import data_folder, machine, setting, table

from ganglion import LanguageModel
from ganglion.evaluate.text_baselines import Trigrams

SETTINGS = {"units": 96, "layers": 3, "context": 64, "batch_size": 32, "dropout": 0.2, "max_epochs": 12}
EDGE = "\n"  # twice before and once behind a name, for the trigrams
FIRST_SIGN = ord("①")  # each language has one of ① to ⑱, which stand in no name
Names = dict[str, list[str]]


def names_by_language() -> Names:
    """The distinct names of each language."""
    with tarfile.open(data_folder() / "names_by_language" / "names.tar.gz") as archive:
        files = sorted(name for name in archive.getnames() if name.endswith(".txt"))
        texts = {file: archive.extractfile(file).read().decode("utf-8") for file in files}
    return {
        file.rpartition("/")[2].removesuffix(".txt"): sorted(
            {line.strip() for line in text.splitlines()} - {""}
        )
        for file, text in texts.items()
    }


def signs(languages: Iterable[str]) -> dict[str, str]:
    """A character for each language."""
    return {language: chr(FIRST_SIGN + i) for i, language in enumerate(languages)}


def split(names: Names, share: float, rng: np.random.Generator) -> tuple[Names, Names]:
    """Each language's names without a share of them, and that share."""
    kept, held = {}, {}
    for language, own in names.items():
        order, n = rng.permutation(len(own)), round(share * len(own))
        held[language], kept[language] = [own[i] for i in order[:n]], [own[i] for i in order[n:]]
    return kept, held


def fit(kept: Names, held: Names, seed: int, chosen: dict[str, object]) -> LanguageModel:
    """Learn from the kept names; the held ones choose the epoch."""
    sign = signs(kept)
    texts = [sign[language] + name for part in (kept, held) for language, own in part.items() for name in own]
    aside = np.arange(len(texts)) >= sum(map(len, kept.values()))
    return LanguageModel(**{**SETTINGS, **chosen}, random_state=seed).fit(texts, validation=aside)


def judge(model: LanguageModel, learned: Names, asked: Names) -> None:
    """Print the table of perplexities, and how often the language of a name is told."""
    characters = len({c for part in (learned, asked) for own in part.values() for n in own for c in n}) + 1
    rows, total, sign = [], np.zeros(3), signs(asked)
    for language, own in asked.items():
        seen, told = ([f"{EDGE}{EDGE}{name}{EDGE}" for name in part] for part in (learned[language], own))
        trigrams = Trigrams(seen, size=characters, skip=2)
        log_p = model.score_samples(own, sign[language]).sum()
        counted = -sum((len(name) - 2) * trigrams.loss(name) for name in told)
        sums = np.array([log_p, counted, sum(len(name) + 1 for name in own)])
        rows.append(
            [language, len(learned[language]), len(own), *(f"{np.exp(-s / sums[2]):.2f}" for s in sums[:2])]
        )
        total += sums
    sizes = [sum(len(own) for own in part.values()) for part in (learned, asked)]
    rows.append(["**all**", *sizes, *(f"**{np.exp(-s / total[2]):.2f}**" for s in total[:2])])
    print(table(["language", "learned", "asked", "`LanguageModel`", "trigram of its own"], rows))


def told(model: LanguageModel, asked: Names) -> float:
    """The share of names that are more probable with their own language's sign than with any other's."""
    right = 0
    for i, own in enumerate(asked.values()):
        found = np.stack(
            [model.score_samples([sign + name for name in own]) for sign in signs(asked).values()]
        )
        right += int((found.argmax(0) == i).sum())
    return right / sum(map(len, asked.values()))


def samples(model: LanguageModel, known: Names, n: int = 5) -> None:
    """Print names made up for each language; those that stand in its file are marked."""
    rows, sign = [], signs(known)
    for language, own in known.items():
        found = model.generate(sign[language], n=n, length=20, stop=True, temperature=0.8, random_state=0)
        rows.append([language, ", ".join(f"{name} (\\*)" if name in set(own) else name for name in found)])
    print(table(["language", "samples, at temperature 0.8; (\\*) stands in the file"], rows))


def main() -> None:
    """Learn, judge, make up; print the tables."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--validation", action="store_true", help="judge on the names that choose the epoch")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    options = ask.parse_args()
    names, rng = names_by_language(), np.random.default_rng(0)
    learned, test = split(names, 0.2, rng)
    kept, held = split(learned, 0.1, rng)
    start = time.perf_counter()
    model = fit(kept, held, options.seed, dict(options.set))
    print(f"seed {options.seed}, {model.record_size():,} weights, epoch {model.best_epoch_}, "
          f"{time.perf_counter() - start:.0f} s\n")  # fmt: skip
    asked = held if options.validation else test
    judge(model, kept if options.validation else learned, asked)
    samples(model, names)
    print(f"The language of a name is told for {told(model, asked):.1%}.\n\n{machine()}")


if __name__ == "__main__":
    main()
