"""A sample of the benchmark: real fits with a planted fault, and sound ones."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = str(Path(__file__).parents[2] / "benchmarks")
# (kind, data, variant): quick ones, over four data sets
SAMPLE = [
    ("lr_too_high", "cancer", 2),
    ("lr_too_low", "cancer", 1),
    ("saturated_units", "cancer", 1),
    ("dead_units", "two", 0),
    ("unscaled_inputs", "wine", 1),
    ("plateau", "cancer", 1),
    ("non_finite_step", "wine", 0),
    ("too_little_data", "cancer", 1),
    ("suspected_leakage", "diabetes", 1),
    ("no_better_than_baseline", "cancer", 1),
]


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    sys.path.insert(0, SCRIPTS)
    yield importlib.import_module("diagnosis")
    sys.path.remove(SCRIPTS)


@pytest.fixture(scope="module")
def plants(benchmark) -> Any:
    return importlib.import_module("_plants")


@pytest.mark.parametrize(("kind", "data", "variant"), SAMPLE)
def test_a_planted_fault_is_the_first_finding(benchmark, plants, kind, data, variant):
    settings = dict(plants.SETTINGS[kind][1][variant])
    plant = plants.plant(kind, data, settings, variant, seed=variant)
    outcome = benchmark.run(plant, heal=False)
    assert outcome.right, outcome.names


def test_sound_runs_get_no_warning(benchmark, plants):
    sound = [
        benchmark.run(p, heal=False)
        for p in plants.healthy("tuning", 7)
        if p.data in ("cancer", "wine", "two")
    ]
    assert [o.names for o in sound if o.warned] == []


def test_a_remedy_helps(benchmark, plants):
    plant = plants.plant("unscaled_inputs", "wine", {"activation": "tanh"}, 1, seed=0)
    outcome = benchmark.run(plant)
    assert outcome.after > outcome.before
