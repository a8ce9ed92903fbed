"""Which reads a job made: whoever is told what came of them must still be allowed to make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from saasus_mcp.saasus.answer import compact
from saasus_mcp.server.results import Made

MOST_NOTED = 20
"""Calls of one operation whose arguments are kept with what a job made of their answers."""
PAGING = frozenset({"cursor", "limit"})
"""Arguments that say which page of a list is read."""


class Calls:
    """The reads that a job made, each once; of one operation read in very many ways, the operation alone."""

    def __init__(self) -> None:
        self._made: dict[str, dict[str, Made]] = {}

    def note(self, key: str, args: Mapping[str, Any] | None) -> None:
        """Note a read. Which page of a list it was makes no difference."""
        made = self._made.setdefault(key, {})
        if args is None or len(made) >= MOST_NOTED:
            made[""] = (key, None)
            return
        whole = {name: value for name, value in args.items() if name not in PAGING}
        made[compact(whole)] = (key, whole)

    def take(self, calls: Iterable[Made]) -> None:
        """Note what was read before, for a plan or a result that this job goes on from."""
        for key, args in calls:
            self.note(key, args)

    def all(self) -> list[Made]:
        """What was noted."""
        return [each for made in self._made.values() for each in made.values()]
