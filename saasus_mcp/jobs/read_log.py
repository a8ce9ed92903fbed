"""The reads of a job: only a caller who may still make them may see the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.server.results.result_store import SourceCall

MAX_RECORDED = 20
"""Reads of one operation that are recorded with their arguments. Of more reads, only the operation is recorded."""
PAGING_ARGUMENTS = frozenset({"cursor", "limit"})


class ReadLog:
    """Records each distinct read of a job."""

    def __init__(self) -> None:
        self._by_operation: dict[str, dict[str, SourceCall]] = {}

    def record(self, key: str, args: Mapping[str, Any] | None) -> None:
        """Record a read. Pages of one list count as one read."""
        calls = self._by_operation.setdefault(key, {})
        if args is None or len(calls) >= MAX_RECORDED:
            calls[""] = (key, None)
            return
        query = {name: value for name, value in args.items() if name not in PAGING_ARGUMENTS}
        calls[compact_json(query)] = (key, query)

    def extend(self, calls: Iterable[SourceCall]) -> None:
        """Record the reads behind a plan or a result that the job uses."""
        for key, args in calls:
            self.record(key, args)

    def reads(self) -> list[SourceCall]:
        return [call for calls in self._by_operation.values() for call in calls.values()]
