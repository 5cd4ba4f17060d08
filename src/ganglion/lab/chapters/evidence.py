"""What scores are worth: leaks, few rows, rare classes, and many tries."""

import numpy as np
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score, roc_auc_score

from ganglion.lab.experiment import Check, Setting, Shown, experiment
from ganglion.plot.style import BLUE, GREY, ORANGE, quiet


@experiment(
    "leakage",
    topic="generalisation",
    claim="Choosing columns on all rows before cross-validation does no harm, for the model never sees the "
    "test labels.",
    method="60 rows of 2,000 random columns with labels drawn at random; the 20 columns nearest to the "
    "labels are chosen on all rows, or inside each training fold; five-fold accuracy of logistic regression.",
    verdict="does not hold",
    reading="Labels of noise are 'predicted' far above chance when columns were chosen on all rows, and at "
    "chance when the choice is part of the training. Everything that is learned belongs inside.",
    concepts=("k-fold-cross-validation", "feature-selection", "validation-set"),
    corrects=("W51",),
    sources=("Ambroise and McLachlan 2002", "Cawley and Talbot 2010"),
)
def leakage(lab: Setting) -> Shown:
    """Selection outside and inside the folds."""
    table: dict[str, dict[str, list[float]]] = {
        name: {"accuracy": []} for name in ("chosen on all rows", "chosen inside")
    }
    for seed in lab.seeds(20, 8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(60, 2000)), np.arange(60) % 2
        folds = rng.permutation(60).reshape(5, 12)
        for name in table:
            right = 0
            for fold in folds:
                rest = np.setdiff1d(np.arange(60), fold)
                known = rest if name == "chosen inside" else np.arange(60)
                columns = np.argsort(f_classif(X[known], y[known])[0])[-20:]
                model = LogisticRegression().fit(X[rest][:, columns], y[rest])
                right += int((model.predict(X[fold][:, columns]) == y[fold]).sum())
            table[name]["accuracy"].append(right / 60)

    def draw(ax):
        for (name, row), colour in zip(table.items(), (ORANGE, BLUE)):
            ax.hist(row["accuracy"], bins=np.linspace(0.1, 1, 28), color=colour, alpha=0.8, label=name)
        ax.axvline(0.5, color=GREY, linestyle=(0, (4, 3)))
        ax.legend(frameon=False, labelcolor="linecolor", loc="upper left")
        quiet(ax, x="cross-validated accuracy on labels of noise", y="data sets")

    checks = [
        Check.above(
            "mean accuracy, chosen on all rows", float(np.mean(table["chosen on all rows"]["accuracy"])), 0.7
        ),
        Check.between(
            "mean accuracy, chosen inside", float(np.mean(table["chosen inside"]["accuracy"])), 0.38, 0.62
        ),
    ]
    return Shown(table, checks, draw)


@experiment(
    "no-signal",
    topic="generalisation",
    claim="The validation set measures how the chosen model does on unseen data.",
    method="Labels drawn at random; 200 linear models with random weights, the best on 100 validation rows "
    "is taken: its score there and on 2,000 test rows.",
    verdict="does not hold",
    reading="The best of many looks far better on the rows that chose it than it is: at chance. Once used "
    "for a choice, a validation part is no longer unseen; the test part must be.",
    concepts=("validation-set",),
    corrects=("W52",),
    sources=("Cawley and Talbot 2010", "Hastie et al. 2009, ch. 7"),
)
def no_signal(lab: Setting) -> Shown:
    """The winner's curse."""
    tries = (1, 10, 100, 1000)
    table: dict[str, dict[str, list[float]]] = {
        f"best of {k:,}": {"validation": [], "test": []} for k in tries
    }
    for seed in lab.seeds(60, 30):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(2100, 10)), rng.integers(0, 2, 2100)
        right = (X @ rng.normal(size=(10, max(tries))) > 0) == y[:, None]
        validation, test = right[:100].mean(0), right[100:].mean(0)
        for k, row in zip(tries, table.values()):
            best = int(validation[:k].argmax())
            row["validation"].append(float(validation[best]))
            row["test"].append(float(test[best]))

    def draw(ax):
        for column, colour in (("validation", ORANGE), ("test", BLUE)):
            ax.plot(
                tries,
                [np.mean(row[column]) for row in table.values()],
                color=colour,
                marker="o",
                label=column,
            )
        ax.set_xscale("log")
        ax.legend(frameon=False, labelcolor="linecolor")
        quiet(ax, x="models among which the validation part chose", y="accuracy (chance: 0.5)")

    last = table["best of 1,000"]
    checks = [
        Check.above("validation score of the best of 1,000", float(np.mean(last["validation"])), 0.6),
        Check.between("its test score", float(np.mean(last["test"])), 0.48, 0.52),
        Check.between(
            "validation score of one model", float(np.mean(table["best of 1"]["validation"])), 0.46, 0.54
        ),
    ]
    return Shown(table, checks, draw)


@experiment(
    "sample-size",
    topic="generalisation",
    claim="A score of 90 % says that the model is right nine times in ten.",
    method="A logistic model of known accuracy is scored on 20, 100, 500 and 2,500 rows, many times: the "
    "range that holds 95 % of the scores, against the binomial width 2 x 1.96 sqrt(p (1 - p) / n).",
    verdict="holds when",
    reading="Only with many rows: on 20 rows the score swings by a quarter. The width follows from the "
    "number of rows alone, so every score deserves its interval.",
    concepts=("accuracy", "validation-set"),
)
def sample_size(lab: Setting) -> Shown:
    """How far a score swings."""
    rng = np.random.default_rng(lab.seed)
    X, w = rng.normal(size=(6000, 5)), rng.normal(size=5)
    y = (X @ w / np.linalg.norm(w) + 0.45 * rng.normal(size=6000) > 0).astype(int)
    right = LogisticRegression().fit(X[:1000], y[:1000]).predict(X[1000:]) == y[1000:]
    p, sizes, draws = float(right.mean()), (20, 100, 500, 2500), lab.pick(4000, 1500)
    scores = {n: right[rng.integers(0, len(right), (draws, n))].mean(1) for n in sizes}
    table = {}
    for n, found in scores.items():
        low, high = np.quantile(found, (0.025, 0.975))
        table[f"{n:,} rows"] = {
            "width of 95 %": float(high - low),
            "binomial width": float(3.92 * (p * (1 - p) / n) ** 0.5),
        }

    def draw(ax):
        ax.violinplot(list(scores.values()), showextrema=False, widths=0.8)
        ax.axhline(p, color=ORANGE, linestyle=(0, (4, 3)))
        ax.set_xticks(range(1, 5), [f"{n:,}" for n in sizes])
        quiet(ax, x="rows in the test", y="score of the same model")

    ratio = [row["width of 95 %"] / row["binomial width"] for row in table.values()]
    checks = [
        Check.above("width on 20 rows", table["20 rows"]["width of 95 %"], 0.15),
        Check.below("width on 2,500 rows", table["2,500 rows"]["width of 95 %"], 0.04),
        Check.between("measured width over the binomial one", ratio, 0.75, 1.25),
    ]
    return Shown(table, checks, draw, {"true accuracy": round(p, 3)})


@experiment(
    "imbalance",
    topic="generalisation",
    claim="Class weights and resampling solve imbalance.",
    method="Two overlapping classes, 3 % positive: logistic regression plain, with balanced class weights, "
    "and plain with the threshold moved to the prevalence; accuracy, recall, ranking (AUC), mean predicted "
    "probability.",
    verdict="holds when",
    reading="Accuracy hides a recall near 0; weights lift recall, but so does moving the threshold of the "
    "plain model: the ranking is the same, and weights inflate the probabilities many times.",
    concepts=("class-imbalance", "cost-sensitive-learning", "recall", "roc-auc", "accuracy"),
    corrects=("W88",),
    sources=("van den Goorbergh et al. 2022, arXiv:2202.09101",),
)
def imbalance(lab: Setting) -> Shown:
    """Weights against a moved threshold."""
    columns = ("accuracy", "recall", "AUC", "mean probability")
    table: dict[str, dict[str, list[float]]] = {
        n: {c: [] for c in columns} for n in ("plain", "class weights", "plain, threshold 3 %")
    }
    for seed in lab.seeds(10, 4):
        X, y = rare(12_000, seed)
        X_test, y_test = rare(12_000, seed + 5_000)
        for name, row in table.items():
            model = LogisticRegression(class_weight="balanced" if name == "class weights" else None).fit(X, y)
            p = model.predict_proba(X_test)[:, 1]
            answer = p > (0.03 if "threshold" in name else 0.5)
            values = (
                (answer == y_test).mean(),
                recall_score(y_test, answer),
                roc_auc_score(y_test, p),
                p.mean(),
            )
            for column, value in zip(columns, values):
                row[column].append(float(value))

    def draw(ax):
        places = np.arange(len(columns))
        for shift, (name, row), colour in zip((-0.27, 0, 0.27), table.items(), (GREY, ORANGE, BLUE)):
            ax.bar(places + shift, [np.mean(row[c]) for c in columns], 0.25, color=colour, label=name)
        ax.set_xticks(places, columns)
        ax.set_ylim(0, 1.3)
        ax.legend(frameon=False, labelcolor="linecolor", ncols=3, loc="upper center")
        quiet(ax)

    plain, weighted, moved = table.values()
    checks = [
        Check.above("accuracy of the plain model", plain["accuracy"], 0.95),
        Check.below("recall of the plain model", plain["recall"], 0.3),
        Check.above("recall with weights", weighted["recall"], 0.6),
        Check.above("recall with the threshold moved", moved["recall"], 0.6),
        Check.below("difference in AUC", [abs(a - b) for a, b in zip(plain["AUC"], weighted["AUC"])], 0.02),
        Check.above("mean probability with weights (prevalence: 0.03)", weighted["mean probability"], 0.15),
    ]
    return Shown(table, checks, draw)


def rare(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two overlapping clouds in five dimensions, 3 % of the rows positive."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.03).astype(int)
    return rng.normal(size=(n, 5)) + 0.7 * y[:, None], y
