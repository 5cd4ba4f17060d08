"""What every estimator for tables owes: tables of any kind, gaps, words, columns by name."""

import warnings

import numpy as np
import pytest
import torch

from ganglion.base.registry import lookup, names
from ganglion.estimators.persist import load
from ganglion.estimators.table import TableMixin

TABLES = [name for name in names("estimator") if issubclass(lookup("estimator", name), TableMixin)]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(params=TABLES)
def cls(request):
    """Every registered estimator for tables."""
    return lookup("estimator", request.param)


@pytest.fixture
def target(y):
    """What the table tells."""
    return y


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


@pytest.mark.parametrize("encode", ["auto", "onehot", "ordinal", "embedding"])
def test_the_gradient_reaches_every_parameter_behind_each_code(quick, table, target, encode):
    model = quick(encode=encode).fit(table, target)
    if not hasattr(model, "module_"):
        pytest.skip("it has no module: its rule moves the weights without gradients")
    matrix = torch.as_tensor(model._matrix(table) if not hasattr(model, "_rows") else model._rows(table))
    output = model.module_(matrix.float())
    (output * torch.randn(output.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
    silent = [k for k, p in model.module_.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent
    model.module_.zero_grad()
