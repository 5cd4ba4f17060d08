"""Each rule fires on its own evidence and is silent just below its threshold."""

import math

import pytest

from ganglion.base.record import TrainingRecord
from ganglion.diagnose.generalisation import no_better_than_baseline, overfitting, underfitting
from ganglion.diagnose.gradients import exploding_gradients, non_finite_step, vanishing_gradients
from ganglion.diagnose.inputs import ignored_imbalance, suspected_leakage, too_little_data, unscaled_inputs
from ganglion.diagnose.steps import lr_too_high, lr_too_low, plateau, power_of_ten
from ganglion.diagnose.units import dead_units, saturated_from_start, saturated_units
from ganglion.diagnose.view import View

RULES = [
    no_better_than_baseline,
    overfitting,
    underfitting,
    exploding_gradients,
    non_finite_step,
    vanishing_gradients,
    ignored_imbalance,
    suspected_leakage,
    too_little_data,
    unscaled_inputs,
    lr_too_high,
    lr_too_low,
    plateau,
    dead_units,
    saturated_from_start,
    saturated_units,
]


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_run_and_an_empty_record_give_nothing(rule, change):
    assert rule(View(change())) is None
    assert rule(View(TrainingRecord())) is None


# data ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "std", "fires"),
    [(0, 9.9, False), (0, 10.1, True), (2010, 5, True), (0, 0.11, False), (0.06, 0.07, True), (7, 7, False)],
)
def test_unscaled_inputs(change, mean, std, fires):
    # a small column is only a fault where no other is of the usual size
    usual = {} if std < 1 else {"b": {"mean": 0.0, "std": 1.0}}
    record = change(data={"scales": {"a": {"mean": mean, "std": std}} | usual})
    found = unscaled_inputs(View(record))
    assert (found is not None) == fires
    if fires:
        assert found.where == "a"
        assert found.remedy.action == "scale_inputs"
        assert found.evidence["largest_size"] == pytest.approx(math.hypot(mean, std))


def test_a_constant_zero_column_is_no_scale(change):
    assert unscaled_inputs(View(change(data={"scales": {"a": {"mean": 0, "std": 0}}}))) is None


@pytest.mark.parametrize(("task", "score", "fires"), [("binary", 0.989, False), ("binary", 0.991, True)])
def test_leakage_in_classes(change, task, score, fires):
    found = suspected_leakage(View(change(task=task, data={"single_column_scores": {"a": score, "b": 0.7}})))
    assert (found is not None) == fires
    if fires:
        assert (found.where, found.remedy.action, found.remedy.amount) == ("a", "drop_column", "a")
        assert not found.remedy.by_parameters


@pytest.mark.parametrize(("score", "fires"), [(0.97, False), (0.985, True)])
def test_leakage_in_regression(change, score, fires):
    record = change(task="regression", data={"single_column_scores": {"a": score, "b": 0.1}})
    assert (suspected_leakage(View(record)) is not None) == fires


def test_one_column_or_few_rows_are_no_leak(change):
    assert suspected_leakage(View(change(data={"single_column_scores": {"a": 1.0}}))) is None
    few = change(data={"single_column_scores": {"a": 1.0, "b": 0.9}, "n_train": 30})
    assert suspected_leakage(View(few)) is None


@pytest.mark.parametrize(("n", "fires"), [(79, True), (80, False)])
def test_too_little_data(change, n, fires):
    found = too_little_data(View(change(data={"n_train": n, "n_validation": 10})))
    assert (found is not None) == fires
    if fires:
        assert found.remedy.action == "more_rows"


def test_more_columns_than_half_the_rows_need_a_gap_too(change):
    wide = {"n_train": 100, "n_columns": 60, "n_validation": 40}
    assert too_little_data(View(change.scored(0.99, 0.95, data=wide))) is None
    assert too_little_data(View(change.scored(1.0, 0.6, data=wide))).evidence["threshold"] == 120


@pytest.mark.parametrize(
    ("rare", "balanced", "weight", "fires"),
    [(20, 0.6, None, True), (45, 0.6, None, False), (20, 0.93, None, False), (20, 0.6, "balanced", False)],
)
def test_ignored_imbalance(change, rare, balanced, weight, fires):
    score = {"loss": 0.1, "score": 0.97, "accuracy": 0.97, "balanced_accuracy": balanced}
    record = change(
        settings={"class_weight": weight},
        data={"classes": {"no": 400, "yes": rare}},
        scores={"train": score, "validation": score},
    )
    found = ignored_imbalance(View(record))
    assert (found is not None) == fires
    if fires:
        assert found.where == "class yes"
        assert found.remedy.action == "weigh_classes"


# gradients ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("norm", "fires"), [(99.0, False), (101.0, True)])
def test_gradients_that_explode_at_the_start(change, norm, fires):
    record = change.layers(lambda row: {"grad_norm": norm} if row["step"] == 1 and row["index"] == 1 else {})
    found = exploding_gradients(View(record))
    assert (found is not None) == fires
    if fires:
        assert (found.where, found.remedy.action) == ("layer1", "reset_init")


def test_large_gradients_of_large_targets_are_not_exploding(change):
    record = change.layers(lambda row: {"grad_norm": 3e4})
    record.task, record.baselines = "regression", {"dummy": {"loss": 1e8, "score": 0.0}}
    assert exploding_gradients(View(record)) is None


def test_spikes_are_clipped(change):
    record = change.rows(lambda i, row: {"grad_norm_max": 150.0} if i == 5 else {})
    assert exploding_gradients(View(record)).remedy.action == "clip_norm"
    record = change.rows(lambda i, row: {"grad_norm_max": 90.0} if i == 5 else {})
    assert exploding_gradients(View(record)) is None


def test_without_layers_the_first_epoch_tells(change):
    record = change.rows(lambda i, row: {"grad_norm": 5e3, "grad_norm_max": 6e3}, layers=[])
    assert exploding_gradients(View(record)) is not None


@pytest.mark.parametrize(("first", "fires"), [(2e-2, False), (5e-3, True)])
def test_gradients_that_vanish_with_depth(change, first, fires):
    record = change.layers(
        lambda row: {"grad_norm": first if row["index"] == 0 else 1.0, "activation": "Sigmoid"}
    )
    found = vanishing_gradients(View(record))
    assert (found is not None) == fires
    if fires:
        assert (found.remedy.action, found.remedy.amount) == ("change_activation", "relu")


def test_a_last_layer_at_zero_hides_the_first_step_only(change):
    record = change.layers(lambda row: {"grad_norm": 0.0} if row["step"] == 1 and row["index"] < 3 else {})
    assert vanishing_gradients(View(record)) is None


def test_gradients_that_are_tiny_everywhere(change):
    found = vanishing_gradients(View(change.layers(lambda row: {"grad_norm": 1e-7})))
    assert found.remedy.action == "reset_init"


def test_non_finite_step_names_the_layer(change):
    place = {
        "epoch": 3,
        "step": 41,
        "layer": "stack.2",
        "quantity": "activation",
        "cause": "activations overflow",
    }
    found = non_finite_step(View(change(non_finite=place, stopped="non_finite")))
    assert (found.where, found.severity, found.evidence["step"]) == ("stack.2", "error", 41)
    assert "activations overflow" in found.meaning
    assert (found.remedy.action, found.remedy.amount) == ("check_layer", "stack.2")
    grown = change.layers(lambda row: {"grad_norm": float(row["step"])}, non_finite=place)
    assert non_finite_step(View(grown)).remedy.action == "clip_norm"


def test_non_finite_data_and_a_loop_of_ones_own(change):
    place = {"layer": "input", "quantity": "x", "cause": "the batch's x is not finite"}
    assert non_finite_step(View(change(non_finite=place))).remedy.action == "check_data"
    assert non_finite_step(View(change.rows(lambda i, row: {"loss": math.nan} if i == 4 else {}))) is not None


# units --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "fires"), [(0.45, False), (0.55, True)])
def test_dead_units(change, share, fires):
    record = change.layers(
        lambda row: {"dead": share} if row["index"] == 1 and row["step"] == 200 else {},
        scores=change.scored(0.8, 0.8).scores,
    )
    found = dead_units(View(record))
    assert (found is not None) == fires
    if fires:
        assert (found.where, found.severity, found.remedy.amount) == ("layer1", "warning", "leaky_relu")


def test_units_that_a_good_fit_does_not_need(change):
    assert dead_units(View(change.layers(lambda row: {"dead": 0.6} if row["step"] == 200 else {}))) is None


def test_units_dead_from_the_start_need_another_start(change):
    found = dead_units(View(change.layers(lambda row: {"dead": 1.0} if row["index"] == 0 else {})))
    assert (found.severity, found.remedy.action) == ("error", "reset_init")


@pytest.mark.parametrize(("share", "fires"), [(0.45, False), (0.55, True)])
def test_saturated_from_the_start(change, share, fires):
    record = change.layers(
        lambda row: {"saturated": share, "activation": "Tanh"} if row["index"] == 0 else {}
    )
    assert (saturated_from_start(View(record)) is not None) == fires


def test_saturation_after_a_good_fit_is_none(change):
    def late(row):
        return {"saturated": 0.7, "activation": "Tanh"} if row["step"] == 200 and row["index"] == 0 else {}

    assert saturated_units(View(change.layers(late))) is None
    assert saturated_units(View(change.layers(late, baselines={"linear": {"score": 0.99}}))) is not None


# steps --------------------------------------------------------------------------------------------------


def hidden(ratio):
    return lambda row: {"update_ratio": ratio} if row["index"] < 3 else {}


def test_steps_as_large_as_the_weights(change):
    assert lr_too_high(View(change.layers(hidden(0.4)))) is None
    found = lr_too_high(View(change.layers(hidden(0.6))))
    assert (found.remedy.action, found.remedy.amount) == ("lower_lr", 0.01)


def test_large_steps_need_a_sign_of_harm(change):
    worse = {"baselines": {"linear": {"score": 0.999, "accuracy": 0.999}}}
    scores = change.scored(0.7, 0.7).scores
    assert lr_too_high(View(change.layers(hidden(0.2)))) is None
    found = lr_too_high(View(change.layers(hidden(0.2), scores=scores, **worse)))
    assert found.evidence["below_baseline"] == pytest.approx(0.299)
    assert lr_too_high(View(change.layers(hidden(0.1), scores=scores, **worse))) is None


def test_the_output_layer_may_start_at_zero_and_jump(change):
    assert (
        lr_too_high(View(change.layers(lambda row: {"update_ratio": 0.9} if row["index"] == 3 else {})))
        is None
    )


def test_a_loss_that_grows_in_a_loop_without_layers(change):
    grown = [0.7, 0.6, 0.9, 1.5, 2.0, 2.2, 2.5, 2.6, 2.8, 3.0]
    record = change.rows(lambda i, row: {"loss": grown[i], "val_loss": grown[i]}, layers=[])
    assert lr_too_high(View(record)).remedy.action == "lower_lr"


@pytest.mark.parametrize(("ratio", "fires"), [(3e-4, False), (1e-4, True), (1e-6, True)])
def test_tiny_steps_far_from_the_goal(change, ratio, fires):
    slow = change.layers(hidden(ratio), scores=change.scored(0.6, 0.6).scores)
    found = lr_too_low(View(slow))
    assert (found is not None) == fires
    if fires:
        assert found.remedy.amount == power_of_ten(5e-3 / ratio)
    done = change.layers(hidden(ratio))  # as good as the baseline: small steps were enough
    assert lr_too_low(View(done)) is None


def test_a_learning_rate_that_fell_too_early(change):
    def early(i, row):
        return {"lr": 1e-3 if i < 4 else 1e-8, "loss": 0.6 - 0.05 * min(i, 3)}

    found = plateau(View(change.rows(early)))
    assert (found.where, found.remedy.action) == ("schedule", "keep_lr")
    flat_end = change.rows(lambda i, row: early(i, row) | {"grad_norm": 1.0 if i < 4 else 0.05})
    assert plateau(View(flat_end)) is None


def test_standing_still_at_chance(change):
    record = change.rows(lambda i, row: {"loss": 0.693}, scores=change.scored(0.5, 0.5).scores)
    assert plateau(View(record)).remedy.action == "raise_lr"
    record.baselines["linear"] = {"score": 0.52, "accuracy": 0.52}
    assert plateau(View(record)) is None  # nothing to find


def test_weights_of_zero(change):
    record = change.rows(lambda i, row: {"loss": 0.693}, scores=change.scored(0.5, 0.5).scores)
    record.layers = [{**row, "weight_norm": 0.0, "dead": 1.0} for row in record.layers]
    assert plateau(View(record)).remedy.action == "reset_init"
    assert dead_units(View(record)) is None


def test_powers_of_ten_are_never_one():
    assert power_of_ten(0.009) == pytest.approx(0.01)
    assert power_of_ten(0.9) == pytest.approx(0.1)
    assert power_of_ten(1.2) == pytest.approx(10)


# scores -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("validation", "severity"), [(0.93, None), (0.84, "note"), (0.7, "warning")])
def test_overfitting_by_scores(change, validation, severity):
    found = overfitting(View(change.scored(1.0, validation, baselines={"linear": {"score": 0.8}})))
    assert (found and found.severity) == severity


def test_overfitting_by_curves(change):
    held = [0.5, 0.4, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75]
    late = {"settings": {"early_stopping": False}}
    found = overfitting(View(change.rows(lambda i, row: {"val_loss": held[i]}, **late)))
    assert (found.severity, found.evidence["rise_over_chance"]) == ("warning", pytest.approx(0.35 / 0.693))
    assert found.remedy.action == "regularise"  # the best epoch's weights were kept already
    assert overfitting(View(change.rows(lambda i, row: {"val_loss": held[i]}))).severity == "note"
    mild = change.rows(lambda i, row: {"val_loss": min(held[i], 0.55)}, **late)
    assert overfitting(View(mild)) is None


@pytest.mark.parametrize(("train", "fires"), [(0.8, False), (0.75, True)])
def test_underfitting(change, train, fires):
    found = underfitting(View(change.scored(train, train)))
    assert (found is not None) == fires
    if fires:
        assert found.remedy.action == "grow"


def test_what_holds_a_network_back(change):
    def remedy(**settings):
        found = underfitting(View(change.scored(0.7, 0.7, settings=settings)))
        return found.remedy.action, found.remedy.amount

    assert remedy(dropout=0.9) == ("regularise_less", 0.1)
    assert remedy(hidden_layer_sizes=[1]) == ("grow", 4.0)
    assert remedy(weight_decay=20.0) == ("regularise_less", 0.1)


def test_a_run_that_ended_too_soon_goes_on(change):
    record = change.rows(lambda i, row: {"loss": 0.7 - 0.05 * i}, scores=change.scored(0.7, 0.7).scores)
    assert underfitting(View(record)).remedy.action == "more_epochs"


def test_a_penalty_that_shrinks_weights_to_nothing(change):
    record = change.layers(lambda row: {"weight_norm": 10.0 if row["step"] < 40 else 0.5})
    assert underfitting(View(record)).remedy.action == "regularise_less"


@pytest.mark.parametrize(
    ("validation", "linear", "fires"), [(0.62, 0.5, True), (0.63, 0.5, False), (0.55, 0.8, False)]
)
def test_no_better_than_the_baseline(change, validation, linear, fires):
    record = change.scored(0.95, validation, baselines={"linear": {"score": linear, "accuracy": linear}})
    assert (no_better_than_baseline(View(record)) is not None) == fires


@pytest.mark.parametrize(("validation", "fires"), [(0.05, True), (0.15, False)])
def test_no_better_than_the_mean(change, validation, fires):
    baselines = {"dummy": {"score": -0.01, "loss": 1.0}, "linear": {"score": -0.05}}
    record = change(task="regression", baselines=baselines, data={"classes": {}})
    record.scores = {"train": {"score": 0.9}, "validation": {"score": validation}}
    assert (no_better_than_baseline(View(record)) is not None) == fires
