"""Pictures that lie in folders named after their classes.

photos/cat/1.jpg  photos/dog/2.jpg                     classes cat and dog
photos/train/cat/1.jpg  photos/test/dog/2.jpg          parts train and test, each with class folders
"""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import file_digest
from unicodedata import normalize

from ganglion.base.errors import DataError
from ganglion.data.decode import ENDINGS, shown

PARTS = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
}
MOST_NAMED = 3  # names in a note


@dataclass
class PictureFolder:
    """What a folder of class folders holds.

    Attributes:
        paths: of the pictures, sorted.
        labels: class of each, the name of the folder below the top (or below its part) it lies in.
        parts: ``"train"``, ``"test"`` or ``"val"`` for each, all ``""`` where the folder has no parts.
        duplicates: rows of files with the same bytes, per group.
        notes: what was recognised and left out, in sentences.
    """

    paths: list[str]
    labels: list[str]
    parts: list[str]
    duplicates: list[list[int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_folder(path: str | os.PathLike[str], part: str | None = None) -> tuple[list[str], list[str]]:
    """Paths and class names of the pictures in a folder of class folders: ``X`` and ``y`` for ``fit``.

    Arguments:
        path: of the folder.
        part: ``"train"``, ``"test"`` or ``"val"``; ``None`` gives the training part where there are parts, else all.

    Raises ``DataError``, as ``scan_folder`` does, and for a part that is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as top:
    ...     for name in ("cat", "dog"):
    ...         os.mkdir(f"{top}/{name}")
    ...         open(f"{top}/{name}/1.jpg", "w").close()
    ...     read_folder(top)[1]
    ['cat', 'dog']
    """
    found = scan_folder(path)
    known = sorted(set(found.parts) - {""})
    wanted = part or ("train" if known else "")
    rows = [i for i, p in enumerate(found.parts) if p == wanted]
    if not rows:
        raise DataError(
            f"a part of {shown(path)} is expected, got {part!r}: it has {', '.join(known) or 'no parts'}."
        )
    return [found.paths[i] for i in rows], [found.labels[i] for i in rows]


def scan_folder(path: str | os.PathLike[str]) -> PictureFolder:
    """Everything that a folder of class folders holds, with what is odd about it.

    Hidden files and files of other endings are left out and counted; a class is a folder with pictures at any depth;
    names are compared in Unicode's composed form. Nothing is decoded.

    Raises ``DataError`` if the folder is none, holds no pictures, or fewer than two classes.
    """
    top = _without_wrappers(_existing(path))
    notes: list[str] = []
    tops = _parts(top, notes) or {"": top}
    paths, labels, parts = [], [], []
    for part, folder in tops.items():
        for file, label in _labelled(folder, notes):
            paths.append(file)
            labels.append(label)
            parts.append(part)
    _check_classes(top, labels)
    found = PictureFolder(paths, labels, parts, _duplicates(paths), notes)
    notes.extend(_on_parts(found) + _on_duplicates(found))
    return found


def list_pictures(path: str | os.PathLike[str]) -> list[str]:
    """Paths of all pictures in a folder, at any depth, sorted; files of other endings are left out.

    Raises ``DataError`` if the folder is none or holds none.
    """
    paths = [file for file in _files(_existing(path)) if is_picture(file)]
    if not paths:
        endings = ", ".join(sorted(ENDINGS))
        raise DataError(
            f"pictures are expected in {shown(path)}, but no file ends in {endings}: check the folder."
        )
    return paths


def is_picture(name: str) -> bool:
    """Whether a file's name has the ending of a picture, in whatever case.

    >>> is_picture("A.JPG"), is_picture("notes.txt")
    (True, False)
    """
    return os.path.splitext(name)[1].lower() in ENDINGS


def _existing(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if "\0" in text or not os.path.isdir(text):
        got = "it is a file" if os.path.isfile(text.replace("\0", "")) else "there is none"
        raise DataError(f"a folder is expected at {shown(path)}, but {got}: check the path.")
    return text


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder and not hidden, by name; a folder that may not be read gets a sentence."""
    try:
        with os.scandir(folder) as entries:
            seen = [entry for entry in entries if entry.name[0] != "." and entry.name != "__MACOSX"]
    except OSError as error:
        why = (error.strerror or "unknown").lower()
        raise DataError(f"the folder {shown(folder)} cannot be read ({why}): ask for permission.") from None
    return sorted(seen, key=lambda entry: entry.name)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _folders(folder: str) -> list[os.DirEntry[str]]:
    return [entry for entry in _entries(folder) if _is_folder(entry)]


def _files(folder: str, *above: str) -> list[str]:
    """All files below a folder, sorted; links are followed, but no folder is entered twice nor one ``above``."""
    found: list[str] = []
    ahead, seen = [folder], {os.path.realpath(one) for one in above}
    while ahead:
        one = ahead.pop()
        if os.path.realpath(one) not in seen:
            seen.add(os.path.realpath(one))
            for entry in _entries(one):
                (ahead if _is_folder(entry) else found).append(entry.path)
    return sorted(found)


def _without_wrappers(folder: str) -> str:
    """The folder below those that hold nothing but one folder of folders, as archives leave them."""
    while True:
        inner = _folders(folder)
        loose = any(is_picture(entry.name) for entry in _entries(folder))
        if len(inner) != 1 or loose or not _folders(inner[0].path):
            return folder
        folder = inner[0].path


def _parts(top: str, notes: list[str]) -> dict[str, str]:
    """Part -> its folder, if training and another part stand on top, each with folders in it."""
    named = {PARTS[entry.name.lower()]: entry for entry in _folders(top) if entry.name.lower() in PARTS}
    if "train" not in named or len(named) < 2 or not all(_folders(entry.path) for entry in named.values()):
        return {}
    used = {entry.name for entry in named.values()}
    others = [entry.name for entry in _entries(top) if entry.name not in used]
    notes.append(f"The folder has parts: {', '.join(f'{e.name} ({part})' for part, e in named.items())}.")
    if others:
        notes.append(f"Beside its parts {_names(others)} left out.")
    return {part: entry.path for part, entry in named.items()}


def _labelled(folder: str, notes: list[str]) -> Iterator[tuple[str, str]]:
    """Pictures with their classes; what lies beside them is told."""
    beside: list[str] = []
    empty: list[str] = []
    for entry in _entries(folder):
        if not _is_folder(entry):
            beside.append(entry.name)
            continue
        files = _files(entry.path, folder)
        pictures = [file for file in files if is_picture(file)]
        beside.extend(os.path.basename(file) for file in files if not is_picture(file))
        empty.extend([entry.name] if not pictures else [])
        label = normalize("NFC", os.fsencode(entry.name).decode("utf-8", "replace"))
        yield from ((file, label) for file in pictures)
    here = shown(os.path.basename(os.path.abspath(folder)))
    if beside:
        notes.append(
            f"In {here} {_names(beside)} left out: beside the class folders, or no picture's ending."
        )
    if empty:
        notes.append(f"In {here} {_names(empty, 'folder')} without a picture and no class.")


def _names(names: list[str], what: str = "file") -> str:
    """``"2 files ('a.txt', 'b.txt') were"``."""
    some = ", ".join(map(repr, names[:MOST_NAMED])) + (", ..." if len(names) > MOST_NAMED else "")
    return (
        f"{len(names):,} {what}{'s' if len(names) > 1 else ''} ({some}) {'were' if len(names) > 1 else 'was'}"
    )


def _check_classes(top: str, labels: list[str]) -> None:
    classes = sorted(set(labels))
    if len(classes) > 1:
        return
    loose = [entry.name for entry in _entries(top) if is_picture(entry.name)]
    if not classes:
        got = f"{len(loose):,} pictures lie in it without one" if loose else "it holds no picture"
    else:
        got = f"all {len(labels):,} pictures are in {classes[0]!r}"
    raise DataError(
        f"folders of at least 2 classes are expected in {shown(top)}, but {got}: "
        "put the pictures of each class into a folder with its name."
    )


def _duplicates(paths: list[str]) -> list[list[int]]:
    """Groups of rows whose files have the same bytes; only files of one length are read."""
    by_size: dict[int, list[int]] = defaultdict(list)
    groups: dict[bytes, list[int]] = defaultdict(list)
    for row, path in enumerate(paths):
        with suppress(OSError):  # such as a broken link, which is refused when its header is read
            by_size[os.stat(path).st_size].append(row)
    for row in (row for size, rows in by_size.items() if size and len(rows) > 1 for row in rows):
        with suppress(OSError), open(paths[row], "rb", buffering=0) as file:
            groups[file_digest(file, "blake2b").digest()].append(row)
    return sorted(rows for rows in groups.values() if len(rows) > 1)


def _on_duplicates(found: PictureFolder) -> list[str]:
    """Sentences on files with the same bytes: how many, between classes, between parts."""
    if not found.duplicates:
        return []
    more = sum(len(rows) - 1 for rows in found.duplicates)
    many = "1 picture has" if more == 1 else f"{more:,} pictures have"
    notes = [f"{many} the same bytes as another ({_pair(found, found.duplicates[0])})."]
    for what, of in (
        ("classes, so one label of them is wrong", found.labels),
        ("parts, so the test is seen", found.parts),
    ):
        between = [rows for rows in found.duplicates if len({of[row] for row in rows}) > 1]
        if between:
            notes.append(f"{len(between):,} of them lie in different {what} ({_pair(found, between[0])}).")
    return notes


def _pair(found: PictureFolder, rows: list[int]) -> str:
    first, second = (shown(os.path.join(*found.paths[row].split(os.sep)[-3:])) for row in rows[:2])
    return f"{first} and {second}"


def _on_parts(found: PictureFolder) -> list[str]:
    """A sentence on classes that other parts have and training has not."""
    trained = {label for label, part in zip(found.labels, found.parts) if part in ("", "train")}
    unknown = sorted(set(found.labels) - trained)
    return (
        [f"{len(unknown):,} classes have no picture to train on, the first is {unknown[0]!r}."]
        if unknown
        else []
    )
