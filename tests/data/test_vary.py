"""Waves that are varied in training: each variation alone against its formula."""

import numpy as np
import pytest
import torch

from ganglion.data.vary import Vary


def waves(*lengths, seed=0):
    """Random waves with NaN behind their ends."""
    x = torch.randn(len(lengths), max(lengths), generator=torch.Generator().manual_seed(seed)) / 5
    behind = torch.arange(max(lengths)) >= torch.tensor(lengths)[:, None]
    return x.masked_fill(behind, float("nan"))


def varied(x, seed=0, **settings):
    return Vary(1000, **settings)(x, torch.Generator().manual_seed(seed))


def heard(row):
    return row[~row.isnan()]


def test_nothing_to_vary_changes_nothing():
    x = waves(50, 20, 1)
    assert torch.equal(varied(x).nan_to_num(9.0)[:, :50], x.nan_to_num(9.0))


def test_silence_is_put_around_and_the_wave_stays_as_it_is():
    x = waves(50, 20)
    starts = set()
    for seed in range(20):
        for given, found in zip(x, varied(x, seed, shift=0.03)):
            given, found = heard(given), heard(found)
            sounds = found.nonzero().flatten()
            starts.add(int(sounds[0]))
            assert torch.equal(found[sounds[0] : sounds[-1] + 1], given)
            assert sounds[0] < 30
            assert len(found) - sounds[-1] <= 30
    assert len(starts) > 10


def test_faster_is_the_wave_between_its_samples():
    x = waves(400, 300)
    pace = 1 + 0.2 * (
        2 * torch.rand(5, 2, 1, generator=torch.Generator().manual_seed(0))[2, :, 0].double() - 1
    )
    for given, found, one in zip(x, varied(x, speed=0.2), pace.numpy()):
        given, found = heard(given).numpy(), heard(found).numpy()
        assert len(found) == int((len(given) - 1) / one) + 1
        line = np.interp(np.arange(len(found)) * one, np.arange(len(given)), given)
        np.testing.assert_allclose(found, line, atol=1e-4)


def test_louder_and_softer_within_bounds():
    x = waves(50)
    factors = [float(varied(x, seed, gain=6.0)[0, 7] / x[0, 7]) for seed in range(50)]
    assert 10 ** (-6 / 20) <= min(factors) < 0.7
    assert 1.5 < max(factors) <= 10 ** (6 / 20)


def test_noise_is_as_strong_as_a_share_of_the_wave():
    x = waves(4000)
    sizes = [float((varied(x, seed, noise=0.5) - x).std() / x.std()) for seed in range(40)]
    assert max(sizes) < 0.55
    assert min(sizes) < 0.1
    assert np.mean(sizes) == pytest.approx(0.25, abs=0.08)


def test_it_follows_from_the_generator_and_is_finite():
    x = waves(50, 20, 1)
    everything = {"noise": 0.5, "shift": 0.02, "speed": 0.5, "gain": 20.0}
    first, again, other = (varied(x, seed, **everything) for seed in (0, 0, 1))
    assert torch.equal(first.nan_to_num(9.0), again.nan_to_num(9.0))
    assert not torch.equal(first.nan_to_num(9.0), other.nan_to_num(9.0))
    ends = (~first.isnan()).sum(1)
    assert (ends >= 1).all()
    assert all(row[:n].isfinite().all() and row[n:].isnan().all() for row, n in zip(first, ends))
