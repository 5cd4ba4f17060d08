"""Pictures with boxes around objects: the forms of PASCAL VOC (XML, one file per picture) and COCO (one JSON file).

A box is x0, y0, x1, y1 in pixels, x to the right, y down, with exclusive right and lower edges, so that its area is
(x1 - x0) (y1 - y0). VOC counts pixels from 1 and its corners belong to the box, so x0 = xmin - 1 and x1 = xmax
(Everingham and others 2010); COCO gives x, y, width, height from 0 (Lin and others 2014, arXiv:1405.0312).
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganglion.base.errors import DataError
from ganglion.data.decode import peek, quiet, shown
from ganglion.data.folders import is_picture
from ganglion.data.images import spread
from ganglion.data.xml import Element, read_xml

MAX_BYTES = 1 << 30  # of a COCO file
NAMED = 80  # letters of a value in a message


@dataclass
class Boxes:
    """Pictures and the objects in them.

    Attributes:
        paths: n picture files.
        boxes: n float32 arrays (m_i, 4), x0, y0, x1, y1 in pixels of the upright picture.
        labels: n int64 arrays (m_i,), positions in ``classes``.
        hard: n bool arrays (m_i,), VOC's "difficult" and COCO's "iscrowd": neither right nor wrong to find.
        classes: names; of VOC sorted, of COCO in the order of their ids.
        sizes: (n, 2) heights and widths of the pictures.
        notes: what was clipped, in sentences.
    """

    paths: list[str]
    boxes: list[np.ndarray]
    labels: list[np.ndarray]
    hard: list[np.ndarray]
    classes: list[str]
    sizes: np.ndarray
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """How many pictures."""
        return len(self.paths)


class Sheet(NamedTuple):
    """One picture as a file describes it."""

    source: str  # the file that describes it, for messages
    picture: str
    size: tuple[int, int]  # announced height and width; zeros where it does not say
    labels: list[str]
    corners: list[list[float]]
    hard: list[bool]


def read_voc(annotations: str | os.PathLike[str], pictures: str | os.PathLike[str] | None = None) -> Boxes:
    """Boxes in VOC's form.

    Arguments:
        annotations: a folder of XML files, or one that holds ``Annotations`` and ``JPEGImages``.
        pictures: the folder of the pictures; ``None``: ``JPEGImages`` beside the XML files' folder, else that folder.
            A picture belongs to the XML file of its name, else to the one that names it.

    Raises ``DataError`` naming the file: no XML, no picture, another size than announced, an empty or inverted box.
    """
    folder = Path(annotations)
    folder = folder / "Annotations" if (folder / "Annotations").is_dir() else folder
    files = sorted(folder.glob("*.xml")) if folder.is_dir() else []
    if not files:
        raise DataError(
            f"a folder with XML files is expected at {shown(annotations)}, but it has none: check the path."
        )
    beside = folder.parent / "JPEGImages"
    home = Path(pictures) if pictures is not None else beside if beside.is_dir() else folder
    by_stem = {entry.stem: str(entry) for entry in _entries(home) if is_picture(entry.name)}
    sheets = [_voc_sheet(file, home, by_stem) for file in files]
    return _collected(sheets, sorted({label for sheet in sheets for label in sheet.labels}))


def read_coco(annotations: str | os.PathLike[str], pictures: str | os.PathLike[str] | None = None) -> Boxes:
    """Boxes in COCO's form.

    Arguments:
        annotations: the JSON file, with ``images``, ``annotations`` and ``categories``.
        pictures: the folder of the pictures; ``None``: the folder of the JSON file.

    Raises ``DataError`` naming the file: no JSON of this form, a picture outside the folder, an unknown id, another
    size than announced, an empty or inverted box.
    """
    name = shown(annotations)
    content = _json(annotations)
    home = Path(annotations).parent if pictures is None else Path(pictures)
    classes = {row["id"]: row["name"] for row in _rows(content, "categories", name, id=int, name=str)}
    classes = dict(sorted(classes.items()))
    sheets = {}
    for row in _rows(content, "images", name, id=int, file_name=str):
        size = tuple(value if isinstance(value := row.get(side), int) else 0 for side in ("height", "width"))
        sheets[row["id"]] = Sheet(str(annotations), _inside(home, row["file_name"], name), size, [], [], [])  # type: ignore[arg-type]
    for row in _rows(content, "annotations", name, image_id=int, category_id=int, bbox=list):
        if row["image_id"] not in sheets or row["category_id"] not in classes:
            raise DataError(
                f"ids of its own images and categories are expected in {name}, but an annotation has "
                f"image_id {row['image_id']} and category_id {row['category_id']}: mend it."
            )
        sheet = sheets[row["image_id"]]
        x, y, width, height = _four(row["bbox"], name)
        sheet.labels.append(classes[row["category_id"]])
        sheet.corners.append([x, y, x + width, y + height])
        sheet.hard.append(bool(row.get("iscrowd")))
    return _collected(list(sheets.values()), list(dict.fromkeys(classes.values())))


def _voc_sheet(file: Path, home: Path, by_stem: dict[str, str]) -> Sheet:
    """One XML file; its path to the picture is not followed, only the name in it."""
    root = read_xml(file)
    named = root.text("filename").replace("\\", "/").rsplit("/", 1)[-1]
    picture = by_stem.get(file.stem) or by_stem.get(Path(named).stem)
    if picture is None:
        raise DataError(
            f"a picture for {shown(file)} is expected in {shown(home)}, but there is none: add it."
        )
    size = [root.text(f"size/{side}") for side in ("height", "width")]
    sheet = Sheet(str(file), picture, _whole(size), [], [], [])
    for one in root.all("object"):
        x0, y0, x1, y1 = _four(
            [one.text(f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")], shown(file)
        )
        sheet.labels.append(_class(one, file))
        sheet.corners.append([x0 - 1, y0 - 1, x1, y1])
        sheet.hard.append(one.text("difficult") == "1")
    return sheet


def _class(one: Element, file: Path) -> str:
    if not one.text("name"):
        raise DataError(f"a name is expected for each object, but {shown(file)} has one without: mend it.")
    return one.text("name")


def _collected(sheets: list[Sheet], classes: list[str]) -> Boxes:
    """All sheets as one record: sizes compared with the pictures', boxes checked and clipped."""
    if not any(sheet.corners for sheet in sheets):
        raise DataError("at least one box is expected, but no picture has one: check the annotations.")
    with quiet():
        pieces = spread(
            lambda start, stop: [peek(sheet.picture)[:2] for sheet in sheets[start:stop]], len(sheets)
        )
    sizes = [size for piece in pieces for size in piece]
    code = {name: i for i, name in enumerate(classes)}
    boxes, clipped = [], []
    for sheet, size in zip(sheets, sizes):
        corners = np.array(sheet.corners, dtype=np.float64).reshape(-1, 4)
        _check_sheet(sheet, corners, size)
        boxes.append(np.clip(corners, 0, [size[1], size[0]] * 2).astype(np.float32))
        clipped += [sheet.source] * int((boxes[-1] != corners.astype(np.float32)).any(1).sum())
    note = (
        f"{len(clipped):,} boxes reached beyond their picture and were clipped; the first is in {shown(clipped[0])}."
        if clipped
        else ""
    )
    return Boxes(
        paths=[sheet.picture for sheet in sheets],
        boxes=boxes,
        labels=[np.array([code[label] for label in sheet.labels], dtype=np.int64) for sheet in sheets],
        hard=[np.array(sheet.hard, dtype=bool) for sheet in sheets],
        classes=classes,
        sizes=np.array(sizes),
        notes=[note] if note else [],
    )


def _check_sheet(sheet: Sheet, corners: np.ndarray, size: tuple[int, int]) -> None:
    if all(sheet.size) and sheet.size != tuple(size):
        raise DataError(
            f"{shown(sheet.source)} announces {sheet.size[0]} x {sheet.size[1]} pixels (height x width), but "
            f"{shown(sheet.picture)} is {size[0]} x {size[1]} upright: the boxes would be elsewhere, so mend one."
        )
    low, high = corners[:, :2], corners[:, 2:]
    empty = ~(low < high).all(1) | (low >= [size[1], size[0]]).any(1) | (high <= 0).any(1)
    if empty.any():
        i = int(np.flatnonzero(empty)[0])
        raise DataError(
            f"boxes that enclose pixels of {shown(sheet.picture)} ({size[0]} x {size[1]}) are expected, but box {i} "
            f"(counted from 0, a {sheet.labels[i][:NAMED]!r}) in {shown(sheet.source)} has x0, y0, x1, y1 = "
            f"{', '.join(f'{c:g}' for c in corners[i])}: mend it or leave it out."
        )


def _four(values: list[Any], name: str) -> list[float]:
    """Four finite numbers."""
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        numbers = []
    if len(numbers) != 4 or not np.isfinite(numbers).all():
        raise DataError(
            f"four finite numbers are expected for each box, but {name} has {str(values)[:NAMED]}: mend it."
        )
    return numbers


def _whole(texts: list[str]) -> tuple[int, int]:
    """Two whole numbers, or zeros."""
    high, wide = (int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0 for text in texts)
    return high, wide


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(
            f"a folder of pictures is expected at {shown(folder)}, but there is none: check the path."
        )
    return sorted(folder.iterdir())


def _inside(home: Path, name: str, source: str) -> str:
    """A file below the folder of the pictures, never above it."""
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or os.path.isabs(name) or ":" in parts[0] or "\0" in name:
        raise DataError(
            f"file names below {shown(home)} are expected, but {source} names {name[:NAMED]!r}: mend it."
        )
    return str(home.joinpath(*parts))


def _json(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise DataError(
                f"a JSON file of at most {MAX_BYTES:,} bytes is expected, but {shown(path)} is larger."
            )
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise DataError(f"a JSON file is expected at {shown(path)}, but it cannot be read ({why}).") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        why = str(error)[:NAMED] or "nested too deeply"
        raise DataError(
            f"JSON is expected, but {shown(path)} is not sound ({why}): write it again."
        ) from None
    if not isinstance(content, dict):
        raise DataError(
            f"a JSON object with images, annotations and categories is expected in {shown(path)}."
        )
    return content


def _rows(content: dict[str, Any], key: str, source: str, **needed: type) -> list[dict[str, Any]]:
    """The objects of a list in the file, each with what it needs."""
    rows = content.get(key)
    if not isinstance(rows, list):
        raise DataError(
            f"a list named {key!r} is expected in {source}, but there is none: give a file in COCO's form."
        )
    for i, row in enumerate(rows):
        wrong = [
            k for k, kind in needed.items() if not isinstance(row, dict) or not isinstance(row.get(k), kind)
        ]
        if wrong:
            raise DataError(
                f"each of {key!r} in {source} is expected to have {wrong[0]!r} ({needed[wrong[0]].__name__}), but "
                f"number {i} (counted from 0) has not: mend it."
            )
    return rows
