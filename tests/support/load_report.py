"""The rows of `make load`, printed as soon as each is known, and kept for its tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.load import HEADS, REPORT, SIZE, write_row

MEASURED = os.environ.get(SIZE)
"""How many clients and how many calls of each, as `32x25`, where the numbers are wanted."""
_FILE = os.environ.get(REPORT)
"""Read now, as a test has no variables of this program."""


def report_row(table: str, run: Sequence[str], cells: Sequence[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Print a row if the numbers were requested, and keep it for the tables.

    Args:
        run: what the run was, as keys of `scripts.load.TERMS`.
        cells: the further cells.
    """
    if not MEASURED:
        return
    if _FILE is not None:
        write_row(Path(_FILE), table, run, cells)
    with capsys.disabled():
        said = ", ".join(f"{name[0]} {cell}" for name, cell in zip(HEADS[table][1:], cells, strict=True))
        print(f"\n{', '.join(run)}: {said}")  # noqa: T201 - what `make load` is for
