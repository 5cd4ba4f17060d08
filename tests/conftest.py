"""One thread for every test process, and what the contract suites tell at the end."""

import os

import pytest

# small networks gain nothing from more threads, and workers would fight; before torch and NumPy are imported
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def pytest_terminal_summary(terminalreporter):
    """Lines that tests recorded under ``told``, also from other processes."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, [])]
    lines = [text for r in reports for name, text in getattr(r, "user_properties", ()) if name == "told"]
    if lines:
        terminalreporter.section("contracts")
        for line in sorted(lines):
            terminalreporter.write_line(line)


@pytest.fixture
def copy_attention():
    """A function that puts the weights of our attention into torch's."""
    import torch

    def copy(mine, theirs):
        rows = [mine.query.weight, mine.memory.weight] if mine.cross else [mine.query.weight]
        bias = [mine.query.bias, mine.memory.bias] if mine.cross else [mine.query.bias]
        with torch.no_grad():
            theirs.in_proj_weight.copy_(torch.cat(rows))
            theirs.in_proj_bias.copy_(torch.cat(bias))
            theirs.out_proj.load_state_dict(mine.out.state_dict())
        return theirs

    return copy
