"""Claim: every ingredient of the tables' defaults earns its place, or is said not to.

    GANGLION_DATA=folder python benchmarks/ablation_tables.py [--seeds 3] [--only california telco]

One default is changed at a time. Scores are taken on a part (20 %, seed 1) of the *training* rows of
``quality_tables.py``, so that nothing was chosen on the rows that are reported there.
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
    "no bins beside the numbers": {"bins": 0},
    "ReLU for SiLU": {"activation": "relu"},
    "no dropout": {"dropout": 0.0},
    "no weight decay": {"weight_decay": 0.0},
    "constant step size": {"schedule": "constant"},
    "lr doubled": {"lr": 2e-3},
    "lr halved": {"lr": 5e-4},
    "128-128": {"hidden_layer_sizes": (128, 128)},
    "last layer starts at random": {"init": "he"},
    "standard scaling": {"scale": "standard"},
    "categories always one-hot": {"encode": "onehot"},
    "categories always embedded": {"encode": "embedding"},
    "label smoothing 0.1": {"label_smoothing": 0.1},
}
METRICS = {"adult": "accuracy", "california": "RMSE", "telco": "AUC"}


def development_split(data: Table) -> tuple[Any, Any, Any, Any]:
    """80 % of the training rows to learn from, 20 % to look at."""
    order = np.random.default_rng(1).permutation(len(data.y_train))
    cut = int(0.8 * len(order))
    a, b = order[:cut], order[cut:]
    return data.X_train.iloc[a], data.y_train[a], data.X_train.iloc[b], data.y_train[b]


def score(data: Table, change: dict[str, Any], seed: int) -> float | None:
    """One network's score, or ``None`` where the change has no meaning."""
    if not data.classes and "label_smoothing" in change:
        return None
    X, y, X_look, y_look = development_split(data)
    net = (MLPClassifier if data.classes else MLPRegressor)(random_state=seed, **change).fit(X, y)
    if data.metric == "rmse":
        return float(root_mean_squared_error(y_look, net.predict(X_look)))
    if data.metric == "auc":
        return float(roc_auc_score(y_look == net.classes_[1], net.predict_proba(X_look)[:, 1]))
    return float(net.score(X_look, y_look))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=list(METRICS))
    chosen = parser.parse_args()
    if not (data_folder() / "tables").is_dir():
        print("(left out: the measuring data are not there; name their folder in GANGLION_DATA)")
        return
    data = {name: TABLES[name]() for name in chosen.only}
    rows = []
    for words, change in CHANGES.items():
        row = [words]
        for part in data.values():
            scores = [s for seed in range(chosen.seeds) if (s := score(part, change, seed)) is not None]
            if not scores:
                row.append("")
                continue
            digits = 0 if part.metric == "rmse" else 4
            spread = statistics.stdev(scores) if len(scores) > 1 else 0.0
            row.append(f"{statistics.mean(scores):.{digits}f} ± {spread:.{digits}f}")
        rows.append(row)
        print(f"... {row}", flush=True)
    print(machine())
    print(table(["change", *(f"{name} ({METRICS[name]})" for name in data)], rows))


if __name__ == "__main__":
    main()
