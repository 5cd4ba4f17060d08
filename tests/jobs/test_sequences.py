"""``ganglion.fit`` on texts, tagged words, text files and series: what is found, judged, saved and shown."""

import numpy as np
import pandas as pd
import pytest

import ganglion
from ganglion.base.errors import DataError
from ganglion.jobs.opened import open_model
from ganglion.jobs.sequences.corpus import CorpusJob
from ganglion.jobs.sequences.forecast import ForecastJob
from ganglion.jobs.sequences.pairs import PairJob
from ganglion.jobs.sequences.tagged import TagJob
from ganglion.jobs.sequences.texts import TextJob
from ganglion.jobs.source import open_source
from ganglion.jobs.table import TableJob
from ganglion.jobs.use import evaluated, predicted, result_on

GOOD, BAD = ["lovely", "great", "moving", "brilliant"], ["awful", "dull", "boring", "weak"]
FILL = [
    "the",
    "film",
    "was",
    "with",
    "a",
    "plot",
    "and",
    "actors",
    "that",
    "we",
    "saw",
    "in",
    "this",
    "old",
    "cinema",
]
COLOURS = {"rot": "red", "blau": "blue", "gelb": "yellow", "weiss": "white"}
THINGS = {"hund": "dog", "ball": "ball", "haus": "house", "wagen": "car", "vogel": "bird"}
NAMES = ["Ann", "Bob", "Cid", "Dora", "Egon", "Fee"]


def reviews(n=240, seed=0, **more):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    texts = [
        " ".join(rng.permutation([*rng.choice(GOOD if one else BAD, 2), *rng.choice(FILL, 9)])) for one in y
    ]
    labels = np.where(y, "pos", "=neg").tolist()
    return pd.DataFrame(
        {"no": range(n), **{k: v(rng, n) for k, v in more.items()}, "review": texts, "label": labels}
    )


def pairs(n=400, seed=0):
    rng = np.random.default_rng(seed)

    def drawn(words):
        return list(words.items())[rng.integers(len(words))]

    rows = []
    for _ in range(n):
        (c, colour), (t, thing), (d, other), (u, last) = map(drawn, (COLOURS, THINGS) * 2)
        rows.append((f"der {c} {t} und mein {d} {u}", f"the {colour} {thing} and my {other} {last}"))
    return pd.DataFrame(rows, columns=["de", "en"]).drop_duplicates(ignore_index=True)


def tagged(n=120, seed=0):
    rng = np.random.default_rng(seed)
    words = [
        f"{rng.choice(NAMES)} met {rng.choice(NAMES)} {rng.choice(NAMES)} in town".split() for _ in range(n)
    ]
    return [" ".join(own) for own in words], ["B-PER O B-PER I-PER O O"] * n


def series(n=160, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    times = pd.date_range("2020-01-01", periods=n, freq="D")
    load = 10 + np.sin(np.arange(n) * 2 * np.pi / 7) + noise * rng.normal(size=n)
    return pd.DataFrame({"date": times.strftime("%Y-%m-%d"), "load": load})


CORPUS = (
    "".join(f"{who} is in the {where}.\n" for who in NAMES for where in ("garden", "house", "street")) * 12
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text(CORPUS)
    return path


SMALL = {"units": 16, "layers": 1, "heads": 2, "dropout": 0.0}


@pytest.fixture(scope="module")
def results(corpus):
    """One result of each kind, trained for a moment."""
    texts, tags = tagged()
    return {
        "texts": ganglion.fit(reviews(), "label"),
        "pairs": ganglion.fit(pairs(), "en", cell="gru", max_epochs=16, batch_size=8, lr=5e-3, tokens="words", **SMALL),
        "tags": ganglion.fit({"text": texts, "tags": tags}, "tags", max_epochs=4, units=16),
        "corpus": ganglion.fit(corpus, max_epochs=4, context=32, lr=0.02, **SMALL),
        "series": ganglion.fit(series(), "load", time_column="date", horizon=7, network="linear", max_epochs=5),
    }  # fmt: skip


KINDS = ("texts", "pairs", "tags", "corpus", "series")


# --- what is found ----------------------------------------------------------------------------------------


def found(table, target, **more):
    return open_source(table, target, **more)


def test_a_column_of_texts_is_seen_beside_an_identifier():
    job = found(reviews(), "label")
    assert type(job) is TextJob
    assert job.names == ["review"]
    assert "texts" in job.facts()


def test_texts_beside_few_columns_are_read_and_the_note_says_so():
    job = found(reviews(stars=lambda rng, n: rng.integers(1, 6, n)), "label")
    assert type(job) is TextJob
    assert "not the columns no, stars" in job.notes[-1]


def test_texts_beside_many_columns_stay_a_table_unless_named():
    table = reviews(**{f"x{i}": lambda rng, n: rng.normal(size=n) for i in range(6)})
    assert type(found(table, "label")) is TableJob
    assert type(found(table, "label", text=["review"])) is TextJob


def test_a_table_of_numbers_stays_one():
    assert type(found(pd.DataFrame({"a": range(40), "b": [0, 1] * 20}), "b")) is TableJob


def test_two_columns_of_texts_are_a_translation():
    job = found(pairs(), "en")
    assert type(job) is PairJob
    assert job.aim() == "de to en"


def test_a_tag_for_each_word_is_tagging_and_knows_spans():
    texts, tags = tagged()
    job = found({"text": texts, "tags": tags}, "tags")
    assert type(job) is TagJob
    assert job.metric == "span_f1"


def test_a_text_file_without_target_is_a_corpus_and_lines_may_be_texts(corpus):
    assert type(found(corpus, None)) is CorpusJob
    assert found(corpus, None, lines=True).each


def test_names_alone_with_text_are_learned_from_as_they_are():
    job = found(pd.DataFrame({"name": NAMES * 5, "n": range(30)}), None, text=["name"])
    assert type(job) is CorpusJob
    assert job.each


def test_a_horizon_makes_a_series():
    job = found(series(), "load", time_column="date", horizon=7)
    assert type(job) is ForecastJob
    assert len(job) == 160


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (lambda c: (series(), "load", {"horizon": 7}), "--time names the column of times"),
        (lambda c: (series(), "load", {"covariates": ["date"]}), "--horizon"),
        (lambda c: (series(30), "load", {"horizon": 20, "time_column": "date"}), "smaller --horizon"),
        (lambda c: (reviews(), "label", {"text": ["revew"]}), "did you mean 'review'"),
        (lambda c: (reviews(), "label", {"text": ["no"]}), "texts are expected"),
        (lambda c: (reviews(), "review", {"text": ["review"]}), "name another"),
        (lambda c: (reviews().assign(label=np.arange(240) / 7), "label", {"text": ["review"]}), "sorted into classes"),
        (lambda c: (c, None, {"ignore": ["x"]}), "--ignore belongs to a table"),
        (lambda c: (series(), "load", {"lines": True}), "--lines belongs to a .txt file"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_one_sentence(corpus, given, why):
    source, target, more = given(corpus)
    with pytest.raises(DataError, match=why) as caught:
        job = found(source, target, **more)
        job.parts(0.2, 0)  # a series learns of its horizon here
    assert "\n" not in str(caught.value)


def test_an_empty_text_file_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text(" \n")
    with pytest.raises(DataError, match="is empty"):
        found(tmp_path / "a.txt", None)


# --- what is learned --------------------------------------------------------------------------------------


def test_each_kind_learns_what_its_simple_models_do_not(results):
    assert results["texts"].scores["accuracy"] > 0.9
    assert results["pairs"].scores["bleu"] > 0.8
    assert results["tags"].scores["span_f1"] > 0.9
    assert results["corpus"].scores["nats"] < results["corpus"].models[-1].scores["nats"] - 0.5
    assert results["series"].scores["mase"] < 1.0


def test_rows_of_the_test_are_not_learned_from(results):
    for result in results.values():
        assert not set(result.train) & set(result.test)
        assert len(result.test)


def test_times_of_a_series_are_never_mixed(results):
    result = results["series"]
    assert result.train.max() < result.test.min()
    assert result.answer.origins.min() >= len(result.train)


def test_simple_models_stand_beside_with_intervals_where_the_score_is_a_share(results):
    names = {kind: [one.name for one in results[kind].models] for kind in KINDS}
    assert names["texts"] == ["network", "dummy", "words"]
    assert names["pairs"] == ["network", "nearest", "copy"]
    assert names["tags"] == ["network", "lexicon", "dummy"]
    assert names["corpus"] == ["network", "trigram", "dummy"]
    assert names["series"][:2] == ["network", "last value"]
    for row in results["series"].models[1:]:
        assert row.interval[0] <= row.scores["mase"] <= row.interval[1]


def test_a_forecaster_goes_on_from_the_end_of_the_whole_series(results):
    last = results["series"].job.series.times[-1]
    assert results["series"].estimator.times_ahead()[0] == last + np.timedelta64(1, "D")


# --- what is written --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_of_each_kind_has_its_parts_and_escapes_what_it_shows(results, kind, tmp_path):
    result = results[kind]
    result.save(tmp_path / "m.ganglion")
    page = result.report(tmp_path / "m.html").read_text()
    titles = {
        "texts": ["Words that tell"], "pairs": ["What it writes", "Where it looks"], "tags": ["Whole spans by kind"],
        "corpus": ["What it writes", "What surprises it", "Where it looks"],
        "series": ["What comes next", "Forecasts of the test part"],
    }  # fmt: skip
    for title in titles[kind]:
        assert f"<h2>{title}</h2>" in page
    assert "<script" not in page


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_judges_new_data_as_the_result_did(results, corpus, kind, tmp_path):
    texts, tags = tagged(seed=1)
    new = {
        "texts": reviews(seed=1), "pairs": pairs(40, seed=2), "tags": {"text": texts, "tags": tags}, "corpus": corpus,
        "series": series(seed=1),
    }  # fmt: skip
    results[kind].save(tmp_path / "m.ganglion")
    opened = open_model(tmp_path / "m.ganglion")
    found = evaluated(opened, new[kind])
    assert found.metric == results[kind].metric
    assert set(found.scores) == set(results[kind].scores)
    page = result_on(opened, new[kind]).report(tmp_path / "on.html").read_text()
    assert "if the network was trained on them" in page


def test_new_texts_come_from_lists_tables_and_files(results, tmp_path):
    results["texts"].save(tmp_path / "m.ganglion")
    opened = open_model(tmp_path / "m.ganglion")
    lines = tmp_path / "new.txt"
    lines.write_text("a lovely great plot\nan awful dull film\n")
    forms = [["a lovely great plot", "an awful dull film"], lines, [lines]]
    forms += [
        {"review": ["a lovely great plot", "an awful dull film"]},
        {"other": ["lovely great", "awful dull"]},
    ]
    for form in forms:
        assert predicted(opened, form).columns[0] == ["pos", "=neg"]
    shares = predicted(opened, lines, proba=True)
    assert shares.names == ["predicted label", "probability of =neg", "probability of pos"]


def test_forecasts_come_with_times_and_levels_and_from_any_end(results, tmp_path):
    results["series"].save(tmp_path / "m.ganglion")
    opened = open_model(tmp_path / "m.ganglion")
    own = predicted(opened, [])
    assert own.names == ["date", "predicted load", "10% level of load", "90% level of load"]
    assert len(own) == 7
    assert own.columns[0][0] == "2020-06-09"
    assert all(low <= said <= high for said, low, high in zip(*own.columns[1:]))
    longer = predicted(opened, series(170), horizon=3)
    assert longer.columns[0] == ["2020-06-19", "2020-06-20", "2020-06-21"]


def test_a_result_answers_in_python_too(results, tmp_path):
    assert results["series"].predict(None).shape == (7, 1)
    series(170).to_csv(tmp_path / "longer.csv", index=False)
    for longer in (series(170), tmp_path / "longer.csv"):
        assert results["series"].predict(longer).shape == (7, 1)
    assert results["texts"].predict(["a lovely great plot"]).tolist() == ["pos"]
    assert len(results["tags"].predict(["Ann met Bob Cid in town"])[0]) == 6


def test_the_seed_chooses_the_pairs_of_the_test():
    job = open_source(pairs(), "en")
    parts = [job.parts(0.2, seed)[1].tolist() for seed in (0, 0, 1)]
    assert parts[0] == parts[1] != parts[2]


def test_known_covariates_ahead_are_read_behind_the_last_target(tmp_path):
    table = series(120)
    table["sun"] = np.arange(120) % 7 == 0
    table["load"] += 3 * table["sun"]
    table["sun"] = table["sun"].astype(int)
    result = ganglion.fit(
        table, "load", time_column="date", horizon=5, covariates="sun", network="linear", max_epochs=4
    )
    result.save(tmp_path / "m.ganglion")
    ahead = table.copy()
    ahead.loc[115:, "load"] = np.nan
    told = predicted(open_model(tmp_path / "m.ganglion"), ahead)
    assert told.columns[0] == table["date"][115:].tolist()
    with pytest.raises(DataError, match="future is expected"):
        predicted(open_model(tmp_path / "m.ganglion"), table)


def test_a_time_limit_and_healing_work_for_texts_too():
    result = ganglion.fit(reviews(), "label", time_limit=20, heal_first=True, compare=False)
    assert result.healed is not None
    assert [one.name for one in result.models] == ["network"]
