"""Claim: products and ratios help a linear network, and not one with bins; fewer columns are seldom better ones.

    GANGLION_DATA=folder python benchmarks/features.py [--seeds 5] [--only adult california telco] [--rows 3000]

Learned on at most 3,000 rows of each table's training part, judged on 20 % of that part (other rows), both drawn anew
for each seed; nothing is taken from the test rows of ``quality_tables.py``. Each cell is the mean over seeds and the
mean difference to the defaults on the same rows, with the standard deviation of that difference.
"""

import argparse
import statistics
from typing import Any

import numpy as np
from _shared import data_folder, machine, table
from quality_tables import TABLES, Table
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from ganglion import MLPClassifier, MLPRegressor

CHANGES: dict[str, dict[str, Any]] = {
    "the defaults": {},
    "encode='target'": {"encode": "target"},
    "interactions='products(10)'": {"interactions": "products(10)"},
    "interactions='ratios(10)'": {"interactions": "ratios(10)"},
    "select='l1'": {"select": "l1"},
    "select='mutual_information(10)'": {"select": "mutual_information(10)"},
    "select='permutation(10)'": {"select": "permutation(10)"},
    "target, products(10), then l1": {"encode": "target", "interactions": "products(10)", "select": "l1"},
}
NETWORKS = {"network": {}, "linear": {"hidden_layer_sizes": (), "bins": 0, "dropout": 0.0}}
METRICS = {"adult": "accuracy", "california": "RMSE", "telco": "AUC"}


def score(data: Table, rows: int, change: dict[str, Any], seed: int) -> tuple[float, int]:
    """One network's score on rows kept aside, and how many inputs it had."""
    order = np.random.default_rng([7, seed]).permutation(len(data.y_train))
    cut = int(0.8 * len(order))
    a, b = order[:cut][:rows], order[cut:]
    X, y, X_look, y_look = data.X_train.iloc[a], data.y_train[a], data.X_train.iloc[b], data.y_train[b]
    net = (MLPClassifier if data.classes else MLPRegressor)(random_state=seed, **change).fit(X, y)
    inputs = len(net.preprocessor_.names_out_)
    if data.metric == "rmse":
        return float(root_mean_squared_error(y_look, net.predict(X_look))), inputs
    if data.metric == "auc":
        return float(roc_auc_score(y_look == net.classes_[1], net.predict_proba(X_look)[:, 1])), inputs
    return float(net.score(X_look, y_look)), inputs


def cell(data: Table, scores: list[float], before: list[float], inputs: list[int]) -> str:
    """Mean, difference to the defaults with its spread, and inputs, in words."""
    digits = 0 if data.metric == "rmse" else 4
    apart = [s - b for s, b in zip(scores, before)]
    spread = statistics.stdev(apart) if len(apart) > 1 else 0.0
    change = "" if scores == before else f" ({statistics.mean(apart):+.{digits}f} ± {spread:.{digits}f})"
    return f"{statistics.mean(scores):.{digits}f}{change}, {statistics.mean(inputs):.0f} inputs"


def main() -> None:
    """Print a table for each kind of network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--only", nargs="*", default=list(METRICS))
    chosen = parser.parse_args()
    if not (data_folder() / "tables").is_dir():
        print("(left out: the measuring data are not there; name their folder in GANGLION_DATA)")
        return
    data = {name: TABLES[name]() for name in chosen.only}
    print(machine())
    for kind, shape in NETWORKS.items():
        before: dict[str, list[float]] = {}
        rows = []
        for words, change in CHANGES.items():
            row = [words]
            for name, part in data.items():
                found = [score(part, chosen.rows, {**shape, **change}, seed) for seed in range(chosen.seeds)]
                scores = [one for one, _ in found]
                row.append(cell(part, scores, before.setdefault(name, scores), [n for _, n in found]))
            rows.append(row)
            print(f"... {kind}: {row}", flush=True)
        print(table([kind, *(f"{name} ({METRICS[name]})" for name in data)], rows), flush=True)


if __name__ == "__main__":
    main()
