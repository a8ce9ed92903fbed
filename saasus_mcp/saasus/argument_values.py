"""The values of a call's arguments as plain JSON that can be sent: coerced, and within limits that hold for every tool.

Some clients send an object as JSON text, a number as text, or null for an argument that is not given, and a model cannot
correct its client. A value is changed only if the schema forbids the type that was sent and allows one reading only. A value
in doubt stays as it is, and validation refuses it. The limits hold inside JSON text, too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from saasus_mcp.common.json_bounds import MAX_VALUES, find_excess
from saasus_mcp.common.json_members import RepeatedMember, unique_members
from saasus_mcp.common.json_path import JSON_TYPES, InvalidArguments, JsonPath, Schema
from saasus_mcp.common.messages import Message, message
from saasus_mcp.saasus.response_body import refuse_constant

INT64 = 2**63 - 1
MAX_ARGUMENT_DEPTH = 32
MAX_FIELDS = 1_000
"""Fields of one object."""
MAX_ITEMS = 10_000
"""Items of one list, the longest that an operation takes."""
MAX_CHARACTERS = 8 * 1024 * 1024
"""Characters in all the arguments of a call, names of fields included."""
EmptyMeaning = Literal["not_given", "not_text", "top", "value"]
"""Where null and "" mean that an optional argument is not given.

`not_given`: everywhere. `not_text`: everywhere, but "" is a value where text is accepted. `top`: the same, but within another
argument both are values. `value`: nowhere, since omitting the argument may change something.
"""

EXACT = 2**53
"""From here on, a number may have lost digits in a client that stores numbers as floats."""
_BOOLEANS = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
"""Without leading zeros, plus signs, exponents or white space: such text may be an id."""
_TEXT_CONSTRAINTS = ("pattern", "format", "minLength")


class AmbiguousJson(Exception):
    """JSON text that is too large to parse or contains a field twice."""

    def __init__(self, fault: Message, hint: Message) -> None:
        self.fault = fault
        self.hint = hint
        super().__init__(fault)


@dataclass(frozen=True, slots=True)
class Coercion:
    """How to coerce the arguments of one tool.

    Attributes:
        empty: where null and "" mean that an optional argument is not given.
        never_empty: arguments for which "" always means that they are not given.
        forwards: arguments that the schema does not declare belong to another tool. 3.0 stays 3.0 there, since that tool may
            expect text.
        is_secret: whether the value at a path is a secret. A number there is not coerced to text: it may have lost zeros.
    """

    schema: Schema
    empty: EmptyMeaning = "not_given"
    never_empty: frozenset[str] = frozenset()
    forwards: bool = False
    is_secret: Callable[[JsonPath], bool] = lambda _: False

    def omits(self, value: Any, name: str, parent: Schema, *, top: bool) -> bool:
        """Return whether a field of an object counts as not given."""
        if (value is not None and value != "") or name in parent.get("required", ()):
            return False
        declared = parent.get("properties", {}).get(name)
        if declared is None or "null" in _accepted_types(declared):
            return False
        if value == "" and self.empty != "not_given" and _accepts_empty_text(declared):
            return top and name in self.never_empty
        return self.empty in ("not_given", "not_text") or (self.empty == "top" and top)


@dataclass(slots=True)
class JsonCopier:
    """Copies the arguments of one call: with plain dicts and lists, and 3.0 as 3.

    Attributes:
        coercion: how to coerce values, or None to take them as they are.
        prefixed: the path of every text that begins with `prefix`.
    """

    prefix: str
    coercion: Coercion | None = None
    prefixed: list[JsonPath] = field(default_factory=list)
    _path: list[str | int] = field(default_factory=list)
    _values: int = 1
    """Values so far: the arguments as a whole are one."""
    _characters: int = 0

    def open(self, arguments: object) -> Mapping[Any, Any]:
        """Return the arguments as they were sent, or as the JSON text of an object says.

        Raises:
            InvalidArguments: they are no object.
        """
        given = arguments if self.coercion is None else self._coerce(arguments, self.coercion.schema)
        if not isinstance(given, Mapping):
            raise InvalidArguments.at((), "arguments.not_object")
        return given

    def copy(self, arguments: Mapping[Any, Any]) -> dict[str, Any]:
        """Return the arguments with their values coerced.

        Raises:
            InvalidArguments: the arguments are too large, too deep, or contain what JSON or UTF-8 cannot represent.
        """
        return self._copy_object(arguments, None if self.coercion is None else self.coercion.schema)

    def _copy(self, value: Any, step: str | int, schema: Schema | None) -> Any:
        """Copy one value.

        Args:
            step: its name or index in its parent.
            schema: its schema, if it is to be coerced.
        """
        if schema is not None:
            value = self._coerce(value, schema, step)
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._invalid(message("arguments.too_many_values", limit=MAX_VALUES), "arguments.in_parts_hint")
        if isinstance(value, str):
            self._check_text(value, step)
            return value
        if isinstance(value, (dict, list)) or isinstance(value, (tuple, Mapping)):  # noqa: SIM101 - the usual case first
            return self._copy_container(value, step, schema and schema_within(schema, value))
        return self._copy_number(value, step, schema) if type(value) in (int, float) else value

    def _coerce(self, value: Any, schema: Schema, *step: str | int) -> Any:
        try:
            coerced = coerce_value(schema, value)
        except AmbiguousJson as error:
            raise InvalidArguments((*self._path, *step), error.fault, error.hint) from None
        became_text = isinstance(coerced, str) and not isinstance(value, str)
        return value if became_text and self.coercion and self.coercion.is_secret((*self._path, *step)) else coerced

    def _copy_container(
        self, value: Mapping[Any, Any] | list[Any] | tuple[Any, ...], step: str | int, schema: Schema | None
    ) -> Any:
        self._path.append(step)
        if len(self._path) >= MAX_ARGUMENT_DEPTH:
            raise InvalidArguments(tuple(self._path[:1]), message("arguments.too_deep"))
        if isinstance(value, (dict, Mapping)):
            copied: Any = self._copy_object(value, schema)
        else:
            if len(value) > MAX_ITEMS:
                raise InvalidArguments(
                    tuple(self._path),
                    message("arguments.too_many_items", limit=MAX_ITEMS),
                    message("arguments.in_parts_hint"),
                )
            items = schema and schema.get("items")
            copied = [self._copy(item, index, items) for index, item in enumerate(value)]
        self._path.pop()
        return copied

    def _copy_object(self, value: Mapping[Any, Any], schema: Schema | None) -> dict[str, Any]:
        if len(value) > MAX_FIELDS:
            raise self._invalid(message("arguments.too_many_fields", limit=MAX_FIELDS), "arguments.in_parts_hint")
        copied = {}
        for key, item in value.items():
            name = str(key)
            self._count_characters(name)
            if not _is_utf8(name):
                raise self._invalid(message("arguments.lone_surrogate_in_name"), "arguments.lone_surrogate_hint")
            if schema is None:
                copied[name] = self._copy(item, name, None)
            elif self.coercion is None or not self.coercion.omits(item, name, schema, top=not self._path):
                copied[name] = self._copy(item, name, schema_of_field(schema, name))
        return copied

    def _check_text(self, text: str, step: str | int) -> None:
        self._count_characters(text)
        if not _is_utf8(text):
            raise InvalidArguments.at((*self._path, step), "arguments.lone_surrogate")
        if "\0" in text:
            raise InvalidArguments.at((*self._path, step), "arguments.nul")
        if text.startswith(self.prefix):
            self.prefixed.append((*self._path, step))

    def _copy_number(self, value: float, step: str | int, schema: Schema | None) -> int | float:
        if isinstance(value, float):
            if not math.isfinite(value):
                raise InvalidArguments.at((*self._path, step), "arguments.not_finite")
            if not value.is_integer():
                return value
            if EXACT <= abs(value) <= INT64:
                raise InvalidArguments.at((*self._path, step), "arguments.large_float")
            if abs(value) < EXACT and schema is None and self.coercion is not None and self.coercion.forwards:
                return value
            value = int(value)
        if abs(value) > INT64:
            raise InvalidArguments.at((*self._path, step), "arguments.over_64_bits")
        return value

    def _count_characters(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > MAX_CHARACTERS:
            limit = MAX_CHARACTERS // 1024 // 1024
            raise self._invalid(message("arguments.too_many_characters", limit=limit), "arguments.less_hint")

    def _invalid(self, fault: Message, hint: str) -> InvalidArguments:
        """Return the error of the object or list that is copied."""
        return InvalidArguments(tuple(self._path), fault, message(hint))


def coerce_value(schema: Schema, value: Any) -> Any:
    """Return the value in a type that the schema accepts if only one reading fits, or the value itself.

    Values inside it are not coerced.

    Raises:
        AmbiguousJson: the value is JSON text that is too large to parse or contains a field twice.
    """
    if type(value) in JSON_TYPES.get(schema.get("type"), ()):
        return value
    types = _accepted_types(schema)
    if isinstance(value, str):
        return value if not types or "string" in types else _coerce_text(value, types)
    if type(value) is int and abs(value) < EXACT and types and types <= {"string", "null"}:
        return str(value)
    return value


def schema_within(schema: Schema, value: Any) -> Schema:
    """Return the first branch of an `anyOf` that has the type of the value, or the schema itself."""
    branches = schema.get("anyOf", ())
    return next((each for each in branches if type(value) in JSON_TYPES.get(each.get("type"), ())), schema)


def schema_of_field(schema: Schema, name: str) -> Schema | None:
    """Return the schema of an object's field, or None if the field is not declared."""
    declared = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return declared if isinstance(declared, dict) else None


def _accepted_types(schema: Schema) -> set[str]:
    """Return the types that a schema accepts, or an empty set if it accepts any."""
    types = [each.get("type") for each in schema.get("anyOf", (schema,))]
    return {each for each in types if each} if all(types) else set()


def _accepts_empty_text(schema: Schema) -> bool:
    if "string" not in _accepted_types(schema) or any(each in schema for each in _TEXT_CONSTRAINTS):
        return False
    return "" in schema.get("enum", ("",))


def _coerce_text(text: str, types: set[str]) -> Any:
    """Return the value of a text for a field that accepts no text, or the text itself if it is in doubt."""
    start = text.lstrip(" \t\r\n")[:1]
    if (start == "{" and "object" in types) or (start == "[" and "array" in types):
        return _parse_json(text)
    if "boolean" in types and text in _BOOLEANS:
        return _BOOLEANS[text]
    if types & {"integer", "number"} and _NUMBER.fullmatch(text):
        number = _parse_json(text)
        whole = isinstance(number, int) or (isinstance(number, float) and number.is_integer())
        return number if whole or "number" in types else text
    return text


def _parse_json(text: str) -> Any:
    """Return the value of JSON text, or the text itself if it is not JSON."""
    if "\0" in text:
        return text
    if find_excess(text.encode("utf-8", "surrogatepass")) is not None:
        raise AmbiguousJson(message("arguments.json_text_too_large"), message("arguments.less_hint"))
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique_members)
    except RepeatedMember:
        raise AmbiguousJson(message("arguments.duplicate_field"), message("arguments.duplicate_field_hint")) from None
    except (ValueError, RecursionError):
        return text


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
