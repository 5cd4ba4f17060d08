"""What tests of several estimators need: a run that dies right behind a checkpoint, and goes on."""

import pytest

from ganglion.train import checkpoint


class Killed(Exception):
    """The process dies here."""


@pytest.fixture
def after_a_kill(tmp_path, monkeypatch):
    """A function from what makes an estimator to a fitted one that died at its ``saves``-th checkpoint and went on."""

    def fit(make, *data, saves=1):
        save, saved = checkpoint.Checkpoint.save, []

        def deadly(self, *args):
            save(self, *args)
            saved.append(1)
            if len(saved) == saves:
                raise Killed

        place = {"checkpoint": str(tmp_path), "resume": True}
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(checkpoint, "SAVE_EVERY", 1e-9)
            patch.setattr(checkpoint.Checkpoint, "save", deadly)
            make(**place).fit(*data)
        back = make(**place).fit(*data)
        assert "resumed" in back.record_.plan
        return back

    return fit
