"""New pictures for a model that is there: a folder, files, or the column of a table; broken ones are told apart."""

import os
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.decode import shown
from ganglion.data.folders import is_picture, list_pictures, scan_folder
from ganglion.jobs.given import Given, read_labels
from ganglion.jobs.opened import Opened
from ganglion.jobs.pictures import PictureJob, paths_of
from ganglion.jobs.source import is_folder, is_path
from ganglion.jobs.table import check_column, open_frame

MOST_TOLD = 3  # broken files in the notes


@dataclass
class Listed:
    """Pictures that are named and not looked at yet, with their labels where these were asked for."""

    paths: list[Any]
    names: list[str]
    labels: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    def take(self, rows: np.ndarray) -> "Listed":
        """Some of them."""
        labels = None if self.labels is None else self.labels[rows]
        return Listed([self.paths[i] for i in rows], [self.names[i] for i in rows], labels, self.notes)


def given_pictures(
    opened: Opened, source: Any, *, image: str | None, target: str | None, truth: bool
) -> Given:
    """Pictures as the model takes them; with ``truth`` their labels, from class folders or a table's column."""
    return sound(opened, listed(opened, source, image=image, target=target, truth=truth))


def listed(opened: Opened, source: Any, *, image: str | None, target: str | None, truth: bool) -> Listed:
    """The pictures that a source names: a folder, files, or the column of a table."""
    source = source[0] if isinstance(source, list) and len(source) == 1 else source
    folder = is_folder(source)
    if folder and (image is not None or target is not None):
        raise DataError(
            f"--image and --target name columns of a table, but {shown(source)} is a folder; leave them out."
        )
    if folder and truth:
        return in_class_folders(opened, source)
    if not truth and (folder or holds_pictures(source)):
        paths = picture_paths(source)
        return Listed(paths, [os.fspath(path) for path in paths])
    if isinstance(source, list) or (is_path(source) and is_picture(os.fspath(source))):
        raise DataError(
            "a folder of class folders, or a table with --image, is expected to hold the truth; give one."
        )
    return in_table(opened, source, image, target, truth)


def truth_beside(opened: Opened, source: Any, target: str | None) -> bool:
    """Whether labels come with the pictures: all lie in folders within a folder, or a table has the column."""
    if is_folder(source):
        return all(os.sep in os.path.relpath(path, source) for path in list_pictures(source))
    return not holds_pictures(source) and (target is not None or opened.target in open_frame(source).names)


def holds_pictures(source: Any) -> bool:
    """Whether something is the path of a picture, or several paths."""
    return any(
        is_path(one) and is_picture(os.fspath(one))
        for one in (source if isinstance(source, list) else [source])
    )


def picture_paths(source: Any) -> Any:
    """The pictures in a folder, a file, or a list of folders and files; anything else as it is."""
    if is_path(source):
        return list_pictures(source) if is_folder(source) else [os.fspath(source)]
    if isinstance(source, list) and source and all(map(is_path, source)):
        return [path for one in source for path in picture_paths(one)]
    return source


def in_class_folders(opened: Opened, source: Any) -> Listed:
    """Pictures in folders named after their classes, the test part where there are parts."""
    found = scan_folder(source)
    rows, notes = list(range(len(found.paths))), [note.rstrip(".") for note in found.notes]
    if any(found.parts):
        part = "test" if "test" in found.parts else "val"
        rows = [i for i, one in enumerate(found.parts) if one == part]
        notes.append(f"only the part {part!r} is looked at")
    labels = [found.labels[i] for i in rows]
    strange = sorted(set(labels) - set(map(str, opened.classes or [])))
    if strange:
        known = ", ".join(map(str, (opened.classes or [])[:8]))
        raise DataError(
            f"the folder {strange[0]!r} is no class of the model, which knows {known}; leave it out."
        )
    names = [os.path.relpath(found.paths[i], source) for i in rows]
    return Listed([found.paths[i] for i in rows], names, np.array(labels, dtype=object), notes)


def in_table(opened: Opened, source: Any, image: str | None, target: str | None, truth: bool) -> Listed:
    """Pictures in a column of a table, with their labels in another where they are asked for."""
    table = open_frame(source)
    image = image or opened.card.get("image")
    if image is None:
        raise DataError("--image names the column that holds the paths of the pictures, none was given.")
    check_column(image, table)
    y, notes = None, list(table.notes)
    if truth:
        target = target or opened.target
        check_column(target, table)
        kept, y = read_labels(table.stored(target), opened.classes or [])
        if len(kept) < len(table):
            notes.append(f"{len(table) - len(kept):,} rows without a target were left out")
        table = table.take(kept)
    names = ["" if cell is None else str(cell) for cell in table.column(image)]
    return Listed(paths_of(table, image, source), names, y, notes)


def sound(opened: Opened, found: Listed) -> Given:
    """The pictures that can be decoded; the others are noted, and stop nothing unless there are no more."""
    from ganglion.data.images import read_images

    paths, names, notes = found.paths, found.names, list(found.notes)
    channels, *size = opened.estimator.image_shape_
    images = read_images(paths, size=tuple(size), channels=channels, corrupt="skip")
    rows = sorted(set(range(len(paths))) - set(images.kept.tolist()))
    why = dict(images.refused)
    broken = {row: why[paths[row] if paths[row] is not None else f"row {row}"] for row in rows}
    notes += [f"not used: {sentence.rstrip('.')}" for sentence in list(broken.values())[:MOST_TOLD]]
    if len(broken) > MOST_TOLD:
        notes.append(f"{len(broken) - MOST_TOLD:,} more pictures cannot be used")
    kept = images.kept
    left = [paths[i] for i in kept]
    truth = None
    if found.labels is not None:
        truth = read_labels(found.labels, opened.classes or [])[1][kept]
    job = partial(
        PictureJob, paths=left, names=[names[i] for i in kept], sizes=images.sizes, shape=opened.estimator.image_shape_,
        refused=[(names[row], sentence) for row, sentence in broken.items()],
    )  # fmt: skip
    return Given(left, truth, notes, job, "pictures", {"file": names}, broken)
