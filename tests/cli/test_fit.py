"""``ganglion fit`` and ``demo``: what they print, what they write, and what they refuse before any work."""

import json
import os
import re
import sys

import pytest

QUICK = ["--max-epochs", "8", "--hidden-layer-sizes", "16"]
BARE = [*QUICK, "--no-baselines", "--no-report"]


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


def test_what_it_prints_and_writes(run, table, tmp_path):
    said = run("fit", table, "-t", "y", "-o", tmp_path / "m.ganglion", *QUICK)
    assert said.code == 0
    lines = said.out.splitlines()
    plan = " ".join(line.strip() for line in lines[:2])
    assert re.match(
        r"300 rows × 3 columns, 1 categorical, \d+ missing, 1 left out -> binary classification, classes",
        plan,
    )
    assert max(map(len, said.out.splitlines() + said.err.splitlines())) <= 80 + len(str(tmp_path))
    for name in ("network", "dummy", "linear", "trees"):
        assert re.search(rf"^  {name} +\d\.\d{{4}}  \(\d\.\d+ to \d\.\d+\)$", said.out, re.M)
    assert re.search(r"^(ok|warning|error|note): ", said.out, re.M)
    assert lines[-2:] == [f"wrote {tmp_path / 'm.ganglion'}", f"wrote {tmp_path / 'm.html'}"]
    assert "column 'id' is left out: an identifier" in said.err.replace("\n  ", " ")
    assert "trained 8 epochs" in said.err
    assert files(tmp_path) == ["m.ganglion", "m.html"]


def test_a_second_fit_takes_the_place_of_the_first_at_once(run, table, tmp_path, monkeypatch):
    out = tmp_path / "m.ganglion"
    assert run("fit", table, "-t", "y", "-o", out, *BARE).code == 0
    first, moves = out.read_bytes(), []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: (moves.append(os.path.basename(b)), real(a, b)))
    assert run("fit", table, "-t", "y", "-o", out, *BARE, "--seed", "1").code == 0
    assert moves == ["m.ganglion"]
    assert out.read_bytes() != first
    assert files(tmp_path) == ["m.ganglion"]


def test_json_is_strict_and_alone(run, table, tmp_path):
    said = run("fit", table, "-t", "y", "-o", tmp_path, *QUICK, "--json")
    answer = json.loads(said.out, parse_constant=lambda word: pytest.fail(word))
    assert not said.err
    assert answer["target"] == ["y"]
    assert [m["name"] for m in answer["models"]] == ["network", "dummy", "linear", "trees"]
    assert answer["files"] == [str(tmp_path / "people.ganglion"), str(tmp_path / "people.html")]
    assert answer["diagnosis"][0]["meaning"]


def test_quiet_is_quiet(run, table, tmp_path):
    said = run("fit", table, "-t", "y", "-o", tmp_path, *BARE, "-q")
    assert (said.code, said.out, said.err) == (0, "", "")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "--target names the column to predict, none was given; likely here: y,"),
        (["-t", "z"], "column 'z' is expected"),
        (["-t", "agee"], "did you mean 'age'?"),
        (["-t", "y", "-o", "no/such/folder/m"], "the folder no/such/folder does not exist"),
        (["-t", "y", "--ignore", "jobb"], "did you mean 'job'?"),
        (["-t", "id"], "it looks like an identifier"),
        (["-t", "y", "--task", "regression"], "numbers are expected for regression"),
        (["-t", "y", "--task", "classfication"], "did you mean 'classification'?"),
    ],
)
def test_refused_before_torch_is_needed(run, table, flags, words, monkeypatch):
    monkeypatch.setitem(sys.modules, "ganglion.jobs.fit", None)  # importing it would fail
    said = run("fit", table, *flags)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lr", "fast"], "lr must be a number above 0, got 'fast'"),
        (["--optimizer", "adamm"], "did you mean 'adam'?"),
        (["--time-limit", "-3"], "time_limit must be seconds, more than 0, got -3.0"),
        (["--test-fraction", "1.5"], "test_fraction must be a share between 0 and 1, got 1.5"),
        (["--group", "jop"], "did you mean 'job'?"),
        (["--time", "job"], "'job' is a category column"),
        (["--group", "job", "--time", "age"], "give one of them"),
        (["--hidden-layer-sizes", "8,x"], "hidden_layer_sizes must be"),
        (["--resume"], "checkpoint"),
        (["--activation", "reluu"], "did you mean 'relu'?"),
        (
            ["--activation", "maxout(100000000)"],
            "maxout's pieces must be a whole number at least 2 and at most 100",
        ),
        (["--loss", "huber(-1)"], "loss 'huber' is not known"),
        (["--loss", "focal(-1)"], "gamma of focal must be a number at least 0, got -1"),
        (["--schedule", "step(0)"], "step: every must be a number at least 1, got 0"),
        (["--norm", "batch", "--batch-size", "1"], "batch normalisation needs batch_size of at least 2"),
        (["--norm", "group(0)"], "group's groups must be a whole number at least 1, got 0"),
        (["--optimizer", "sam+lbfgs"], "optimizer 'sam+lbfgs' is not known"),
        (["--optimizer", "adam(amsgrad=7)"], "adam: amsgrad must be True or False, got 7"),
        (["--optimizer", "adam(eps=1e999)"], "adam: eps must be a number above 0, got inf"),
        (["--init", "normal(1e308)"], "numbers beyond 1e+30 overflow"),
        (["--average", "ema(1)"], "ema: decay must be a number at least 0 and below 1, got 1"),
        (["--select", "l1(0)"], "the number of columns is expected to be whole and above 0, got 0"),
        (["--interactions", "products(-1)"], "a whole number from 1 is expected, got -1"),
        (["--max-norm", "1e300"], "max_norm must be a number above 0 or None, got 1e+300"),
        (["--lr", "none"], "lr must be a number above 0, got 'none'"),
        (["--preprocess", "none"], "preprocess='none' expects a table of finite numbers"),
    ],
)
def test_refused_before_training(run, table, tmp_path, flags, words):
    said = run("fit", table, "-t", "y", "-o", tmp_path, "-q", *flags)
    assert said.code == 2
    assert words in said.err
    assert said.err.count("\n") == 1
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    "flag", ["--activation=maxout(0)", "--schedule=step(0)", "--optimizer=lion(2)", "--select=l1(0)"]
)
def test_numbers_in_brackets_are_refused_before_anything_is_said(run, table, tmp_path, flag):
    said = run("fit", table, "-t", "y", "-o", tmp_path, flag)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_none_is_a_word_where_it_is_one(run, tmp_path):
    path = tmp_path / "numbers.csv"
    path.write_text("a,y\n" + "".join(f"{i % 9},{['no', 'yes'][i % 9 > 4]}\n" for i in range(60)))
    flags = ["--preprocess", "none", "--scale", "none", "--norm", "none"]
    assert run("fit", path, "-t", "y", *BARE, *flags).code == 0
    assert run("predict", tmp_path / "numbers.ganglion", path).code == 0


def test_places_that_are_refused(run, table, tmp_path):
    page = tmp_path / "data.html"
    page.write_text(table.read_text())
    assert "would take the place of what is read" in run("fit", page, "-t", "y", "-o", tmp_path / "data").err
    (tmp_path / "m.ganglion").mkdir()
    (tmp_path / "m.ganglion" / "people.ganglion").mkdir()
    assert "is a folder" in run("fit", table, "-t", "y", "-o", tmp_path / "m.ganglion").err
    said = run("fit", table, "-t", "y", "-o", "/proc/m")
    assert (said.code, "cannot be written" in said.err) == (2, True)
    assert page.read_text() == table.read_text()


def test_flags_reach_the_estimator(run, table, tmp_path):
    import ganglion

    out = tmp_path / "m.ganglion"
    flags = [
        "--lr",
        "0.01",
        "--hidden-layer-sizes",
        "8,4",
        "--no-early-stopping",
        "--balanced",
        "--seed",
        "5",
    ]
    assert run("fit", table, "-t", "y", "-o", out, *BARE[4:], "--max-epochs", "2", *flags).code == 0
    model = ganglion.load(out)
    assert (model.lr, model.hidden_layer_sizes, model.early_stopping) == (0.01, (8, 4), False)
    assert (model.class_weight, model.random_state) == ("balanced", 5)


def test_heal_says_before_and_after(run, table, tmp_path):
    said = run(
        "fit", table, "-t", "y", "-o", tmp_path, *BARE[2:], "--max-epochs", "15", "--lr", "1e-6", "--heal"
    )
    assert said.code == 0
    assert "training again with lr 1e-06 -> " in said.out
    assert re.search(r"validation accuracy before 0\.\d+, after 0\.\d+ \(kept\)", said.out)


def test_interrupting_keeps_what_there_is(run, table, tmp_path, monkeypatch):
    from ganglion.train.progress import Progress

    def stop(self, run, row):
        if run.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "epoch", stop)
    said = run("fit", table, "-t", "y", "-o", tmp_path, *QUICK)
    assert said.code == 0
    assert "training was interrupted: the best weights so far are kept" in said.err.replace("\n  ", " ")
    assert "dummy" not in said.out
    assert files(tmp_path) == ["people.ganglion", "people.html"]


@pytest.mark.parametrize(
    ("place", "said_so", "written"),
    [
        (
            "ganglion.jobs.judge.run_baselines",
            "the baselines were interrupted",
            ["people.ganglion", "people.html"],
        ),
        ("ganglion.jobs.page.render", "the report was interrupted", ["people.ganglion"]),
    ],
)
def test_what_was_trained_is_never_lost(run, table, tmp_path, monkeypatch, place, said_so, written):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(place, stop)
    said = run("fit", table, "-t", "y", "-o", tmp_path, *QUICK)
    assert said.code == 0
    assert said_so in said.err
    assert "network" in said.out
    assert files(tmp_path) == written


def test_interrupting_elsewhere_ends_with_130(run, table, tmp_path, monkeypatch):
    import ganglion.jobs.table

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(ganglion.jobs.table, "infer_task", stop)
    said = run("fit", table, "-t", "y", "-o", tmp_path)
    assert (said.code, said.out) == (130, "")
    assert said.err == "ganglion: interrupted before anything was written.\n"
    assert files(tmp_path) == []


def test_a_fault_of_ours_is_no_traceback(run, table, monkeypatch):
    import ganglion.jobs.table

    def fail(*_):
        raise RuntimeError("of\nours")

    monkeypatch.setattr(ganglion.jobs.table, "infer_task", fail)
    said = run("fit", table, "-t", "y")
    assert said.code == 1
    assert said.err.startswith(
        "ganglion: this is a fault of Ganglion, not of your input (RuntimeError: of ours)"
    )
    monkeypatch.setenv("GANGLION_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        run("fit", table, "-t", "y")


def test_the_demo_writes_two_files_in_under_a_minute(run, tmp_path, monkeypatch):
    import time

    monkeypatch.chdir(tmp_path)
    start = time.process_time()
    said = run("demo", "--time-limit", "12")
    assert said.code == 0, said.err
    assert time.process_time() - start < 60
    assert files(tmp_path) == [
        "demo-output",
        "demo-output/adult.ganglion",
        "demo-output/adult.html",
    ] or files(tmp_path) == ["adult.ganglion", "adult.html", "demo-output"]
    network = re.search(r"network +(\d\.\d+)", said.out)
    assert float(network[1]) > 0.82
    (tmp_path / "demo-file").write_text("")
    assert run("demo", "-o", tmp_path / "demo-file").code == 2
