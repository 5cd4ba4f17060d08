"""Log-mel features against a Fourier transform by its definition, and the filters by their properties."""

import copy

import numpy as np
import pytest
import torch

from ganglion.base.errors import DataError, ParameterError
from ganglion.nn.mel import LogMel, from_mel, mel_filters, to_mel


def by_definition(wave, layer, filters):
    """One wave (T,): a loop over frames and sums over samples."""
    N, W, hop = layer.n_fft, layer.width, layer.hop
    hann = np.zeros(N)
    hann[(N - W) // 2 : (N - W) // 2 + W] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(W) / W)
    padded = np.concatenate([np.zeros(N // 2), wave, np.zeros(N)])
    k, t = np.arange(N // 2 + 1)[:, None], np.arange(N)
    waves = np.exp(-2j * np.pi * k * t / N)
    frames = [padded[f * hop : f * hop + N] * hann for f in range(len(wave) // hop + 1)]
    power = np.array([np.abs((waves * frame).sum(1)) ** 2 for frame in frames])
    return np.log(power @ filters + layer.eps)


def slopes_by_hand(c):
    def at(t):
        return c[min(max(t, 0), len(c) - 1)]

    return np.array([sum(n * (at(t + n) - at(t - n)) for n in (1, 2)) / 10 for t in range(len(c))])


@pytest.mark.parametrize(
    "options", [{}, {"n_fft": 160, "scale": "slaney"}, {"hop": 0.003, "low": 100, "high": 1900}]
)
def test_as_the_definition_says(options):
    layer = LogMel(4000, bands=8, **options).double()
    layer.filters = mel_filters(
        4000, layer.n_fft, 8, options.get("low", 0), options.get("high"), options.get("scale", "htk")
    )
    waves = torch.randn(2, 700, dtype=torch.float64)
    found, frames = layer(waves)
    assert frames.tolist() == [found.shape[1]] * 2
    for wave, features in zip(waves, found):
        expected = by_definition(wave.numpy(), layer, layer.filters.numpy())
        np.testing.assert_allclose(features, expected, atol=1e-6)


@pytest.mark.parametrize("delta", [False, True])
def test_a_wave_is_the_same_alone_and_in_a_batch(delta):
    layer = LogMel(8000, bands=12, delta=delta).double()
    lengths = torch.tensor([1000, 1, 79, 80, 81, 640])
    waves = torch.randn(6, 1000, dtype=torch.float64) + 5  # the padding is not silent
    batch, frames = layer(waves, lengths)
    assert batch.shape == (6, 13, layer.outputs)
    for i, (length, count) in enumerate(zip(lengths.tolist(), frames.tolist())):
        alone, one = layer(waves[i : i + 1, :length])
        assert count == one.item() == length // 80 + 1
        torch.testing.assert_close(batch[i, :count], alone[0], rtol=0, atol=1e-12)
        assert not batch[i, count:].any()


def test_slopes():
    layer = LogMel(8000, bands=6, delta=True).double()
    both, frames = layer(torch.randn(3, 900, dtype=torch.float64), torch.tensor([900, 320, 60]))
    for row, count in zip(both, frames.tolist()):
        np.testing.assert_allclose(row[:count, 6:], slopes_by_hand(row[:count, :6].numpy()), atol=1e-12)


def test_gradients_by_differences():
    layer = LogMel(800, bands=4, delta=True).double()
    waves = torch.randn(2, 60, dtype=torch.float64, requires_grad=True)
    lengths = torch.tensor([60, 33])
    assert torch.autograd.gradcheck(lambda x: layer(x, lengths)[0], (waves,))
    layer(waves, lengths)[0].sum().backward()
    assert waves.grad[0].abs().min() > 0
    assert not waves.grad[1, 33:].any()  # what is not heard has no gradient


def test_silence_is_finite_and_so_are_its_gradients():
    waves = torch.zeros(1, 4000, requires_grad=True)
    features, _ = LogMel(8000)(waves)
    assert torch.allclose(features, torch.full_like(features, 1e-6).log())
    features.sum().backward()
    assert waves.grad.isfinite().all()
    faint = (torch.randn(1, 4000) * 1e-20).requires_grad_()
    LogMel(8000)(faint)[0].sum().backward()
    assert faint.grad.isfinite().all()


@pytest.mark.parametrize("hertz", [300, 1000, 2500])
def test_a_tone_sounds_in_its_band(hertz):
    layer = LogMel(8000, bands=20)
    features, _ = layer(torch.sin(2 * torch.pi * hertz * torch.arange(4000) / 8000)[None])
    centres = from_mel(torch.linspace(0, to_mel(torch.tensor(4000.0)).item(), 22))[1:-1]
    loudest = int(features[0, 10:-10].mean(0).argmax())
    assert loudest == int((to_mel(centres) - to_mel(torch.tensor(float(hertz)))).abs().argmin())


def test_triangles():
    filters = mel_filters(16000, 2048, 20, 0, 8000)
    hertz = torch.arange(1025) * 16000 / 2048
    mels = torch.linspace(0, to_mel(torch.tensor(8000.0)).item(), 22)
    corners = from_mel(mels)
    inside = (hertz >= corners[1]) & (hertz <= corners[-2])
    torch.testing.assert_close(filters[inside].sum(1), torch.ones(int(inside.sum()), dtype=torch.float64))
    assert (hertz[filters.argmax(0)] - corners[1:-1]).abs().max() <= 16000 / 2048
    for b, band in enumerate(filters.T):
        assert (band > 0).equal((hertz > corners[b]) & (hertz < corners[b + 2]))
    areas = mel_filters(16000, 2**15, 20, scale="slaney").sum(0) * 16000 / 2**15
    torch.testing.assert_close(areas, torch.ones(20, dtype=torch.float64), rtol=1e-3, atol=0)


def test_scales_by_their_tables():
    """1,000 Hz are about 1,000 mel of HTK; Slaney's are linear up to 15, and 27 steps lead from 1,000 to 6,400 Hz."""
    assert to_mel(torch.tensor(1000.0)).item() == pytest.approx(999.99, abs=0.01)
    assert to_mel(torch.tensor(700.0)).item() == pytest.approx(2595 * np.log10(2))
    slaney = to_mel(torch.tensor([200.0, 1000.0, 6400.0], dtype=torch.float64), "slaney")
    assert slaney.tolist() == pytest.approx([3, 15, 42])
    hertz = torch.linspace(0, 8000, 99, dtype=torch.float64)
    for scale in ("htk", "slaney"):
        torch.testing.assert_close(from_mel(to_mel(hertz, scale), scale), hertz)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_filters_as_librosa(scale):
    librosa = pytest.importorskip("librosa")
    options = {"htk": True, "norm": None} if scale == "htk" else {"htk": False, "norm": "slaney"}
    theirs = librosa.filters.mel(sr=16000, n_fft=512, n_mels=30, fmin=20, dtype=np.float64, **options)
    np.testing.assert_allclose(mel_filters(16000, 512, 30, 20, scale=scale).T, theirs, atol=1e-12)


def test_precision_and_places():
    layer, waves = LogMel(8000, bands=10), torch.randn(1, 2000)
    single, _ = layer(waves)
    double, _ = copy.deepcopy(layer).double()(waves.double())
    torch.testing.assert_close(single, double.float(), rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(waves)[0], single)
    assert layer(waves.half())[0].dtype == torch.float32
    assert not layer.state_dict()


@pytest.mark.parametrize(
    ("waves", "lengths", "words"),
    [
        (torch.zeros(5), None, r"got \(5,\)"),
        (torch.zeros(2, 1, 5), None, r"got \(2, 1, 5\)"),
        (torch.zeros(2, 0), None, r"got \(2, 0\)"),
        (torch.zeros(2, 5, dtype=torch.int16), None, "torch.int16"),
        (torch.zeros(2, 5), torch.tensor([5]), r"got \[5\]"),
        (torch.zeros(2, 5), torch.tensor([5, 6]), "1 to 5"),
        (torch.zeros(2, 5), torch.tensor([5, 0]), "1 to 5"),
        (torch.zeros(2, 5), torch.tensor([5.0, 1.0]), "1 to 5"),
    ],
)
def test_wrong_waves(waves, lengths, words):
    with pytest.raises(DataError, match=words):
        LogMel(8000)(waves, lengths)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"rate": 0}, "rate"), ({"bands": 0}, "bands"), ({"window": 0}, "window"), ({"hop": -1}, "hop"),
     ({"eps": 0}, "eps"), ({"n_fft": 100}, "n_fft"), ({"high": 5000}, "half of the rate"), ({"low": 4000}, "high"),
     ({"low": -1}, "low"),
     ({"bands": 200}, "fewer bands"), ({"scale": "htc"}, "did you mean 'htk'"), ({"hop": float("nan")}, "hop")],
)  # fmt: skip
def test_wrong_numbers(options, words):
    with pytest.raises(ParameterError, match=words):
        LogMel(**{"rate": 8000, **options})
