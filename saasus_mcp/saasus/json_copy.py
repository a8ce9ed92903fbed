"""Copy a call's arguments as plain JSON that can be sent, coerced and within limits that hold for every tool.

The limits hold inside JSON text, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from saasus_mcp.common.json_bounds import MAX_VALUES
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema
from saasus_mcp.common.messages import Message, message
from saasus_mcp.saasus.coercion import (
    EXACT,
    AmbiguousJson,
    Coercion,
    coerce_value,
    schema_of_field,
    schema_within,
)

INT64 = 2**63 - 1
MAX_DEPTH = 32
MAX_FIELDS = 1_000
"""Fields of one object."""
MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters in all the arguments of a call, names of fields included."""


@dataclass(slots=True)
class JsonCopier:
    """Copies the arguments of one call.

    Attributes:
        coercion: how to coerce values, or None to take them as they are.
        prefixed: the path of every text that begins with `prefix`.
    """

    prefix: str
    coercion: Coercion | None = None
    prefixed: list[JsonPath] = field(default_factory=list)
    _path: list[str | int] = field(default_factory=list)
    _values: int = 0
    _characters: int = 0

    def copy(self, arguments: Any) -> Any:
        """Return the arguments with plain dicts and lists, and 3.0 as 3.

        Raises:
            InvalidArguments: the arguments are too large, too deep, or contain what JSON or UTF-8 cannot represent.
        """
        return self._copy(arguments, None, None if self.coercion is None else self.coercion.schema)

    def _copy(self, value: Any, step: str | int | None, schema: Schema | None) -> Any:
        """Copy one value.

        Args:
            step: its name or index in its parent, or None for the arguments as a whole.
            schema: its schema, if it is to be coerced.
        """
        if schema is not None:
            value = self._coerce(value, step, schema)
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._invalid(None, message("arguments.too_many_values", limit=MAX_VALUES), "arguments.in_parts_hint")
        if isinstance(value, str):
            self._check_text(value, step)
            return value
        if isinstance(value, Mapping | list | tuple):
            return self._copy_container(value, step, schema and schema_within(schema, value))
        return self._copy_number(value, step, schema) if type(value) in (int, float) else value

    def _coerce(self, value: Any, step: str | int | None, schema: Schema) -> Any:
        try:
            coerced = coerce_value(schema, value)
        except AmbiguousJson as error:
            raise InvalidArguments(self._path_to(step), error.fault, error.hint) from None
        became_text = isinstance(coerced, str) and not isinstance(value, str)
        return value if became_text and self.coercion and self.coercion.is_secret(self._path_to(step)) else coerced

    def _copy_container(
        self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], step: str | int | None, schema: Schema | None
    ) -> Any:
        if step is not None:
            self._path.append(step)
        if len(self._path) >= MAX_DEPTH:
            raise InvalidArguments(tuple(self._path[:1]), message("arguments.too_deep"))
        if isinstance(value, Mapping):
            copied: Any = self._copy_object(value, schema)
        else:
            items = schema and schema.get("items")
            copied = [self._copy(item, index, items) for index, item in enumerate(value)]
        if step is not None:
            self._path.pop()
        return copied

    def _copy_object(self, value: Mapping[Any, Any], schema: Schema | None) -> dict[str, Any]:
        if len(value) > MAX_FIELDS:
            raise self._invalid(None, message("arguments.too_many_fields", limit=MAX_FIELDS), "arguments.in_parts_hint")
        copied = {}
        for key, item in value.items():
            name = str(key)
            self._count_characters(name)
            if not _is_utf8(name):
                raise self._invalid(None, message("arguments.lone_surrogate_in_name"))
            if schema is None:
                copied[name] = self._copy(item, name, None)
            elif self.coercion is None or not self.coercion.omits(item, name, schema, top=not self._path):
                copied[name] = self._copy(item, name, schema_of_field(schema, name))
        return copied

    def _check_text(self, text: str, step: str | int | None) -> None:
        self._count_characters(text)
        if not _is_utf8(text):
            raise self._invalid(step, message("arguments.lone_surrogate"))
        if "\0" in text:
            raise self._invalid(step, message("arguments.nul"), "arguments.nul_hint")
        if text.startswith(self.prefix):
            self.prefixed.append(self._path_to(step))

    def _copy_number(self, value: float, step: str | int | None, schema: Schema | None) -> int | float:
        if isinstance(value, float):
            if not math.isfinite(value):
                raise self._invalid(step, message("arguments.not_finite"))
            if not value.is_integer():
                return value
            if EXACT <= abs(value) <= INT64:
                raise self._invalid(step, message("arguments.large_float"), "arguments.large_float_hint")
            if abs(value) < EXACT and schema is None and self.coercion is not None and self.coercion.forwards:
                return value
            value = int(value)
        if abs(value) > INT64:
            raise self._invalid(step, message("arguments.over_64_bits"))
        return value

    def _count_characters(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            limit = MAX_CHARACTERS // 1024 // 1024
            raise self._invalid(None, message("arguments.too_many_characters", limit=limit), "arguments.less_hint")

    def _path_to(self, step: str | int | None) -> JsonPath:
        return (*self._path,) if step is None else (*self._path, step)

    def _invalid(self, step: str | int | None, fault: Message, hint: str = "") -> InvalidArguments:
        return InvalidArguments(self._path_to(step), fault, message(hint) if hint else "")


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
