"""Which items of an undo log were deleted later, so that nothing is left to undo."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.inspection.inverse_calls import find_inverse_calls
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.store.records import UndoEntry

_Address = frozenset[tuple[str, str]]


class Deletions:
    """The items that the changes of one undo log deleted, and that no later change created again under the same name or id.

    A deletion that was undone does not count.
    """

    def __init__(self, catalogue: Catalogue, entries: Iterable[UndoEntry]) -> None:
        self._last: dict[_Address, UndoEntry] = {}
        for entry in sorted(entries, key=lambda each: each.at):
            operation = catalogue.get(entry.operation)
            if operation is None or entry.undone:
                continue
            if operation.effects.effect == "delete":
                if address := frozenset(_addressed(operation, entry.arguments)):
                    self._last[address] = entry
            elif operation.effects.effect == "create" and self._last:
                call = OperationCall(operation, entry.arguments)
                for inverse in find_inverse_calls(call, entry.before, entry.result, entry.at):
                    address = frozenset(_addressed(catalogue.find(inverse.call), inverse.args))
                    if address in self._last and self._last[address].at < entry.at:
                        del self._last[address]

    def include(self, operation: Operation, args: Mapping[str, Any], change: UndoEntry) -> bool:
        """Return whether what a call addresses, or what contains it, was deleted after a change."""
        items = _addressed(operation, args)
        parts = (part for size in range(1, len(items) + 1) for part in combinations(items, size))
        found = (self._last.get(frozenset(part)) for part in parts)
        return any(each is not None and each.call != change.call and each.at >= change.at for each in found)


def deletions_by_call(catalogue: Catalogue, logs: Iterable[Sequence[UndoEntry]]) -> dict[str, Deletions]:
    """Return the deletions in the undo log of each change, by its call."""
    found: dict[str, Deletions] = {}
    for log in logs:
        found |= dict.fromkeys((entry.call for entry in log), Deletions(catalogue, log))
    return found


def _addressed(operation: Operation, args: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the items in the path of a call, each after the segment that says what it is, as in `/tenants/{tenant_id}`."""
    named = ((kind, segment.strip("{}")) for kind, segment in pairwise(operation.path.split("/")) if "{" in segment)
    return [(kind, str(args[name])) for kind, name in named if name in args]
