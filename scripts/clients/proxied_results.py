"""What came of clients behind proxies, kept in `proxied.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).with_name("proxied.json")


@dataclass(frozen=True, slots=True)
class Proxied:
    """What came of the connections of one client through one proxy.

    Attributes:
        protocol: of the connections.
        good: connections with every tool, the question, and one change at the API.
    """

    client: str
    version: str
    protocol: str
    proxy: str
    date: str
    good: int
    tried: int


def load() -> list[Proxied]:
    """Return the results of the last run."""
    return [Proxied(**each) for each in json.loads(FILE.read_text(encoding="utf-8"))]


def save(rows: Sequence[Proxied]) -> None:
    """Write the results of a run."""
    FILE.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
