"""Every estimator passes scikit-learn's own checks as it is shipped, and says how many were run."""

import re
from importlib.util import find_spec

import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_dataframe_column_names_consistency,
    check_estimator,
    estimator_checks_generator,
)

from ganglion.base.registry import lookup, names

EVERY = names("estimator")
ESTIMATORS = [name for name in EVERY if get_tags(lookup("estimator", name)()).input_tags.two_d_array]
# Integer weights equal repeated rows only where nothing is drawn per row: no dropout, no validation part, no batches.
EXPECTED = (
    "mini-batches, dropout and the validation part are drawn per row, so a repeated row is no double weight"
)
PLAIN = {"dropout": 0.0, "validation_fraction": 0.0, "batch_size": "full"}


def shipped(name):
    cls = lookup("estimator", name)
    return cls(max_epochs=5) if "max_epochs" in cls().get_params() else cls()


def weight_checks(estimator):
    found = estimator_checks_generator(estimator)
    return [(e, c) for e, c in found if re.search("sample_weight_equivalence", str(c))]


def name_of(check):
    return check.func.__name__ if hasattr(check, "func") else check.__name__


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore")  # the checks provoke warnings on purpose
def test_check_estimator(name, record_property):
    assert find_spec("pandas"), "the checks of frames need pandas"
    estimator = shipped(name)
    expected = {name_of(check): EXPECTED for _, check in weight_checks(estimator)}
    results = check_estimator(estimator, expected_failed_checks=expected, on_fail=None, on_skip=None)
    count = {status: sum(r["status"] == status for r in results) for status in ("passed", "skipped", "xfail")}
    record_property(
        "told",
        f"{name}: {len(results)} checks of scikit-learn run, {count['passed']} passed, "
        f"{count['skipped']} skipped, {count['xfail']} expected to fail (sample-weight equivalence)",
    )
    failed = [f"{r['check_name']}: {r['exception']!r}" for r in results if r["status"] == "failed"]
    assert not failed
    assert len(results) >= 55
    skipped = {r["check_name"] for r in results if r["status"] == "skipped"}
    assert skipped <= {"check_array_api_input"}  # needs SCIPY_ARRAY_API before anything is imported
    assert {r["check_name"] for r in results if r["status"] == "xfail"} <= set(expected)
    assert "check_sample_weights_pandas_series" in {r["check_name"] for r in results}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_names_of_columns_are_heeded(name):
    check_dataframe_column_names_consistency(name, shipped(name))


@pytest.mark.parametrize("name", [name for name in EVERY if name not in ESTIMATORS])
@pytest.mark.filterwarnings("ignore")
def test_where_inputs_are_no_tables_the_checks_without_data_pass(name, record_property):
    results = check_estimator(shipped(name), on_fail=None, on_skip=None)
    assert not [f"{r['check_name']}: {r['exception']!r}" for r in results if r["status"] == "failed"]
    record_property("told", f"{name}: {len(results)} checks of scikit-learn that need no table, all passed")


@pytest.mark.parametrize("name", EVERY)
def test_no_tag_lets_an_estimator_off(name):
    tags = get_tags(shipped(name))
    assert not tags._skip_test
    assert not tags.no_validation
    assert not tags.non_deterministic
    for part in (tags.classifier_tags, tags.regressor_tags):
        assert part is None or not part.poor_score


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.filterwarnings("ignore")
def test_whole_weights_equal_repeated_rows_where_nothing_is_drawn(name, record_property):
    estimator = shipped(name)
    plain = {k: v for k, v in PLAIN.items() if k in estimator.get_params()}
    assert "batch_size" in plain
    checks = weight_checks(estimator.set_params(**plain))
    assert checks
    for ready, check in checks:
        check(ready)
    settings = ", ".join(f"{k}={v!r}" for k, v in plain.items())
    record_property(
        "told", f"{name}: {len(checks)} check of sample-weight equivalence passed with {settings}"
    )
