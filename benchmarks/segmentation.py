"""Membranes in electron micrographs (ISBI 2012): a U-Net with and without augmentation, beside simple models.

    python benchmarks/segmentation.py                     the fit that docs/segmentation.md tells of
    python benchmarks/segmentation.py --ablation          without and with augmentation, 3 seeds each
    python benchmarks/segmentation.py --ablation --quick  the same from 6 pictures in a tenth of the time

24 pictures to train on and 6 to test, by ``numpy.random.default_rng(0).permutation(30)``: the last six are 22, 9, 27,
24, 1, 15. Without a validation part: the last weights answer.
"""

import argparse
from statistics import mean, stdev

import numpy as np
from _shared import data_folder, machine, table, timed

AUGMENTS = {
    "none": None,
    "flips, turns": "flip+turn",
    "elastic": "elastic(60, 6)",
    "flips, turns, elastic": "flip+turn+elastic(60, 6)",
}
CLASSES = ["cell", "membrane"]


def membranes():
    """Pictures (30, 512, 512) and where the membranes are, in the order of the split."""
    with np.load(data_folder() / "isbi2012_em" / "isbi_em_train.npz") as file:
        cell = np.unpackbits(file["label_packed"], axis=-1).astype(bool)
        order = np.random.default_rng(0).permutation(len(cell))
        return file["image"][order], ~cell[order]


def scores(model, X, masks):
    """Dice of the membranes, pixel accuracy, IoU of the membranes."""
    from ganglion.metrics.segmentation import mask_confusion, mask_scores, mask_table

    counts = mask_confusion(masks, model.predict(X), [False, True])
    membrane = mask_table(counts, CLASSES)[1]
    return membrane["dice"], mask_scores(counts)["accuracy"], membrane["iou"]


def one(settings, train, test, rows, name):
    """A fit, its row in the table, and its scores."""
    from ganglion import UNetSegmenter

    model = UNetSegmenter(validation_fraction=0, **settings)
    seconds, processor = timed(lambda: model.fit(*train))
    found = scores(model, *test)
    rows.append([name, *(f"{v:.4f}" for v in found), f"{model.record_.scores['train']['score']:.4f}",
                 f"{seconds:.0f}", f"{processor:.0f}"])  # fmt: skip
    print(rows[-1], flush=True)
    return model, found


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ablation", action="store_true", help="compare augmentations")
    parser.add_argument("--quick", action="store_true", help="from 6 pictures, a shorter run")
    parser.add_argument("--seeds", type=int, default=0, help="how many; 1, and 3 with --ablation")
    parser.add_argument("--epochs", type=int, default=0, help="instead of the default")
    parser.add_argument("--widths", type=int, nargs="+", help="instead of the default")
    parser.add_argument("--augment", default="auto", help="of the single fit, as the estimator takes it")
    asked = parser.parse_args()
    X, masks = membranes()
    few = 6 if asked.quick else 24
    train, test = (X[:few], masks[:few]), (X[24:], masks[24:])
    settings = {"max_epochs": asked.epochs} if asked.epochs else {"max_epochs": 24} if asked.quick else {}
    settings |= {"widths": tuple(asked.widths)} if asked.widths else {}
    head = ["", "Dice of membranes", "pixel accuracy", "IoU of membranes", "Dice in training", "seconds",
            "processor seconds"]  # fmt: skip
    rows: list[list[str]] = []
    print(machine(), "\n")
    if asked.ablation:
        kinds = {name: [] for name in AUGMENTS}
        for seed in range(asked.seeds or 3):
            for name, text in AUGMENTS.items():
                kinds[name].append(
                    one(settings | {"random_state": seed, "augment": text}, train, test, rows, name)[1]
                )
        if (asked.seeds or 3) > 1:
            for name, found in kinds.items():
                spread = [f"{mean(part):.4f} +- {stdev(part):.4f}" for part in zip(*found)]
                rows.append([f"**{name}**, mean", *spread, "", "", ""])
    else:
        for seed in range(asked.seeds or 1):
            model, _ = one(
                settings | {"random_state": seed, "augment": asked.augment},
                train,
                test,
                rows,
                f"U-Net, seed {seed}",
            )
            model.set_params(test_time="symmetries")
            rows.append(
                ["mean over the 8 symmetries", *(f"{v:.4f}" for v in scores(model, *test)), "", "", ""]
            )
            print(rows[-1], flush=True)
        rows += simple(train, test)
        print(model.augment_, model.augment_reasons_)
        print(model.summary())
    print(table(head, rows))


def simple(train, test):
    """Rows of the class that is most frequent and of a linear model of each pixel's surroundings."""
    from ganglion.diagnose.pixels import linear_masks
    from ganglion.metrics.segmentation import mask_confusion, mask_scores, mask_table

    pictures = [[x[None] / 255 for x in X] for X, _ in (train, test)]
    said = linear_masks(pictures[0], [m.astype(int) for m in train[1]], pictures[1], 2)
    rows = []
    for name, answer in (
        ("all cell", np.zeros_like(test[1])),
        ("linear in blurs and slopes", np.array(said) == 1),
    ):
        counts = mask_confusion(test[1], answer, [False, True])
        membrane = mask_table(counts, CLASSES)[1]
        rows.append([name, f"{membrane['dice']:.4f}", f"{mask_scores(counts)['accuracy']:.4f}",
                     f"{membrane['iou']:.4f}", "", "", ""])  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
