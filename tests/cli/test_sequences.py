"""The command on texts, tagged words, text files and series."""

import io
import json

import numpy as np
import pytest

from ganglion.cli.main import main

TINY = ["--units", "8", "--layers", "1", "--heads", "2", "--max-epochs", "2", "-q", "--no-report"]


def fit(folder, name, text, *more):
    file = folder / name
    file.write_text(text)
    assert main(["fit", str(file), *more]) == 0
    return file.with_suffix(".ganglion")


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    text = "".join(f"line {i % 7} of a song\n" for i in range(80))
    return fit(tmp_path_factory.mktemp("c"), "song.txt", text, "--context", "16", *TINY)


@pytest.fixture(scope="module")
def translator(tmp_path_factory):
    rows = [f'"der hund {i} und {j}","the dog {i} and {j}"' for i in range(9) for j in range(9)]
    text = "\n".join(["de,en", *rows]) + "\n"
    return fit(tmp_path_factory.mktemp("p"), "pairs.csv", text, "--target", "en", "--tokens", "words", *TINY)


@pytest.fixture(scope="module")
def forecaster(tmp_path_factory):
    rows = [f"2020-{1 + i // 28:02d}-{1 + i % 28:02d},{np.sin(i) + i}" for i in range(28)]
    text = "\n".join(["date,load", *rows]) + "\n"
    more = [
        "--time",
        "date",
        "--target",
        "load",
        "--horizon",
        "3",
        "--network",
        "linear",
        "-q",
        "--max-epochs",
        "2",
    ]
    return fit(tmp_path_factory.mktemp("s"), "load.csv", text, *more)


def test_a_table_of_texts_says_what_it_saw_and_writes_both_files(run, tmp_path):
    rows = [
        f"{'a lovely day for all of us' if i % 2 else 'an awful day for some of us'} {i},{i % 2}"
        for i in range(90)
    ]
    (tmp_path / "days.csv").write_text("\n".join(["what,good", *rows]) + "\n")
    said = run("fit", tmp_path / "days.csv", "--target", "good")
    assert said.code == 0
    assert said.out.startswith("90 texts of ")
    assert "test texts" in said.out
    assert "  words " in said.out
    assert (tmp_path / "days.html").exists()
    said = run("predict", tmp_path / "days.ganglion", tmp_path / "days.csv", "--proba")
    assert said.out.splitlines()[0] == "predicted good,probability of 0,probability of 1"
    assert run("evaluate", tmp_path / "days.ganglion", tmp_path / "days.csv").out.startswith(
        "90 texts of days.csv"
    )


def test_generate_goes_on_from_the_prompt_and_repeats_by_its_seed(run, writer):
    said = [
        run("generate", writer, "--prompt", "line 1", "--length", "12", "--seed", "0").out for _ in range(2)
    ]
    assert said[0] == said[1]
    assert said[0].startswith("line 1")
    told = json.loads(run("generate", writer, "-n", "3", "--length", "5", "--json").out)
    assert len(told["texts"]) == 3


def test_translate_takes_words_files_and_standard_input(run, translator, tmp_path, monkeypatch):
    (tmp_path / "new.txt").write_text("der hund 1 und 2\nder hund 3 und 4\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("der hund 1 und 2\nder hund 3 und 4\n"))
    given = [["der hund 1 und 2", "der hund 3 und 4"], ["--file", tmp_path / "new.txt"], []]
    found = [run("translate", translator, *one).out for one in given]
    assert found[0] == found[1] == found[2]
    assert len(found[0].splitlines()) == 2
    said = run("translate", translator, "der hund", "-o", tmp_path / "out.txt")
    assert said.code == 0
    assert (tmp_path / "out.txt").read_text().count("\n") == 1


def test_a_forecaster_needs_no_data_to_go_on(run, forecaster):
    said = run("predict", forecaster)
    assert said.code == 0
    assert said.out.splitlines()[0] == "date,predicted load,10% level of load,90% level of load"
    assert said.out.splitlines()[1].startswith("2020-01-29,")
    assert len(run("predict", forecaster, "--horizon", "2").out.splitlines()) == 3


def test_tagged_words_are_learned_and_told(run, tmp_path):
    (tmp_path / "a.bio").write_text("\n".join(["Ann B-PER", "ran O", ""] * 40))
    assert run("fit", tmp_path / "a.bio", *TINY[:4], "--max-epochs", "2", "-q", "--no-report").code == 0
    (tmp_path / "new.txt").write_text("Ann ran\n")
    said = run("predict", tmp_path / "a.ganglion", tmp_path / "new.txt")
    assert said.out == "predicted tags\nB-PER O\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["generate", "{translator}"], "a LanguageModel writes texts"),
        (["translate", "{writer}", "a"], "a Translator writes texts for texts"),
        (["translate", "{translator}", "a", "--file", "b.txt"], "got both"),
        (["predict", "{translator}"], "got nothing"),
        (["predict", "{translator}", "x.txt", "--horizon", "3"], "belongs to a forecaster"),
        (["predict", "{forecaster}", "a.csv", "b.csv"], "one table is expected"),
        (["generate", "{writer}", "--temperature", "-1"], "temperature"),
    ],
)
def test_what_a_model_cannot_do_is_one_sentence(run, writer, translator, forecaster, arguments, why):
    places = {"writer": writer, "translator": translator, "forecaster": forecaster}
    said = run(*(one.format(**places) for one in arguments))
    assert said.code == 2
    assert why in said.err
    assert said.err.count("\n") == 1
