"""The real tables, for tests that look at them."""

import os
from pathlib import Path

import pytest

TABLES = Path(os.environ.get("GANGLION_DATA", Path(__file__).parents[3] / "shared" / "data")) / "tables"


@pytest.fixture(scope="session")
def real_table():
    """A function from a name to the path of a real table; it skips the test where there is none."""

    def find(name: str) -> Path:
        path = TABLES / f"{name}.csv.gz"
        if not path.exists():
            pytest.skip(f"{path.name} is not here: set GANGLION_DATA to the folder of the measuring data")
        return path

    return find
