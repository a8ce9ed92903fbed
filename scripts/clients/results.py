"""The rows of the table, kept in `results.json` so that a run of some clients leaves the others as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scripts.clients.outcome import FAULTS, Outcome
from scripts.clients.registry import CLIENTS
from scripts.clients.task import LEVELS

FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One client of the table.

    Attributes:
        date: when it was tried, as an ISO date.
        tools: how many tools it loaded; None where it does not tell.
        total: how many the server has.
        converted: how many it turned into its model provider's form; None where that is not seen.
        alone: by level, what came of the call without a person.
        with_person: the same with a person who agrees, for the levels that the client asked about.
        skipped: a key of `wording.SKIPPED` where it was not tried.
    """

    key: str
    date: str
    version: str = ""
    tools: int | None = None
    total: int = 0
    converted: int | None = None
    alone: Mapping[str, Outcome] = field(default_factory=dict)
    with_person: Mapping[str, Outcome] = field(default_factory=dict)
    skipped: str = ""

    def faults(self) -> list[str]:
        """Return the promised results that the trial did not show."""
        told = ["ended before its first call"] if self.skipped == "failed" else []
        told += [f"{level}: {each}" for level in LEVELS if (each := self.alone.get(level)) in FAULTS]
        told += [f"{level} with a person: {each}" for level, each in self.with_person.items() if each in FAULTS]
        loaded = {"tools": self.tools, "converted": self.converted}
        return told + [
            f"{name}: {count} of {self.total}" for name, count in loaded.items() if count not in {None, self.total}
        ]


def load(file: Path = FILE) -> dict[str, Row]:
    """Return the rows by client."""
    if not file.exists():
        return {}
    rows = (_row(each) for each in json.loads(file.read_text(encoding="utf-8")))
    return {row.key: row for row in rows}


def _row(data: dict[str, Any]) -> Row:
    for name in ("alone", "with_person"):
        data[name] = {level: Outcome(value) for level, value in data[name].items()}
    return Row(**data)


def save(rows: Mapping[str, Row], file: Path = FILE) -> None:
    """Write the rows of the clients that there are, in the order of the registry."""
    kept = [asdict(rows[client.key]) for client in CLIENTS if client.key in rows]
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
