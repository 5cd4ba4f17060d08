"""ImageCaptioner on the world of shapes: captions exactly right on unseen combinations, and BLEU.

python benchmarks/captions.py [--n 12000] [--seeds 3] [--attention soft hard] [--quick] [--figure attention.png]
                              [--set max_epochs=20 ...]
"""

import argparse
import time
from pathlib import Path

import numpy as np
from _caption_world import PICTURES, RECIPE, held_out, world
from _shared import setting

from ganglion.estimators.pictures.captioner import ImageCaptioner, judged
from ganglion.plot.attention import plot_attention

QUICK = {"n": 4_000, "max_epochs": 12}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=PICTURES, help="training pictures")
    parser.add_argument("--test", type=int, default=2_000, help="test pictures of each kind")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--attention", nargs="*", default=["soft"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--figure", type=Path, help="where the attention on an unseen picture is drawn")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    settings = dict(map(setting, arguments.set))
    settings = RECIPE | ({"max_epochs": QUICK["max_epochs"]} if arguments.quick else {}) | settings
    n = QUICK["n"] if arguments.quick else arguments.n
    print(f"{'attention':10} seed  unseen    BLEU    seen   beam 1  fit, s")
    for attention in arguments.attention:
        for seed in range(arguments.seeds):
            held = held_out(seed)
            model = ImageCaptioner(attention=attention, random_state=seed, **settings)
            start = time.perf_counter()
            model.fit(*world(n, seed, False, held))
            seconds = time.perf_counter() - start
            X, captions = world(arguments.test, 10_000 + seed, True, held)
            unseen = judged(model.predict(X), captions)
            seen = model.score(*world(arguments.test, 20_000 + seed, False, held))
            greedy = model.set_params(beam=1).score(X, captions)
            print(
                f"{attention:10} {seed:4}  {unseen['score']:.4f}  {unseen['bleu']:.4f}  {seen:.4f}  {greedy:.4f}  "
                f"{seconds:.0f}",
                flush=True,
            )
            if arguments.figure and seed == 0:
                draw(
                    model.set_params(beam=3),
                    X,
                    captions,
                    arguments.figure.with_stem(f"{arguments.figure.stem}-{attention}"),
                )


def draw(model: ImageCaptioner, X: np.ndarray, captions: list[list[str]], path: Path) -> None:
    """The attention on two unseen related pictures and a counted one."""
    related = [i for i, texts in enumerate(captions) if len(texts) == 2][:2]
    counted = [i for i, texts in enumerate(captions) if texts[0].startswith("three")][:1]
    rows = np.array(related + counted)
    ax = plot_attention(X[rows], model.predict(X[rows]), model.attend(X[rows]))
    ax.figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
