"""Measured: how ``SpeechRecognizer`` reads spoken digits, sentences longer than learned from, and spots words.

    python benchmarks/speech.py [--parts digits speakers] [--speakers theo ...] [--seeds 1] [--set max_epochs=30 ...]

FSDD (six speakers, 8 kHz). Official split by recording index: 0 to 4 test, of the others 5 to 9 choose the epoch and
the thresholds. ``digits``: one fit on sentences of 1 to 4 digits of one speaker, made of training recordings; tested on
single digits, on sentences of 5 to 7 test recordings, and as a spotter of each digit in streams of all speakers' digits
with noise bursts and a noisy ground. ``speakers``: each speaker left out in turn, such sentences of the others
in training (the same indices choose the epoch), all single digits of the unseen one in testing.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from _shared import data_folder, machine, setting, table

from ganglion import SpeechRecognizer
from ganglion.models.spotting import hits_and_alarms

RATE = 8_000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SENTENCES = {"train": 2_400, "validation": 200, "test": 300}
GROUND = 0.002  # amplitude of the noise between words
ALARMS = (
    0.3  # a minute that thresholds are learned for: what is measured scatters around it, and 1 is to be kept
)


class Digits:
    """The recordings as waves in [-1, 1], with digit, speaker and index of each."""

    def __init__(self) -> None:
        with np.load(data_folder() / "fsdd" / "fsdd.npz") as file:
            wave, offset = file["wave"].astype(np.float32) / 2**15, file["offset"]
            self.digit, self.speaker, self.index = file["digit"], file["speaker"], file["index"]
        self.waves = [wave[a:b] for a, b in pairwise(offset)]

    def rows(self, part: str) -> np.ndarray:
        """The rows of a part of the official split."""
        low, high = {"test": (0, 5), "validation": (5, 10), "train": (10, 1_000)}[part]
        return np.flatnonzero((self.index >= low) & (self.index < high))


def noise(rng: np.random.Generator, seconds: float, amplitude: float) -> np.ndarray:
    """White noise."""
    return rng.normal(0, amplitude, round(seconds * RATE)).astype(np.float32)


def sentences(
    data: Digits, rows: np.ndarray, n: int, sizes: tuple[int, int], seed: int, noisy: bool = False
) -> tuple[list, list[str]]:
    """Sentences by one speaker each with up to 0.2 s between their digits, and their texts.

    ``noisy`` ones have longer gaps, bursts in a third of them and a ground of noise, as ``stream`` has.
    """
    rng, X, y = np.random.default_rng(seed), [], []
    for _ in range(n):
        own = rows[data.speaker[rows] == rng.choice(np.unique(data.speaker[rows]))]
        chosen = rng.choice(own, rng.integers(sizes[0], sizes[1] + 1))
        parts = [noise(rng, rng.uniform(0, 0.1), GROUND)]
        for row in chosen:
            parts += [data.waves[row], noise(rng, rng.uniform(0, 0.2), GROUND)]
            if noisy and rng.random() < 1 / 3:
                parts.append(noise(rng, rng.uniform(0.1, 0.4), rng.uniform(0.02, 0.1)))
            if noisy:
                parts.append(noise(rng, rng.uniform(0.0, 0.6), GROUND))
        wave = np.concatenate(parts)
        if noisy:
            wave = wave + noise(rng, len(wave) / RATE, rng.uniform(0, 0.02))
        X.append(wave.clip(-1, 1))
        y.append(" ".join(WORDS[data.digit[row]] for row in chosen))
    return X, y


def stream(data: Digits, rows: np.ndarray, seed: int) -> tuple[np.ndarray, list[tuple[int, float, float]]]:
    """All of these recordings in a random order, 0.1 to 1.2 s apart, every third gap with a burst of noise.

    A ground of noise lies 20 dB below the words' mean power. Returns the wave, and (digit, begin, end) in seconds.
    """
    rng, parts, said, at = np.random.default_rng(seed), [], [], 0
    for row in rng.permutation(rows):
        gap = [noise(rng, rng.uniform(0.05, 0.6), 0.0)]
        if rng.random() < 1 / 3:
            gap.append(noise(rng, rng.uniform(0.1, 0.4), rng.uniform(0.02, 0.1)))
        gap.append(noise(rng, rng.uniform(0.05, 0.6), 0.0))
        at += sum(map(len, gap))
        said.append((int(data.digit[row]), at / RATE, (at + len(data.waves[row])) / RATE))
        at += len(data.waves[row])
        parts += [*gap, data.waves[row]]
    wave = np.concatenate(parts)
    power = np.mean(np.concatenate([data.waves[row] for row in rows]) ** 2)
    return (wave + rng.normal(0, np.sqrt(power / 100), len(wave)).astype(np.float32)).clip(-1, 1), said


def error(model: SpeechRecognizer, X: Sequence, y: Sequence[str]) -> float:
    """The word error rate in percent."""
    return 100 * (1 - model.score(X, y))


def digits(data: Digits, seed: int, noisy: bool, settings: dict[str, Any]) -> None:
    """One fit on sentences of 1 to 4; all that is asked of it."""
    parts = {
        part: sentences(data, data.rows(part), SENTENCES[part], (1, 4), seed, noisy)
        for part in ("train", "validation")
    }
    X, y = (parts["train"][k] + parts["validation"][k] for k in (0, 1))
    start = time.perf_counter()
    model = SpeechRecognizer(random_state=seed, **settings).fit(
        X, y, validation=np.arange(len(X)) >= len(parts["train"][0])
    )
    seconds = time.perf_counter() - start
    for row in model.history_[:: max(1, len(model.history_) // 8)] + model.history_[-1:]:
        print({k: round(row[k], 4) for k in ("epoch", "loss", "val_loss", "val_score")})
    rows = []
    for part in ("validation", "test"):
        own = data.rows(part)
        single = [data.waves[i] for i in own], [WORDS[data.digit[i]] for i in own]
        long = sentences(data, own, SENTENCES["test"], (5, 7), seed + 10)
        rows.append([part, f"{error(model, *single):.2f}", f"{error(model, *long):.2f}", f"{seconds:.0f}"])
    print(
        table(["part", "single digits, error in %", "5 to 7 digits, word error in %", "seconds a fit"], rows)
    )
    spotting(model, data, seed)


def spotting(model: SpeechRecognizer, data: Digits, seed: int) -> None:
    """Each digit as the keyword: thresholds from validation streams, hits and false alarms in test streams.

    The last column is where the test streams' own curve stands: false alarms at the threshold that 95 % of hits pass.
    """
    learn, test = (
        [stream(data, data.rows(part), seed + k) for k in range(2)] for part in ("validation", "test")
    )
    minutes = sum(len(wave) for wave, _ in test) / RATE / 60
    rows, total = [], np.zeros(3)
    for digit, word in enumerate(WORDS):
        times = [[(a, b) for d, a, b in said if d == digit] for _, said in learn]
        threshold = model.learn_threshold([wave for wave, _ in learn], word, times=times, false_alarms=ALARMS)
        sure, false = [], []
        for one, (_, said) in zip(model.spot([wave for wave, _ in test], word, threshold=0), test):
            true = [(a, b) for d, a, b in said if d == digit]
            alarms = hits_and_alarms(one, true)[1]
            false += one.confidences[alarms].tolist()
            sure += [max(one.confidences[~hits_and_alarms(one, [t])[1]], default=0.0) for t in true]
        found = np.array([np.sum(np.array(sure) > threshold), len(sure), np.sum(np.array(false) > threshold)])
        total += found
        at = np.sort(sure)[int(0.05 * len(sure))]  # what 95 % of the hits reach
        rows.append(
            [word, f"{threshold:.3f}", f"{found[0]:.0f} of {found[1]:.0f}", f"{found[2] / minutes:.2f}",
             f"{np.sum(np.array(false) >= at) / minutes:.2f}"]
        )  # fmt: skip
    rows.append(
        ["all", "", f"{100 * total[0] / total[1]:.1f} %", f"{total[2] / minutes / 10:.2f} a keyword", ""]
    )
    print(f"{minutes:.1f} minutes of test streams\n")
    head = ["keyword", "threshold", "hits", "false alarms a minute", "at 95 % of hits"]
    print(table(head, rows))


def speakers(data: Digits, names: Sequence[str], seed: int, settings: dict[str, Any]) -> None:
    """Each speaker left out in turn: sentences of the others are learned from."""
    rows = []
    for name in names:
        own, unseen = np.flatnonzero(data.speaker != name), np.flatnonzero(data.speaker == name)
        held = (data.index[own] >= 5) & (data.index[own] < 10)
        train = sentences(data, own[~held], SENTENCES["train"], (1, 4), seed)
        chosen = sentences(data, own[held], SENTENCES["validation"], (1, 2), seed + 1)
        X, y = (train[k] + chosen[k] for k in (0, 1))
        start = time.perf_counter()
        model = SpeechRecognizer(random_state=seed, **settings).fit(
            X, y, validation=np.arange(len(X)) >= len(train[0])
        )
        seconds = time.perf_counter() - start
        wrong = error(model, [data.waves[i] for i in unseen], [WORDS[data.digit[i]] for i in unseen])
        known = 100 * (1 - model.record_.scores["validation"]["score"])
        rows.append([name, f"{wrong:.1f}", f"{known:.1f}", f"{seconds:.0f}"])
        print(*rows[-1], flush=True)
    mean = [f"{np.mean([float(row[k]) for row in rows]):.1f}" for k in (1, 2)]
    rows.append(["mean", *mean, ""])
    print(table(["speaker left out", "error in %", "of the others, validation", "seconds a fit"], rows))


def main() -> None:
    """The chosen parts, one after the other."""
    data = Digits()
    everyone = np.unique(data.speaker).tolist()
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--parts", nargs="+", choices=["digits", "speakers"], default=["digits", "speakers"])
    ask.add_argument("--speakers", nargs="+", choices=everyone, default=everyone)
    ask.add_argument("--noisy", action="store_true", help="training sentences as noisy as the streams")
    ask.add_argument("--seeds", type=int, default=1)
    ask.add_argument("--set", nargs="*", type=setting, default=[], metavar="NAME=VALUE")
    chosen = ask.parse_args()
    for seed in range(chosen.seeds):
        if "digits" in chosen.parts:
            digits(data, seed, chosen.noisy, dict(chosen.set))
        if "speakers" in chosen.parts:
            speakers(data, chosen.speakers, seed, dict(chosen.set))
    print(machine())


if __name__ == "__main__":
    main()
