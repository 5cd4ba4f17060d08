"""Music made up by a language model that reads events."""

import numpy as np

from ganglion import LanguageModel
from ganglion.data.midi import read_midi, write_midi
from ganglion.data.music import Events, read_piece, transposed


def canon(start, steps=32):
    """A scale up and down in two voices, the second a third above."""
    scale = np.array([0, 2, 4, 5, 7, 5, 4, 2])[np.arange(steps) // 2 % 8] + start
    return read_piece(np.stack([scale, scale + 4], 1))


def test_music_generation(tmp_path):
    """What a model of canons makes up keeps the voices a third apart, in every key, and can be heard."""
    pieces = transposed([canon(60), canon(67)], 7)
    events = Events.fitting(pieces)
    texts = [events.to_text(piece) for piece in pieces] * 8
    model = LanguageModel(
        tokens="words", units=32, layers=2, context=48, batch_size=16, lr=0.01, max_epochs=12
    ).fit(texts)
    uniform = np.log(events.size)
    assert -model.score(texts[:16]) < 0.25 * uniform
    made = [events.from_text(text) for text in model.generate(n=8, length=80, stop=True, random_state=0)]
    apart = np.concatenate([piece[:, 1] - piece[:, 0] for piece in made])
    assert np.mean(apart == 4) > 0.9
    assert len({int(piece[0, 0]) for piece in made}) > 2
    write_midi(tmp_path / "made.mid", made[0])
    assert (read_midi(tmp_path / "made.mid") == made[0]).all()
