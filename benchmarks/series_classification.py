"""Claim: ``SequenceClassifier`` with its defaults beats the nearest neighbour on the small series of the UCR archive.

    python benchmarks/series_classification.py [--cells lstm gru tcn transformer rnn] [--sets GunPoint ...] [--seeds 3]
        [--set units=32 ...]

The archive's own split. The neighbour is the nearest by Euclidean distance, as the archive lists it (series of unequal
lengths are cut to the shortest). Accuracy on the test part, mean of seeds and their spread.
"""

import argparse
import io
import tarfile
import time
from statistics import mean

import numpy as np
from _shared import data_folder, machine, setting, table
from sklearn.neighbors import KNeighborsClassifier

from ganglion import SequenceClassifier

SETS = ("GunPoint", "ItalyPowerDemand", "ArrowHead", "OSULeaf", "BasicMotions", "JapaneseVowels")


def read(name: str) -> tuple[list[np.ndarray], np.ndarray, list[np.ndarray], np.ndarray]:
    """Series (T_i, c) and labels of the training and of the test part."""
    found = []
    with tarfile.open(data_folder() / "ucr_small" / "ucr_small.tar.gz") as archive:
        members = {m.name.rsplit("/", 1)[-1]: m for m in archive.getmembers()}
        for part in ("TRAIN", "TEST"):
            file = archive.extractfile(members[f"{name}_{part}.ts"])
            if file is None:
                raise FileNotFoundError(name)
            found += parsed(io.TextIOWrapper(file, encoding="utf-8"))
    return tuple(found)


def parsed(lines: io.TextIOWrapper) -> tuple[list[np.ndarray], np.ndarray]:
    """The series and labels of a .ts file: dimensions between colons, numbers between commas, the label last."""
    series, labels = [], []
    for line in lines:
        if line.startswith(("#", "@")) or not line.strip():
            continue
        *dimensions, label = line.strip().split(":")
        series.append(np.array([[float(v) for v in part.split(",")] for part in dimensions]).T)
        labels.append(label)
    return series, np.array(labels)


def neighbour(X: list[np.ndarray], y: np.ndarray, X_test: list[np.ndarray], y_test: np.ndarray) -> float:
    """Accuracy of the nearest training series."""
    shortest = min(map(len, [*X, *X_test]))
    flat = [np.array([s[:shortest].ravel() for s in part]) for part in (X, X_test)]
    return KNeighborsClassifier(1).fit(flat[0], y).score(flat[1], y_test)


def main() -> None:
    """Every set by every cell; print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--cells", nargs="+", default=["lstm", "gru", "tcn", "transformer", "rnn"])
    ask.add_argument("--sets", nargs="+", default=SETS)
    ask.add_argument("--seeds", type=int, default=3)
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    chosen = ask.parse_args()
    rows = []
    for name in chosen.sets:
        X, y, X_test, y_test = read(name)
        row = [name, f"{len(X)} / {len(X_test)}", f"{neighbour(X, y, X_test, y_test):.3f}"]
        for cell in chosen.cells:
            start, scores = time.perf_counter(), []
            for seed in range(chosen.seeds):
                network = SequenceClassifier(cell=cell, random_state=seed, **dict(chosen.set))
                scores.append(network.fit(X, y).score(X_test, y_test))
            seconds = (time.perf_counter() - start) / chosen.seeds
            row.append(f"{mean(scores):.3f} ({min(scores):.3f} to {max(scores):.3f}), {seconds:.0f} s")
        print(row, flush=True)
        rows.append(row)
    print(table(["set", "training / test", "nearest neighbour", *chosen.cells], rows))
    print(machine())


if __name__ == "__main__":
    main()
