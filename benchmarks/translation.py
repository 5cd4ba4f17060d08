"""``Translator`` on Multi30k, German to English, and on made documents with a known headline.

    python benchmarks/translation.py multi30k [--model transformer|gru|plain] [--seed 0] [--test] [--set NAME=VALUE ...]
    python benchmarks/translation.py summaries [--model transformer|gru|plain] [--seed 0] [--set NAME=VALUE ...]

* ``multi30k``: 29,000 pairs of captions to learn from; the 1,014 of the validation part choose the epoch and the
  settings; the 1,000 of test_2016_flickr are only looked at with ``--test``. BLEU is sacrebleu's (``pip install
  sacrebleu``) with its usual cutting of words, 13a, capitals as they are: nothing is lower-cased. ``gru`` looks at
  each token of the source, ``plain`` at the whole alone.
* ``summaries``: made news items of 8 to 10 sentences (``_headlines.py``), of which three tell today's event and the
  others idle or name other people, places and numbers. Person and place of a test sentence never stand together in a
  training sentence. ROUGE-L is ``ganglion.metrics.rouge``'s, which the tests compare with a second program.
"""

import argparse
import gzip
import time
from typing import Any

import numpy as np
import sacrebleu
from _headlines import documents
from _shared import data_folder, machine, setting, table

from ganglion import Translator
from ganglion.metrics.rouge import rouge

MODELS: dict[str, dict[str, Any]] = {
    "transformer": {},
    "gru": {"cell": "gru", "layers": 1},
    "plain": {"cell": "gru", "layers": 1, "attention": False},
}
BATCH = 32  # of summaries: 4,000 items in batches of 128 are too few steps


def captions(part: str) -> tuple[list[str], list[str]]:
    """The German and the English captions of a part."""
    sides = []
    for side in ("de", "en"):
        path = data_folder() / "multi30k_en_de" / f"{part}.{side}.gz"
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            sides.append(file.read().removesuffix("\n").split("\n"))
    return sides[0], sides[1]


def multi30k(options: argparse.Namespace) -> None:
    """A fit and its BLEU on the validation part, and with ``--test`` on the test part."""
    (X, y), held = captions("train"), captions("val")
    parts = {"validation": held} | ({"test 2016": captions("test_2016_flickr")} if options.test else {})
    model = Translator(random_state=options.seed, **MODELS[options.model], **dict(options.set))
    start, used = time.perf_counter(), time.process_time()
    model.fit(X + held[0], y + held[1], validation=np.arange(len(X) + len(held[0])) >= len(X))
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(losses(model))
    row: list[object] = [options.model, options.seed, f"{model.record_size():,}"]
    row += [f"{model.best_epoch_} of {model.n_iter_}", f"{seconds:.0f} ({used:.0f})"]
    for source, target in parts.values():
        found = model.predict(source)
        row.append(f"{sacrebleu.corpus_bleu(found, [target]).score:.2f}")
    head = ["model", "seed", "weights", "best epoch", "seconds (of processor time)"]
    print(table([*head, *(f"BLEU, {part}" for part in parts)], [row]))
    for triple in list(zip(source, found, target))[:5]:
        print(*triple, sep="\n  ")


def losses(model: Translator) -> str:
    """How the validation loss went."""
    return "validation loss: " + " ".join(f"{row['val_loss']:.3f}" for row in model.record_.history)


def summaries(options: argparse.Namespace) -> None:
    """A fit on 4,000 items, and ROUGE-L of its headlines for 1,000 with other names."""
    X, y = documents(4000, options.seed, odd=False)
    X_test, y_test = documents(1000, options.seed, odd=True)
    shape = MODELS[options.model] | {"batch_size": BATCH}
    model = Translator(random_state=options.seed, **shape, **dict(options.set))
    start, used = time.perf_counter(), time.process_time()
    model.fit(X, y)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    print(losses(model))
    found = model.predict(X_test)
    right = np.mean([a == b for a, b in zip(found, y_test)])
    own = ["headlines written", f"{rouge(found, y_test, 'l').f1:.3f}", f"{right:.3f}"]
    lead = ["first sentence", f"{rouge([x.split(' .')[0] for x in X_test], y_test, 'l').f1:.3f}", "0"]
    print(table(["", "ROUGE-L", "exactly right"], [own, lead]))
    print(
        f"{options.model}, seed {options.seed}, {model.record_size():,} weights, epoch {model.best_epoch_} of "
        f"{model.n_iter_}, {seconds:.0f} s ({used:.0f} of processor time)"
    )
    print(X_test[0], found[0], y_test[0], sep="\n  ")


def main() -> None:
    """One part, by its name."""
    parts = {"multi30k": multi30k, "summaries": summaries}
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("part", choices=parts)
    ask.add_argument("--model", choices=MODELS, default="transformer")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--test", action="store_true", help="judge multi30k on its test part too")
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    options = ask.parse_args()
    parts[options.part](options)
    print(machine())


if __name__ == "__main__":
    main()
