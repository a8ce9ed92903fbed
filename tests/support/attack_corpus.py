"""The corpus of attacks on the product's limits. Each attacks a real part of it and returns the result in a few words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from saasus_mcp.catalog import Catalogue


@dataclass(frozen=True)
class AttackContext:
    """What an attack can use: the catalogue, a folder of its own, and changes that end with it."""

    catalogue: Catalogue
    folder: Path
    monkeypatch: pytest.MonkeyPatch


Run = Callable[[AttackContext], Awaitable[str]]


@dataclass(frozen=True)
class Attack:
    """One attack.

    Attributes:
        area: the section of the table that it belongs to.
        title: what the attacker does, in one line.
        run: does it, asserts that the product held, and returns the result in one line that is the same in every run.
    """

    area: str
    title: str
    run: Run

    @property
    def row(self) -> str:
        """Return the beginning of its row in the table."""
        return f"| {self.title} |"


ATTACKS: list[Attack] = []


def attack(area: str, title: str) -> Callable[[Run], Run]:
    """Add an attack to the corpus.

    Raises:
        ValueError: the title would break the table, or another attack has it.
    """
    if "|" in title or "\n" in title or any(each.title == title for each in ATTACKS):
        raise ValueError(title)

    def added(run: Run) -> Run:
        ATTACKS.append(Attack(area, title, run))
        return run

    return added
