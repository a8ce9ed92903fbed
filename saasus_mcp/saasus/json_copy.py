"""Arguments copied as plain JSON that can be sent, in one walk, within limits that hold for every tool.

On the way, values are understood by the tool's schema (saasus.coercion). The limits hold for what is inside JSON text, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.json_bounds import MAX_VALUES
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema
from saasus_mcp.saasus.coercion import EXACT, Coercion, UnclearText, coerce_value, schema_of_field, schema_within

__all__ = ["MAX_VALUES", "JsonCopier"]

INT64 = 2**63 - 1
MAX_DEPTH = 32
MAX_FIELDS = 1_000
"""Fields of one object."""
MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters in all the arguments of a call, names of fields included."""


@dataclass(slots=True)
class JsonCopier:
    """The copy of one call's arguments.

    Attributes:
        reading: how values are understood; None where they are taken as they are.
        texts: where each text that begins with `prefix` stands.
    """

    prefix: str
    reading: Coercion | None = None
    texts: list[tuple[JsonPath, str]] = field(default_factory=list)
    _place: list[str | int] = field(default_factory=list)
    _values: int = 0
    _characters: int = 0

    def whole(self, value: Any) -> Any:
        """All the arguments, copied.

        Raises:
            InvalidArguments: they are too much, too deep, or what JSON or UTF-8 cannot carry.
        """
        return self.copy(value, None, None if self.reading is None else self.reading.schema)

    def copy(self, value: Any, step: str | int | None = None, schema: Schema | None = None) -> Any:
        """The value with plain dicts and lists, 3.0 as 3.

        Args:
            step: where it stands in what holds it; None for the whole.
            schema: by which it is understood, where there is one.

        Raises:
            InvalidArguments: it is too much, too deep, or what JSON or UTF-8 cannot carry.
        """
        if schema is not None:
            value = self._understood(value, step, schema)
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._unfit(None, f"the arguments contain more than {MAX_VALUES:,} values.", "Send them in parts.")
        if isinstance(value, str):
            self._text(value, step)
            return value
        if isinstance(value, Mapping | list | tuple):
            return self._inside(value, step, schema and schema_within(schema, value))
        return self._number(value, step, schema) if type(value) in (int, float) else value

    def _understood(self, value: Any, step: str | int | None, schema: Schema) -> Any:
        try:
            found = coerce_value(schema, value)
        except UnclearText as error:
            raise self._unfit(step, error.message, error.fix) from None
        is_text = isinstance(found, str) and not isinstance(value, str)
        return value if is_text and self.reading and self.reading.is_secret(self._at(step)) else found

    def _inside(
        self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], step: str | int | None, schema: Schema | None
    ) -> Any:
        if step is not None:
            self._place.append(step)
        if len(self._place) >= MAX_DEPTH:
            raise InvalidArguments(tuple(self._place[:1]), "the value is nested too deeply.")
        if isinstance(value, Mapping):
            copied: Any = self._object(value, schema)
        else:
            items = schema and schema.get("items")
            copied = [self.copy(item, index, items) for index, item in enumerate(value)]
        if step is not None:
            self._place.pop()
        return copied

    def _object(self, value: Mapping[Any, Any], schema: Schema | None) -> dict[str, Any]:
        if len(value) > MAX_FIELDS:
            raise self._unfit(None, f"the object has more than {MAX_FIELDS:,} fields.", "Send them in parts.")
        copied = {}
        for key, item in value.items():
            name = str(key)
            self._count(len(name))
            try:
                name.encode("utf-8")
            except UnicodeEncodeError:
                raise self._unfit(None, "a field name contains half a character (a lone surrogate).") from None
            if schema is None:
                copied[name] = self.copy(item, name)
            elif not self._left_out(item, name, schema):
                copied[name] = self.copy(item, name, schema_of_field(schema, name))
        return copied

    def _left_out(self, value: Any, name: str, schema: Schema) -> bool:
        return self.reading is not None and self.reading.omits(value, name, schema, top=not self._place)

    def _text(self, text: str, step: str | int | None) -> None:
        self._count(len(text))
        if not text.isascii():
            try:
                text.encode("utf-8")
            except UnicodeEncodeError:
                raise self._unfit(step, "the text contains half a character (a lone surrogate).") from None
        if "\0" in text:
            raise self._unfit(step, "the text contains a NUL character.", "Remove it.")
        if text.startswith(self.prefix):
            self.texts.append((self._at(step), text))

    def _number(self, value: float, step: str | int | None, schema: Schema | None) -> int | float:
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self._unfit(step, "the number is not finite.")
            if not value.is_integer():
                return value
            if EXACT <= abs(value) <= INT64:
                raise self._unfit(step, "a number of this size must not be a float.", "Send all digits.")
            if abs(value) < EXACT and schema is None and self.reading is not None and self.reading.passes_on:
                return value
            value = int(value)
        if abs(value) > INT64:
            raise self._unfit(step, "the number does not fit in 64 bits.")
        return value

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > MAX_CHARACTERS:
            most = MAX_CHARACTERS // 1024 // 1024
            raise self._unfit(
                None, f"the arguments contain more than {most} million characters.", "Send less at a time."
            )

    def _at(self, step: str | int | None) -> JsonPath:
        return (*self._place,) if step is None else (*self._place, step)

    def _unfit(self, step: str | int | None, message: str, mend: str = "") -> InvalidArguments:
        return InvalidArguments(self._at(step), message, mend)
