"""Step 2 of a call: check a client's raw arguments against the operation's schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NewType

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema, format_schema_path
from saasus_mcp.common.json_tree import iterate_scalars
from saasus_mcp.common.messages import message
from saasus_mcp.saasus import validation
from saasus_mcp.saasus.argument_values import Coercion, JsonCopier, empty_meaning
from saasus_mcp.saasus.secret_paths import HANDLE_SCHEME

Arguments = NewType("Arguments", Mapping[str, Any])
"""The valid arguments of one call. Secret handles in them are not yet resolved."""


def secret_handles(arguments: Arguments) -> tuple[str, ...]:
    """Return every `secret://…` in the arguments."""
    scalars = iterate_scalars(dict(arguments))
    return tuple(each for each in scalars if isinstance(each, str) and each.startswith(HANDLE_SCHEME))


def check_arguments(operation: Operation, arguments: object) -> Arguments:
    """Check the arguments as they are. Whole numbers written as floats become integers.

    Raises:
        InvalidArguments: a value does not fit. The error names the field and what was expected.
    """
    return _check(operation, arguments, None)


def parse_arguments(operation: Operation, arguments: object) -> Arguments:
    """Coerce a client's arguments (saasus.argument_values), then check them. Valid values stay unchanged.

    Raises:
        InvalidArguments: a value does not fit, or could be read in two ways.
    """
    return _check(operation, arguments, _coercion(operation))


def parse_plain_arguments(tool: str, schema: Schema, arguments: object) -> dict[str, Any]:
    """Coerce the arguments of a built-in tool. Their values are not yet checked.

    Raises:
        InvalidArguments: an argument is not declared, cannot be represented in JSON, or is too large.
    """
    return _copy(tool, schema, arguments, Coercion(schema, forwards=True))[0]


@lru_cache(maxsize=512)
def _coercion(operation: Operation) -> Coercion:
    schema = operation.input_schema
    alternatives = (name for names in operation.exactly_one for name in names)
    return Coercion(
        schema,
        empty_meaning(operation),
        frozenset((*operation.query_parameters, *alternatives)),
        is_secret=lambda path: _is_secret(format_schema_path(path, schema), operation),
    )


def _check(operation: Operation, arguments: object, coercion: Coercion | None) -> Arguments:
    values, handles = _copy(operation.tool, operation.input_schema, arguments, coercion)
    for path in handles:
        _check_handle(operation, path)
    validation.validate_arguments(operation, values)
    return Arguments(values)


def _copy(
    tool: str, schema: Schema, arguments: object, coercion: Coercion | None
) -> tuple[dict[str, Any], list[JsonPath]]:
    """Return the arguments as plain JSON, and the paths of the secret handles in them."""
    if isinstance(arguments, Mapping):  # before the copy, which is more work and has the same names
        _require_declared(tool, schema, arguments)
    copier = JsonCopier(HANDLE_SCHEME, coercion)
    values = copier.copy(arguments)
    if not isinstance(values, dict):
        raise InvalidArguments.at((), "arguments.not_object")
    if not isinstance(arguments, Mapping):  # but the text of an object
        _require_declared(tool, schema, values)
    return values, copier.prefixed


def _require_declared(tool: str, schema: Schema, arguments: Mapping[Any, Any]) -> None:
    declared = schema.get("properties", {})
    for name in arguments:
        if name not in declared:
            hint = (
                message("arguments.accepted_hint", names=tuple(declared))
                if declared
                else message("arguments.none_accepted_hint")
            )
            raise InvalidArguments((str(name)[:80],), message("arguments.unknown_argument", tool=tool), hint)


def _check_handle(operation: Operation, path: JsonPath) -> None:
    if not _is_secret(format_schema_path(path, operation.input_schema), operation):
        hint = (
            message("arguments.handle_hint", names=operation.secret_inputs)
            if operation.secret_inputs
            else message("arguments.handle_nowhere_hint")
        )
        raise InvalidArguments(path, message("arguments.handle"), hint)


def _is_secret(path: str, operation: Operation) -> bool:
    """Return whether the field, or an object or map that contains it, is marked as secret."""
    return any(
        path == secret or path.startswith((secret + ".", secret + "[", secret + "{"))
        for secret in operation.secret_inputs
    )
