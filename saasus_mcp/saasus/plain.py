"""Arguments copied as plain JSON that can be sent, in one walk, within limits that hold for every tool."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.saasus.places import InvalidArguments, Place

INT64 = 2**63 - 1
DEEPEST = 32
MOST_VALUES = 60_000
"""JSON values in all the arguments of a call. The longest list that an operation takes has 10,000 items of five values."""
MOST_FIELDS = 1_000
"""Fields of one object."""
MOST_CHARACTERS = 8 * 1024 * 1024
"""Characters in all the arguments of a call, names of fields included."""


@dataclass(slots=True)
class Copying:
    """The copy of one call's arguments.

    Attributes:
        texts: where each text that begins with `prefix` stands.
    """

    prefix: str
    texts: list[tuple[Place, str]] = field(default_factory=list)
    _place: list[str | int] = field(default_factory=list)
    _values: int = 0
    _characters: int = 0

    def copy(self, value: Any, step: str | int | None = None) -> Any:
        """The value with plain dicts and lists, 3.0 as 3.

        Args:
            step: where it stands in what holds it; None for the whole.

        Raises:
            InvalidArguments: it is too much, too deep, or what JSON or UTF-8 cannot carry.
        """
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._unfit(None, f"the arguments hold more than {MOST_VALUES:,} values.", "Send them in parts.")
        if isinstance(value, str):
            self._text(value, step)
            return value
        if isinstance(value, Mapping | list | tuple):
            return self._inside(value, step)
        return self._number(value, step) if type(value) in (int, float) else value

    def _inside(self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], step: str | int | None) -> Any:
        if step is not None:
            self._place.append(step)
        if len(self._place) >= DEEPEST:
            raise InvalidArguments(tuple(self._place[:1]), "the value is nested too deeply.")
        if isinstance(value, Mapping):
            copied: Any = self._object(value)
        else:
            copied = [self.copy(item, index) for index, item in enumerate(value)]
        if step is not None:
            self._place.pop()
        return copied

    def _object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        if len(value) > MOST_FIELDS:
            raise self._unfit(None, f"the object has more than {MOST_FIELDS:,} fields.", "Send them in parts.")
        copied = {}
        for name, item in value.items():
            self._count(len(name))
            try:
                name.encode("utf-8")
            except UnicodeEncodeError:
                raise self._unfit(None, "a field's name holds half a character.") from None
            copied[str(name)] = self.copy(item, str(name))
        return copied

    def _text(self, text: str, step: str | int | None) -> None:
        self._count(len(text))
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise self._unfit(step, "the text holds half a character (a lone surrogate).") from None
        if "\0" in text:
            raise self._unfit(step, "the text holds a NUL character.", "Leave it out.")
        if text.startswith(self.prefix):
            self.texts.append((self._at(step), text))

    def _number(self, value: float, step: str | int | None) -> int | float:
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self._unfit(step, "the number is not finite.")
            if not value.is_integer():
                return value
            value = int(value)
        if abs(value) > INT64:
            raise self._unfit(step, "the number does not fit in 64 bits.")
        return value

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > MOST_CHARACTERS:
            most = MOST_CHARACTERS // 1024 // 1024
            raise self._unfit(None, f"the arguments hold more than {most} million characters.", "Send less at once.")

    def _at(self, step: str | int | None) -> Place:
        return (*self._place,) if step is None else (*self._place, step)

    def _unfit(self, step: str | int | None, message: str, mend: str = "") -> InvalidArguments:
        return InvalidArguments(self._at(step), message, mend)
