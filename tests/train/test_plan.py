"""Where half precision is chosen: by what the device is, and by how wide a network is."""

import pytest
import torch

from ganglion import LanguageModel
from ganglion.train import plan

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("instructions", "tiles", "amd", "quicker"),
    [
        (False, False, True, False),
        (True, False, False, False),
        (True, True, False, True),
        (True, False, True, True),
    ],
)
def test_tiles_or_amd_are_quicker_in_16_bits(monkeypatch, instructions, tiles, amd, quicker):
    """The instruction alone is not: an Intel processor that has it without tiles is slower in it than in 32 bits."""
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: tiles)
    monkeypatch.setattr(plan, "is_amd", lambda: amd)
    assert plan.bf16_is_quicker(CPU) == quicker
    assert plan.sequence_precision("transformer", 128, CPU) == ("bf16" if quicker else "float32")


def test_narrow_networks_and_other_cells_stay_in_32_bits(monkeypatch):
    monkeypatch.setattr(plan, "bf16_is_quicker", lambda device: True)
    chosen = {(cell, units): plan.sequence_precision(cell, units, CPU)
              for cell in ("lstm", "transformer", "gru", "tcn") for units in (32, 64, 128)}  # fmt: skip
    assert {key for key, name in chosen.items() if name == "bf16"} == {
        ("lstm", 64), ("lstm", 128), ("transformer", 128)
    }  # fmt: skip


def test_a_language_model_computes_as_the_plan_says(monkeypatch):
    """Wide transformers in bf16, others in float32; what is asked for goes first; the loss is nearly one."""
    monkeypatch.setattr(plan, "bf16_is_quicker", lambda device: True)
    text, losses = "the cat sat on the mat. the dog sat on the log. " * 40, {}
    for settings, wanted in (
        ({}, "bf16"), ({"precision": "float32"}, "float32"), ({"cell": "gru"}, "float32"), ({"units": 64}, "float32"),
    ):  # fmt: skip
        model = LanguageModel(
            **{"units": 128, "layers": 1, "context": 32, "batch_size": 8, "max_steps": 20} | settings
        )
        assert model.fit(text).record_.plan["precision"] == wanted
        losses[str(settings)] = model.record_.scores["train"]["loss"]
    assert losses["{}"] == pytest.approx(losses["{'precision': 'float32'}"], abs=0.02)
