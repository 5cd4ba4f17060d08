"""Claim: with default settings, accuracy on Adult (official split) is at least 0.857, the error on California
housing at least 5 % below scikit-learn's MLP, and the AUC on telco churn not below the linear model's.

    GANGLION_DATA=folder python benchmarks/quality_tables.py [--quick] [--only adult california ...]

Five seeds each: mean and its 95 % interval (Student's t over seeds; the split stays the same). Ganglion gets the
raw table; the peers get it imputed (median, most frequent), one-hot encoded and scaled, their targets scaled too,
and otherwise their defaults, scikit-learn's MLP with the early stopping that ours has by default and without.
Everybody computes on one thread, unless ``--threads`` says more.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from _shared import data_folder, machine, table
from scipy import stats
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

SEEDS = 5
QUICK_ROWS = 2000
ONE_SEED_ABOVE = 20_000  # rows, for scikit-learn's MLP without early stopping: minutes per fit


@dataclass
class Table:
    """A table, how it is split, and what counts: ``accuracy`` and ``auc`` (high is good), ``rmse`` (low is)."""

    name: str
    metric: str
    X_train: pd.DataFrame
    y_train: np.ndarray
    X_test: pd.DataFrame
    y_test: np.ndarray

    @property
    def classes(self) -> bool:
        """Whether the target is a class."""
        return self.metric != "rmse"


def read(file: str, **options: Any) -> pd.DataFrame:
    """One file of the measuring data; blanks and question marks are missing."""
    path = data_folder() / "tables" / f"{file}.csv.gz"
    return pd.read_csv(path, skipinitialspace=True, na_values=["?", ""], **options)


def split(name: str, metric: str, frame: pd.DataFrame, target: Any, drop: tuple[str, ...] = ()) -> Table:
    """80 % of the rows to learn from, drawn with seed 0 from the order of the file."""
    y = frame[target].to_numpy()
    X = frame.drop(columns=[target, *drop])
    X.columns = [str(c) for c in X.columns]
    order = np.random.default_rng(0).permutation(len(frame))
    cut = int(0.8 * len(frame))
    train, test = order[:cut], order[cut:]
    return Table(name, metric, X.iloc[train], y[train], X.iloc[test], y[test])


def adult() -> Table:
    """The official split; the test file writes its classes with a full stop."""
    train, test = (read(f"adult_{part}", header=None) for part in ("train", "test"))
    X, X_test = (frame.iloc[:, :-1].rename(columns=str) for frame in (train, test))
    y, y_test = (frame.iloc[:, -1].str.rstrip(".").to_numpy(str) for frame in (train, test))
    return Table("adult", "accuracy", X, y, X_test, y_test)


TABLES: dict[str, Callable[[], Table]] = {
    "adult": adult,
    "california": lambda: split("california", "rmse", read("california_housing"), "median_house_value"),
    "telco": lambda: split("telco", "auc", read("telco_churn"), "Churn", ("customerID",)),
    "titanic": lambda: split(
        "titanic", "accuracy", read("titanic_train"), "Survived", ("PassengerId", "Name", "Ticket", "Cabin")
    ),
    "phoneme": lambda: split("phoneme", "accuracy", read("phoneme", header=None), 5),
    "pima": lambda: split("pima", "accuracy", read("pima-indians-diabetes", header=None), 8),
    "abalone": lambda: split("abalone", "rmse", read("abalone", header=None), 8),
    "winequality-red": lambda: split("winequality-red", "rmse", read("winequality-red", header=None), 11),
}


def prepared(X: pd.DataFrame, model: Any) -> Pipeline:
    """A peer behind imputing, one-hot encoding and scaling."""
    words = [c for c in X.columns if not pd.api.types.is_numeric_dtype(X[c])]
    numbers = [c for c in X.columns if c not in words]
    levels = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("words", make_pipeline(SimpleImputer(strategy="most_frequent"), levels), words),
    ]
    return make_pipeline(ColumnTransformer(columns), model)


def contestants(task: Table, seed: int) -> dict[str, Any]:
    """The estimators of a task, ours first."""
    import ganglion

    if task.classes:
        peers = {
            "sklearn MLP": MLPClassifier(random_state=seed),
            "sklearn MLP, early stopping": MLPClassifier(random_state=seed, early_stopping=True),
            "sklearn boosted trees": HistGradientBoostingClassifier(random_state=seed),
            "linear": LogisticRegression(max_iter=1000),
        }
        ours: Any = ganglion.MLPClassifier(random_state=seed)
    else:
        bare = {
            "sklearn MLP": MLPRegressor(random_state=seed),
            "sklearn MLP, early stopping": MLPRegressor(random_state=seed, early_stopping=True),
            "sklearn boosted trees": HistGradientBoostingRegressor(random_state=seed),
            "linear": Ridge(),
        }
        scaled = {k: TransformedTargetRegressor(m, transformer=StandardScaler()) for k, m in bare.items()}
        peers, ours = scaled, ganglion.MLPRegressor(random_state=seed)
    return {"Ganglion": ours} | {name: prepared(task.X_train, model) for name, model in peers.items()}


def score(task: Table, model: Any) -> float:
    """The task's measure on its test rows."""
    if task.metric == "accuracy":
        return float((model.predict(task.X_test) == task.y_test).mean())
    if task.metric == "auc":
        second = model.predict_proba(task.X_test)[:, 1]
        return float(roc_auc_score(task.y_test == model.classes_[1], second))
    return float(root_mean_squared_error(task.y_test, model.predict(task.X_test)))


def measure(task: Table, seeds: int) -> dict[str, tuple[list[float], list[float]]]:
    """Scores and seconds of every contestant; the seeds take turns, what does not depend on a seed runs once."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for seed in range(seeds):
        for name, model in contestants(task, seed).items():
            long = name == "sklearn MLP" and len(task.y_train) > ONE_SEED_ABOVE
            if seed and (name == "linear" or long):
                continue
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(task.X_train, task.y_train)
            scores, seconds = found.setdefault(name, ([], []))
            seconds.append(time.perf_counter() - start)
            scores.append(score(task, model))
    return found


def interval(scores: list[float]) -> str:
    """Mean and the half width of its 95 % interval."""
    mean, digits = float(np.mean(scores)), 4 if np.mean(scores) < 100 else 0
    if len(scores) < 2 or np.ptp(scores) == 0:
        return f"{mean:.{digits}f}"
    half = stats.t.ppf(0.975, len(scores) - 1) * np.std(scores, ddof=1) / np.sqrt(len(scores))
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def verdicts(means: dict[str, dict[str, float]]) -> list[str]:
    """The three claims, as far as their tables were run."""
    lines = []
    if "adult" in means:
        got = means["adult"]["Ganglion"]
        lines.append(f"* Adult accuracy at least 0.857: {'yes' if got >= 0.857 else 'NO'} ({got:.4f})")
    if "california" in means:
        ours = means["california"]["Ganglion"]
        peer = min(v for k, v in means["california"].items() if k.startswith("sklearn MLP"))
        less = f"{100 * (1 - ours / peer):.1f} % under the better of scikit-learn's MLPs"
        lines.append(
            f"* California error at least 5 % lower: {'yes' if ours <= 0.95 * peer else 'NO'} ({less})"
        )
    if "telco" in means:
        ours, linear = means["telco"]["Ganglion"], means["telco"]["linear"]
        lines.append(
            f"* telco AUC not below the linear model: {'yes' if ours >= linear else 'NO'} "
            f"({ours:.4f}, linear {linear:.4f})"
        )
    return lines


def main() -> None:
    """Print the table and the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"two seeds, {QUICK_ROWS} rows to learn from")
    parser.add_argument("--only", nargs="+", choices=list(TABLES), default=list(TABLES), help="these tables")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if not (data_folder() / "tables").is_dir():
        print("(left out: the measuring data are not there; name their folder in GANGLION_DATA)")
        return
    seeds = 2 if options.quick else options.seeds
    print(f"## Quality with default settings\n\n{machine()}, threads: {options.threads}\n")
    rows, times, means, names = [], [], {}, []
    for name in options.only:
        task = TABLES[name]()
        if options.quick:
            task.X_train, task.y_train = task.X_train[:QUICK_ROWS], task.y_train[:QUICK_ROWS]
        with threadpool_limits(options.threads):
            found = measure(task, seeds)
        names = list(found)
        means[name] = {k: float(np.mean(scores)) for k, (scores, _) in found.items()}
        size = f"{len(task.y_train):,} + {len(task.y_test):,}"
        rows.append([f"{name}, {task.metric}", size, *(interval(scores) for scores, _ in found.values())])
        times.append([name, *(f"{np.median(seconds):.1f}" for _, seconds in found.values())])
    print(table(["table", "rows", *names], rows))
    print(
        f"Means of {seeds} seeds with 95 % intervals over seeds. Accuracy and AUC: higher is better; rmse: lower.\n"
    )
    print("Seconds per fit, medians:\n")
    print(table(["table", *names], times))
    print("\n".join(verdicts(means)))


if __name__ == "__main__":
    main()
