"""What a client meant by a value of the wrong type, where the tool's schema leaves no doubt.

Some clients send an object as JSON text, a number as text, or null for an argument that is not given, and a model cannot
correct its client. A value is changed only where the schema forbids the type that was sent. Whatever stays in doubt is
left as it is, and validation refuses it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_bounds import find_excess
from saasus_mcp.common.json_path import JsonPath, Schema

Empty = Literal["not_given", "not_text", "top", "value"]
"""Where null and "" mean that an optional argument is not given.

`not_given`: everywhere. `not_text`: everywhere, but "" where text is accepted is a value. `top`: the same, but within another
argument both are values. `value`: nowhere, since leaving the argument out may change something.
"""

EXACT = 2**53
"""From here on, a number may have lost digits on its way through a client that keeps numbers as floats."""
BOOLEANS = {text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")}
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
"""Without leading zeros, signs, exponents or white space: text of that kind may be an id, or something else."""
TYPES: dict[object, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "object": (dict,),
}
CONSTRAINTS = ("pattern", "format", "minLength")


class UnclearText(Exception):
    """JSON text that is not read: why, and what to send instead."""

    def __init__(self, message: str, fix: str) -> None:
        self.message = message
        self.fix = fix
        super().__init__(message)


def _never(_: JsonPath) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Coercion:
    """How the arguments of one tool are understood.

    Attributes:
        empty: where null and "" mean that an optional argument is not given.
        never_empty: arguments of which "" is no value, whatever `empty` says: it means that they are not given.
        passes_on: whether what the schema does not declare is the arguments of another tool: 3.0 stays 3.0 there, since that
            tool may want text.
        is_secret: whether the value in a place is a secret: a number there is not taken for text, as it may have lost zeros.
    """

    schema: Schema
    empty: Empty = "not_given"
    never_empty: frozenset[str] = frozenset()
    passes_on: bool = False
    is_secret: Callable[[JsonPath], bool] = _never

    def omits(self, value: Any, name: str, parent: Schema, *, top: bool) -> bool:
        """Whether a field of an object counts as not given."""
        if (value is not None and value != "") or name in parent.get("required", ()):
            return False
        declared = parent.get("properties", {}).get(name)
        if declared is None or "null" in _kinds(declared):
            return False
        if value == "" and self.empty != "not_given" and _takes_empty_text(declared):
            return top and name in self.never_empty
        return self.empty in ("not_given", "not_text") or (self.empty == "top" and top)


def empty_values(operation: Operation) -> Empty:
    """What null and "" mean to an operation.

    A read, or a call that makes something new, has nothing that leaving a field out could reset. Of an update, the row in the
    table of effects says what becomes of a field that is left out, and says so of the top level alone.
    """
    effects = operation.effects
    if operation.reads:
        return "not_given"
    if effects.diff is None:
        return "value" if effects.effect == "update" else "not_text"
    return "top" if effects.diff.omitted == "keeps" else "value"


def coerce_value(schema: Schema, value: Any) -> Any:
    """The value as the schema wants it, where one reading alone fits; else the value itself. Looks at nothing inside it.

    Raises:
        UnclearText: it is JSON text that is too large to be read, or that names a field twice.
    """
    if type(value) in TYPES.get(schema.get("type"), ()):
        return value
    kinds = _kinds(schema)
    if isinstance(value, str):
        return value if not kinds or "string" in kinds else _read(value, kinds)
    if type(value) is int and abs(value) < EXACT and kinds and kinds <= {"string", "null"}:
        return str(value)
    return value


def schema_within(schema: Schema, value: Any) -> Schema:
    """The schema of a value that may have several: the first branch of its type."""
    branches = schema.get("anyOf", ())
    return next((each for each in branches if type(value) in TYPES.get(each.get("type"), ())), schema)


def schema_of_field(schema: Schema, name: str) -> Schema | None:
    """The schema of an object's field; None where nothing is declared of it."""
    declared = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return declared if isinstance(declared, dict) else None


def _kinds(schema: Schema) -> set[str]:
    """The types that a schema accepts; none where it does not say."""
    kinds = [each.get("type") for each in schema.get("anyOf", (schema,))]
    return {kind for kind in kinds if kind} if all(kinds) else set()


def _takes_empty_text(schema: Schema) -> bool:
    """Whether "" is a value like any other text."""
    if "string" not in _kinds(schema) or any(each in schema for each in CONSTRAINTS):
        return False
    return "" in schema.get("enum", ("",))


def _read(text: str, kinds: set[str]) -> Any:
    """What a text is where text is not accepted; the text itself where that is in doubt."""
    start = text.lstrip(" \t\r\n")[:1]
    if (start == "{" and "object" in kinds) or (start == "[" and "array" in kinds):
        return _parsed(text)
    if "boolean" in kinds and text in BOOLEANS:
        return BOOLEANS[text]
    if kinds & {"integer", "number"} and NUMBER.fullmatch(text):
        number = _parsed(text)
        whole = isinstance(number, int) or (isinstance(number, float) and number.is_integer())
        return number if whole or "number" in kinds else text
    return text


def _parsed(text: str) -> Any:
    """The value of JSON text; the text itself where it is none."""
    if "\0" in text:
        return text
    if find_excess(text.encode("utf-8", "surrogatepass")) is not None:
        raise UnclearText("its JSON text contains too many values.", "Send less at a time.")
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_fields)
    except (ValueError, RecursionError):
        return text


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise UnclearText("its JSON text contains a field twice.", "Give each field once.")
    return fields


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
