"""Folders of class folders: what counts as a class, a part, a picture, and what is told."""

import os
from pathlib import Path

import pytest

from ganglion.base.errors import DataError
from ganglion.data import folders
from ganglion.data.folders import is_picture, list_pictures, read_folder, scan_folder


def plant(top: Path, *names: str) -> Path:
    """Files whose content is their own name."""
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    return top


def test_class_folders(tmp_path: Path) -> None:
    plant(tmp_path, "dog/b.PNG", "dog/a.jpeg", "cat/1.jpg")
    paths, labels = read_folder(tmp_path)
    assert labels == ["cat", "dog", "dog"]
    assert [Path(p).relative_to(tmp_path).as_posix() for p in paths] == [
        "cat/1.jpg",
        "dog/a.jpeg",
        "dog/b.PNG",
    ]
    found = scan_folder(str(tmp_path))
    assert (found.paths, found.labels, found.parts) == (paths, labels, [""] * 3)
    assert not found.notes
    assert not found.duplicates


def test_pictures_at_any_depth_belong_to_the_first_folder(tmp_path: Path) -> None:
    plant(tmp_path, "cat/2020/may/1.jpg", "cat/2.jpg", "dog/x/1.jpg")
    assert read_folder(tmp_path)[1] == ["cat", "cat", "dog"]


def test_wrappers_of_archives_are_passed(tmp_path: Path) -> None:
    plant(
        tmp_path, "photos/photos/cat/1.jpg", "photos/photos/dog/1.jpg", "__MACOSX/photos/1.jpg", "README.txt"
    )
    assert read_folder(tmp_path)[1] == ["cat", "dog"]


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Training", "validation"), ("train", "val")])
def test_parts(tmp_path: Path, train: str, test: str) -> None:
    plant(
        tmp_path,
        f"{train}/cat/1.jpg",
        f"{train}/dog/2.jpg",
        f"{test}/cat/3.jpg",
        f"{test}/owl/4.jpg",
        "new/5.jpg",
    )
    found = scan_folder(tmp_path)
    name = "test" if test == "test" else "val"
    assert sorted(zip(found.parts, found.labels)) == sorted(
        [("train", "cat"), ("train", "dog"), (name, "cat"), (name, "owl")]
    )
    assert "has parts" in found.notes[0]
    assert "'new'" in found.notes[1]
    assert "'owl'" in found.notes[2]
    assert read_folder(tmp_path)[1] == ["cat", "dog"]
    assert read_folder(tmp_path, part=name)[1] == ["cat", "owl"]
    with pytest.raises(DataError, match="got 'other': it has"):
        read_folder(tmp_path, part="other")


def test_train_and_test_may_be_classes(tmp_path: Path) -> None:
    plant(tmp_path, "train/1.jpg", "test/2.jpg", "bus/3.jpg")
    assert read_folder(tmp_path)[1] == ["bus", "test", "train"]


def test_what_lies_beside_is_told(tmp_path: Path) -> None:
    plant(
        tmp_path,
        "cat/1.jpg",
        "dog/1.jpg",
        "loose.jpg",
        "dog/notes.txt",
        ".hidden/1.jpg",
        "cat/.DS_Store",
        "bird/x.txt",
    )
    (tmp_path / "none").mkdir()
    found = scan_folder(tmp_path)
    assert found.labels == ["cat", "dog"]
    assert "3 files ('x.txt', 'notes.txt', 'loose.jpg') were left out" in found.notes[0]
    assert "2 folders ('bird', 'none') were without a picture" in found.notes[1]


def test_names_of_any_language(tmp_path: Path) -> None:
    plant(tmp_path, "cafe\u0301/1.jpg", "猫/фото 1.jpg", "dog/a\nb.png")
    paths, labels = read_folder(tmp_path)
    assert sorted(labels) == sorted(["caf\u00e9", "猫", "dog"])
    assert all(os.path.exists(path) for path in paths)
    undecodable = os.fsencode(tmp_path) + b"/\xff\xfe"
    os.mkdir(undecodable)
    Path(os.fsdecode(undecodable) + "/1.jpg").touch()
    read_folder(tmp_path)[1][-1].encode("utf-8")  # can be written into a model file


def test_duplicates_are_facts(tmp_path: Path) -> None:
    plant(tmp_path, "cat/1.jpg", "dog/1.jpg", "dog/2.jpg")
    for name in ("dog/copy.jpg", "cat/other.jpg"):
        (tmp_path / name).write_text("cat/1.jpg")
    found = scan_folder(tmp_path)
    assert [[found.paths[row][-9:] for row in group] for group in found.duplicates] == [
        ["cat/1.jpg", "other.jpg", "/copy.jpg"]
    ]
    assert "2 pictures have the same bytes" in found.notes[0]
    assert "1 of them lie in different classes" in found.notes[1]
    assert len(found.notes) == 2


def test_the_same_picture_in_training_and_test_is_told(tmp_path: Path) -> None:
    plant(tmp_path, "train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg", "test/dog/4.jpg")
    (tmp_path / "test/cat/3.jpg").write_text("train/cat/1.jpg")
    assert "different parts" in scan_folder(tmp_path).notes[-1]


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    plant(tmp_path / "store", "1.jpg", "deep/2.jpg")
    plant(tmp_path / "top", "cat/1.jpg", "dog/3.jpg")
    os.symlink(tmp_path / "store", tmp_path / "top" / "owl")
    os.symlink(tmp_path / "top", tmp_path / "top" / "cat" / "again")
    os.symlink(tmp_path / "top" / "cat", tmp_path / "top" / "cat" / "self")
    os.symlink(tmp_path / "nothing", tmp_path / "top" / "cat" / "broken.jpg")
    os.symlink(tmp_path / "store" / "x", tmp_path / "store" / "x")
    labels = read_folder(tmp_path / "top")[1]
    assert labels == ["cat", "cat", "dog", "owl", "owl"]  # the broken link is refused when it is read


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "it holds no picture"),
        (("notes.txt",), "it holds no picture"),
        (("1.jpg", "2.jpg"), "2 pictures lie in it without one"),
        (("cat/1.jpg", "cat/2.jpg", "dog/x.txt"), "all 2 pictures are in 'cat'"),
    ],
)
def test_fewer_than_two_classes(tmp_path: Path, names: tuple, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        scan_folder(plant(tmp_path, *names))
    assert str(caught.value).endswith("a folder with its name.")


def test_no_folder(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg")
    for path, words in [("none", "there is none"), ("a.jpg", "it is a file"), ("a\0b", "there is none")]:
        with pytest.raises(DataError, match=words):
            scan_folder(f"{tmp_path}/{path}")
    with pytest.raises(DataError, match=r"no file ends in \.bmp"):
        list_pictures(plant(tmp_path / "other", "x.txt"))


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folders.os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(permission denied\)"):
        scan_folder(tmp_path)


def test_list_pictures(tmp_path: Path) -> None:
    plant(tmp_path, "b/2.jpg", "a.webp", "notes.md")
    assert [Path(p).name for p in list_pictures(tmp_path)] == ["a.webp", "2.jpg"]
    assert not is_picture("jpg")
