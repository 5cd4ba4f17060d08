"""The page of pictures: all of its parts, pictures only as data, and deaf to names of files and classes."""

import importlib.util
import re
from pathlib import Path

import numpy as np

from ganglion.report import Pictures, Shown, render

_spec = importlib.util.spec_from_file_location("page_tests", Path(__file__).with_name("test_page.py"))
page_tests = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(page_tests)
results = page_tests.results
PIXELS = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
SECTIONS = ["scores", "diagnosis", "data", "training", "varied", "quality", "mistakes", "examples", "inside", "layers",
            "reproduce", "deploy"]  # fmt: skip


def shown(name, true, predicted):
    return Shown(pixels=PIXELS, name=name, true=true, predicted=predicted, confidence=0.9)


def of_pictures(names=("cat", "dog"), word=str, count=3):
    result = results.of_classes(list(names), word=word)
    result.family, result.unit, result.split = "pictures", "pictures", "test pictures"
    result.columns = result.importances = result.mistakes = ()
    one, other = names[:2]
    result.pictures = Pictures(
        mistakes=[shown(word("a.png"), one, other)] * count,
        examples=[shown(word("b.png"), other, other)],
        augment=word("flip"),
        reasons=[word("because it helps")],
        augmented=[(one, [PIXELS / 255] * 3)],
        filters=[PIXELS[:3, :3, 0] / 255] * 4,
        maps_of=shown(word("b.png"), other, other),
        maps=[(word("20 × 20, 2 maps"), [PIXELS[:, :, 0] / 255] * 2)],
        steady=(0.975, 200),
        refused=[(word("broken.png"), word("it is empty"))],
    )
    return result


def harmless(text):
    """The checks of all pages, with pictures only as PNG inside the page."""
    plain, n = re.subn(
        r'<img src="data:image/png;base64,[A-Za-z0-9+/=]+" alt="[^"<>]*"( class="squares")?>', "", text
    )
    assert n
    return page_tests.check_harmless(plain), n


def test_it_has_every_part():
    page, n = harmless(render(of_pictures()))
    assert page_tests.sections(page) == SECTIONS
    assert n == 3 + 1 + 3 + 4 + 1 + 2
    text = " ".join("".join(page.text).split())
    assert "pictures it has never seen" in text
    assert "cat taken for dog" in text
    assert "90.0% sure" in text
    assert "because it helps" in text
    assert "it is empty" in text
    moved = "Moved by one pixel up, down, left or right, 200 test pictures keep their answer in 97.5% of 800 trials."
    assert moved in text
    assert "share of pictures whose class is predicted correctly" in text


def test_names_of_files_and_classes_stay_text():
    word = lambda text: results.HOSTILE  # noqa: E731
    text = render(of_pictures([results.HOSTILE, results.HOSTILE + "2"], word=word))
    page, _ = harmless(text)
    assert page_tests.sections(page) == SECTIONS
    assert "<script>alert(1)</script>" in "".join(page.text)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e\ud800]", text)


def test_it_stays_small_with_large_pictures():
    result = of_pictures()
    big = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)  # noise: the worst for PNG
    for one in (*(mistakes := [shown("x", "cat", "dog") for _ in range(24)]), *result.pictures.examples):
        one.pixels = big
    result.pictures.mistakes = mistakes
    result.pictures.augmented = [("cat", [big / 255.0] * 8)] * 5
    assert len(render(result)) < 3_000_000


def test_parts_without_content_are_left_out():
    result = of_pictures()
    result.pictures = None
    page = page_tests.check_harmless(render(result))
    assert not {"varied", "mistakes", "examples", "inside"} & set(page_tests.sections(page))
