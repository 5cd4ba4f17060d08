"""Rules of the second version: each fires on its own evidence and is silent just below its threshold."""

import pytest

from ganglion.base.record import TrainingRecord
from ganglion.diagnose import diagnose
from ganglion.diagnose.batches import batch_too_large, batch_too_small
from ganglion.diagnose.conditioning import ill_conditioned
from ganglion.diagnose.curve import high_bias, high_variance
from ganglion.diagnose.inputs import suspected_leakage
from ganglion.diagnose.labels import label_noise, many_wrong_labels
from ganglion.diagnose.shift import internal_shift
from ganglion.diagnose.steps import plateau
from ganglion.diagnose.view import View

RULES = [
    batch_too_large, batch_too_small, ill_conditioned, high_bias, high_variance, label_noise, many_wrong_labels,
    internal_shift,
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_sound_run_and_an_empty_record_give_nothing(rule, change):
    assert rule(View(change())) is None
    assert rule(View(TrainingRecord())) is None


# learning curves ------------------------------------------------------------------------------------------


def curve(*points):
    return [dict(zip(("n_train", "train_score", "val_score"), p)) for p in points]


@pytest.mark.parametrize(("held", "fires"), [(0.81, False), (0.79, True)])
def test_scores_that_stay_apart_are_variance(change, held, fires):
    found = high_variance(View(change(curve=curve((100, 1.0, 0.6), (400, 1.0, held)), data={"n_curve": 400})))
    assert (found is not None) == fires
    if fires:
        assert found.evidence["rise_with_rows"] == pytest.approx(held - 0.6)
        assert "more rows" in found.meaning


@pytest.mark.parametrize(
    ("train", "held", "before", "fires"),
    [(0.7, 0.68, 0.67, True), (0.82, 0.8, 0.79, False), (0.7, 0.47, 0.46, False), (0.7, 0.68, 0.5, False)],
)
def test_scores_that_meet_too_low_are_bias(change, train, held, before, fires):
    # the linear model of the record reaches 0.88
    rows = curve((100, 0.75, before), (200, 0.72, before), (400, train, held))
    found = high_bias(View(change(curve=rows, data={"n_curve": 400})))
    assert (found is not None) == fires
    if fires:
        assert found.remedy.action == "grow"


def test_a_curve_alone_is_judged_by_what_is_missing_to_a_perfect_score():
    record = TrainingRecord(
        task="binary", curve=curve((100, 0.66, 0.6), (400, 0.62, 0.61)), data={"classes": {"a": 9, "b": 9}}
    )
    assert diagnose(record)[0].name == "high_bias"
    record.curve = curve((100, 0.96, 0.9), (400, 0.93, 0.92))
    assert diagnose(record)[0].name == "healthy"
    record.curve = curve((100, 1.0, 0.55), (400, 1.0, 0.65))
    assert diagnose(record)[0].name == "high_variance"


# batches --------------------------------------------------------------------------------------------------


def noise(ratio, batch):
    return [
        {"step": s, "epoch": s, "kind": "noise", "noise_scale": ratio * batch, "batch_size": batch}
        for s in (1, 2, 4)
    ]


@pytest.mark.parametrize(("batch", "ratio", "fires"), [(2, 100.0, True), (5, 100.0, False), (2, 20.0, False)])
def test_a_batch_of_noise(change, batch, ratio, fires):
    poor = change.scored(0.7, 0.68, plan={"batch_size": batch}, probes=noise(ratio, batch))
    found = batch_too_small(View(poor))
    assert (found is not None) == fires
    if fires:
        assert (found.remedy.action, found.remedy.amount) == ("larger_batch", 32)


def test_small_batches_that_work_are_left_alone(change):
    assert batch_too_small(View(change(plan={"batch_size": 1}, probes=noise(100.0, 1)))) is None


@pytest.mark.parametrize(("batch", "epochs", "fires"), [(400, 10, True), (400, 400, False), (20, 10, False)])
def test_all_rows_in_a_step_leave_few_steps(change, batch, epochs, fires):
    record = change.rows(
        lambda i, row: {"step": (i + 1) * epochs // 10, "loss": 0.69 - 0.02 * i},
        scores=change.scored(0.6, 0.6).scores,
        plan={"batch_size": batch},
    )
    found = batch_too_large(View(record))
    assert (found is not None) == fires
    if fires:
        assert found.remedy.action == "smaller_batch"


def test_the_batch_of_a_loop_of_ones_own_follows_from_its_steps(change):
    assert View(change()).batch == pytest.approx(20)  # 400 rows, 20 steps an epoch


# statistics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shift", "train", "fires"), [(3.6, 0.6, True), (3.4, 0.6, False), (3.6, 0.93, False)]
)
def test_inputs_that_keep_moving(change, shift, train, fires):
    record = change.layers(
        lambda row: {"input_shift": shift if row["index"] == 2 else 0.1},
        scores=change.scored(train, train).scores,
    )
    found = internal_shift(View(record))
    assert (found is not None) == fires
    if fires:
        assert found.where == "layer2"


@pytest.mark.parametrize(("answering", "fires"), [(0.3, False), (0.4, True)])
def test_statistics_that_lag_behind(change, answering, fires):
    record = change()
    record.scores["train"]["loss"] = answering
    found = internal_shift(View(record))
    assert (found is not None) == fires
    if fires:
        assert found.where == "kept statistics"


# labels ---------------------------------------------------------------------------------------------------


def doubts(simple, network=None, everywhere=None, rows=200):
    found = {"doubtful_labels": {"share": simple, "rows": rows, "all": everywhere or simple}}
    if network is not None:
        found["confident_errors"] = {"share": network, "rows": 40, "all": network}
    return found


@pytest.mark.parametrize(
    ("facts", "fires"),
    [
        (doubts(0.2, 0.2), True),
        (doubts(0.2), True),
        (doubts(0.05, 0.2), False),  # within two standard errors of what happens by chance
        (doubts(0.2, 0.0), False),  # the network finds what the simple model does not
        (doubts(0.12, 0.12, 0.3), False),  # classes that overlap are clear where models are sure
        (doubts(0.48, 0.48), False),  # nothing to learn at all
    ],
)
def test_labels_that_sure_models_contradict(change, facts, fires):
    found = label_noise(View(change(data=facts)))
    assert (found is not None) == fires
    if fires:
        assert found.remedy.action == "soften_labels"


def test_many_wrong_labels_come_before_a_poor_score(change):
    few, many = (change.scored(0.95, 0.5, data=doubts(share, share)) for share in (0.2, 0.3))
    assert many_wrong_labels(View(few)) is None
    assert diagnose(few)[0].name == "overfitting"
    assert diagnose(many)[0].name == "label_noise"


@pytest.mark.parametrize(
    ("share", "loss", "severity"),
    [(0.1, "squared_error", "warning"), (0.1, "huber(1)", "note"), (0.02, "squared_error", None)],
)
def test_gross_errors_of_numbers(change, share, loss, severity):
    record = change(data={"gross_errors": {"share": share, "rows": 300}}, settings={"loss": loss})
    found = label_noise(View(record))
    assert (found and found.severity) == severity
    if severity:
        assert (found.remedy.action, found.remedy.amount) == ("robust_loss", "huber")


# conditioning ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("directions", "train", "fires"),
    [
        ({"condition": 310.0, "largest_share": 0.9}, 0.7, True),
        ({"condition": 290.0, "largest_share": 0.9}, 0.7, False),
        ({"largest_share": 0.995}, 0.7, True),
        ({"condition": 310.0, "largest_share": 0.9}, 0.93, False),
    ],
)
def test_a_target_in_weak_directions(change, directions, train, fires):
    record = change.scored(train, train, data={"directions": directions}, settings={"optimizer": "sgd"})
    found = ill_conditioned(View(record))
    assert (found is not None) == fires
    if fires:
        assert (found.remedy.action, found.where) == ("change_optimizer", "inputs")


def test_a_rate_at_the_edge_of_the_steepest_direction(change):
    stands = {"settings": {"optimizer": "sgd"}, "scores": change.scored(0.6, 0.6).scores}
    sharp = [
        {
            "step": 9,
            "epoch": 2,
            "kind": "curvature",
            "top": 19.0,
            "bottom": -0.1,
            "condition": 190.0,
            "lr_top": 1.9,
        }
    ]
    flat = change.rows(lambda i, row: {"loss": 0.6 - 0.005 * i}, probes=sharp, **stands)
    assert ill_conditioned(View(flat)).where == "loss"
    flat.probes[0]["lr_top"] = 0.5
    assert ill_conditioned(View(flat)) is None


# plateau against minimum ----------------------------------------------------------------------------------


def test_a_plateau_that_bends_down_is_a_saddle_and_a_loss_at_rest_a_minimum(change):
    flat = change.rows(lambda i, row: {"loss": 0.69, "val_loss": 0.69}, scores=change.scored(0.5, 0.5).scores)
    assert "saddle" not in plateau(View(flat)).meaning
    flat.probes = [
        {
            "step": 9,
            "epoch": 2,
            "kind": "curvature",
            "top": 1.0,
            "bottom": -0.3,
            "condition": 9.0,
            "lr_top": 0.1,
        }
    ]
    found = plateau(View(flat))
    assert "saddle" in found.meaning
    assert found.evidence["negative_curvature"] == pytest.approx(-0.3)
    still = change.rows(lambda i, row: {"loss": max(0.6 - 0.1 * i, 0.2), "grad_norm": 1.0 / (1 + 5 * i)})
    assert "minimum" in diagnose(still)[0].meaning
    assert "minimum" not in diagnose(change())[0].meaning


# leakage, among many classes ------------------------------------------------------------------------------


@pytest.mark.parametrize(("second", "fires"), [(0.7, True), (0.9, False)])
def test_a_leak_that_no_other_column_comes_near_to(change, second, fires):
    classes = {str(i): 40 for i in range(10)}
    record = change(
        task="multiclass", data={"single_column_scores": {"a": 0.99, "b": second}, "classes": classes}
    )
    assert (suspected_leakage(View(record)) is not None) == fires
