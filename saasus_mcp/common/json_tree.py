"""One walk over JSON values: convert or list the values inside a value, and survey it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from saasus_mcp.common.json_columns import MANY, MAX_LEVELS, Columns, columns_of

_TOGETHER = 1024
"""Texts that are collected together: megabytes of them would stop every other thread."""
_MAX_JOINED = 16 * 1024
"""Characters of texts that can be the parts of one. Longer ones are texts of their own, such as lines of a log."""
_FEWEST_PIECES = 2
_PIECES = (str, int)
_SIGN = 128
"""Bytes from here on are negative numbers, if a program takes them for signed."""
_INFINITE = frozenset((math.inf, -math.inf))
_ATTEMPTS = 4
"""Lists whose items may be looked at together without effect. Nested ones would be looked at again at each level."""


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
    """Yield every string, number, boolean and null inside `value`, in its order. `keys`: yield the keys of objects, too."""
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


def join_pieces(value: list[Any] | dict[str, Any]) -> str:
    """Return the text whose letters, parts or bytes a list contains, or an object under the keys 0, 1, and so on; else empty.

    A buffer becomes such a list of bytes in JSON, and a text such an object, if a program spreads it by mistake.
    """
    if isinstance(value, dict):
        return join_pieces(list(value.values())) if "0" in value else ""
    if len(value) < _FEWEST_PIECES or type(value[0]) not in _PIECES:
        return ""
    types = set(map(type, value))
    if types == {str}:
        return "".join(value) if sum(map(len, value)) <= _MAX_JOINED else ""
    if types == {int} and min(value) >= -_SIGN and max(value) < 2 * _SIGN:
        return bytes(each % (2 * _SIGN) for each in value).decode(errors="replace")
    return ""


class Survey(NamedTuple):
    """What is inside a JSON value.

    Attributes:
        texts: its texts, keys and numbers, each once.
        pieces: what `join_pieces` makes of its lists and objects, each once.
        too_deep: objects and lists are nested in more levels than the limit. The other attributes then lack the rest.
        infinite: a number is infinite.
        columns: by identity, the long lists whose items were looked at together.
    """

    texts: set[str]
    pieces: set[str]
    too_deep: bool
    infinite: bool
    columns: Mapping[int, Columns]

    @property
    def searched(self) -> set[str]:
        """What a search for a text must look at."""
        return self.texts | self.pieces if self.pieces else self.texts


def survey(value: Any, limit: int) -> Survey:
    """Look at everything inside `value` once. Recurses a few levels only. `limit`: the levels of objects and lists to look at."""
    found = _SurveyState()
    level: list[Any] = [[value]]
    for depth in range(limit + 1):
        inner: list[Any] = []
        for parent in level:
            if isinstance(parent, dict):
                found.texts.update(parent)
                if "0" in parent:
                    found.add_pieces(parent)
                parent = parent.values()  # noqa: PLW2901 - what is inside it
            else:
                found.add_pieces(parent)
                if len(parent) >= MANY and found.add_together(parent, min(limit - depth, MAX_LEVELS)):
                    continue
            found.add_items(parent, inner)
        level = inner
        if not level:
            break
    found.texts.update(map(str, found.numbers))
    infinite = not _INFINITE.isdisjoint(found.numbers)
    return Survey(found.texts, found.pieces, too_deep=any(level), infinite=infinite, columns=found.columns)


@dataclass(slots=True)
class _SurveyState:
    """What a survey has found so far."""

    texts: set[str] = field(default_factory=set)
    pieces: set[str] = field(default_factory=set)
    numbers: list[int | float] = field(default_factory=list)
    columns: dict[int, Columns] = field(default_factory=dict)
    attempts: int = _ATTEMPTS

    def add_items(self, items: Iterable[Any], inner: list[Any]) -> None:
        """Add the texts and numbers among items. The lists and objects are appended to `inner`."""
        for item in items:
            if isinstance(item, str):
                self.texts.add(item)
            elif isinstance(item, (dict, list)):
                inner.append(item)
            elif item is not None and not isinstance(item, bool):
                self.numbers.append(item)

    def add_pieces(self, parent: list[Any] | dict[str, Any]) -> None:
        """Add the text that the items of a list or an object are pieces of."""
        if pieces := join_pieces(parent):
            self.pieces.add(pieces)

    def add_together(self, values: list[Any], levels: int) -> bool:
        """Add everything inside a list, or return False if its items cannot be looked at together."""
        columns = columns_of(values, levels) if self.attempts else None
        if columns is None:
            self.attempts = max(self.attempts - 1, 0)
            return False
        self.columns[id(values)] = columns
        self._add(columns)
        return True

    def _add(self, place: Columns) -> None:
        """Add the texts, keys and numbers at a place and inside it. Equal whole numbers are one."""
        self.texts.update(place.fields)
        holds_letters = place.items is not None and not place.items.types.isdisjoint((str, int))
        if holds_letters or "0" in place.fields:  # other lists and objects contain no pieces
            for each in place.of_type(list, dict):
                self.add_pieces(each)
        if str in place.types:
            found = place.of_type(str)
            for start in range(0, len(found), _TOGETHER):
                self.texts.update(found[start : start + _TOGETHER])
        if int in place.types:
            self.numbers.extend(set(place.of_type(int)))
        if float in place.types:
            self.numbers.extend(place.of_type(float))
        for inner in place.fields.values():
            self._add(inner)
        if place.items is not None:
            self._add(place.items)
