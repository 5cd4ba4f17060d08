"""Taggers: enumeration, names never seen, spans that cannot be malformed, what is refused, what is awkward."""

import itertools

import numpy as np
import pytest
import torch

from ganglion import TokenTagger, load
from ganglion.base.errors import DataError, ModelFileError, ParameterError
from ganglion.data.forms import UNKNOWN
from ganglion.estimators.sequences.schemes import are_spans, broken, scheme_of
from ganglion.metrics.spans import span_scores, spans_of
from ganglion.models.tagger import TagNet
from ganglion.objectives.tagging import Tagging

PATTERNS = [
    "{PER} lives in {LOC} .", "we met {PER} and {PER} .", "the road to {LOC} is closed .",
    "Yesterday {PER} left {LOC} and cried .",
]  # fmt: skip
QUICK = {"units": 16, "width": 16, "max_epochs": 10, "lr": 0.01, "batch_size": 16, "dropout": 0.1}


def some(n, seed=0, letters="abcdefgh", scheme="bio"):
    """Sentences with names of random letters, and their tags."""
    rng = np.random.default_rng(seed)
    X, y = [], []
    for _ in range(n):
        words, tags = [], []
        for word in PATTERNS[rng.integers(len(PATTERNS))].split():
            kind = word.strip("{}")
            if kind == word:
                words.append(word)
                tags.append("O")
                continue
            size = rng.integers(1, 3)
            words += ["".join(rng.choice(list(letters), 5)).capitalize() for _ in range(size)]
            starts, ends = ("S", "BE") if scheme == "iobes" else ("B", "BI")
            tags += [f"{letter}-{kind}" for letter in (ends if size == 2 else starts)]
        X.append(words)
        y.append(tags)
    return X, y


@pytest.fixture(scope="module")
def data():
    return some(160)


@pytest.fixture(scope="module")
def model(data):
    return TokenTagger(**QUICK).fit(*data)


def test_names_never_seen_are_found_by_their_context(model, data):
    X, y = some(200, seed=1)
    seen = {word for words in data[0] for word in words}
    assert (
        np.mean([word in seen for words in X for word in words if word.istitle() and word != "Yesterday"])
        < 0.05
    )
    found = model.scores(X, y)
    assert found["f1"] > 0.97
    assert found["f1"] == span_scores(y, model.predict(X))["f1"]
    assert (
        model.score(X, y)
        == found["score"]
        == pytest.approx(
            np.mean([a == b for own, said in zip(y, model.predict(X)) for a, b in zip(own, said)])
        )
    )
    assert model.record_.scores["validation"]["f1"] > 0.9 > 0.7 > model.record_.baselines["dummy"]["score"]


def test_names_of_other_letters_are_found_too(model):
    """Nothing of most such names but their capitals was ever seen; without words that lose their signs it is 0."""
    assert model.scores(*some(200, seed=1, letters="mnopqrstu"))["f1"] > 0.8


@pytest.mark.parametrize("cell", ["rnn", "gru", "tcn", "transformer"])
def test_every_cell_learns_and_is_saved(cell, data, tmp_path):
    model = TokenTagger(**QUICK | {"cell": cell, "max_epochs": 6}).fit(*data)
    X, y = some(60, seed=1)
    assert model.score(X, y) > 0.9
    back = load(model.save(tmp_path / "m.ganglion"))
    assert back.predict(X) == model.predict(X)
    assert all(map(np.array_equal, back.predict_proba(X), model.predict_proba(X)))


# --- enumeration ----------------------------------------------------------------------------------------------


def every_path(model, words):
    """The score of every sequence of tags for a sentence, by the network's emissions and the field's tables."""
    net, k = model.module_, len(model.classes_)
    with torch.no_grad():
        e, _ = net.emissions(model._read([words])[1].padded())
        e = e[0].double().numpy()
        tables = [t.double().numpy() for t in (net.crf.transitions, net.crf.starts, net.crf.ends)]
        allowed = net.crf.allowed.numpy()
    pairs, starts, ends = tables
    for path in itertools.product(range(k), repeat=len(words)):
        around = (k, *path, k)
        if all(allowed[a, b] for a, b in itertools.pairwise(around)):
            inside = sum(pairs[a, b] for a, b in itertools.pairwise(path))
            yield (
                path,
                starts[path[0]] + inside + ends[path[-1]] + sum(e[i, tag] for i, tag in enumerate(path)),
            )


@pytest.mark.parametrize("words", [["Abc"], ["Abc", "Def", "left", "Feh", "in"]])
def test_answers_against_every_sequence_of_tags(model, words):
    paths, scores = zip(*every_path(model, words))
    share = np.exp(np.array(scores) - np.logaddexp.reduce(scores))
    best = paths[int(np.argmax(scores))]
    assert model.predict([words])[0] == model.classes_[list(best)].tolist()
    marginals = np.zeros((len(words), len(model.classes_)))
    for path, p in zip(paths, share):
        marginals[np.arange(len(words)), list(path)] += p
    np.testing.assert_allclose(model.predict_proba([words])[0], marginals, atol=1e-5)
    y = [model.classes_[list(best)].tolist()]
    part = model._part([words], y, np.ones(1), np.arange(1), torch.device("cpu"))
    assert model._scores(part)["loss"] == pytest.approx(-np.log(share.max()) / len(words), abs=1e-5)


def test_without_a_field_the_loss_is_that_of_each_word(data):
    X, y = data
    tagger = TokenTagger(**QUICK | {"crf": False, "max_epochs": 3}).fit(X, y)
    known, total = tagger.classes_.tolist(), 0.0
    weight = np.linspace(0.5, 2, len(X))
    for told, tags, w in zip(tagger.predict_proba(X), y, weight):
        np.testing.assert_allclose(told.sum(1), 1, atol=1e-6)
        total -= w * np.log(told[np.arange(len(tags)), [known.index(tag) for tag in tags]]).sum()
    part = tagger._part(X, y, weight, np.arange(len(X)), torch.device("cpu"))
    words = (weight * [len(tags) for tags in y]).sum()
    assert tagger._scores(part)["loss"] == pytest.approx(total / words, rel=1e-5)
    said = [tagger.classes_[told.argmax(1)].tolist() for told in tagger.predict_proba(X)]
    assert tagger.predict(X) == said


def test_a_words_vector_is_itself_beside_the_sum_of_its_signs():
    torch.manual_seed(0)
    net = TagNet(5, 7, torch.zeros(2), width=3, units=4, cell="gru", bidirectional=True)
    seen = {}
    net.encoder.register_forward_pre_hook(lambda _, given: seen.update(x=given[0]))
    net(torch.tensor([[[4, 1, 2, 0], [3, 6, 0, 0]]]))
    word, sign = net.word.weight, net.sign.weight
    torch.testing.assert_close(seen["x"][0, 0], torch.cat([word[4], sign[1] + sign[2]]))
    torch.testing.assert_close(seen["x"][0, 1], torch.cat([word[3], sign[6]]))


def test_words_become_unknown_in_training_alone():
    net = TagNet(5, 7, torch.zeros(2), width=3, units=4, cell="gru", unknown=0.25)
    x = torch.full((100, 30, 4), 4)
    x[:, 20:] = 0
    seen, signs = [], []
    net.word.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    net.sign.register_forward_pre_hook(lambda _, given: signs.append(given[0].view(100, 30, 3)))
    net(x), net.eval(), net(x)
    bare = (signs[0][:, :20, 1:] == 0).all(2)
    assert bare.float().mean().item() == pytest.approx(0.125, abs=0.03)
    assert (seen[0][:, :20][bare] == UNKNOWN).all()
    assert (signs[0][..., 0] == x[..., 1]).all()
    assert (signs[1] == x[..., 1:]).all()
    assert (seen[0][:, :20] == UNKNOWN).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert not seen[0][:, 20:].any()
    assert (seen[1] == x[..., 0]).all()


def test_the_objective_counts_words_alike():
    net = TagNet(9, 6, torch.zeros(3), width=4, units=4, cell="gru").eval()
    x = torch.randint(1, 6, (4, 7, 3))
    y = torch.randint(0, 3, (4, 7))
    whole = Tagging(net, 7.0)({"x": x, "y": y}, "train").loss
    told = net(x).log().gather(2, y[..., None]).squeeze(2)
    torch.testing.assert_close(whole, -told.mean(1))


def test_padding_and_the_rows_beside_change_nothing(model, data):
    X = data[0][:20]
    together = model.predict_proba(X)
    for words, told in zip(X, together):
        np.testing.assert_allclose(model.predict_proba([words])[0], told, atol=1e-5)


# --- spans ----------------------------------------------------------------------------------------------------


def test_spans_are_never_malformed(data):
    rng = np.random.default_rng(0)
    X, y = data
    tagger = TokenTagger(**QUICK | {"max_epochs": 1, "lr": 1e-6}).fit(X, y)
    with torch.no_grad():  # a network that has learned nothing and wants everything
        tagger.module_.answer[1].weight.normal_(std=5)
    random = [[str(word) for word in rng.choice(["Ann", "in", ".", "Rome"], 12)] for _ in range(50)]
    said = tagger.predict(random)
    assert len({tag for tags in said for tag in tags}) > 3
    assert broken(said, "bio") is None


def test_entities_have_text_kind_and_place(model):
    found = model.entities(
        ["we met Bead Hafe and Gaad .", ["the", "road", "to", "Cede", "is", "closed", "."]]
    )
    assert found[0] == [("Bead Hafe", "PER", 2, 4), ("Gaad", "PER", 5, 6)]
    assert found[1] == [("Cede", "LOC", 3, 4)]


def test_the_scheme_is_learned_from_the_tags(tmp_path):
    X, y = some(80, scheme="iobes")
    model = TokenTagger(**QUICK).fit(X, y)
    assert model.scheme_ == "iobes"
    assert broken(model.predict(X), "iobes") is None
    assert load(model.save(tmp_path / "m.ganglion")).predict(X) == model.predict(X)
    iob1 = [[tag.replace("B-", "I-") for tag in tags] for tags in some(80)[1]]
    free = TokenTagger(**QUICK | {"max_epochs": 2}).fit(some(80)[0], iob1)
    assert free.scheme_ == "none"
    assert free.module_.crf is not None
    assert free.module_.crf.allowed is None
    assert "f1" in free.record_.scores["train"]


@pytest.mark.parametrize(
    ("tags", "scheme", "wanted"),
    [
        (["O", "I-X"], "bio", "I-X stands behind O in sentence 1"),
        (["I-X"], "bio", "I-X stands behind the beginning in sentence 1"),
        (["B-X", "I-Y"], "bio", "I-Y stands behind B-X in sentence 1"),
        (["B-X"], "iobes", "the end stands behind B-X in sentence 1"),
        (["B-X", "E-X", "S-Y"], "iobes", None),
        (["B-X", "I-X", "B-X"], "bio", None),
        (["I-X"], "none", None),
    ],
)
def test_where_a_scheme_is_broken(tags, scheme, wanted):
    assert broken([["O"], tags], scheme) == wanted
    assert scheme == "none" or (scheme_of([["O"], tags]) == scheme) is (wanted is None)


def test_what_are_tags_of_spans():
    assert are_spans(["B-X", "I-X"])
    assert are_spans(["B", "I", "O"])
    assert not are_spans(["-LRB-", "NN", "O"])
    assert not are_spans(["ADJ", "NOUN"])
    assert spans_of(["B", "I"])[0].kind == ""


def test_parts_of_speech_need_no_field_and_have_no_entities(data):
    X = [["the", "dog", "barks"], ["a", "cat", "sleeps", "well"]] * 20
    y = [["DET", "NOUN", "VERB"], ["DET", "NOUN", "VERB", "ADV"]] * 20
    model = TokenTagger(**QUICK).fit(X, y)
    assert model.module_.crf is None
    assert model.predict(["the cat barks", ["a", "dog"]]) == [["DET", "NOUN", "VERB"], ["DET", "NOUN"]]
    with pytest.raises(ParameterError, match="entities are made of tags such as B-PER"):
        model.entities(X)
    judged = TokenTagger(**QUICK, crf=True).fit(X, y)
    assert judged.module_.crf is not None
    assert judged.score(X, y) == 1


# --- rows that choose, weights, a further fit -------------------------------------------------------------------


def test_the_rows_that_choose_the_epoch_are_not_learned_from(data):
    X, y = data
    mask = np.arange(len(X)) % 5 == 0
    model = TokenTagger(**QUICK | {"max_epochs": 2}).fit(X, y, validation=mask)
    assert model.record_.data["n_validation"] == mask.sum()
    alone = {word.lower() for words, held in zip(X, mask) if held for word in words}
    alone -= {word.lower() for words, held in zip(X, mask) if not held for word in words}
    assert alone
    assert not alone & set(model.words_)


def test_sentences_without_weight_do_not_count(data):
    X, y = (part[:80] for part in data)
    lies = [["O"] * len(tags) for tags in y]
    weight = np.repeat([1.0, 0.0], len(X))
    model = TokenTagger(**QUICK).fit(X * 2, y + lies, weight)
    assert model.scores(X, y)["f1"] > 0.95
    assert model.score(X * 2, y + lies, weight) == model.score(X, y)


def test_a_further_fit_goes_on_and_refuses_other_tags(model, data):
    X, y = data
    tagger = TokenTagger(**QUICK | {"max_epochs": 2}, warm_start=True).fit(X, y)
    first = tagger.history_[-1]["val_loss"]
    assert tagger.fit(X, y).history_[-1]["val_loss"] < first
    with pytest.raises(DataError, match="a further fit expects the tags of the first, got 'B-NEW'"):
        tagger.fit([["Ann"]], [["B-NEW"]])


# --- what is refused, what is awkward ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        ([], [], "got none"),
        ("a text", [["O"]], "got str"),
        ([["a"], []], [["O"], []], "sentence 1 has no words"),
        (["a b", "  "], [["O", "O"], []], "sentence 1 has no words"),
        ([["a", ""]], [["O", "O"]], "got '' as number 1 of sentence 0"),
        ([["a", None]], [["O", "O"]], "got None as number 1 of sentence 0"),
        ([["a", b"b"]], [["O", "O"]], "as number 1 of sentence 0"),
        ([["a", 3]], [["O", "O"]], "got 3 as number 1"),
        ([["a"], None], [["O"], ["O"]], "got NoneType for sentence 1"),
        ([["a", "b"]], [["O"]], "sentence 0 has 2 words and 1 tags"),
        ([["a"]], [["O"], ["O"]], "same number of rows, got 1 and 2"),
        ([["a", "b"]], [["O", float("nan")]], "tags are texts, got nan"),
        ([["a", "b"]], [[1, 2]], "tags are texts, got 1"),
        ([["a", "b"]], ["DET NOUN"], "a list of tags is expected"),
        ([["a", "b"]], [["O", "O"]], r"y holds one tag \('O'\)"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(X, y, said):
    with pytest.raises(DataError, match=said) as error:
        TokenTagger(max_epochs=1).fit(X, y)
    assert "\n" not in str(error.value)


def test_bad_settings_are_one_sentence():
    X, y = [["a", "b"]], [["NOUN", "VERB"]]
    for settings, said in (
        ({"l1": 0.1}, "has no l1"),
        ({"scheme": "bio"}, "tags of 'bio' are O or begin with"),
        ({"cell": "transformer", "units": 10, "heads": 4}, "heads"),
    ):
        with pytest.raises(ParameterError, match=said):
            TokenTagger(max_epochs=1, **settings).fit(X, y)
    with pytest.raises(DataError, match="I-X stands behind O in sentence 0, which scheme='bio' forbids"):
        TokenTagger(max_epochs=1, scheme="bio").fit([["a", "b"]], [["O", "I-X"]])


@pytest.mark.parametrize(
    "word", ["x" * 1_000_000, "\ud800", "\u200b", "\0", "İ" * 50, "👩‍👩‍👧", "\u202eabc", "\n"], ids=range(8)
)
def test_awkward_words_get_a_tag_and_do_not_disturb_others(word, model, tmp_path):
    said = model.predict([[word, "lives", "in", "Bead", "."], [word]])
    assert [len(tags) for tags in said] == [5, 1]
    assert said[0][3] == "B-LOC"
    X, y = [[word, "lives"], ["Ann", "lives"]] * 10, [["B-PER", "O"]] * 20
    learned = TokenTagger(**QUICK | {"max_epochs": 2}).fit(X, y)
    path = learned.save(tmp_path / "m.ganglion")
    assert path.stat().st_size < 500_000
    assert load(path).predict(X) == learned.predict(X)


def test_awkward_tags_come_back(tmp_path):
    tags = ["\0", "A\0", "\ud800", "x" * 100_000, " ", "B"]
    X, y = [list("abcdef")] * 30, [tags] * 30
    learned = TokenTagger(**QUICK).fit(X, y)
    assert load(learned.save(tmp_path / "m.ganglion")).predict(X[:1]) == learned.predict(X[:1]) == [tags]


def test_a_sentence_of_many_words(model):
    words = ["we", "met", "Bead", "and", "Cede", "."] * 300
    said = model.predict([words, words[:6]])
    assert len(said[0]) == 1800
    assert said[1] == ["O", "O", "B-PER", "O", "B-PER", "O"]


def test_a_strangers_file_with_another_scheme_is_refused(model, data, monkeypatch, tmp_path):
    X, y = data
    other = TokenTagger(**QUICK | {"max_epochs": 1}).fit(X[:40], y[:40])
    other.scheme_ = "nonsense"
    with pytest.raises(ModelFileError, match="scheme_"):
        load(other.save(tmp_path / "m.ganglion"))
    other.scheme_, other.words_ = "bio", other.words_[1:]
    with pytest.raises(ModelFileError, match="another network"):
        load(other.save(tmp_path / "m.ganglion"))
