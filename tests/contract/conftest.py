"""What the suites hand to every estimator: each class by itself, a quick one, a table with a toy problem."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier, is_regressor

from ganglion.base.registry import lookup, names

QUICK = {"max_epochs": 12, "hidden_layer_sizes": (24,), "batch_size": 32, "dropout": 0.1}


@pytest.fixture(params=names("estimator"))
def cls(request):
    """Every registered estimator."""
    return lookup("estimator", request.param)


@pytest.fixture
def quick(cls):
    """A function that makes a quick one; settings that it does not have are left out."""

    def make(**settings):
        known = cls().get_params()
        allowed = {k: v for k, v in {**QUICK, **settings}.items() if k in known}
        if cls.__name__ == "Perceptron":
            allowed.pop("batch_size", None)
        return cls(**allowed)

    return make


@pytest.fixture
def table():
    """Numbers with gaps, words of few and of many kinds, truth values, dates (300 rows)."""
    rng, n = np.random.default_rng(0), 300
    words = np.array(["red", "green", "blue"], dtype=object)[rng.integers(3, size=n)]
    words[::17] = None
    return pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(50, 20, n)),
            "count": rng.integers(0, 9, n),
            "colour": words,
            "street": np.array([f"street {i}" for i in range(40)], dtype=object)[rng.integers(40, size=n)],
            "new": rng.random(n) < 0.5,
            "day": [datetime(2024, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 700, n)],
        }
    )


@pytest.fixture
def target(cls, table):
    """Something that the table tells, in the kind that the estimator wants."""
    score = 2.0 * table["new"] + (table["colour"] == "red") + table["count"] / 8
    if is_classifier(cls()):
        return np.where(score > 2.0, "yes", "no")
    if is_regressor(cls()):
        return score.to_numpy(float)
    raise NotImplementedError(f"give the contract suites a toy problem for {cls.__name__}")


@pytest.fixture
def told():
    """A function from a fitted estimator and rows to everything that it tells about them, as one array."""

    def tell(estimator, X):
        methods = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
        parts = [np.asarray(getattr(estimator, m)(X)) for m in methods if hasattr(estimator, m)]
        assert parts, "it tells nothing"
        return np.concatenate([p.reshape(len(p), -1).astype(object) for p in parts], 1)

    return tell
