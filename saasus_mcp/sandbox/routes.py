"""Routing, segment by segment as the API's router does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from saasus_mcp.catalog import Operation


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    operation: Operation | None = None


class Routes:
    """All routes. A literal segment, however encoded, wins over a parameter: a user named `count` cannot be read."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._roots: dict[str, _Node] = {}
        for operation in operations:
            self._add(operation)

    def match(self, method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
        """Return the operation of a raw path and its decoded path values, or None without a route."""
        root = self._roots.get(method)
        found = _walk(root, _segments(path)) if root is not None else None
        if found is None:
            return None
        operation, raw = found
        return operation, tuple(unquote(value, errors="strict") for value in raw)

    def _add(self, operation: Operation) -> None:
        node = self._roots.setdefault(operation.method, _Node())
        for segment in _segments(operation.path):
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.literals.setdefault(segment, _Node())
        node.operation = operation


def _segments(path: str) -> tuple[str, ...]:
    """Return the raw segments, with dot segments resolved as a proxy may resolve them."""
    kept: list[str] = []
    for segment in path.removeprefix("/").split("/"):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del kept[-1:]
        elif dots != ".":
            kept.append(segment)
    return tuple(kept)


def _walk(node: _Node, segments: tuple[str, ...]) -> tuple[Operation, tuple[str, ...]] | None:
    if not segments:
        return (node.operation, ()) if node.operation is not None else None
    first, rest = segments[0], segments[1:]
    literal = node.literals.get(unquote(first))
    if literal is not None and (found := _walk(literal, rest)) is not None:
        return found
    if node.parameter is None or not first or (found := _walk(node.parameter, rest)) is None:
        return None
    operation, values = found
    return operation, (first, *values)
