"""One walk over JSON values, for every room: convert or list the values inside a value, and survey it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    """Yield every string, number, boolean and null inside `value`, in its order.

    Args:
        keys: yield the keys of objects, too.
    """
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            if keys:
                yield from item
            pending.extend(reversed(item.values()))
        elif isinstance(item, list):
            pending.extend(reversed(item))
        else:
            yield item


@dataclass(frozen=True, slots=True)
class Survey:
    """What is inside a JSON value.

    Attributes:
        texts: its texts, keys and numbers, each once.
        too_deep: objects and lists are nested in more levels than the limit. The other attributes then lack the rest.
        infinite: a number is infinite.
    """

    texts: set[str]
    too_deep: bool
    infinite: bool


def survey(value: Any, limit: int) -> Survey:
    """Look at everything inside `value` once. Does not recurse.

    Args:
        limit: the levels of objects and lists to look at.
    """
    texts: set[str] = set()
    numbers: list[int | float] = []
    level: list[Any] = [[value]]
    for _ in range(limit + 1):
        inner: list[Any] = []
        for parent in level:
            if isinstance(parent, dict):
                texts.update(parent)
                parent = parent.values()  # noqa: PLW2901 - what is inside it
            for item in parent:
                if isinstance(item, str):
                    texts.add(item)
                elif isinstance(item, (dict, list)):
                    inner.append(item)
                elif item is not None and not isinstance(item, bool):
                    numbers.append(item)
        level = inner
        if not level:
            break
    texts.update(map(str, numbers))
    return Survey(
        texts, too_deep=any(level), infinite=any(isinstance(number, float) and math.isinf(number) for number in numbers)
    )
