"""Options of the table pipeline inside estimators: no leak, one sentence for nonsense, and they survive a file."""

import numpy as np
import pytest

import ganglion
from ganglion import MLPClassifier, MLPRegressor, Perceptron
from ganglion.base.errors import ParameterError

pd = pytest.importorskip("pandas")
QUICK = {"hidden_layer_sizes": (16,), "max_epochs": 4, "dropout": 0.0}
OPTIONS = [
    {"encode": "target"},
    {"interactions": "products(3)", "dates": "cyclic"},
    {"select": "l1(4)"},
    {"encode": "target", "interactions": "polynomial", "select": "mutual_information(5)", "dates": "elapsed"},
]


def frame(n=240, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "b": rng.normal(size=n),
            "same": np.ones(n),
            "town": rng.choice([f"town {i}" for i in range(25)], n),
            "kind": rng.choice(["u", "v", None], n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
        }
    )


def target(table, kind):
    rng = np.random.default_rng(9)
    score = table["b"].to_numpy() + (table["town"] < "town 15") + 0.1 * rng.normal(size=len(table))
    return (
        score
        if kind is MLPRegressor
        else np.array(["low", "middle", "high"])[np.searchsorted([0.0, 1.0], score)]
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Perceptron])
@pytest.mark.filterwarnings("ignore:the perceptron still makes")
def test_the_same_answers_from_the_file(tmp_path, kind, options):
    table = frame()
    shape = QUICK if kind is not Perceptron else {"max_epochs": 5}
    net = kind(**shape, **options).fit(table, target(table, kind), sample_weight=np.arange(240) % 3)
    again = ganglion.load(net.save(tmp_path / "net.ganglion"))
    new = frame(seed=1)
    new.loc[:5, "town"], new.loc[:5, "kind"], new.loc[:5, "a"] = "elsewhere", None, np.nan
    np.testing.assert_array_equal(again.predict(new), net.predict(new))
    if kind is MLPRegressor:  # one row goes through other products
        np.testing.assert_allclose(again.predict(new.iloc[:1]), net.predict(new)[:1], rtol=1e-12)
    assert list(net.feature_names_in_) == list(table.columns)
    assert again.summary() == net.summary()
    assert any(word in net.summary() for word in ("dropped", "made by", "means of the target"))
    pl = pytest.importorskip("polars")
    np.testing.assert_array_equal(
        net.predict(pl.DataFrame(new.to_dict("list"), strict=False)), net.predict(new)
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_rows_kept_aside_teach_nothing(options):
    """Targets of the validation rows may be anything: what was learned about the columns stays to the bit."""
    table = frame()
    y = target(table, MLPRegressor)
    net = MLPRegressor(**QUICK, **options, validation_fraction=0.25)
    held = net._split(y, 0.25, 0)[1]
    before = net.fit(table, y).preprocessor_.state()
    y[held] = y[held][::-1] + 1000.0
    after = net.fit(table, y).preprocessor_.state()
    assert before[0] == after[0]
    assert all(np.array_equal(before[1][k], after[1][k]) for k in before[1])


def test_online_learning_keeps_the_first_columns():
    table = frame()
    y = target(table, MLPClassifier)
    net = MLPClassifier(**QUICK, encode="target", select="l1(3)")
    net.partial_fit(table[:120], y[:120], classes=["high", "low", "middle"])
    before = net.preprocessor_.state()[0]
    net.partial_fit(table[120:], y[120:])
    assert net.preprocessor_.state()[0] == before
    assert net.predict_proba(table).shape == (240, 3)
    MLPClassifier(**QUICK, encode="target").partial_fit(
        table[y != "low"], y[y != "low"], classes=np.unique(y)
    )


def test_a_further_fit_does_not_tell_rows_their_target_either():
    table = frame()
    y = np.random.default_rng(3).normal(size=240)
    table["town"] = [f"only {i // 2}" for i in range(240)]
    net = MLPRegressor(**QUICK, encode="target", warm_start=True, validation_fraction=0).fit(
        table[["town"]], y
    )
    seen = []
    matrix = net._training_matrix
    net._training_matrix = lambda *parts: seen.append(matrix(*parts)) or seen[-1]
    net.fit(table[["town"]], y)
    told = net.preprocessor_.transform(table[["town"]])[:, 0]
    assert np.corrcoef(told, y)[0, 1] > 0.5
    assert abs(np.corrcoef(seen[0][:, 0], y)[0, 1]) < 0.2


@pytest.mark.parametrize(
    "option", [{"encode": "target"}, {"interactions": "squares"}, {"select": "l1"}, {"dates": "cyclic"}]
)
@pytest.mark.parametrize("kind", [MLPClassifier, MLPRegressor, Perceptron])
def test_options_without_columns_are_one_sentence(kind, option):
    name = next(iter(option))
    with pytest.raises(
        ParameterError, match=f"{name}=.* needs learned columns.*set preprocess='auto'"
    ) as error:
        kind(preprocess="none", **option).fit(np.eye(4), np.array([0, 1, 0, 1]))
    assert "\n" not in str(error.value)


def test_names_are_checked_before_anything_is_learned():
    with pytest.raises(ParameterError, match="did you mean 'products'"):
        MLPClassifier(interactions="product(3)").fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ParameterError, match="one of 'l1', 'mutual_information', 'permutation' or None"):
        MLPClassifier(select=3).fit(np.eye(4), [0, 1, 0, 1])
