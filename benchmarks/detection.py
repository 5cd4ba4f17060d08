"""ObjectDetector on the blood cells of BCCD: average precision of each class, and the time that a fit takes.

    python benchmarks/detection.py [--seeds 3] [--quick] [--set max_epochs=30 ...] [--figures docs/images/detection]

Pictures are sorted by name; the test part are the last fifth of ``numpy.random.default_rng(0).permutation``. They are
decoded once, outside of the measured time.
"""

import argparse
import tarfile
import tempfile
import time
from pathlib import Path
from statistics import mean

from _shared import data_folder, setting

from ganglion.data.boxes import read_voc
from ganglion.data.images import read_images
from ganglion.data.objects import read_objects
from ganglion.data.split import plain_split
from ganglion.estimators.pictures.detector import ObjectDetector
from ganglion.metrics.detection import average_precisions, mean_average_precision, precision_recall
from ganglion.plot.boxes import plot_boxes, plot_precision_recall

QUICK = {"max_epochs": 6, "image_size": (192, 256)}
SHOWN = 3  # pictures drawn


def blood_cells():
    """The pictures (364, 480, 640, 3) of BCCD and the objects in each."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(data_folder() / "bccd" / "bccd.tar.gz") as packed:
            packed.extractall(folder, filter="data")
        cells = read_voc(Path(folder) / "BCCD")
        return read_images(cells.paths).tensor().permute(0, 2, 3, 1).numpy(), read_objects(cells)


def draw(folder: Path, pictures, truth, found, shown) -> None:
    """The figures of the documentation: what was found at the threshold, and the curves of all scores."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = sorted({label for one in truth for label in one.labels.tolist()})
    for i in range(SHOWN):
        ax = plot_boxes(pictures[i], shown[i], truth[i], classes=classes)
        ax.figure.savefig(folder / f"found-{i}.png", dpi=110)
    curves = {label: precision_recall(truth, found, label) for label in classes}
    plot_precision_recall(curves).figure.savefig(folder / "precision-recall.png", dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--figures", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    settings = dict(map(setting, arguments.set))
    settings = (QUICK if arguments.quick else {}) | settings
    pictures, objects = blood_cells()
    train, test = plain_split(len(pictures), 0.2, seed=0)
    truth = [objects[i] for i in test]
    rows = []
    print("| seed | mAP@0.5 | mAP@[.5:.95] | platelets | RBC | WBC | seconds | of these in the loop |")
    print("|---|---|---|---|---|---|---|---|")
    for seed in range(arguments.seeds):
        model = ObjectDetector(random_state=seed, **settings)
        start = time.perf_counter()
        model.fit(pictures[train], [objects[i] for i in train])
        seconds = time.perf_counter() - start
        shown = model.predict(pictures[test])
        found = model.set_params(score_threshold=0.01).predict(pictures[test])
        scores = mean_average_precision(truth, found)
        classes = [part[0] for part in average_precisions(truth, found, ious=(0.5,)).values()]
        rows.append([scores["map50"], scores["map"], *classes, seconds, model.record_.seconds])
        print(row(seed, rows[-1]), flush=True)
        if arguments.figures is not None and seed == 0:
            draw(arguments.figures, pictures[test], truth, found, shown)
    print(row("mean", [mean(column) for column in zip(*rows)]))
    print(f"\n{model.image_shape_} pixels, {model.n_iter_} epochs, augment={model.augment_!r}")
    print(model.summary())


def row(name, numbers) -> str:
    """A row of the table; the last two numbers are seconds."""
    *scores, seconds, loop = numbers
    return f"| {name} | " + " | ".join(f"{s:.3f}" for s in scores) + f" | {seconds:.0f} | {loop:.0f} |"


if __name__ == "__main__":
    main()
