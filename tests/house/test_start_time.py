"""Importing the package and asking for help must stay quick, so neither may import the heavy libraries."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

IMPORT_LIMIT, HELP_LIMIT = 0.1, 0.3  # seconds
HEAVY = ("torch", "sklearn", "numpy", "pandas", "pyarrow", "scipy", "matplotlib")
HELP = "import sys; sys.argv = ['ganglion', '--help']; from ganglion.cli.main import main; main()"
NAMES_OF_HEAVY = f"import json; print('\\n' + json.dumps([m for m in {HEAVY} if m in sys.modules]))"
SPEC = importlib.util.spec_from_file_location(
    "start_time", Path(__file__).parents[2] / "benchmarks" / "start_time.py"
)
start_time = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(start_time)

needs_command = pytest.mark.skipif(not start_time.has_command(), reason="the command line is not there yet")


def heavy_modules(code: str) -> list[str]:
    """Which heavy libraries a piece of code leaves imported, whether it returns or exits."""
    guarded = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n{NAMES_OF_HEAVY}"
    done = subprocess.run([sys.executable, "-c", guarded], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_search_sees_heavy_modules():
    assert heavy_modules("import numpy") == ["numpy"]


def test_import_loads_nothing_heavy():
    assert heavy_modules("import ganglion") == []


@needs_command
def test_help_loads_nothing_heavy():
    assert heavy_modules(HELP) == []


@pytest.mark.alone
def test_import_is_quick():
    taken = start_time.measure(["python -c pass", "import ganglion"])
    assert median(taken["import ganglion"]) - median(taken["python -c pass"]) < IMPORT_LIMIT


@pytest.mark.alone
@needs_command
def test_help_is_quick():
    assert median(start_time.measure(["ganglion --help"])["ganglion --help"]) < HELP_LIMIT
