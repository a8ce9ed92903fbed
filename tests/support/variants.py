"""What `make test` plays of a test that exists in both protocol eras or walks over many operations. `make coverage` plays all."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import pytest

from saasus_mcp.catalog import Operation
from tests.support.pipeline import ERAS, Era

FEWEST, SHARE = 4, 10
"""A sample has one in `SHARE` of the operations of each level, but not fewer than `FEWEST`. For `--exhaustive`, `SHARE` is 1."""


def choose_era(name: str) -> Era:
    """Return the era for a test of this name. The choice depends only on the name, and gives each era half of all names."""
    return ERAS[_hash(name) % len(ERAS)]


def sample_operations(operations: Iterable[Operation], name: str) -> list[Operation]:
    """Return operations of each level, for a test of this name. Tests of other names get other ones, and together nearly all."""
    by_level: dict[str, list[Operation]] = {}
    for operation in operations:
        by_level.setdefault(operation.level, []).append(operation)
    return [
        operation
        for same in by_level.values()
        for operation in sorted(same, key=lambda each: _hash(f"{name} {each.key}"))[: max(FEWEST, len(same) // SHARE)]
    ]


def sample_cases(cases: Iterable[Any], share: int = SHARE) -> list[Any]:
    """Return parameters of which one in `share` is in `make test`, from the first on. The others are marked `exhaustive`."""
    return [pytest.param(case, marks=[pytest.mark.exhaustive] if at % share else []) for at, case in enumerate(cases)]


def _hash(name: str) -> int:
    return zlib.crc32(name.encode())
