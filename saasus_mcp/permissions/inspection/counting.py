"""Count rows of an answer in Python, because CEL's runtime stops at ten thousand steps and a SaaS has more users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.catalog.expressions import evaluate_each
from saasus_mcp.catalog.model import ImpactMetric
from saasus_mcp.common.json_bytes import compact_json


def count_rows(measure: ImpactMetric, variables: Mapping[str, Any]) -> int | None:
    """Return the number of matching rows of a list, or of their different values; None without such a list."""
    rows = variables["result"]
    for step in measure.of.split("."):
        rows = rows.get(step) if isinstance(rows, dict) else None
    if not isinstance(rows, list):
        return None
    where = evaluate_each(measure.where, variables)
    if None in where.values():
        return None
    matching: list[Any] = []
    others: list[Any] = []
    for row in rows:
        holds = all(_holds(row, path.split("."), item) for path, item in where.items())
        (matching if holds and (not measure.has or any(_at(row, measure.has.split(".")))) else others).append(row)
    if not measure.by and not measure.only:
        return len(matching)
    path = (measure.by or measure.only).split(".")
    values = {compact_json(item) for row in matching for item in _at(row, path)}
    if measure.only:
        values -= {compact_json(item) for row in others for item in _at(row, path)}
    return len(values)


def _holds(row: Any, path: list[str], wanted: Any) -> bool:
    """Return whether the path leads to the wanted value, or to a map in which that key has a value."""
    return any(
        item.get(wanted) not in (None, "") if isinstance(item, dict) else item == wanted for item in _at(row, path)
    )


def _at(item: Any, path: list[str]) -> Iterator[Any]:
    """Yield all values at a path, through every item of lists on the way."""
    if isinstance(item, list):
        for each in item:
            yield from _at(each, path)
    elif not path:
        yield item
    elif isinstance(item, dict) and path[0] in item:
        yield from _at(item[path[0]], path[1:])
