"""Checkpoints: one atomic file that continues a killed run to the same final bits."""

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ganglion.base.errors import ModelFileError
from ganglion.base.files import sweep, write_atomically

if TYPE_CHECKING:
    from ganglion.train.run import Run

NAME = "run.checkpoint"
FORMAT = 1
SAVE_EVERY = 10.0  # seconds between saves, unless a checkpoint says otherwise
DIGEST = 32  # bytes of SHA-256 in front of everything else


class Checkpoint:
    """Saves a run into ``folder`` and continues it from there.

    Arguments:
        folder: made if it is not there.
        every: seconds between saves, ``SAVE_EVERY`` if not given; 0 saves after every epoch.
        resume: continue from the folder's checkpoint if there is one.
        identity: a text that names data and settings; a checkpoint of another identity is refused.
        plan: how the run computes; a resume on another plan is allowed and said (``run.resumed``).

    Raises ``ModelFileError`` for a damaged checkpoint or one of another run.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: float | None = None,
        resume: bool = False,
        identity: str = "",
        plan: dict[str, Any] | None = None,
    ) -> None:
        self.folder, self.wanted = Path(folder), resume
        self.every = SAVE_EVERY if every is None else every
        self.identity, self.plan = identity, plan or {}
        self.last = time.monotonic()

    @property
    def path(self) -> Path:
        """The checkpoint's file."""
        return self.folder / NAME

    def due(self) -> bool:
        """Whether it is time for a save inside an epoch."""
        return self.every > 0 and time.monotonic() - self.last >= self.every

    def save_epoch(self, run: "Run") -> None:
        """Save at an epoch's end, if it is due or the run is over."""
        over = run.stopped is not None or (run.epochs is not None and run.epoch >= run.epochs)
        if over or self.every == 0 or self.due():
            self.save(run)

    def save(self, run: "Run", totals: dict[str, Any] | None = None) -> None:
        """Write the run's state; the previous checkpoint stands until the new one is complete.

        ``totals`` are the meter's sums, inside an epoch.
        """
        run.totals = totals or {}
        tensors: dict[str, Tensor] = {}
        state = pack(run.state_dict(), tensors)
        body = save(tensors) if tensors else b""
        head = {"format": FORMAT, "identity": self.identity, "plan": self.plan, "state": state}
        text = json.dumps(head).encode()
        content = len(text).to_bytes(8, "little") + text + body
        write_atomically(self.path, hashlib.sha256(content).digest() + content)
        self.last = time.monotonic()

    def resume(self, run: "Run") -> bool:
        """Put the run where its checkpoint stands; False if there is none or it is not wanted.

        Makes the folder, so that one that cannot be had is refused before any training.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ModelFileError(
                f"checkpoints cannot be kept in {self.folder} ({(error.strerror or str(error)).lower()}); "
                "give a folder that can be written."
            ) from error
        sweep(self.folder)
        if not self.wanted or not self.path.exists():
            return False
        head, tensors = read(self.path)
        if head["identity"] != self.identity:
            raise ModelFileError(
                f"the checkpoint in {self.folder} belongs to a run with other data or settings; "
                "resume with the same ones, or give another folder."
            )
        try:
            run.load_state_dict(unpack(head["state"], tensors))
        except (RuntimeError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ModelFileError(
                f"the checkpoint in {self.folder} was made by another network or optimiser; "
                "resume with the same ones, or give another folder."
            ) from error
        run.started = time.monotonic()
        changed = sorted(k for k in {*head["plan"], *self.plan} if head["plan"].get(k) != self.plan.get(k))
        run.resumed = "on another plan: " + ", ".join(changed) if changed else "on the same plan"
        return True


def read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a checkpoint; raises ``ModelFileError`` if it is damaged or newer."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelFileError(f"{path} cannot be read ({reason}); delete it and start again.") from error
    digest, content = raw[:DIGEST], memoryview(raw)[DIGEST:]
    if len(content) < 8 or hashlib.sha256(content).digest() != digest:
        raise ModelFileError(f"{path} is damaged: expected a whole checkpoint; delete it and start again.")
    length = int.from_bytes(content[:8], "little")
    head, body = json.loads(bytes(content[8 : 8 + length])), bytes(content[8 + length :])
    if head["format"] > FORMAT:
        raise ModelFileError(
            f"{path} was written by a newer Ganglion (format {head['format']}); update Ganglion."
        )
    return head, load(body) if body else {}


def pack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Nested containers as JSON, with the tensors moved aside under running numbers."""
    if isinstance(value, Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name, "device": str(value.device)}
    if isinstance(value, dict):
        return {"dict": [[pack(k, tensors), pack(v, tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [pack(v, tensors) for v in value]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ModelFileError(
        f"a checkpoint holds numbers, texts and tensors, got {type(value).__name__}; leave it out."
    )


def unpack(value: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of ``pack``."""
    if not isinstance(value, dict):
        return value
    if "tensor" in value:
        tensor = tensors[value["tensor"]]
        on_host = value["device"] == "cpu" or not torch.accelerator.is_available()
        return tensor if on_host else tensor.to(value["device"])
    if "dict" in value:
        return {unpack(k, tensors): unpack(v, tensors) for k, v in value["dict"]}
    if "tuple" in value:
        return tuple(unpack(v, tensors) for v in value["tuple"])
    return [unpack(v, tensors) for v in value["list"]]
