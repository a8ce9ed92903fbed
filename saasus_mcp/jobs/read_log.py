"""Which reads a job made: whoever is told what came of them must still be allowed to make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from saasus_mcp.saasus.tool_answer import compact_json
from saasus_mcp.server.results.result_store import SourceCall

MAX_RECORDED = 20
"""Calls of one operation whose arguments are kept with what a job made of their answers."""
PAGING_ARGUMENTS = frozenset({"cursor", "limit"})
"""Arguments that say which page of a list is read."""


class ReadLog:
    """The reads that a job made, each once; of one operation read in very many ways, the operation alone."""

    def __init__(self) -> None:
        self._made: dict[str, dict[str, SourceCall]] = {}

    def record(self, key: str, args: Mapping[str, Any] | None) -> None:
        """Note a read. Which page of a list it was makes no difference."""
        made = self._made.setdefault(key, {})
        if args is None or len(made) >= MAX_RECORDED:
            made[""] = (key, None)
            return
        whole = {name: value for name, value in args.items() if name not in PAGING_ARGUMENTS}
        made[compact_json(whole)] = (key, whole)

    def extend(self, calls: Iterable[SourceCall]) -> None:
        """Note what was read before, for a plan or a result that this job goes on from."""
        for key, args in calls:
            self.record(key, args)

    def reads(self) -> list[SourceCall]:
        """What was noted."""
        return [each for made in self._made.values() for each in made.values()]
