"""One walk over JSON values, for every room: convert or list the values inside a value, and measure its depth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def map_scalars(value: Any, convert: Callable[[Any], Any], *, keys: bool = False) -> Any:
    """Return a copy of `value` with every string, number, boolean and null converted.

    Args:
        keys: convert the keys of objects, too.
    """
    if isinstance(value, dict):
        return {convert(name) if keys else name: map_scalars(item, convert, keys=keys) for name, item in value.items()}
    if isinstance(value, list):
        return [map_scalars(item, convert, keys=keys) for item in value]
    return convert(value)


def iterate_scalars(value: Any, *, keys: bool = False) -> Iterator[Any]:
    """Yield every string, number, boolean and null inside `value`, in no particular order.

    Args:
        keys: yield the keys of objects, too.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if keys:
                yield from item
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        else:
            yield item


def is_deeper_than(value: Any, limit: int) -> bool:
    """Return whether objects and lists are nested in more than `limit` levels. Does not recurse."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        level = [
            item
            for parent in level
            for item in (parent.values() if isinstance(parent, dict) else parent)
            if item and isinstance(item, dict | list)
        ]
        if not level:
            return False
    return bool(level)
