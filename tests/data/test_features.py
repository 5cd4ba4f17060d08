"""Features by hand, interactions and target means: against scikit-learn, NumPy and each other."""

import numpy as np
import pytest
from sklearn.preprocessing import KBinsDiscretizer, PolynomialFeatures, TargetEncoder

from ganglion.base.errors import DataError, ModelFileError, ParameterError
from ganglion.data import features
from ganglion.data.columns import as_frame
from ganglion.data.goal import Goal
from ganglion.data.impute import variance_ratio
from ganglion.data.interactions import choose_terms, term_names
from ganglion.data.level_means import level_means, out_of_fold
from ganglion.data.preprocess import TablePreprocessor


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(60, 4))


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_polynomials_are_scikit_learns(X, degree):
    theirs = PolynomialFeatures(degree, include_bias=False).fit_transform(X)
    np.testing.assert_allclose(features.polynomial(X, degree), theirs, rtol=1e-13)
    np.testing.assert_array_equal(
        features.products(X), PolynomialFeatures(2, interaction_only=True).fit_transform(X)[:, 5:]
    )


def test_ratios_and_radius(X):
    X[3, 1], X[4, 1], X[5, 1] = 0.0, np.nan, 1e-320
    found = features.ratios(X, [(0, 1), (2, 3)])
    plain = np.arange(60) > 5
    np.testing.assert_array_equal(found[plain, 0], X[plain, 0] / X[plain, 1])
    assert found[3, 0] == 0
    assert np.isnan(found[4, 0])
    assert abs(found[5, 0]) == 1e100
    np.testing.assert_allclose(
        features.radius(X[6:], [1, 2, 3, 4])[:, 0], np.linalg.norm(X[6:] - [1, 2, 3, 4], axis=1)
    )


@pytest.mark.parametrize(
    ("strategy", "edges"), [("uniform", "equal_width_edges"), ("quantile", "quantile_edges")]
)
def test_bins_are_scikit_learns(X, strategy, edges):
    options = {"quantile_method": "linear"} if strategy == "quantile" else {}
    theirs = KBinsDiscretizer(5, encode="ordinal", strategy=strategy, **options).fit_transform(X[:, :1])[:, 0]
    cut = getattr(features, edges)(X[:, 0], 5)
    np.testing.assert_array_equal(features.bin_codes(X[:, 0], cut), theirs + 1)
    assert features.bin_codes(np.array([np.nan]), cut) == 0


def test_midnight_stands_beside_eleven_at_night():
    hours = features.cyclic(np.arange(24.0), 24)
    steps = np.linalg.norm(hours - np.roll(hours, 1, axis=0), axis=1)
    np.testing.assert_allclose(steps, 2 * np.sin(np.pi / 24), rtol=1e-12)


@pytest.mark.parametrize("classes", [None, 2, 4])
def test_level_means_are_scikit_learns(classes):
    rng = np.random.default_rng(1)
    words = rng.choice(list("abcdefgh"), 300).astype(object)
    words[::11] = None
    y = rng.normal(size=300) if classes is None else rng.integers(0, classes, 300)
    levels = np.array([*"abcdefgh", None], dtype=object)
    codes = np.array([levels.tolist().index(w) for w in words])
    ours = level_means(codes, Goal.of(y, 300).columns, np.ones(300), 9)
    theirs = TargetEncoder(smooth=10.0).fit(words[:, None], y)
    np.testing.assert_allclose(ours, theirs.transform(levels[:, None]), rtol=1e-12)


def test_a_row_does_not_know_its_own_target():
    """A change of one row's target changes the codes of other rows, never its own."""
    rng = np.random.default_rng(2)
    codes, y, counts = rng.integers(0, 6, 80), rng.normal(size=(80, 1)), rng.uniform(0.5, 2, 80)
    before = out_of_fold(codes, y, counts, 6)
    for row in range(80):
        other = y.copy()
        other[row] += 100.0
        after = out_of_fold(codes, other, counts, 6)
        assert after[row] == before[row]
        changed = np.flatnonzero(after != before)
        assert len(changed) > 60  # the prior of four folds
    rest = np.ones(80, bool)
    rest[before[:, 0] == before[0, 0]] = False  # the rows of its level and fold
    weight = counts[rest & (codes == codes[0])]
    assert weight.sum() > 0


def test_codes_at_prediction_are_those_of_all_rows():
    rng = np.random.default_rng(3)
    table = {"town": rng.choice(list("abcde"), 200).tolist(), "x": rng.normal(size=200)}
    y = np.array(["no", "yes"])[(np.array(table["town"]) == "c").astype(int)]
    pre = TablePreprocessor(encode="target").fit(table, y)
    assert pre.names_out_ == ["x", "town mean"]
    whole, folded = pre.transform(table), pre.transform_training(table, y)
    np.testing.assert_array_equal(whole[:, 0], folded[:, 0])
    assert len(np.unique(whole[:, 1])) == 5
    assert len(np.unique(folded[:, 1])) > 15
    assert np.sqrt((whole[:, 1] ** 2).mean()) == pytest.approx(1, rel=1e-6)
    share = np.array([(y[np.array(table["town"]) == t] == "yes").sum() for t in "abcde"])
    size = np.array([table["town"].count(t) for t in "abcde"])
    by_hand = (share + 10 * (y == "yes").mean()) / (size + 10)
    codes = pre.transform({"town": [*"abcde", "z"], "x": [0.0] * 6})[:, 1]
    apart = by_hand - (y == "yes").mean()
    np.testing.assert_allclose(codes[:5], apart / np.sqrt(np.average(apart**2, weights=size)), rtol=1e-5)
    assert codes[5] == pytest.approx(0, abs=1e-7)  # never seen: the prior
    np.testing.assert_array_equal(pre.fit_transform(table, y), folded)


def test_target_means_of_classes_of_numbers_and_of_several_targets():
    rng = np.random.default_rng(4)
    table = {"town": rng.choice(list("abcde"), 90).tolist()}
    shapes = {1: rng.normal(size=90), 3: rng.choice(["p", "q", "r"], 90), 2: rng.normal(size=(90, 2))}
    for k, y in shapes.items():
        pre = TablePreprocessor(encode="target").fit(table, y, sample_weight=rng.integers(0, 3, 90))
        assert pre.transform_training(table, y).shape == (90, k)
        assert np.isfinite(pre.transform({"town": [None, "?"]})).all()


def test_rows_without_weight_teach_nothing():
    rng = np.random.default_rng(6)
    table, y = {"town": rng.choice(list("abcde"), 90).tolist()}, rng.normal(size=90)
    weight = np.r_[np.ones(60), np.zeros(30)]
    other = y.copy()
    other[60:] = 1e6
    options = {"encode": "target", "select": "mutual_information"}
    one = TablePreprocessor(**options).fit(table, y, weight)
    two = TablePreprocessor(**options).fit(table, other, weight)
    assert (
        one.transform_training(table, y, weight).tobytes()
        == two.transform_training(table, other, weight).tobytes()
    )


def test_the_best_pair_is_found_among_many():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(400, 12)) + 1.0
    for y in (X[:, 3] * X[:, 8] + X[:, 0], (X[:, 3] * X[:, 8] > 1).astype(int)):
        pre = TablePreprocessor(interactions="products(1)").fit(X, y)
        assert pre.names_out_[12:] == ["x3 * x8"]
    ratio = TablePreprocessor(interactions="ratios(1)").fit(
        np.abs(X) + 0.5, (np.abs(X) + 0.5)[:, 2] / (np.abs(X) + 0.5)[:, 9]
    )
    assert ratio.names_out_[12:] == ["x2 / x9"]


def test_gains_are_those_of_least_squares():
    """The chosen product is the one with which least squares leaves least, by NumPy's solver."""
    rng = np.random.default_rng(8)
    X, y = rng.exponential(size=(200, 5)) + [0, 1, 3, 9, 27], rng.normal(size=(200, 1))
    names, counts = [f"x{i}" for i in range(5)], rng.uniform(0.5, 2, 200)
    root = np.sqrt(counts)[:, None]

    def left(pair):
        A = root * np.column_stack([np.ones(200), X, X[:, pair[0]] * X[:, pair[1]]])
        return np.linalg.lstsq(A, root * y, rcond=None)[1][0]

    expected = sorted(features.all_pairs(5), key=left)
    found = choose_terms("products(9)", names, X, X, counts, y)
    assert [term[1:] for term in found] == expected[:9]


def test_a_product_that_says_nothing_new_is_not_chosen():
    """The product with a column of 0 and 1 that is the column itself, and one that is always 0."""
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, 2, 100), rng.normal(size=100), rng.normal(size=100)]).astype(float)
    X[:, 1] *= X[:, 0]
    X[:, 2] *= 1 - X[:, 0]  # x0 x1 = x1, x0 x2 = x1 x2 = 0
    pre = TablePreprocessor(interactions="polynomial(2)", scale="none").fit(X, rng.normal(size=100))
    assert set(pre.names_out_[3:]) == {"x1^2", "x2^2"}


def test_interactions_by_name():
    table = {"rooms": [2.0, 4, 6], "a*b": [1.0, 2, 0], "word": ["u", "v", "w"]}
    pre = TablePreprocessor(interactions="chosen('rooms / a*b', 'rooms * rooms')", scale="none").fit(table)
    assert pre.names_out_[2:4] == ["rooms / a*b", "rooms^2"]
    np.testing.assert_array_equal(pre.transform(table)[:, 2:4], [[2, 4], [2, 16], [0, 36]])
    assert term_names([("r", 0, 0)], ["a"]) == ["radius"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interactions": "product"}, "did you mean 'products'"),
        ({"interactions": "products(0)"}, "a whole number from 1"),
        ({"interactions": "products(2, 3)"}, "takes"),
        ({"interactions": "chosen('a * bb')"}, "did you mean 'b'|use one of these"),
        ({"interactions": "chosen('a + b')"}, "two numeric columns"),
        ({"select": "l2"}, "did you mean 'l1'"),
        ({"select": "l1(0)"}, "whole and above 0"),
        ({"select": "l1(penalty=-1)"}, "a penalty above 0"),
        ({"select": "permutation('x')"}, "whole and above 0"),
        ({"dates": "part"}, "did you mean 'parts'"),
    ],
)
def test_wrong_options_are_one_sentence(options, said):
    with pytest.raises(ParameterError, match=said):
        TablePreprocessor(**options).fit({"a": [1.0, 2, 3], "b": [3.0, 1, 2]}, np.array([0, 1, 0]))


@pytest.mark.parametrize("option", [{"encode": "target"}, {"select": "l1"}, {"interactions": "ratios(2)"}])
def test_what_learns_from_the_target_asks_for_it(option):
    with pytest.raises(ParameterError, match="give y to fit"):
        TablePreprocessor(**option).fit({"a": [1.0, 2, 3], "b": [3.0, 1, 2]})
    with pytest.raises(DataError, match="a target for each of 3 rows"):
        TablePreprocessor(**option).fit({"a": [1.0, 2, 3], "b": [3.0, 1, 2]}, [0, 1])


def test_too_many_interactions_are_refused():
    X = np.random.default_rng(0).normal(size=(5, 100))
    with pytest.raises(DataError, match="give a number as in 'products\\(20\\)'"):
        TablePreprocessor(interactions="products").fit(X)
    with pytest.raises(DataError, match="at most 200 numeric columns"):
        TablePreprocessor(interactions="ratios(5)").fit(np.hstack([X] * 3), np.arange(5.0))


def test_dates_become_what_is_asked():
    days = {"day": np.array(["2024-01-01", "2024-06-30", "NaT"], "datetime64[us]"), "x": [1.0, 2, 3]}
    names = {how: TablePreprocessor(dates=how).fit(days).names_out_ for how in ("parts", "cyclic", "elapsed")}
    assert names["elapsed"] == ["x", "day.elapsed", "day missing"]
    assert names["cyclic"] == ["x"] + [
        f"day.{p}_{f}" for p in ("month", "weekday", "hour") for f in ("sin", "cos")
    ] + ["day missing"]
    assert set(names["parts"]) == {*names["cyclic"], *names["elapsed"], "day.year"}
    whole, turned = (
        TablePreprocessor().fit_transform(days),
        TablePreprocessor(dates="cyclic").fit_transform(days),
    )
    np.testing.assert_array_equal(whole[:, [0, *range(3, 10)]], turned)


@pytest.mark.parametrize("damage", ["terms", "kept", "means", "more levels", "centre"])
def test_absurd_states_are_refused(damage):
    rng = np.random.default_rng(0)
    table = {
        "a": rng.normal(size=40),
        "b": rng.normal(size=40),
        "town": rng.choice(list("abcde"), 40).tolist(),
    }
    pre = TablePreprocessor(encode="target", interactions="products", select="l1(3)").fit(
        table, rng.normal(size=40)
    )
    values, arrays = pre.state()
    if damage == "terms":
        values["interactions"] = [["*", 0, 7]]
    elif damage == "kept":
        values["kept"] = [0, 99]
    elif damage == "means":
        arrays["category.means.town"] = np.full_like(arrays["category.means.town"], np.nan)
    elif damage == "more levels":
        values["categories"][0][2] = [*values["categories"][0][2], "f"]
    else:
        del arrays["category.centre.town"]
    with pytest.raises(ModelFileError, match="is damaged"):
        TablePreprocessor.from_state(values, arrays)


def test_the_share_of_variance_that_filling_leaves():
    rng = np.random.default_rng(9)
    column = rng.exponential(size=500)
    gap = rng.random(500) < 0.3
    for fill in (column[~gap].mean(), np.median(column[~gap]), -2.0):
        filled = np.where(gap, fill, column)
        ratio = variance_ratio(gap.mean(), column[~gap].mean(), column[~gap].std(), fill)
        assert ratio == pytest.approx(filled.var() / column[~gap].var(), rel=1e-12)


def test_constants_and_single_rows_pass_through_everything():
    options = {"encode": "target", "interactions": "polynomial(2)", "select": "l1"}
    for table in ({"a": [1.0, 1, 1], "b": ["u", "v", "w"]}, {"a": [1.0], "b": ["u"]}):
        y = np.arange(float(len(table["a"])))
        for select in ("l1", "mutual_information", "permutation(1)"):
            pre = TablePreprocessor(**options | {"select": select})
            assert np.isfinite(pre.fit_transform(as_frame(table), y)).all()
            assert pre.transform(as_frame(table)).shape[1] >= 1
