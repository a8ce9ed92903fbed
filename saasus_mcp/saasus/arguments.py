"""Step 2 of a call: a client's raw arguments, checked against the operation's schema, or refused by field."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog.model import Operation, Schema
from saasus_mcp.saasus import validation
from saasus_mcp.saasus.places import InvalidArguments, Place, generic

HANDLE = "secret://"
INT64 = 2**63 - 1
DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call, known to fit their operation. Secret handles in them are not yet resolved."""

    values: Mapping[str, Any]

    def handles(self) -> tuple[str, ...]:
        """Every `secret://…` in them."""
        return tuple(text for _, text in _texts(self.values, ()) if text.startswith(HANDLE))


def check(operation: Operation, raw: object) -> Arguments:
    """The arguments, with whole numbers written as floats made integers.

    Raises:
        InvalidArguments: one does not fit: which field, and what was expected.
    """
    values = plain(operation.tool, operation.input_schema, raw)
    for place, text in _texts(values, ()):
        _check_handle(operation, place, text)
    validation.validate(operation, values)
    for names in operation.exactly_one:
        if sum(name in values for name in names) != 1:
            both = " or ".join(names)
            raise InvalidArguments((names[0],), f"exactly one of {both} must be given.", "Leave the other one out.")
    return Arguments(values)


def plain(tool: str, schema: Schema, raw: object) -> dict[str, Any]:
    """The arguments of a tool as plain JSON that can be sent, each of them declared; their values are not yet checked.

    Raises:
        InvalidArguments: one is not declared, or holds what JSON cannot carry.
    """
    if not isinstance(raw, Mapping):
        raise InvalidArguments((), "the arguments are not an object.", "Send named arguments.")
    values: dict[str, Any] = _plain(raw, ())
    known = schema.get("properties", {})
    for name in values:
        if name not in known:
            accepted = ", ".join(known) or "none"
            raise InvalidArguments((name[:80],), f"{tool} has no such argument.", f"Accepted: {accepted}.")
    for place, text in _texts(values, ()):
        _check_text(place, text)
    return values


def _check_text(place: Place, text: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArguments(place, "the text holds half a character (a lone surrogate).") from None
    if "\0" in text:
        raise InvalidArguments(place, "the text holds a NUL character.", "Leave it out.")


def _check_handle(operation: Operation, place: Place, text: str) -> None:
    if text.startswith(HANDLE) and not _secret(generic(place, operation.input_schema), operation):
        accepted = ", ".join(operation.secret_inputs) or "no field of this tool"
        raise InvalidArguments(place, "a secret handle is not accepted here.", f"Accepted in: {accepted}.")


def _secret(field: str, operation: Operation) -> bool:
    """Whether the field, or an object or map that it stands in, is marked as secret."""
    return any(
        field == path or field.startswith((path + ".", path + "[", path + "{")) for path in operation.secret_inputs
    )


def _plain(value: Any, place: Place) -> Any:
    """The value as JSON has it: plain dicts and lists, no infinities, no integer beyond 64 bits, 3.0 as 3."""
    if len(place) > DEEPEST:
        raise InvalidArguments(place[:1], "the value is nested too deeply.")
    if isinstance(value, Mapping):
        return {str(name): _plain(item, (*place, str(name))) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*place, index)) for index, item in enumerate(value)]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidArguments(place, "the number is not finite.")
        if not value.is_integer():
            return value
        value = int(value)
    if isinstance(value, int) and abs(value) > INT64:
        raise InvalidArguments(place, "the number does not fit in 64 bits.")
    return value


def _texts(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Every text in the value with its place, the names of its fields among them."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _texts(item, (*place, name))
            try:
                name.encode("utf-8")
            except UnicodeEncodeError:
                raise InvalidArguments(place, "a field's name holds half a character.") from None
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*place, index))


__all__ = ["Arguments", "InvalidArguments", "check", "plain"]
