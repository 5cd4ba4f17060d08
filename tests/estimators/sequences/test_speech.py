"""SpeechRecognizer: tones as words, unseen lengths, files, keywords in streams, and what is refused."""

import wave

import numpy as np
import pytest
import torch

from ganglion import SpeechRecognizer, load
from ganglion.base.errors import DataError, ParameterError
from ganglion.metrics.edits import word_error_rate
from ganglion.models.speech import SpeechNet
from ganglion.models.spotting import hits_and_alarms

RATE = 4000
PITCH = {"low": 250, "middle": 600, "high": 1200}  # Hz
QUICK = {
    "rate": RATE, "bands": 20, "cell": "gru", "units": 24, "layers": 1, "lr": 0.01, "batch_size": 8, "noise": 0.05,
    "mask_bands": 0, "mask_time": 0.0, "dropout": 0.0,
    "watch": "off",
}  # fmt: skip


def said(words, rng):
    """A wave of tones of 0.15 to 0.25 s with some silence between them, and where each sounds, in seconds."""
    parts, times, at = [np.zeros(200)], [], 200
    for word in words:
        tone = np.sin(2 * np.pi * PITCH[word] * np.arange(rng.integers(600, 1000)) / RATE) * 0.3
        parts += [tone, np.zeros(rng.integers(200, 400))]
        times.append((at / RATE, (at + len(tone)) / RATE))
        at += len(tone) + len(parts[-1])
    sound = np.concatenate(parts)
    return (sound + rng.normal(0, 0.003, len(sound))).astype(np.float32), times


def spoken(n, seed, fewest=1, most=3):
    """Recordings of some words, and their texts."""
    rng = np.random.default_rng(seed)
    texts = [rng.choice(list(PITCH), rng.integers(fewest, most + 1)).tolist() for _ in range(n)]
    return [said(words, rng)[0] for words in texts], [" ".join(words) for words in texts]


@pytest.fixture(scope="module")
def fitted():
    return SpeechRecognizer(**QUICK, max_epochs=15).fit(*spoken(100, 0))


def test_more_words_than_in_training(fitted):
    X, texts = spoken(30, 1, 5, 8)
    assert fitted.score(X, texts) > 0.95
    assert fitted.score(X, texts) == 1 - word_error_rate(fitted.predict(X), texts)
    assert fitted.history_[-1]["val_score"] > 0.9
    assert fitted.record_.baselines["dummy"]["score"] < 0.5


def test_a_search_over_beginnings_is_never_less_probable(fitted):
    X = spoken(20, 2, 1, 4)[0]
    noise = np.random.default_rng(0)
    X = [x + noise.normal(0, 0.2, len(x)) for x in X]
    greedy = fitted.score_samples(X)
    fitted.set_params(beam=8)
    try:
        assert (fitted.score_samples(X) >= greedy - 1e-4).all()
    finally:
        fitted.set_params(beam=1)


def test_files_are_the_same_as_arrays(fitted, tmp_path):
    X, _ = spoken(4, 3)
    whole = [np.round(x * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16) for x in X]
    paths = [tmp_path / f"{i}.wav" for i in range(4)]
    for path, samples in zip(paths, whole):
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(samples.tobytes())
    assert fitted.predict(paths) == fitted.predict(whole) == fitted.predict([str(p) for p in paths])
    assert (fitted.score_samples(paths) == fitted.score_samples(whole)).all()


def test_the_module_takes_waves(fitted):
    x = torch.from_numpy(spoken(1, 4)[0][0])
    logits = fitted.module_(x[None])
    assert logits.shape[1] == int(fitted.module_.steps(torch.tensor(len(x)))) == -(-(len(x) // 40 + 1) // 4)


# --- keywords -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def streams():
    """Long recordings, and where the word in the middle is said in each."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(3):
        words = rng.choice(list(PITCH), 60).tolist()
        sound, times = said(words, rng)
        found.append((sound, [t for word, t in zip(words, times) if word == "middle"]))
    return found


def test_a_keyword_is_found_where_it_is_said(fitted, streams):
    fitted.learn_threshold([streams[0][0]], "middle", times=[streams[0][1]], false_alarms=1)
    found = fitted.spot([sound for sound, _ in streams[1:]], "middle")
    for one, (_, times) in zip(found, streams[1:]):
        hits, alarms = hits_and_alarms(one, times)
        assert hits.mean() > 0.9
        assert alarms.sum() <= 1
        assert ((one.confidences > 0) & (one.confidences <= 1)).all()
        assert (np.diff(one.times[:, 1]) > 0).all()


def test_a_threshold_is_the_lowest_with_so_few_alarms(fitted, streams):
    sound, times = streams[0]
    minutes = len(sound) / RATE / 60
    learned = fitted.learn_threshold([sound], "high", times=[times], false_alarms=4 / minutes)
    # "high" is said where "middle" is not, so all of it counts as false alarms here
    alarms = hits_and_alarms(fitted.spot([sound], "high")[0], times)[1]
    assert alarms.sum() == 4
    lower = fitted.spot([sound], "high", threshold=float(np.nextafter(learned, 0)))[0]
    assert hits_and_alarms(lower, times)[1].sum() == 5


def test_several_words_are_a_keyword_too(fitted):
    rng = np.random.default_rng(6)
    sound, times = said(["low", "high", "middle", "high", "low", "high", "low"], rng)
    found = fitted.spot([sound], "high low", threshold=0.3)[0]
    assert len(found.times) == 2
    for (begin, end), i in zip(found.times, (3, 5)):
        assert times[i][0] - 0.3 < begin < end < times[i + 1][1] + 0.3


def test_windows_of_a_stream_are_what_is_heard_at_once(fitted):
    sound, _ = said(["low", "high"] * 3, np.random.default_rng(7))  # shorter than a window's middle ...
    for length in (1, 39, 40, 161, 4000, 4001, len(sound)):
        parts = fitted._streamed(sound[:length])
        assert len(parts) == int(fitted.module_.steps(torch.tensor(length)))
    whole = next(iter(fitted._heard(fitted._asked([sound]))))[1][0].log_softmax(1)
    spans = np.abs(np.exp(fitted._streamed(sound)) - whole.exp().numpy()).max(1)
    assert np.quantile(spans, 0.8) < 0.2


def test_thresholds_and_answers_in_a_file(fitted, streams, tmp_path):
    fitted.learn_threshold([streams[0][0]], "middle", times=[streams[0][1]])
    back = load(fitted.save(tmp_path / "m.ganglion"))
    assert back.thresholds_ == fitted.thresholds_
    X = [streams[1][0]]
    first, second = (model.spot(X, "middle")[0] for model in (fitted, back))
    assert (first.times == second.times).all()
    assert (first.confidences == second.confidences).all()
    assert back.predict(X) == fitted.predict(X)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda m, X: m.spot(X, "nowhere"), DataError, "learned words is expected, got 'nowhere'"),
        (lambda m, X: m.spot(X, ""), DataError, "learned words"),
        (lambda m, X: m.spot(X, 3), DataError, "learned words"),
        (lambda m, X: m.spot(X, "low low"), DataError, "no threshold"),
        (lambda m, X: m.spot(X, "low", threshold=2), ParameterError, "threshold"),
        (lambda m, X: m.learn_threshold(X, "low", false_alarms=-1), ParameterError, "false_alarms"),
        (lambda m, X: m.learn_threshold(X, "low", times=[]), DataError, "each of 1 streams"),
        (lambda m, X: m.learn_threshold(X, "low", times=3), DataError, "each of 1 streams"),
        (lambda m, X: m.learn_threshold(X, "low", times=[[2.0, 1.0]]), DataError, "stream 0"),
        (lambda m, X: m.learn_threshold(X, "low", times=[["x"]]), DataError, "stream 0"),
        (lambda m, X: m.spot(X[0], "low", threshold=0.5), DataError, r"\[X\]"),
    ],
)
def test_what_is_no_keyword_and_no_threshold(fitted, ask, error, message):
    with pytest.raises(error, match=message) as told:
        ask(fitted, spoken(1, 8)[0])
    assert "\n" not in str(told.value)


# --- labels, texts and lengths ------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "lstm", "tcn", "transformer"])
def test_every_reader_learns(cell):
    X, texts = spoken(60, 0, 1, 2)
    losses = [
        row["loss"] for row in SpeechRecognizer(**QUICK | {"cell": cell}, max_epochs=4).fit(X, texts).history_
    ]
    assert losses[-1] < 0.8 * losses[0]


def test_characters_as_labels():
    rng = np.random.default_rng(0)
    letters = {"a": "low", "b": "high"}
    texts = ["".join(rng.choice(list(letters), rng.integers(1, 4))) for _ in range(80)]
    X = [said([letters[c] for c in text], rng)[0] for text in texts]
    model = SpeechRecognizer(**QUICK, tokens="characters", max_epochs=10).fit(X, texts)
    assert model.score(X, texts) > 0.9


def test_a_recording_too_short_for_its_text_is_named():
    X, texts = spoken(12, 0)
    X[7], texts[7] = X[7][:400], "low low low"
    with pytest.raises(
        DataError, match=r"recording 7 .* of 0.10 s has 3 of 40 ms for 3 labels that need 5"
    ) as told:
        SpeechRecognizer(**QUICK, max_epochs=1).fit(X, texts)
    assert "\n" not in str(told.value)
    texts[7] = "low high low"
    SpeechRecognizer(**QUICK, max_epochs=1).fit(X, texts)  # exactly as many, and shorter where it is varied


def test_silence_and_unknown_words():
    X, texts = spoken(40, 0)
    X += [np.random.default_rng(i).normal(0, 0.003, 2000) for i in range(10)]
    texts += ["", "  ", None, "", "", "", "", "", "", ""]
    model = SpeechRecognizer(**QUICK | {"tokens": "words(min_count=2)"}, max_epochs=10)
    texts[0] = "unheard"
    model.fit(X, texts)
    assert all(np.isfinite(row["loss"]) for row in model.history_)
    assert model.predict(X[-10:]) == [""] * 10
    assert "unheard" not in " ".join(model.predict(X))
    assert model.predict([[0.0]]) == [""]
    with pytest.raises(DataError, match="learned words"):
        model.spot(X, "unheard", threshold=0.5)


def test_rows_of_weight_nothing_teach_nothing():
    X, texts = spoken(60, 0, 1, 1)
    wrong = [text if i % 2 else "high" for i, text in enumerate(texts)]
    weight = np.arange(60) % 2
    model = SpeechRecognizer(**QUICK, max_epochs=10, validation_fraction=0).fit(X, wrong, weight)
    assert model.score(X[::2], texts[::2]) > 0.9


def test_validation_rows_are_those_that_were_named():
    X, texts = spoken(30, 0)
    mask = np.arange(30) >= 20
    model = SpeechRecognizer(**QUICK, max_epochs=1).fit(X, texts, validation=mask)
    assert (model.record_.data["n_train"], model.record_.data["n_validation"]) == (20, 10)


def test_a_resumed_run_is_the_whole_one(tmp_path):
    X, texts = spoken(24, 0)
    settings = {**QUICK, "dropout": 0.1, "mask_bands": 2, "max_epochs": 4}
    whole = SpeechRecognizer(**settings).fit(X, texts)
    SpeechRecognizer(**settings, checkpoint=tmp_path, time_limit=1e-9).fit(X, texts)
    resumed = SpeechRecognizer(**settings, checkpoint=tmp_path, resume=True).fit(X, texts)
    assert (resumed.score_samples(X) == whole.score_samples(X)).all()


def test_a_further_fit_goes_on_and_knows_its_words():
    X, texts = spoken(40, 0)
    model = SpeechRecognizer(**QUICK, max_epochs=3, warm_start=True).fit(X, texts)
    first, words = model.history_[-1]["loss"], model.tokenizer_
    assert model.fit(X, texts).history_[-1]["loss"] < first
    assert model.tokenizer_ is words


@pytest.mark.parametrize(
    ("settings", "X", "y", "error", "message"),
    [
        ({"l1": 0.1}, None, None, ParameterError, "SpeechRecognizer has no l1"),
        ({"stride": 3}, None, None, ParameterError, "stride"),
        ({"rate": 100}, None, None, ParameterError, "rate"),
        ({"bands": 200}, None, None, ParameterError, "bands"),
        ({"cell": "transformer", "heads": 7}, None, None, ParameterError, "heads"),
        ({}, [], [], DataError, "at least one recording"),
        ({}, None, ["low"], DataError, "same number of rows"),
        ({}, None, ["", " ", None], DataError, "something said"),
        ({}, None, [1, 2, 3], DataError, "texts are expected"),
        ({}, [[0.1, np.nan]] * 3, None, DataError, "recording 0"),
        ({}, [[0.1], [], [0.1]], None, DataError, "recording 1"),
        ({}, [[0.1], [3000.0], [0.1]], None, DataError, "recording 1"),
        ({}, ["no.wav", "such.wav", "file.wav"], None, DataError, "no.wav"),
    ],
)
def test_what_is_refused(settings, X, y, error, message):
    given = spoken(3, 0, 1, 1)
    with pytest.raises(error, match=message) as told:
        SpeechRecognizer(**QUICK | settings, max_epochs=1).fit(
            given[0] if X is None else X, given[1] if y is None else y
        )
    assert "\n" not in str(told.value)


def test_a_recording_may_be_its_own_measure():
    """By recording a softer one is the same to the network; by range what is softer than it counts as just there."""
    sound = torch.randn(1, 4_000) * torch.linspace(0.1, 1, 4_000)
    for options, same in (({}, False), ({"normalise": "recording"}, True)):
        net = SpeechNet(5, rate=8_000, units=8, cell="gru", **options).eval()
        with torch.no_grad():
            assert torch.allclose(net(sound), net(sound / 4), atol=1e-3) == same
    heard = SpeechNet(5, rate=8_000, units=8, cell="gru", range_db=20.0)
    ragged = torch.cat([sound, sound.masked_fill(torch.arange(4_000) >= 2_000, torch.nan)])
    x, frames = heard.features(ragged)
    plain, _ = SpeechNet(5, rate=8_000, units=8, cell="gru").features(ragged)
    for row, own, n in zip(x, plain, frames):
        known = own[:n]
        torch.testing.assert_close(row[:n], known.clamp(min=known.max() - np.log(10) * 2))
        assert row[n:].isnan().all()
