"""Pictures with classes, ready to be learned from: a folder of class folders, or a table with a column of paths."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from ganglion.base.errors import DataError
from ganglion.base.seeds import seeded
from ganglion.data.columns import Frame
from ganglion.data.folders import scan_folder
from ganglion.data.split import plain_split
from ganglion.data.target import Task, infer_task
from ganglion.jobs.job import Inputs, Job, Split
from ganglion.jobs.table import check_column, given_targets, missing_note, open_frame

FOLDER_TARGET = "class"  # what the names of class folders are called
BASELINE_PICTURES = 10_000  # that simple models learn from
BLOCK = 1_000  # pictures decoded at a time for simple models
FLOPS_PER_SECOND = 1e11  # of one core's convolutions in half precision, forwards and backwards
STEP_SECONDS = 2e-3
CHANNELS = {1: "grey", 3: "colour", 4: "colour with transparency"}


@dataclass(kw_only=True)
class PictureJob(Job):
    """What is to be learned from pictures: their classes."""

    unit: ClassVar[str] = "pictures"
    nameless: ClassVar[str] = "the pictures"
    example: ClassVar[str] = "photos"
    call: ClassVar[str] = 'model.predict(["new/1.jpg", "new/2.jpg"])'
    command: ClassVar[str] = "ganglion predict {model} new/ --output predictions.csv"

    paths: list[str]
    names: list[str]  # of the files for people: within their folder, or as the table gives them
    beside: Frame | None = None  # the table that the paths came from
    part: np.ndarray | None = None  # "train", "test" or "val" for each, where the folder says it
    duplicates: list[list[int]] = field(default_factory=list)  # rows of files with the same bytes
    refused: list[tuple[str, str]] = field(
        default_factory=list
    )  # name and sentence of what is no sound picture
    sizes: np.ndarray | None = None  # (n, 2) own heights and widths, once read
    shape: tuple[int, int, int] = (0, 0, 0)  # channels, height and width that they are brought to, once read

    # --- inputs -------------------------------------------------------------------------------------------

    def take(self, rows: np.ndarray) -> list[str]:
        """Paths of some pictures."""
        return [self.paths[i] for i in rows]

    def read(self, estimator: Any, stage: Callable[[str], None]) -> None:
        """Try every file, leave out what is no sound picture, and learn the sizes."""
        from ganglion.data.images import read_images  # brings torch

        stage(f"looking at {len(self):,} pictures")
        size = (estimator.image_size,) * 2 if isinstance(estimator.image_size, int) else estimator.image_size
        images = read_images(self.paths, size=size, channels=estimator.image_channels, corrupt="skip")
        if images.refused and estimator.corrupt == "refuse":
            raise DataError(
                f"{images.refused[0][1].rstrip('.')} ({len(images.refused):,} of {len(self):,} pictures cannot be "
                "used; --corrupt skip leaves them out)."
            )
        estimator.corrupt = "refuse"  # what is left has been tried, so nothing is to be tried again
        names = dict(zip(self.paths, self.names))
        self.refused = [(names.get(path, path), why) for path, why in images.refused]
        self.sizes, self.shape = images.sizes, (images.channels, *images.size)
        if self.refused:
            self.keep(images.kept)

    def keep(self, kept: np.ndarray) -> None:
        """Go on with some of the pictures; raises ``DataError`` if one class is left."""
        self.paths, self.names = self.take(kept), [self.names[i] for i in kept]
        self.y = self.y[kept]
        self.rows = None if self.rows is None else self.rows[kept]
        self.beside = None if self.beside is None else self.beside.take(kept)
        self.part = None if self.part is None else self.part[kept]
        place = {int(row): i for i, row in enumerate(kept)}
        groups = [[place[row] for row in group if row in place] for group in self.duplicates]
        self.duplicates = [group for group in groups if len(group) > 1]
        self.task = class_task(self.y, [c for c in self.task.classes if np.any(self.y == c)])

    def columns(self) -> Frame:
        """The table that the paths came from."""
        if self.beside is None:
            raise DataError(
                "--group and --time name a column of a table, but a folder of pictures has none; leave them out."
            )
        return self.beside

    def parts(self, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray, Split | None] | None:
        """The folder's own test part (its val part if that is all it has), and val for choosing the epoch."""
        if self.part is None:
            return None
        held = self.part == ("test" if "test" in self.part else "val")
        chosen = (self.part == "val") & ~held
        if not held.any() or not (~held & ~chosen).any():
            return None

        def rule(rows: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
            return np.flatnonzero(~chosen[rows]), np.flatnonzero(chosen[rows])

        return np.flatnonzero(~held), np.flatnonzero(held), rule if chosen.any() else None

    # --- networks -----------------------------------------------------------------------------------------

    def networks(self) -> dict[str, type]:
        """The classifiers of pictures."""
        return networks()

    def estimator(self, model: str | None, parameters: dict[str, Any]) -> Any:
        """As for all jobs; broken files are left out, and told, unless asked to be refused."""
        return super().estimator(model, {"corrupt": "skip", **parameters})

    def seconds(self, estimator: Any, n_train: int) -> float:
        """Steps and products of the network, counted on one picture."""
        import torch
        from sklearn.base import clone
        from torch.utils.flop_counter import FlopCounterMode

        from ganglion.train.plan import auto_batch_size

        probe = clone(estimator)
        probe.image_shape_ = self.shape
        with seeded(0), torch.inference_mode(), FlopCounterMode(display=False) as counted:
            probe._build(torch.zeros(len(self.task.classes))).eval()(torch.zeros(1, *self.shape))
        flops = 3.0 * n_train * counted.get_total_flops()
        batch = estimator.batch_size
        batch = batch if isinstance(batch, int) else auto_batch_size(n_train) if batch == "auto" else n_train
        return estimator.max_epochs * (n_train / batch * STEP_SECONDS + flops / FLOPS_PER_SECOND) + 3.0

    def baseline_inputs(self, estimator: Any, train: np.ndarray, test: np.ndarray) -> Inputs:
        """Small pictures as rows of numbers, each the mean of an area; of many pictures a random sample."""
        if len(train) > BASELINE_PICTURES:
            train = train[plain_split(len(train), BASELINE_PICTURES / len(train), 0)[1]]
        return Inputs(self._columns(estimator, train), self._columns(estimator, test), train)

    def _columns(self, estimator: Any, rows: np.ndarray) -> np.ndarray:
        images = estimator._read_pictures(self.take(rows), reset=False)
        blocks = np.array_split(np.arange(len(images)), range(BLOCK, len(images), BLOCK))
        return np.concatenate([estimator._columns(estimator._pixels(images, block)) for block in blocks])

    # --- words --------------------------------------------------------------------------------------------

    def facts(self) -> str:
        """How many, how large, how coloured, how many left out."""
        channels, height, width = self.shape
        mixed = self.sizes is not None and bool((self.sizes != (height, width)).any())
        words = f"{len(self):,} pictures {'brought to' if mixed else 'of'} {height} × {width}, {CHANNELS[channels]}"
        return words + (f", {len(self.refused):,} left out" if self.refused else "")

    def title(self, name: str) -> str:
        """The target, or that class folders are told apart."""
        return super().title(name) if self.beside is not None else f"Classes of {name}"

    def doubts(self) -> list[list[str]]:
        """The files that are left out, each with its reason."""
        return [[f"left out: {why.rstrip('.')}" for _, why in self.refused]]

    def target_flag(self) -> str:
        """The target, where there is a table."""
        return super().target_flag() if self.beside is not None else ""

    def target_argument(self) -> str:
        """The target, where there is a table."""
        return super().target_argument() if self.beside is not None else ""

    def card(self, estimator: Any) -> dict[str, Any]:
        """The column that held the paths."""
        image = self.settings.get("image")
        return {} if image is None else {"image": image}

    def page(self, result: Any) -> dict[str, Any]:
        """Pictures: the worst mistakes, augmented examples, filters and maps."""
        from ganglion.jobs.page_pictures import page_parts

        return page_parts(result)

    @cached_property
    def data_hash(self) -> str:
        """SHA-256 over names, labels and files."""
        from ganglion.jobs.origin import picture_hash

        return picture_hash(self.names, self.paths, self.y.tolist())

    def known(self, estimator: Any, source: Any) -> Any:
        """A folder, a picture, or whatever the estimator itself takes."""
        from ganglion.jobs.given_pictures import picture_paths

        return picture_paths(source)


def networks() -> dict[str, type]:
    """The classifiers of pictures by their short names, the first choice first."""
    from ganglion.estimators.pictures.cnn import CNNClassifier
    from ganglion.estimators.pictures.resnet import ResNetClassifier

    return {"cnn": CNNClassifier, "resnet": ResNetClassifier}


def open_folder(source: Any, task: str | None = None) -> PictureJob:
    """The pictures in a folder of class folders; raises ``DataError``."""
    started = time.monotonic()
    check_task(task)
    found = scan_folder(source)
    y = np.array(found.labels, dtype=object)
    top = os.path.commonpath([os.path.abspath(path) for path in found.paths])
    return PictureJob(
        paths=found.paths,
        names=[os.path.relpath(path, top) for path in found.paths],
        part=np.array(found.parts) if any(found.parts) else None,
        duplicates=found.duplicates,
        y=y,
        task=class_task(y, sorted(set(found.labels))),
        targets=[FOLDER_TARGET],
        n_read=len(y),
        notes=[note.rstrip(".") for note in found.notes],
        started=started,
    )


def open_picture_table(
    source: Any,
    target: str | Sequence[str] | None,
    image: str,
    *,
    task: str | None = None,
    ignore: Sequence[str] = (),
    header: bool | None = None,
) -> PictureJob:
    """The pictures that a column of a table names, with their labels in another; raises ``DataError``."""
    started = time.monotonic()
    check_task(task)
    table = open_frame(source, header)
    for name in (image, *ignore):
        check_column(name, table)
    targets = given_targets(table, target)
    if len(targets) > 1 or targets == [image]:
        raise DataError(f"one column of classes is expected as --target beside --image {image}, got "
                        f"{', '.join(targets)}; name another.")  # fmt: skip
    found = infer_task(table.stored(targets[0]), "classification")
    rows = np.flatnonzero(found.kept)
    kept = table.take(rows)
    asked = {"image": image, "task": task, "ignore": list(ignore), "header": header}
    return PictureJob(
        paths=paths_of(kept, image, source),
        names=[str(cell) for cell in kept.column(image)],
        beside=kept,
        y=found.decode(found.encode(kept.stored(targets[0]))),
        task=found,
        targets=targets,
        n_read=len(table),
        notes=[*table.notes, *missing_note(found)],
        settings={k: v for k, v in asked.items() if v not in (None, [])},
        started=started,
        rows=rows,
    )


def paths_of(table: Frame, image: str, source: Any) -> list[Any]:
    """The paths in a column, from the folder of the table's file on; a missing cell stays ``None``."""
    folder = os.path.dirname(os.fspath(source)) if isinstance(source, str | os.PathLike) else ""
    cells = table.column(image)
    if cells.dtype != object:
        raise DataError(f"paths of pictures are expected in the column {image!r}, but it holds no texts; "
                        "name another with --image.")  # fmt: skip
    return [None if cell is None else os.path.join(folder, cell) for cell in cells.tolist()]


def check_task(task: str | None) -> None:
    """Refuse to predict numbers from pictures."""
    if task not in (None, "classification"):
        raise DataError(f"pictures are sorted into classes; --task classification is expected, got {task}.")


def class_task(y: np.ndarray, classes: list[Any]) -> Task:
    """The task of telling these classes apart; raises ``DataError`` if there is but one."""
    if len(classes) < 2:
        raise DataError(
            f"pictures of at least 2 classes are expected, got {classes!r}; give some of another class."
        )
    counts = [int(np.sum(y == label)) for label in classes]
    return Task(
        "binary" if len(classes) == 2 else "multiclass", classes, counts, 1, np.ones(len(y), dtype=bool)
    )
