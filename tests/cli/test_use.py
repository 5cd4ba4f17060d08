"""``predict``, ``evaluate``, ``diagnose``, ``report``, ``list``, ``doctor`` on tables as they come."""

import csv
import io
import json
import shutil

import pytest

from ganglion.cli.main import main

JOBS = ["cook", "nurse", "smith"]


@pytest.fixture
def new(tmp_path):
    """The same people again, in another order of columns and with one more."""
    lines = [
        "extra,y,job,age,id",
        *(f"{i},rich,{JOBS[i % 3]},{20 + i},n{i}" for i in range(40)),
    ]
    path = tmp_path / "new.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def parsed(text):
    return list(csv.reader(io.StringIO(text)))


def test_predict_prints_csv_with_formulas_quoted(run, model, new):
    said = run("predict", model, new, "--proba")
    head, *rows = parsed(said.out)
    assert head == ["predicted y", "probability of =poor", "probability of rich"]
    assert len(rows) == 40
    assert {row[0] for row in rows} <= {"'=poor", "rich"}
    assert all(abs(float(a) + float(b) - 1) < 1e-5 for _, a, b in rows)


def test_the_order_of_columns_and_strangers_among_them_change_nothing(run, model, new, tmp_path):
    head, *rows = parsed(new.read_text())
    order = [head.index(name) for name in ("id", "age", "job")]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(",".join(row[i] for i in order) for row in [head, *rows]) + "\n")
    assert run("predict", model, new).out == run("predict", model, other).out


def test_a_column_that_is_not_used_may_be_missing(run, model, new, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("\n".join(",".join(row[2:4]) for row in parsed(new.read_text())) + "\n")
    assert run("predict", model, other).out == run("predict", model, new).out


def test_a_column_that_is_used_may_not_be_missing(run, model, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("agee,id\n30,a\n40,b\n")
    said = run("predict", model, other)
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "column 'age' is needed and 1 more" in said.err
    assert "did you mean 'agee'?" in said.err


def test_unseen_categories_and_drift_are_noted(run, model, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("age,job,id\n" + "".join(f"{400 + i},pilot,k{i}\n" for i in range(50)))
    said = run("predict", model, other)
    noted = said.err.replace("\n  ", " ")
    assert said.code == 0
    assert "column 'job' holds 'pilot' in 50 rows, never seen in training" in noted
    assert "the mean of column 'age' moved" in noted
    assert len(parsed(said.out)) == 51


def test_predict_into_a_file(run, model, new, tmp_path):
    out = tmp_path / "out.csv"
    said = run("predict", model, new, "-o", out)
    assert said.out == ""
    assert f"wrote {out} (40 rows)" in said.err
    assert out.read_text() == run("predict", model, new, "-o", "-").out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("new.csv", "would take the place of what is read"),
        ("out.parquet", "written as CSV"),
        ("no/out.csv", "does not exist"),
    ],
)
def test_places_for_predictions_that_are_refused(run, model, new, tmp_path, name, words):
    before = new.read_bytes()
    said = run("predict", model, new, "-o", tmp_path / name)
    assert said.code == 2
    assert words in said.err
    assert new.read_bytes() == before


def test_predict_as_json(run, model, new):
    answer = json.loads(run("predict", model, new, "--proba", "--json").out)
    assert set(answer["rows"][0]) == {"predicted y", "probability of =poor", "probability of rich"}


def test_evaluate(run, model, table):
    said = run("evaluate", model, table)
    assert said.out.splitlines()[0] == "300 rows of people.csv, target y"
    assert said.out.splitlines()[1].split()[0] == "accuracy"
    answer = json.loads(run("evaluate", model, table, "--json").out)
    low, high = answer["interval"]
    assert low < answer["scores"]["accuracy"] < high
    assert answer["rows"] == 300


def test_labels_with_a_final_dot_and_gaps_are_the_same_labels(run, model, table, tmp_path):
    dotted = tmp_path / "dotted.csv"
    lines = table.read_text().splitlines()
    dotted.write_text("\n".join([lines[0], *(line + "." for line in lines[1:]), "30,cook,k,?"]) + "\n")
    assert (
        run("evaluate", model, dotted).out.split("\n", 1)[1]
        == run("evaluate", model, table).out.split("\n", 1)[1]
    )


def test_evaluate_names_what_is_wrong(run, model, table, new, tmp_path):
    renamed = tmp_path / "renamed.csv"
    renamed.write_text(table.read_text().replace("age,job,id,y", "age,job,id,truth"))
    assert "has no column 'y' to compare with" in run("evaluate", model, renamed).err
    assert run("evaluate", model, renamed, "-t", "truth").code == 0
    assert "is expected, but row 1 is '" in run("evaluate", model, table, "-t", "job").err
    assert "got 2 names" in run("evaluate", model, table, "-t", "age,y").err


def test_a_file_without_names_of_columns(run, tmp_path):
    lines = [f"{i % 9},{'ab'[i % 2]},{'no' if i % 2 else 'yes'}" for i in range(60)]
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_text("\n".join(lines) + "\n")
    test.write_text(lines[0] + ".\n" + lines[1] + ".\n")  # two rows, which could be a header and a row
    flags = ["--max-epochs", "5", "--hidden-layer-sizes", "8", "--no-baselines", "--no-report", "-q"]
    assert run("fit", train, "-t", "column_3", *flags).code == 0
    said = run("evaluate", tmp_path / "train.ganglion", test)
    assert said.out.startswith("2 rows of test.csv, target column_3")


def test_several_targets(run, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("x,a,b\n" + "".join(f"{i},{2 * i},{-i}.5\n" for i in range(80)))
    flags = ["--max-epochs", "5", "--hidden-layer-sizes", "8", "--no-baselines", "-q"]
    assert run("fit", path, "-t", "a,b", *flags).code == 0
    model = tmp_path / "two.ganglion"
    assert parsed(run("predict", model, path).out)[0] == ["predicted a", "predicted b"]
    assert "target a, b" in run("evaluate", model, path).out
    assert run("predict", model, path, "--proba").code == 2
    assert run("report", model, path).code == 0


def test_diagnose(run, model):
    said = run("diagnose", model)
    assert said.out.startswith("people.ganglion: MLPClassifier with ")
    assert json.loads(run("diagnose", model, "--json").out)["findings"][0]["name"]


def test_report_of_a_model_on_a_table(run, model, table, tmp_path):
    out = tmp_path / "page.html"
    said = run("report", model, table, "-o", out)
    assert said.code == 0
    assert said.out == f"wrote {out}\n"
    page = out.read_text()
    assert "if the network was trained on them" in page
    assert "ganglion fit people.csv --target y --max-epochs 8 --hidden-layer-sizes 16" in page
    assert run("report", model, table, "-o", table).code == 2


def test_list_names_models_and_what_cannot_be_read(run, model, tmp_path):
    shutil.copy(model, tmp_path / "a.ganglion")
    (tmp_path / "b.ganglion").write_bytes(b"\x80\x04 not one")
    said = run("list", tmp_path)
    first, second, *_ = said.out.splitlines()
    assert first.startswith("a.ganglion  y  accuracy 0.")
    assert second.startswith("b.ganglion  is ")
    answer = json.loads(run("list", tmp_path, "--json").out)
    assert [len(answer["models"]), len(answer["broken"])] == [1, 1]
    assert run("list", tmp_path / "a.ganglion").code == 2
    (tmp_path / "empty").mkdir()
    assert "no *.ganglion files" in run("list", tmp_path / "empty").out


def test_doctor(run, monkeypatch):
    monkeypatch.setattr("ganglion.cli.doctor.SECONDS", 0.3)
    said = run("doctor")
    assert said.code == 0
    assert "torch " in said.out
    assert "steps in" in said.out
    assert json.loads(run("doctor", "--json").out)["smoke_test"]["steps"] > 0


def test_a_reader_that_has_gone_is_no_error(model, table, monkeypatch):
    def gone(*_):
        raise BrokenPipeError

    monkeypatch.setattr("ganglion.cli.use.write_plain", gone)
    monkeypatch.setattr("os.dup2", lambda *_: None)
    assert main(["predict", str(model), str(table)]) == 0
