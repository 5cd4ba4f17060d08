"""Hand-made records: a sound run, and changes to it."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ganglion.base.record import TrainingRecord

STEPS = (1, 2, 4, 8, 40, 80, 200)


def sound_layers() -> list[dict[str, Any]]:
    """Three hidden ReLU layers and an output, watched at a few steps."""
    return [
        {
            "step": step,
            "epoch": 1 + step // 20,
            "layer": f"layer{index}",
            "kind": "Linear",
            "index": index,
            "weight_norm": 10.0,
            "grad_norm": 1.0,
            "update_ratio": 5e-3,
            **({} if index == 3 else {"activation": "ReLU", "dead": 0.02, "saturated": 0.0}),
        }
        for step in STEPS
        for index in range(4)
    ]


def sound_record() -> TrainingRecord:
    """Ten epochs of a binary task that went well."""
    losses = [0.6, 0.45, 0.35, 0.28, 0.24, 0.21, 0.19, 0.18, 0.175, 0.172]
    return TrainingRecord(
        task="binary",
        settings={
            "lr": 1e-3,
            "dropout": 0.1,
            "weight_decay": 0.01,
            "early_stopping": True,
            "hidden_layer_sizes": [64],
        },
        history=[
            {
                "epoch": i + 1,
                "step": 20 * (i + 1),
                "lr": 1e-3,
                "loss": loss,
                "grad_norm": 1.0,
                "grad_norm_max": 3.0,
                "val_loss": loss + 0.02,
                "val_score": 0.9,
            }
            for i, loss in enumerate(losses)
        ],
        layers=sound_layers(),
        data={
            "n_train": 400,
            "n_validation": 100,
            "n_columns": 10,
            "classes": {"no": 200, "yes": 200},
            "scales": {f"c{i}": {"mean": 0.0, "std": 1.0, "min": -3.0, "max": 3.0} for i in range(10)},
            "single_column_scores": {f"c{i}": 0.6 for i in range(10)},
        },
        scores={
            "train": {"loss": 0.17, "score": 0.93, "accuracy": 0.93, "balanced_accuracy": 0.93},
            "validation": {"loss": 0.19, "score": 0.91, "accuracy": 0.91, "balanced_accuracy": 0.91},
        },
        baselines={
            "dummy": {"loss": 0.693, "score": 0.5, "accuracy": 0.5, "balanced_accuracy": 0.5},
            "linear": {"score": 0.88, "accuracy": 0.88, "balanced_accuracy": 0.88},
        },
    )


class Change:
    """Changes to the sound record, each returning a new one."""

    def __init__(self) -> None:
        self.sound = sound_record()

    def __call__(self, **parts: Any) -> TrainingRecord:
        """Dicts are merged into the record's, anything else replaces it."""
        record = copy.deepcopy(self.sound)
        for name, value in parts.items():
            old = getattr(record, name)
            setattr(
                record, name, {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
            )
        return record

    def rows(self, change: Callable[[int, dict[str, Any]], dict[str, Any]], **parts: Any) -> TrainingRecord:
        """``change(i, row)`` gives the new entries of history row i."""
        record = self(**parts)
        record.history = [{**row, **change(i, row)} for i, row in enumerate(record.history)]
        return record

    def layers(self, change: Callable[[dict[str, Any]], dict[str, Any]], **parts: Any) -> TrainingRecord:
        """``change(row)`` gives the new entries of a layer row."""
        record = self(**parts)
        record.layers = [{**row, **change(row)} for row in record.layers]
        return record

    def scored(self, train: float, validation: float, **parts: Any) -> TrainingRecord:
        """With other scores, every key the same."""
        keys = ("score", "accuracy", "balanced_accuracy")
        scores = {
            "train": {"loss": 0.17, **dict.fromkeys(keys, train)},
            "validation": {"loss": 0.19, **dict.fromkeys(keys, validation)},
        }
        return self(scores=scores, **parts)


@pytest.fixture
def change() -> Change:
    """Makes records that differ from a sound one."""
    return Change()
