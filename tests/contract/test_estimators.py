"""What every estimator owes; a new one in the registry is found and tried by itself."""

import copy
import inspect
import io
import pickle
import random
import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone

from ganglion.base.errors import GanglionError, ParameterError
from ganglion.base.fields import fields_of
from ganglion.base.record import TrainingRecord
from ganglion.estimators.persist import load

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- learning -----------------------------------------------------------------------------------------------


def test_the_loss_falls_and_beats_knowing_nothing(quick, table, target):
    model = quick(max_epochs=30).fit(table, target)
    losses = [row["loss"] for row in model.history_]
    assert min(losses) < 0.8 * losses[0] or min(losses) == 0.0
    assert all(np.isfinite(losses))
    guess = max(np.unique(target, return_counts=True)[1]) / len(target) if target.dtype.kind == "U" else 0.0
    assert model.score(table, target) > guess + 0.1
    assert model.n_iter_ == len(model.history_) == model.history_[-1]["epoch"]


@pytest.mark.parametrize("encode", ["auto", "onehot", "ordinal", "embedding"])
def test_the_gradient_reaches_every_parameter(quick, table, target, encode):
    model = quick(encode=encode).fit(table, target)
    if not hasattr(model, "module_"):
        pytest.skip("it has no module: its rule moves the weights without gradients")
    matrix = torch.as_tensor(model._matrix(table) if not hasattr(model, "_rows") else model._rows(table))
    output = model.module_(matrix.float())
    (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    silent = [k for k, p in model.module_.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent
    model.module_.zero_grad()


def test_it_can_tell_about_itself(quick, table, target):
    model = quick().fit(table, target)
    assert type(model).__name__ in model.summary()
    assert "\n" not in repr(cls_default := type(model)()) or len(repr(cls_default)) < 2000
    assert TrainingRecord.from_dict(model.record_.to_dict()).to_dict() == model.record_.to_dict()
    assert model.n_features_in_ == table.shape[1]
    assert list(model.feature_names_in_) == list(table.columns)
    assert isinstance(model.diagnosis_, list)


# --- the same bits ------------------------------------------------------------------------------------------


def test_saved_and_loaded_it_tells_the_same(quick, table, target, told, tmp_path):
    model = quick().fit(table, target)
    path = model.save(tmp_path / "model.ganglion")
    back = load(path)
    assert (told(back, table) == told(model, table)).all()
    assert type(back) is type(model)
    assert [p.name for p in tmp_path.iterdir()] == ["model.ganglion"]
    assert back.summary() == model.summary()
    again = load(back.save(tmp_path / "again.ganglion"))
    assert (told(again, table) == told(model, table)).all()
    for key, value in model.get_params().items():
        if key not in ("checkpoint", "resume", "verbose"):
            assert back.get_params()[key] == value, key


def test_pickled_or_copied_it_tells_the_same(quick, table, target, told):
    model = quick().fit(table, target)
    for back in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert (told(back, table) == told(model, table)).all()
        assert back.history_ == model.history_


def test_cloned_it_learns_the_same(quick, table, target, told):
    model = quick()
    first = told(model.fit(table, target), table)
    assert (told(clone(model).fit(table, target), table) == first).all()
    assert (told(model.fit(table, target), table) == first).all()  # a second fit forgets the first


def test_another_seed_gives_other_bits(quick, table, target, told):
    first, second = (told(quick(random_state=s).fit(table, target), table) for s in (0, 1))
    assert (first != second).any()


def test_what_it_tells_does_not_depend_on_the_rows_beside(quick, table, target, told):
    model = quick().fit(table, target)
    whole = told(model, table)
    for rows in (slice(0, 1), slice(7, 20), slice(None, None, 3)):
        part = told(model, table.iloc[rows])
        for a, b in zip(part.ravel(), whole[rows].ravel()):
            assert a == b or abs(a - b) < 1e-9


def test_a_generator_is_a_seed_too(quick, table, target, told):
    seed = np.random.RandomState(4).randint(2**31 - 1)
    first, second = (
        told(quick(random_state=s).fit(table, target), table) for s in (np.random.RandomState(4), seed)
    )
    assert (first == second).all()
    quick(random_state=None).fit(table, target)


# --- global state -------------------------------------------------------------------------------------------


def states():
    numbers = np.random.get_state()
    return random.getstate(), numbers[1].tolist(), numbers[2], torch.get_rng_state().tolist()


def settings_of_torch():
    return torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()


def test_the_worlds_random_state_is_untouched(quick, table, target, told):
    before = states(), settings_of_torch()
    told(quick().fit(table, target), table)
    assert (states(), settings_of_torch()) == before


def test_also_after_an_exception(quick, table, target, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(TrainingRecord, "__init__", fail)
    before = states(), settings_of_torch()
    with pytest.raises(RuntimeError, match="on purpose"):
        quick().fit(table, target)
    assert (states(), settings_of_torch()) == before


def test_nothing_is_printed(quick, table, target, told, capsys):
    told(quick(verbose=0).fit(table, target), table)
    assert capsys.readouterr() == ("", "")


def test_the_input_is_left_as_it_was(quick, table, target):
    rows, goal = table.copy(deep=True), target.copy()
    quick().fit(table, target)
    assert table.equals(rows)
    assert (target == goal).all()


# --- fields -------------------------------------------------------------------------------------------------


def test_the_constructor_only_stores(cls):
    strange = {name: object() for name in fields_of(cls)}
    assert vars(cls(**strange)) == strange
    assert vars(cls()).keys() == strange.keys()
    assert all(vars(cls())[k] is fields_of(cls)[k].default for k in strange)


def test_the_signature_names_each_field(cls):
    parameters = inspect.signature(cls).parameters
    assert set(parameters) == set(fields_of(cls)) == set(cls().get_params())
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())
    assert {"X", "y", "sample_weight"} <= set(inspect.signature(cls.fit).parameters)


def test_each_field_says_what_it_means(cls):
    for name, field in fields_of(cls).items():
        assert len(field.meaning) > 5, name
        assert "<" not in field.allowed(), name
        if field.search is not None:
            assert field.search.low < field.search.high, name
            assert field.bound is None or (field.bound.admits(field.search.low)), name
        hash(repr(field.default))


def wrong_value(field):
    """A value that a declaration does not allow, or None where it allows everything."""
    text = str(field.type)
    if "Any" in text and "dict" not in text:
        return None
    if field.known is not None or ("Literal" in text and "int" not in text):
        return "no-such-name"
    if field.bound is not None:
        bound = field.bound
        return bound.low - 1 if bound.low is not None else bound.high + 1
    return "no" if field.type is bool else 3.5


def test_each_field_refuses_a_wrong_value_by_its_name(cls, table, target):
    tried = 0
    for name, field in fields_of(cls).items():
        value = wrong_value(field)
        if value is None:
            continue
        with pytest.raises(ParameterError) as error:
            cls(**{name: value}).fit(table, target)
        text = str(error.value)
        assert re.search(rf"\b{name}\b", text), (name, text)
        assert repr(value) in text, (name, text)
        assert cls.__name__ in text
        assert "\n" not in text
        tried += 1
    assert tried >= len(fields_of(cls)) - 2  # random_state and module take anything at first


def test_each_default_is_allowed(cls):
    for name, field in fields_of(cls).items():
        field.check(field.default, cls.__name__)
        hash(field.default)
        assert cls().get_params()[name] is field.default


def test_a_wrong_seed_is_refused(quick, table, target):
    with pytest.raises(ParameterError, match="random_state"):
        quick(random_state="one").fit(table, target)


# --- tables of every kind -----------------------------------------------------------------------------------


def kinds(table):
    import polars
    import pyarrow

    plain = table.astype(object).where(table.notna(), None)
    rows = [[v.to_pydatetime() if hasattr(v, "to_pydatetime") else v for v in row] for row in plain.values]
    columns = {k: [row[i] for row in rows] for i, k in enumerate(table.columns)}
    categories = table.assign(
        colour=table["colour"].astype("category"), street=table["street"].astype("category")
    )
    return {
        "pandas, categories": categories,
        "pandas, own strings": table.convert_dtypes(),
        "polars": polars.DataFrame(columns),
        "pyarrow": pyarrow.table(columns),
        "lists": rows,
        "array of objects": np.array(rows, dtype=object),
    }


KINDS = ["pandas, categories", "pandas, own strings", "polars", "pyarrow", "lists", "array of objects"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_of_any_kind_is_the_same_table(kind, quick, table, target, told):
    other = kinds(table)[kind]
    expected = told(quick().fit(table, target), table)
    named = kind not in ("lists", "array of objects")
    model = quick().fit(other, target)
    assert (told(model, other) == expected).all()
    if named:
        assert list(model.feature_names_in_) == list(table.columns)
        assert (told(model, table) == expected).all()
    else:
        assert not hasattr(model, "feature_names_in_")


@pytest.mark.parametrize("make", [np.array, list, "series", "polars"])
def test_a_target_of_any_kind_is_the_same_target(make, quick, table, target, told):
    import pandas
    import polars

    known = {"series": pandas.Series, "polars": polars.Series}
    other = known.get(make, make)(target.tolist())
    assert (told(quick().fit(table, other), table) == told(quick().fit(table, target), table)).all()


@pytest.mark.parametrize("preprocess", ["auto", "none"])
def test_plain_numbers_in_every_type(preprocess, quick, target, told, tmp_path):
    X = np.random.default_rng(0).integers(-4, 5, size=(300, 4)).astype(float)
    X[:, 0] += target == "yes" if target.dtype.kind == "U" else target
    X = X.round()
    expected = told(quick(preprocess=preprocess).fit(X, target), X)
    for other in (X.astype(np.float32), X.astype(np.int64), X.tolist(), np.asfortranarray(X)):
        model = quick(preprocess=preprocess).fit(other, target)
        assert (told(model, other) == expected).all()
    back = load(model.save(tmp_path / "m.ganglion"))
    assert (told(back, X) == expected).all()


def test_unseen_categories_and_gaps_are_answered(quick, table, target, told):
    model = quick().fit(table, target)
    other = table.assign(colour="violet", street=None, size=np.nan)
    assert all(np.isfinite(v) for v in told(model, other).ravel() if not isinstance(v, str))


def test_gaps_in_plain_numbers_need_preprocessing(quick, target):
    X = np.random.default_rng(0).normal(size=(300, 3))
    X[5, 1] = np.nan
    quick().fit(X, target)
    with pytest.raises(ValueError, match="NaN"):
        quick(preprocess="none").fit(X, target)


@pytest.mark.parametrize("change", ["missing", "renamed", "fewer"])
def test_other_columns_are_refused_in_a_sentence(change, quick, table, target, told):
    model = quick().fit(table, target)
    other = {
        "missing": table.drop(columns="size"),
        "renamed": table.rename(columns={"size": "length"}),
        "fewer": table.iloc[:, :2],
    }[change]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError):
            told(model, other)


def test_not_fitted_is_said(cls, table, tmp_path):
    from sklearn.exceptions import NotFittedError

    for ask in (lambda m: m.predict(table), lambda m: m.save(tmp_path / "m"), lambda m: m.summary()):
        with pytest.raises(NotFittedError):
            ask(cls())


@pytest.mark.parametrize("labels", [[True, False], [3, 7], [-1, 1], ["a", "b"], [0, 5, 9], ["x", "yy", "z"]])
def test_labels_of_every_type_come_back(labels, quick, cls, told, tmp_path):
    from sklearn.base import is_classifier

    if not is_classifier(cls()):
        pytest.skip("it predicts no labels")
    rng = np.random.default_rng(0)
    codes = rng.integers(len(labels), size=240)
    X = rng.normal(size=(240, 3)) + 6 * codes[:, None] * np.array([1, -1, 0])
    y = np.array(labels)[codes]
    for kind in (y, y.astype(object), y.tolist()):
        model = quick(max_epochs=40).fit(X, kind)
        back = load(model.save(tmp_path / "m.ganglion"))
        for one in (model, back):
            assert (one.predict(X) == y).mean() > 0.9
            assert one.classes_.tolist() == sorted(labels)
            assert type(one.predict(X).tolist()[0]) is type(labels[0])
            assert one.predict(X).dtype == model.classes_.dtype


def test_saving_over_a_file_and_into_nowhere(quick, table, target, tmp_path):
    model = quick().fit(table, target)
    path = tmp_path / "m.ganglion"
    model.save(path)
    model.save(path)
    with pytest.raises((GanglionError, OSError)) as error:
        model.save(tmp_path / "no" / "such" / "folder" / "m.ganglion")
    assert "\n" not in str(error.value)


def test_a_stream_of_its_own(quick, table, target, monkeypatch):
    """verbose=1 writes to standard error, in plain lines where that is no terminal."""
    if "verbose" not in quick().get_params():
        pytest.skip("it has nothing to show while it trains")
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    quick(verbose=1).fit(table, target)
    text = stream.getvalue()
    assert "epoch" in text
    assert "\r" not in text
    assert "\x1b" not in text
    assert all(len(line) < 80 for line in text.splitlines())
