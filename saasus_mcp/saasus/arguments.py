"""Step 2 of a call: a client's raw arguments, checked against the operation's schema, or refused by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema, format_schema_path
from saasus_mcp.saasus import validation
from saasus_mcp.saasus.coercion import Coercion, empty_values
from saasus_mcp.saasus.json_copy import JsonCopier

HANDLE_PREFIX = "secret://"


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call, known to fit their operation. Secret handles in them are not yet resolved."""

    values: Mapping[str, Any]

    def handles(self) -> tuple[str, ...]:
        """Every `secret://…` in them."""
        return tuple(text for text in _texts(self.values) if text.startswith(HANDLE_PREFIX))


def check_arguments(operation: Operation, raw: object) -> Arguments:
    """The arguments as they are, with whole numbers written as floats made integers.

    Raises:
        InvalidArguments: one does not fit: which field, and what was expected.
    """
    return _checked(operation, raw, None)


def parse_arguments(operation: Operation, raw: object) -> Arguments:
    """The arguments that a client meant (saasus.coercion). Those that fit as they are stay unchanged.

    Raises:
        InvalidArguments: one does not fit, or is in doubt: which field, and what was expected.
    """
    return _checked(operation, raw, _reading(operation))


@lru_cache(maxsize=512)
def _reading(operation: Operation) -> Coercion:
    schema = operation.input_schema
    either = (name for names in operation.exactly_one for name in names)
    return Coercion(
        schema,
        empty_values(operation),
        frozenset((*operation.query_parameters, *either)),
        is_secret=lambda place: _secret(format_schema_path(place, schema), operation),
    )


def _checked(operation: Operation, raw: object, reading: Coercion | None) -> Arguments:
    values, handles = _copied(operation.tool, operation.input_schema, raw, reading)
    for place, text in handles:
        _check_handle(operation, place, text)
    validation.validate_arguments(operation, values)
    for names in operation.exactly_one:
        if sum(name in values for name in names) != 1:
            both = " or ".join(names)
            raise InvalidArguments((names[0],), f"exactly one of {both} is required.", "Omit the other one.")
    _require_a_field(operation, values)
    return Arguments(values)


def _require_a_field(operation: Operation, values: Mapping[str, Any]) -> None:
    fields = [name for name in operation.input_schema.get("properties", {}) if name not in operation.addressing]
    if operation.body and fields and not any(name in values for name in fields):
        raise InvalidArguments((), f"{operation.tool} needs at least one field.", f"Fields: {', '.join(fields)}.")


def parse_plain_arguments(tool: str, schema: Schema, raw: object) -> dict[str, Any]:
    """The arguments that a client meant for a tool of our own, each of them declared; their values are not yet checked.

    Raises:
        InvalidArguments: one is not declared, holds what JSON cannot carry, or they are too much.
    """
    return _copied(tool, schema, raw, Coercion(schema, passes_on=True))[0]


def _copied(
    tool: str, schema: Schema, raw: object, reading: Coercion | None
) -> tuple[dict[str, Any], list[tuple[JsonPath, str]]]:
    """The arguments as plain JSON, and where in them secret handles stand."""
    if isinstance(raw, Mapping):
        _require_declared(tool, schema, raw)
    copying = JsonCopier(HANDLE_PREFIX, reading)
    values = copying.whole(raw)
    if not isinstance(values, dict):
        raise InvalidArguments((), "the arguments are not an object.", "Send named arguments.")
    _require_declared(tool, schema, values)
    return values, copying.texts


def _require_declared(tool: str, schema: Schema, given: Mapping[Any, Any]) -> None:
    known = schema.get("properties", {})
    for name in given:
        if name not in known:
            accepted = ", ".join(known) or "none"
            raise InvalidArguments((str(name)[:80],), f"{tool} has no such argument.", f"Accepted: {accepted}.")


def _check_handle(operation: Operation, place: JsonPath, text: str) -> None:
    if text.startswith(HANDLE_PREFIX) and not _secret(format_schema_path(place, operation.input_schema), operation):
        accepted = ", ".join(operation.secret_inputs) or "no field of this tool"
        raise InvalidArguments(place, "a secret handle is not accepted here.", f"Accepted in: {accepted}.")


def _secret(field: str, operation: Operation) -> bool:
    """Whether the field, or an object or map that it stands in, is marked as secret."""
    return any(
        field == path or field.startswith((path + ".", path + "[", path + "{")) for path in operation.secret_inputs
    )


def _texts(value: Any) -> Iterator[str]:
    """Every text in the value that is not a field's name."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


__all__ = ["Arguments", "InvalidArguments", "check_arguments", "parse_plain_arguments"]
