"""Routing, segment by segment as the API's router does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import unquote

from saasus_mcp.catalog import Operation


class Routes:
    """All routes. A literal segment, however encoded, wins over a parameter: a user named `count` cannot be read."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._routes: defaultdict[tuple[str, int], list[tuple[Operation, tuple[str, ...]]]] = defaultdict(list)
        for operation in operations:
            template = _segments(operation.path)
            self._routes[operation.method, len(template)].append((operation, template))
        for routes in self._routes.values():
            routes.sort(key=lambda route: [segment.startswith("{") for segment in route[1]])

    def match(self, method: str, path: str) -> tuple[Operation, tuple[str, ...]] | None:
        """Return the operation of a raw path and its decoded path values, or None without a route, or if a value is no text."""
        raw = _segments(path)
        for operation, template in self._routes.get((method, len(raw)), ()):
            pairs = list(zip(template, raw, strict=True))
            if all(segment if part.startswith("{") else unquote(segment) == part for part, segment in pairs):
                values = (segment for part, segment in pairs if part.startswith("{"))
                try:
                    return operation, tuple(unquote(value, errors="strict") for value in values)
                except UnicodeDecodeError:
                    return None
        return None


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
