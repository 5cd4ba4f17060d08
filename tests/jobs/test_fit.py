"""``ganglion.fit``: the same result from any table, nothing learned from test rows, files that say the truth."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ganglion
from ganglion.base.errors import DataError, GanglionError, ParameterError
from ganglion.base.files import read_model
from ganglion.data.target import infer_task
from ganglion.jobs.opened import open_model
from ganglion.jobs.table import open_job, suggest_targets
from ganglion.jobs.use import evaluated, predicted, result_on

QUICK = {"max_epochs": 6, "hidden_layer_sizes": (16,), "compare": False}


def columns(n=240, seed=0):
    """Columns of every kind, and a target that follows some of them."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n).astype(float)
    job = rng.choice(["cook", "nurse", "smith"], n)
    rich = age + 20 * (job == "nurse") + rng.normal(0, 5, n) > 55
    age[rng.random(n) < 0.1] = np.nan
    day = np.datetime64("2020-01-01") + rng.integers(0, 900, n)
    return {"age": age, "job": job.astype(object), "day": day.astype(str).astype(object),
            "rich": np.where(rich, "yes", "no").astype(object)}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return pd.DataFrame(columns())


@pytest.fixture(scope="module")
def result(table):
    return ganglion.fit(table, "rich", max_epochs=12, hidden_layer_sizes=(16,))


def as_files(table, folder):
    table.to_csv(folder / "t.csv", index=False)
    table.to_csv(folder / "t.tsv", index=False, sep="\t")
    table.to_csv(folder / "t.csv.gz", index=False)
    pq.write_table(pa.Table.from_pandas(table, preserve_index=False), folder / "t.parquet")
    rows = [{k: None if v != v else v for k, v in row.items()} for row in table.to_dict("records")]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return [folder / name for name in ("t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.jsonl")]


def test_the_same_table_in_any_form_gives_the_same_network(table, tmp_path):
    given = {name: column.tolist() for name, column in table.items()}
    forms = [table, pl.DataFrame(given), pa.Table.from_pandas(table), given, *as_files(table, tmp_path)]
    found = [ganglion.fit(form, "rich", **QUICK).scores for form in forms]
    assert all(scores == found[0] for scores in found)


def test_the_same_call_gives_the_same_bits(table):
    weights = [ganglion.fit(table, "rich", **QUICK).estimator._weights() for _ in range(2)]
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_scores_stand_beside_those_of_the_baselines(result):
    assert [model.name for model in result.models] == ["network", "dummy", "linear", "trees"]
    assert result.scores["accuracy"] > result.models[1].scores["accuracy"]
    assert all(m.interval[0] <= m.scores[result.metric] <= m.interval[1] for m in result.models)
    assert len(result.train) + len(result.test) == 240
    assert not set(result.train) & set(result.test)


def test_saved_and_opened_it_says_the_same(result, table, tmp_path):
    path = result.save(tmp_path / "m.ganglion")
    opened = open_model(path)
    assert opened.targets == ["rich"]
    assert predicted(opened, table).columns[0] == result.predict(table.drop(columns="rich")).tolist()
    test = table.iloc[result.test]
    assert evaluated(opened, test).scores["accuracy"] == result.scores["accuracy"]
    card = read_model(path).card
    assert card["models"][0]["scores"]["accuracy"] == result.scores["accuracy"]
    assert card["rows"] == {"train": 192, "test": 48}


def test_the_report_stands_alone_and_names_what_happened(result, tmp_path):
    page = result.report(tmp_path / "r.html").read_text()
    assert "<script" not in page
    assert "ganglion.fit(&#39;data.csv&#39;, target=&#39;rich&#39;, max_epochs=12" in page
    for words in (
        "one input per level",
        "gaps filled with the median and marked",
        "year, day, season",
        "kept aside",
    ):
        assert words in page


def test_a_report_of_an_opened_model_shows_how_it_was_made(result, table, tmp_path):
    opened = open_model(result.save(tmp_path / "m.ganglion"))
    page = result_on(opened, table).report(tmp_path / "r.html").read_text()
    assert "--max-epochs 12 --hidden-layer-sizes 16" in page
    assert "ganglion predict m.ganglion new.csv" in page


def test_what_only_test_rows_hold_is_unseen(table):
    marked = ganglion.fit(table, "rich", **QUICK)
    changed = table.copy()
    changed.loc[marked.test, "job"] = "astronaut"
    changed.loc[marked.test, "age"] = 1e6
    again = ganglion.fit(changed, "rich", **QUICK)
    assert np.array_equal(again.test, marked.test)
    schema = {c.name: c for c in again.estimator.preprocessor_.schema_}
    assert "astronaut" not in schema["job"].levels
    assert schema["age"].max < 100
    weights = marked.estimator._weights()
    assert all(np.array_equal(value, weights[name]) for name, value in again.estimator._weights().items())


def test_targets_of_test_rows_teach_nothing():
    given = columns()
    given["value"] = np.random.default_rng(0).normal(size=240)
    first = ganglion.fit(given, "value", **QUICK)
    given["value"] = given["value"].copy()
    given["value"][first.test] += 1e6
    weights = first.estimator._weights()
    again = ganglion.fit(given, "value", **QUICK).estimator._weights()
    assert all(np.array_equal(value, weights[name]) for name, value in again.items())


def test_the_task_can_be_decided(table):
    table = table.assign(grade=np.arange(240) % 5)
    assert ganglion.fit(table, "grade", **QUICK).job.task.kind == "multiclass"
    result = ganglion.fit(table, "grade", task="regression", **QUICK)
    assert result.job.task.kind == "regression"
    assert result.metric == "r2"
    with pytest.raises(ParameterError, match="did you mean 'regression'"):
        ganglion.fit(table, "grade", task="regresion")


def test_several_targets(table):
    table = table.assign(a=table.age.fillna(0), b=-table.age.fillna(0))
    result = ganglion.fit(table.drop(columns="age"), ["a", "b"], **QUICK)
    assert result.predict(table).shape == (240, 2)
    assert result.job.target == "a, b"


def test_rows_without_a_target_are_left_out_and_keep_their_numbers(table):
    table = table.copy()
    table.loc[:9, "rich"] = None
    result = ganglion.fit(table, "rich", **QUICK)
    assert "10 rows without a target were left out" in result.job.notes
    assert result.job.rows[0] == 10


def test_columns_can_be_ignored(table):
    result = ganglion.fit(table, "rich", ignore=["day"], **QUICK)
    assert list(result.estimator.feature_names_in_) == ["age", "job"]
    with pytest.raises(DataError, match="did you mean 'day'"):
        ganglion.fit(table, "rich", ignore=["dai"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"test_fraction": 0}, "test_fraction must be a share"),
        ({"time_limit": 0}, "time_limit must be seconds"),
        ({"lr": -1}, "lr must be a number above 0"),
        ({"learning_rate": 1}, "parameter 'learning_rate' is not known"),
        ({"group": "job", "time_column": "day"}, "give one of them"),
    ],
)
def test_wrong_options_are_one_sentence(table, options, said):
    with pytest.raises(GanglionError, match=said) as caught:
        ganglion.fit(table, "rich", **options)
    assert "\n" not in str(caught.value)


def test_a_time_limit_holds_for_the_whole_job():
    rng = np.random.default_rng(0)
    given = {f"x{i}": rng.normal(size=20_000) for i in range(10)} | {"y": rng.integers(0, 2, 20_000)}
    result = ganglion.fit(given, "y", time_limit=3, max_epochs=10_000, patience=10_000)
    assert result.estimator.record_.stopped == "time"
    assert result.estimator.record_.seconds < 3
    assert len(result.models) == 4


def test_targets_are_suggested_by_name_then_from_the_end():
    frame = open_job({"price": [1.5, 2] * 5, "a": list("xy") * 5, "b": range(10)}, "b").frame
    assert suggest_targets(frame)[0] == "price"


def test_the_leading_score_follows_the_balance():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    rare = ganglion.fit({"x": x, "y": (x > 1.3).astype(int)}, "y", **QUICK)
    assert rare.metric == "auc"
    assert infer_task(rare.job.y).kind == "binary"


def test_the_report_says_what_was_made_and_dropped(table, tmp_path):
    made = {
        "encode": "target",
        "interactions": "squares",
        "select": "mutual_information(4)",
        "dates": "elapsed",
    }
    result = ganglion.fit(
        table.assign(noise=np.arange(240) % 7), "rich", **{**QUICK, "compare": True}, **made
    )
    said = result.estimator.preprocessor_.changes()
    assert list(said) == ["made by interactions=squares", "categories as means of the target",
                          "inputs dropped by select=mutual_information(4)"]  # fmt: skip
    page = result.report(tmp_path / "r.html").read_text()
    assert "dropped by select=mutual_information(4)" in page
    assert "age^2" in page
    assert "by folds that do not hold the row" in page
    again = open_model(result.save(tmp_path / "m.ganglion"))
    assert predicted(again, table.assign(noise=1.0)) is not None
    assert result.estimator.feature_names_in_.tolist() == ["age", "job", "day", "noise"]


def test_baselines_are_not_told_the_target_of_their_rows_either():
    """Rare words that say nothing: the linear baseline loses little by their target means, and much by naive ones."""
    rng = np.random.default_rng(0)
    words, x = [f"w{i}" for i in rng.integers(0, 600, 1800)], rng.normal(size=1800)
    table = pd.DataFrame({"word": words, "x": x, "y": np.where(x + rng.normal(size=1800) > 0, "yes", "no")})
    options = {**QUICK, "compare": True, "encode": "target", "scale": "standard"}
    found = ganglion.fit(table, "y", **options)
    linear = next(model for model in found.models if model.name == "linear")
    alone = next(
        m for m in ganglion.fit(table.drop(columns="word"), "y", **options).models if m.name == "linear"
    )
    assert linear.scores["accuracy"] > alone.scores["accuracy"] - 0.03
