"""The pages of the layers: their examples run and give what stands there."""

import doctest
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "layers").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_the_page(page):
    found = doctest.testfile(str(page), module_relative=False)
    assert found.attempted > 2
    assert not found.failed
