"""ImageCaptioner on the world of shapes: captions exactly right on unseen combinations, by kind, and BLEU.

python benchmarks/captions.py [--n 12000] [--seeds 3] [--attention soft hard] [--quick] [--figure attention.png]
                              [--set max_epochs=20 ...]

Each seed holds out other combinations. A column of a kind is the share of its unseen pictures that is told right.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from _caption_world import KINDS, PICTURES, RECIPE, held_out, kind_of, world
from _shared import setting

from ganglion.estimators.pictures.captioner import ImageCaptioner, judged
from ganglion.plot.attention import plot_attention

QUICK = {"n": 4_000, "max_epochs": 12}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=PICTURES, help="training pictures")
    parser.add_argument("--test", type=int, default=1_000, help="test pictures of each kind")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--attention", nargs="*", default=["soft"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--figure", type=Path, help="where the attention on an unseen picture is drawn")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    settings = dict(map(setting, arguments.set))
    settings = RECIPE | ({"max_epochs": QUICK["max_epochs"]} if arguments.quick else {}) | settings
    n = QUICK["n"] if arguments.quick else arguments.n
    kinds = "  ".join(f"{kind:>7}" for kind in KINDS)
    print(f"{'attention':10} seed  unseen  {kinds}    BLEU    seen  beam 1  fit, s", flush=True)
    for attention in arguments.attention:
        for seed in range(arguments.seeds):
            held = held_out(seed)
            model = ImageCaptioner(attention=attention, random_state=seed, **settings)
            start = time.perf_counter()
            model.fit(*world(n, seed, False, held))
            seconds = time.perf_counter() - start
            X, captions = world(arguments.test, 10_000 + seed, True, held)
            texts = model.predict(X)
            unseen, kinds = judged(texts, captions), "  ".join(f"{s:7.4f}" for s in by_kind(texts, captions))
            seen = model.score(*world(arguments.test, 20_000 + seed, False, held))
            greedy = model.set_params(beam=1).score(X, captions)
            print(
                f"{attention:10} {seed:4}  {unseen['score']:.4f}  {kinds}  {unseen['bleu']:.4f}  {seen:.4f}  "
                f"{greedy:.4f}  {seconds:6.0f}",
                flush=True,
            )
            if arguments.figure and seed == 0:
                draw(
                    model.set_params(beam=3),
                    X,
                    captions,
                    arguments.figure.with_stem(f"{arguments.figure.stem}-{attention}"),
                )


def by_kind(texts: list[str], captions: list[list[str]]) -> list[float]:
    """The share of captions exactly right, for each of ``KINDS``."""
    kinds = np.array([kind_of(several) for several in captions])
    right = np.array([text in several for text, several in zip(texts, captions)])
    return [float(right[kinds == kind].mean()) for kind in KINDS]


def draw(model: ImageCaptioner, X: np.ndarray, captions: list[list[str]], path: Path) -> None:
    """The attention on two unseen related pictures and a counted one."""
    related = [i for i, texts in enumerate(captions) if len(texts) == 2][:2]
    counted = [i for i, texts in enumerate(captions) if texts[0].startswith("three")][:1]
    rows = np.array(related + counted)
    ax = plot_attention(X[rows], model.predict(X[rows]), model.attend(X[rows]))
    ax.figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
