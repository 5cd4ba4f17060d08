"""Spoken words on a small device: what fits into its memory and answers in time."""

import time
from itertools import pairwise

import numpy as np
import pytest

from ganglion import SpeechRecognizer, load

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@pytest.fixture(scope="module")
def digits(measuring):
    """Recordings (T,) of single digits, what is said, and the number of each recording, of six speakers."""
    with np.load(measuring("fsdd", "fsdd.npz")) as file:
        wave = file["wave"].astype(np.float32) / 2**15
        waves = [wave[a:b] for a, b in pairwise(file["offset"])]
        return waves, [WORDS[i] for i in file["digit"]], file["index"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_voice_assistant(digits, tmp_path):
    """90 % of ten words and more by a file of half a megabyte, which answers to a second of sound in 0.1 s on one core.

    The syllabus asks it of twelve classes of Speech Commands, which are not here.
    """
    waves, said, index = digits
    learned = [i for i in range(len(waves)) if index[i] >= 5]
    model = SpeechRecognizer(units=48, batch_size=16, max_epochs=20, watch="off", random_state=0)
    model.fit([waves[i] for i in learned], [said[i] for i in learned], validation=index[learned] < 10)
    path = model.save(tmp_path / "words.ganglion")
    assert path.stat().st_size <= 500_000
    small, test = load(path), [i for i in range(len(waves)) if index[i] < 5]
    assert np.mean([a == said[i] for a, i in zip(small.predict([waves[i] for i in test]), test)]) >= 0.9
    second = np.resize(waves[test[0]], small.rate)
    small.predict([second])
    taken = []
    for _ in range(5):
        start = time.process_time()
        small.predict([second])
        taken.append(time.process_time() - start)
    assert np.median(taken) <= 0.1
