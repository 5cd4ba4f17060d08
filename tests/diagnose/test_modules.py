"""A sample of the benchmark on modules: ten real fits with a planted fault, and their sound twins."""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganglion.diagnose import diagnose

SCRIPTS = str(Path(__file__).parents[2] / "benchmarks")
# (fault, architecture, data, seed) of the tuning half: quick ones over all architectures and data sets
SAMPLE = [
    ("label_noise", "dense", "forecast", 1021001),
    ("internal_shift", "dense", "waves", 1020000),
    ("ill_conditioned", "deep", "waves", 1039000),
    ("dead_units", "deep", "table", 1029000),
    ("lr_too_low", "conv", "waves", 1054000),
    ("batch_too_small", "conv", "waves", 1062009),
    ("exploding_gradients", "recurrent", "digits", 1071009),
    ("high_bias", "residual", "digits", 1103002),
    ("batch_too_large", "residual", "digits", 1107001),
    ("no_better_than_baseline", "residual", "friedman", 1102000),
]


@pytest.fixture(scope="module")
def benchmark() -> Iterator[Any]:
    sys.path.insert(0, SCRIPTS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield importlib.import_module("diagnosis_modules")
    torch.set_num_threads(threads)
    sys.path.remove(SCRIPTS)


@pytest.mark.parametrize(("kind", "arch", "data", "seed"), SAMPLE)
def test_a_planted_fault_is_the_first_finding(benchmark, kind, arch, data, seed):
    twin = replace(benchmark.sound(arch, data, seed), kind=kind)
    case = benchmark.FAULTS[kind][0](twin, np.random.default_rng(seed + 500))
    found = [f.name for f in diagnose(benchmark.fitted(case).record_)]
    assert found[0] == kind
    assert len(found) <= 3


@pytest.mark.parametrize(("arch", "data", "seed"), [row[1:] for row in SAMPLE])
def test_its_sound_twin_is_left_alone(benchmark, arch, data, seed):
    fitted = benchmark.fitted(benchmark.sound(arch, data, seed))
    assert [f.name for f in diagnose(fitted.record_) if f.is_warning] == []
