"""What every estimator owes; a new one in the registry is found and tried by itself."""

import copy
import inspect
import io
import pickle
import random
import re

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


def test_the_loss_falls_and_beats_knowing_nothing(quick, X, y, problem):
    model = quick(max_epochs=30).fit(X, y)
    losses = [row["loss"] for row in model.history_]
    assert min(losses) < 0.8 * losses[0] or min(losses) == 0.0
    assert all(np.isfinite(losses))
    assert model.score(X, y) > problem.guess + 0.1
    assert model.n_iter_ == len(model.history_) == model.history_[-1]["epoch"]


def test_the_gradient_reaches_every_parameter(quick, X, y, entering):
    model = quick().fit(X, y)
    if not hasattr(model, "module_"):
        pytest.skip("it has no module: its rule moves the weights without gradients")
    outputs = model.module_(entering(model, X))
    for output in outputs if isinstance(outputs, tuple) else (outputs,):
        (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(0))).sum().backward(
            retain_graph=True
        )
    silent = [k for k, p in model.module_.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent
    model.module_.zero_grad()


def test_it_can_tell_about_itself(quick, X, y, problem):
    model = quick().fit(X, y)
    assert type(model).__name__ in model.summary()
    assert "\n" not in repr(cls_default := type(model)()) or len(repr(cls_default)) < 2000
    assert TrainingRecord.from_dict(model.record_.to_dict()).to_dict() == model.record_.to_dict()
    assert model.n_features_in_ == problem.n_features
    assert list(getattr(model, "feature_names_in_", ())) == list(getattr(X, "columns", ()))
    assert isinstance(model.diagnosis_, list)


# --- the same bits ------------------------------------------------------------------------------------------


def test_saved_and_loaded_it_tells_the_same(quick, X, y, told, tmp_path):
    model = quick().fit(X, y)
    path = model.save(tmp_path / "model.ganglion")
    back = load(path)
    assert (told(back, X) == told(model, X)).all()
    assert type(back) is type(model)
    assert [p.name for p in tmp_path.iterdir()] == ["model.ganglion"]
    assert back.summary() == model.summary()
    again = load(back.save(tmp_path / "again.ganglion"))
    assert (told(again, X) == told(model, X)).all()
    for key, value in model.get_params().items():
        if key not in ("checkpoint", "resume", "verbose"):
            assert back.get_params()[key] == value, key


def test_pickled_or_copied_it_tells_the_same(quick, X, y, told):
    model = quick().fit(X, y)
    for back in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert (told(back, X) == told(model, X)).all()
        assert back.history_ == model.history_


def test_cloned_it_learns_the_same(quick, X, y, told):
    model = quick()
    first = told(model.fit(X, y), X)
    assert (told(clone(model).fit(X, y), X) == first).all()
    assert (told(model.fit(X, y), X) == first).all()  # a second fit forgets the first


def test_another_seed_gives_other_bits(quick, X, y, told):
    first, second = (told(quick(random_state=s).fit(X, y), X) for s in (0, 1))
    assert (first != second).any()


def test_what_it_tells_does_not_depend_on_the_rows_beside(quick, X, y, told, problem):
    model = quick().fit(X, y)
    whole = told(model, X)
    for rows in (slice(0, 1), slice(7, 20), slice(None, None, 3)):
        part = told(model, problem.some(rows))
        for a, b in zip(part.ravel(), whole[rows].ravel()):
            assert a == b or abs(a - b) < problem.rounding


def test_a_generator_is_a_seed_too(quick, X, y, told):
    seed = np.random.RandomState(4).randint(2**31 - 1)
    first, second = (told(quick(random_state=s).fit(X, y), X) for s in (np.random.RandomState(4), seed))
    assert (first == second).all()
    quick(random_state=None).fit(X, y)


# --- global state -------------------------------------------------------------------------------------------


def states():
    numbers = np.random.get_state()
    return random.getstate(), numbers[1].tolist(), numbers[2], torch.get_rng_state().tolist()


def settings_of_torch():
    return torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()


def test_the_worlds_random_state_is_untouched(quick, X, y, told):
    before = states(), settings_of_torch()
    told(quick().fit(X, y), X)
    assert (states(), settings_of_torch()) == before


def test_also_after_an_exception(quick, X, y, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(TrainingRecord, "__init__", fail)
    before = states(), settings_of_torch()
    with pytest.raises(RuntimeError, match="on purpose"):
        quick().fit(X, y)
    assert (states(), settings_of_torch()) == before


def test_nothing_is_printed(quick, X, y, told, capsys):
    told(quick(verbose=0).fit(X, y), X)
    assert capsys.readouterr() == ("", "")


def test_the_input_is_left_as_it_was(quick, X, y):
    before = pickle.dumps((X, y))
    quick().fit(X, y)
    assert pickle.dumps((X, y)) == before


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


def test_each_field_refuses_a_wrong_value_by_its_name(cls, X, y):
    tried = 0
    for name, field in fields_of(cls).items():
        value = wrong_value(field)
        if value is None:
            continue
        with pytest.raises(ParameterError) as error:
            cls(**{name: value}).fit(X, y)
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


def test_a_wrong_seed_is_refused(quick, X, y):
    with pytest.raises(ParameterError, match="random_state"):
        quick(random_state="one").fit(X, y)


# --- targets, labels, files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.array, list, "series", "polars"])
def test_a_target_of_any_kind_is_the_same_target(make, quick, X, y, told):
    import pandas
    import polars

    known = {"series": pandas.Series, "polars": polars.Series}
    other = known.get(make, make)(y.tolist())
    assert (told(quick().fit(X, other), X) == told(quick().fit(X, y), X)).all()


def test_not_fitted_is_said(cls, X, tmp_path):
    from sklearn.exceptions import NotFittedError

    for ask in (lambda m: m.predict(X), lambda m: m.save(tmp_path / "m"), lambda m: m.summary()):
        with pytest.raises(NotFittedError):
            ask(cls())


@pytest.mark.parametrize("labels", [[True, False], [3, 7], [-1, 1], ["a", "b"], [0, 5, 9], ["x", "yy", "z"]])
def test_labels_of_every_type_come_back(labels, quick, cls, problem, tmp_path):
    from sklearn.base import is_classifier

    if not is_classifier(cls()):
        pytest.skip("it predicts no labels")
    codes = np.random.default_rng(0).integers(len(labels), size=240)
    X, y = problem.apart(codes), np.array(labels)[codes]
    for kind in (y, y.astype(object), y.tolist()):
        model = quick(max_epochs=40).fit(X, kind)
        back = load(model.save(tmp_path / "m.ganglion"))
        for one in (model, back):
            assert (one.predict(X) == y).mean() > 0.9
            assert one.classes_.tolist() == sorted(labels)
            assert type(one.predict(X).tolist()[0]) is type(labels[0])
            assert one.predict(X).dtype == model.classes_.dtype


def test_saving_over_a_file_and_into_nowhere(quick, X, y, tmp_path):
    model = quick().fit(X, y)
    path = tmp_path / "m.ganglion"
    model.save(path)
    model.save(path)
    with pytest.raises((GanglionError, OSError)) as error:
        model.save(tmp_path / "no" / "such" / "folder" / "m.ganglion")
    assert "\n" not in str(error.value)


def test_a_stream_of_its_own(quick, X, y, monkeypatch):
    """verbose=1 writes to standard error, in plain lines where that is no terminal."""
    if "verbose" not in quick().get_params():
        pytest.skip("it has nothing to show while it trains")
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    quick(verbose=1).fit(X, y)
    text = stream.getvalue()
    assert "epoch" in text
    assert "\r" not in text
    assert "\x1b" not in text
    assert all(len(line) < 80 for line in text.splitlines())
