"""The verdict as a whole: order, brevity, and any record whatsoever."""

import ast
import copy
import json
import random
from pathlib import Path

import pytest

from ganglion.base.errors import GanglionError
from ganglion.base.record import TrainingRecord
from ganglion.diagnose import ACTIONS, Finding, Remedy, diagnose
from ganglion.diagnose.verdict import EXPLAINS, RULES, in_order
from ganglion.diagnose.view import View


def names(record):
    return [finding.name for finding in diagnose(record)]


def test_a_sound_run_is_healthy(change):
    (finding,) = diagnose(change())
    assert (finding.name, finding.severity) == ("healthy", "ok")
    assert finding.evidence == {"train_score": 0.93, "validation_score": 0.91}


def test_a_note_does_not_take_the_place_of_healthy(change):
    assert names(change.scored(1.0, 0.86)) == ["healthy", "overfitting"]


def test_causes_come_before_and_hide_their_symptoms(change):
    record = change.layers(
        lambda row: {"saturated": 0.9, "update_ratio": 1.0, "grad_norm": 1e4},
        data={"scales": {"a": {"mean": 500.0, "std": 100.0}}},
        scores=change.scored(0.6, 0.4).scores,
    )
    assert names(record) == ["unscaled_inputs"]


def test_a_step_that_is_not_finite_is_always_told(change):
    record = change.layers(
        lambda row: {"update_ratio": 2.0}, stopped="non_finite", non_finite={"layer": "a", "step": 3}
    )
    assert names(record) == ["lr_too_high", "non_finite_step"]


def test_a_setting_that_holds_back_goes_before_what_it_brings_about(change):
    record = change.scored(0.6, 0.6, settings={"dropout": 0.95})
    assert in_order(View(record))[2].__name__ == "underfitting"
    assert names(record)[0] == "underfitting"


def test_at_most_three(change):
    record = change.layers(lambda row: {"update_ratio": 2.0}, stopped="non_finite")
    record.data |= {"n_train": 20, "single_column_scores": {}}
    assert len(diagnose(record)) <= 3
    assert len(diagnose(record, most=1)) == 1


def test_every_explained_name_is_a_finding_of_some_rule():
    known = {rule.__name__ for rule in RULES} | {"saturated_units"}
    assert set(EXPLAINS) <= known
    assert set().union(*EXPLAINS.values()) <= known


def test_findings_go_through_json(change):
    record = change.scored(1.0, 0.5)
    for finding in diagnose(record):
        assert Finding.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding
    assert Finding.from_dict({**Finding("plateau", "note").to_dict(), "later": 1}).name == "plateau"


def test_unknown_words_are_refused():
    with pytest.raises(GanglionError, match="did you mean 'lower_lr'"):
        Remedy("lower_rl")
    with pytest.raises(GanglionError, match="severity"):
        Finding("plateau", "fatal")


def test_every_action_says_what_it_means():
    assert all(isinstance(by_parameters, bool) and meaning for by_parameters, meaning in ACTIONS.values())


JUNK = [None, "", "x", float("nan"), float("inf"), -1, 0, [], {}, [None], {"a": None}, True, 1e308]


def scrambled(value, rng):
    """A copy in which any part may have become junk or be gone."""
    if rng.random() < 0.06:
        return rng.choice(JUNK)
    if isinstance(value, dict):
        return {k: scrambled(v, rng) for k, v in value.items() if rng.random() > 0.04}
    if isinstance(value, list):
        return [scrambled(v, rng) for v in value if rng.random() > 0.04]
    return value


def test_no_record_makes_it_raise(change):
    plain = change().to_dict()
    for seed in range(300):
        rng = random.Random(seed)
        record = TrainingRecord(**{k: scrambled(copy.deepcopy(v), rng) for k, v in plain.items()})
        found = diagnose(record)
        assert 1 <= len(found) <= 3
        assert all(isinstance(f, Finding) for f in found)
        json.dumps([f.to_dict() for f in found])


@pytest.mark.parametrize("part", ["history", "layers", "data", "scores", "baselines", "settings"])
def test_a_missing_part_only_silences(change, part):
    empty = [] if part in ("history", "layers") else {}
    record = change()
    setattr(record, part, empty)
    assert names(record) == ["healthy"]
    setattr(record, part, None)
    assert names(record) == ["healthy"]


def test_every_finding_names_its_section_and_its_experiment():
    """Read from the source, so that a rule that is added here and not there shows."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "diagnosis.md").read_text()
    found = set()
    for path in (root / "src" / "ganglion" / "diagnose").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Finding":
                name = ast.literal_eval(call.args[0])
                labs = [ast.literal_eval(k.value) for k in call.keywords if k.arg == "lab"]
                found.add(name)
                assert any(
                    line.strip("# ").replace(" ", "-") == name.replace("_", "-") for line in page.splitlines()
                ), name
                assert name == "healthy" or (all(f"`{lab}`" in page for lab in labs) and labs), name
    assert len(found) == 23
    assert {n for names in EXPLAINS.values() for n in names} | set(EXPLAINS) <= found
