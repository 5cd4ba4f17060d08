"""The table preprocessor: what comes out, that it is learned once, and that it survives storing."""

import json
import time

import numpy as np
import pytest

from ganglion.base.errors import DataError, ModelFileError, ParameterError
from ganglion.data import dates, encode, impute, scale
from ganglion.data.columns import as_frame
from ganglion.data.preprocess import TablePreprocessor
from ganglion.data.read import read_table
from ganglion.data.split import plain_split

WORDS = np.array(["ant", "bee", "cow", "dog", None], dtype=object)


def mixed(n=90, seed=0):
    """A table with one column of every kind."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    size[rng.random(n) < 0.2] = np.nan
    many = np.array([f"level {k}" for k in range(30)], dtype=object)
    return {
        "size": size,
        "weight": np.where(np.isnan(size), 3.0, 2 * size) + rng.normal(size=n),
        "animal": WORDS[rng.integers(0, 5, n)],
        "truth": rng.random(n) < 0.5,
        "answer": np.array(["yes", "no"], dtype=object)[rng.integers(0, 2, n)],
        "town": many[rng.integers(0, 30, n)],
        "day": (np.datetime64("2020-01-01") + rng.integers(0, 900, n)).astype("datetime64[us]"),
        "same": np.ones(n),
        "code": [f"X{i:05d}" for i in range(n)],
        "nothing": [None] * n,
        "note": [f"the customer wrote a long sentence, number {i}" for i in range(n)],
    }


def numbers(n=60, d=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * [1, 10, 0.1, 5]
    X[rng.random(X.shape) < 0.15] = np.nan
    return X


def test_layout():
    pre = TablePreprocessor()
    out = pre.fit_transform(mixed())
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert out.shape == (90, len(pre.names_out_))
    assert pre.names_out_[:4] == ["size", "weight", "day.year", "day.elapsed"]
    assert pre.names_out_[pre.n_real_ :] == ["town"]
    assert len(pre.cardinalities_) == 1
    assert out[:, -1].max() < pre.cardinalities_[0] <= 31
    assert list(pre.dropped_) == ["same", "code", "nothing", "note"]
    assert all(pre.dropped_.values())
    assert pre.kept_ == ["size", "weight", "animal", "truth", "answer", "town", "day"]
    assert "animal=cow" in pre.names_out_
    assert "size missing" in pre.names_out_
    assert pre.summary().startswith("4 categorical, 1 date, ")


def test_missing_and_unseen_categories_are_zero():
    table = mixed()
    pre = TablePreprocessor().fit(table)
    row = {name: [values[0]] for name, values in table.items()}
    row |= {"animal": ["unicorn"], "town": ["elsewhere"], "answer": [None]}
    out = dict(zip(pre.names_out_, pre.transform(row)[0]))
    assert not any(value for name, value in out.items() if name.startswith("animal="))
    assert out["town"] == 0
    assert out["answer=yes"] == 0


def test_order_extra_and_unused_columns_do_not_matter():
    table = mixed()
    pre = TablePreprocessor().fit(table)
    expected = pre.transform(table)
    other = {name: table[name] for name in reversed(list(table))} | {"extra": table["size"]}
    for unused in ("code", "note", "same"):
        del other[unused]
    np.testing.assert_array_equal(pre.transform(other), expected)
    del other["animal"]
    with pytest.raises(DataError, match="column 'animal' is expected"):
        pre.transform(other)
    with pytest.raises(DataError, match="did you mean 'sizes'"):
        pre.transform({"sizes" if name == "size" else name: values for name, values in table.items()})
    with pytest.raises(DataError, match="X has 2 features, but TablePreprocessor is expecting 11"):
        pre.transform(np.zeros((3, 2)))


def test_every_library_gives_the_same_bits():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = mixed()
    frames = [table, pd.DataFrame(table), pl.DataFrame(table), pl.DataFrame(table).to_arrow()]
    results = [TablePreprocessor().fit(frame).transform(other) for frame in frames for other in frames]
    assert len({result.tobytes() for result in results}) == 1


def test_the_rows_are_learned_once():
    """Other rows at prediction change nothing (no leak), and one row comes out as it does among many."""
    table = as_frame(mixed())
    train, held = plain_split(90, 0.3, 0)
    pre = TablePreprocessor(impute="knn").fit(table.take(train))
    together = pre.transform(table)
    np.testing.assert_array_equal(pre.transform(table.take(held)), together[held])
    np.testing.assert_array_equal(pre.transform(table.take(held[:1])), together[held[:1]])


OPTIONS = (
    [{"impute": method} for method in impute.METHODS]
    + [{"scale": method} for method in scale.METHODS]
    + [{"encode": method} for method in encode.METHODS]
    + [{"indicators": False, "max_onehot": 3, "integer_levels": 4, "neighbors": 2}]
    + [{"dates": method} for method in dates.METHODS]
    + [{"interactions": "polynomial"}, {"interactions": "ratios(3)"}, {"select": "mutual_information(5)"}]
    + [{"interactions": "radius", "select": "mutual_information", "dates": "cyclic"}]
)
CLASSES = np.random.default_rng(5).integers(0, 3, 90)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_state_gives_the_same_bits(options):
    table = mixed() | {"few": np.arange(90) % 3}
    pre = TablePreprocessor(**options).fit(table, CLASSES)
    expected = pre.transform(table)
    values, arrays = pre.state()
    assert all(isinstance(array, np.ndarray) and array.dtype.kind in "fi" for array in arrays.values())
    again = TablePreprocessor.from_state(json.loads(json.dumps(values, allow_nan=False)), arrays)
    assert again.transform(table).tobytes() == expected.tobytes()
    assert again.names_out_ == pre.names_out_
    assert again.dropped_ == pre.dropped_
    assert again.cardinalities_ == pre.cardinalities_
    assert (again.unselected_, again.unused_, again.changes()) == (
        pre.unselected_,
        pre.unused_,
        pre.changes(),
    )
    assert (
        again.transform_training(table, CLASSES).tobytes() == pre.transform_training(table, CLASSES).tobytes()
    )
    assert again.summary() == pre.summary()
    assert again.schema_differences(table) == []


def damaged(values, arrays, rng):
    """One random change of a stored state."""
    values, arrays = json.loads(json.dumps(values)), dict(arrays)
    if rng.random() < 0.4:
        name = rng.choice(sorted(arrays))
        if rng.random() < 0.3:
            del arrays[name]
        else:
            arrays[name] = [arrays[name][:1], arrays[name].astype(str), np.zeros(0), arrays[name] * np.nan][
                rng.integers(4)
            ]
        return values, arrays
    target, key = values, rng.choice(sorted(values))
    while rng.random() < 0.6 and isinstance(target[key], (dict, list)) and len(target[key]):
        target = target[key]
        key = rng.choice(sorted(target)) if isinstance(target, dict) else int(rng.integers(len(target)))
    target[key] = [None, "spell", -1, [], {}, [1, "x"], 1e9][rng.integers(7)]
    return values, arrays


def test_damaged_states_are_one_sentence():
    table = mixed()
    rich = {"encode": "target", "interactions": "products", "select": "mutual_information(9)"}
    stored = [
        TablePreprocessor(impute=method, **more).fit(table, CLASSES).state()
        for method, more in (("median", {}), ("knn", {}), ("iterative", {}), ("mean", rich), ("median", rich))
    ]
    rng = np.random.default_rng(0)
    refused = 0
    for i in range(400):
        values, arrays = damaged(*stored[i % 5], rng)
        try:
            TablePreprocessor.from_state(values, arrays)
        except ModelFileError as error:
            refused += "\n" not in str(error)
    assert refused > 200


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_weights_are_repeated_rows(options):
    table = as_frame(mixed() | {"few": np.arange(90) % 3})
    counts = np.random.default_rng(1).integers(0, 4, 90)
    repeated = table.take(np.repeat(np.arange(90), counts))
    weighted = TablePreprocessor(**options).fit(table, CLASSES, sample_weight=counts)
    plain = TablePreprocessor(**options).fit(repeated, np.repeat(CLASSES, counts))
    assert weighted.names_out_ == plain.names_out_
    np.testing.assert_allclose(weighted.transform(table), plain.transform(table), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", scale.METHODS)
def test_weights_are_repeated_rows_as_scikit_learn_checks(method):
    """The data of scikit-learn's own check, to its tolerance."""
    rng = np.random.RandomState(42)
    X = rng.rand(15, 30)
    rng.randint(0, 3, size=15)
    weight = rng.randint(0, 5, size=15)
    one = TablePreprocessor(scale=method).fit(X, sample_weight=weight).transform(X)
    other = TablePreprocessor(scale=method).fit(X.repeat(weight, axis=0)).transform(X)
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_fractional_weights_do_not_depend_on_their_scale():
    X, weight = numbers(), np.random.default_rng(0).uniform(0.1, 1, 60)
    one = TablePreprocessor().fit(X, sample_weight=weight).transform(X)
    other = TablePreprocessor().fit(X, sample_weight=weight * 0.25).transform(X)
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weight", [np.ones(3), [-1] + [1] * 59, [np.nan] + [1] * 59, np.zeros(60)])
def test_wrong_weights(weight):
    with pytest.raises(DataError, match="sample weights are expected"):
        TablePreprocessor().fit(numbers(), sample_weight=weight)


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.zeros((0, 3)), r"0 sample\(s\)"),
        (np.zeros((3, 0)), r"0 feature\(s\)"),
        ({"a": [None, None]}, "'a': all its cells are missing"),
        ({"a": [f"c{i}" for i in range(50)]}, "identifier"),
        ({"a": [1.0, np.inf]}, "column 'a' holds infinity"),
        (np.array([[1.0], [-np.inf]]), "column 'x0'"),
    ],
)
def test_tables_that_cannot_be_learned_from(X, said):
    with pytest.raises(DataError, match=said):
        TablePreprocessor().fit(X)


def test_infinity_at_prediction_names_the_column():
    pre = TablePreprocessor().fit({"a": [1.0, 2, 3], "b": [3.0, 4, 6]})
    with pytest.raises(DataError, match="column 'b'"):
        pre.transform({"a": [1.0], "b": [np.inf]})
    raw = TablePreprocessor(scale="none").fit({"a": [1.0, 2, 3]})
    with pytest.raises(DataError, match="column 'a'"):
        raw.transform({"a": [1e60]})


@pytest.mark.parametrize("X", [np.ones((5, 2)), np.ones((1, 3)), {"a": ["x", "x"]}, {"a": [1.5, 2.5]}])
def test_constants_one_row_and_one_column_still_work(X):
    out = TablePreprocessor().fit_transform(X)
    assert np.isfinite(out).all()
    assert out.shape[1] >= 1


@pytest.mark.parametrize("name", ["impute", "scale", "encode", "dates", "interactions", "select"])
def test_options_are_checked_at_fit(name):
    with pytest.raises(ParameterError, match=r"did you mean|use one of these"):
        TablePreprocessor(**{name: "medain"}).fit(numbers())
    for bad in ({"max_onehot": -1}, {"neighbors": 0}, {"integer_levels": 1.5}):
        with pytest.raises(ParameterError, match="whole number"):
            TablePreprocessor(**bad).fit(numbers())


def test_differences_are_said():
    table = mixed(400)
    pre = TablePreprocessor().fit(table)
    assert pre.schema_differences(mixed(400, seed=1)) == []
    new = mixed(400, seed=2)
    new["size"] = new["size"] + 2
    new["weight"] = ["much"] * 40 + [f"{v:.3f}" for v in new["weight"][40:]]
    new["animal"][:5] = "emu"
    new["answer"] = ["yes"] * 400
    new["town"] = [None] * 200 + list(new["town"][200:])
    new["day"] = new["day"] + np.timedelta64(3000, "D")
    del new["truth"]
    said = " | ".join(pre.schema_differences(new))
    for words in (
        "mean of column 'size' moved",
        "40 cells that are no number",
        "'emu' in 5 rows",
        "'truth' is",
    ):
        assert words in said
    for words in ("'answer' shifted", "'town' is missing in 50%", "'day' moved by "):
        assert words in said
    assert pre.schema_differences(np.zeros((2, 2))) == ["the table has 2 columns where training had 11"]


def test_numbers_met_as_text_and_text_met_as_numbers():
    pre = TablePreprocessor().fit({"a": ["1", "2", "x", "2"], "b": [1.5, 2.5, 9.0, 4.0]})
    as_text = pre.transform({"a": ["2"], "b": ["2.5"]})
    np.testing.assert_array_equal(pre.transform({"a": [2], "b": [2.5]}), as_text)


def test_what_a_library_calls_a_category_is_one():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    table = pd.DataFrame({"grade": pd.Categorical([3, 1, 2, None] * 9), "size": np.arange(36.0)})
    pre = TablePreprocessor().fit(table)
    assert pre.names_out_ == ["size", "grade=1", "grade=2", "grade=3"]
    expected = pre.transform(table)
    np.testing.assert_array_equal(
        pre.transform({"grade": [3, 1, 2, None] * 9, "size": np.arange(36)}), expected
    )
    words = pl.DataFrame({"code": pl.Series(["10", "20"] * 9, dtype=pl.Enum(["10", "20"]))})
    assert TablePreprocessor().fit(words).names_out_ == ["code=20"]


def test_a_wide_matrix_takes_no_more_a_column_than_a_narrow_one():
    seconds = {}
    for n in (25_000, 100_000):
        X = np.random.default_rng(0).normal(size=(4, n))
        start = time.process_time()
        assert TablePreprocessor(scale="standard").fit_transform(X).shape == X.shape
        seconds[n] = time.process_time() - start
    assert seconds[100_000] < 8 * seconds[25_000]  # 4 where it grows with the columns, 16 with their square


def test_iterative_imputing_refuses_hundreds_of_columns():
    X = np.random.default_rng(0).normal(size=(10, 400))
    with pytest.raises(DataError, match="at most 100 numeric columns"):
        TablePreprocessor(impute="iterative").fit(X)


@pytest.mark.alone
def test_adult_is_quick(real_table):
    frame = read_table(real_table("adult_train")).drop(["column_15"])
    frame = frame.take(np.arange(48_842) % len(frame))
    pre = TablePreprocessor().fit(frame)
    start = time.perf_counter()
    out = pre.transform(frame)
    assert time.perf_counter() - start < 0.3
    assert np.isfinite(out).all()
    assert pre.summary().startswith("8 categorical, ")
