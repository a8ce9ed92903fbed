"""Step 2 of a call: check a client's raw arguments against the operation's schema."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any, NewType

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema
from saasus_mcp.common.json_tree import iterate_scalars
from saasus_mcp.common.messages import message
from saasus_mcp.saasus import validation
from saasus_mcp.saasus.argument_values import Coercion, EmptyMeaning, JsonCopier
from saasus_mcp.saasus.secret_paths import HANDLE_SCHEME, is_secret, secret_values, top_level_names

MAX_SECRETS, MAX_SECRET_CHARACTERS = 100, 32 * 1024
"""Secrets among the arguments of a call, and their characters in all. Every answer to the call is searched for each of them."""
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


def _check(operation: Operation, arguments: object, coercion: Coercion | None) -> Arguments:
    values, handles = _copy(operation.tool, operation.input_schema, arguments, coercion)
    for path in handles:
        if not is_secret(operation, path):
            hint = (
                message("arguments.handle_hint", names=operation.secret_inputs)
                if operation.secret_inputs
                else message("arguments.handle_nowhere_hint")
            )
            raise InvalidArguments(path, message("arguments.handle"), hint)
    try:
        validation.validate_arguments(operation, values)
    except InvalidArguments as error:
        alternative = operation.effects.user_token
        if alternative is None or error.field not in operation.secret_inputs or error.hint is not None:
            raise
        raise InvalidArguments(
            (error.field,), error.fault, message("permissions.empty_user_token_hint", alternative=alternative)
        ) from None
    _check_secrets(operation, values)
    return Arguments(values)


def _check_secrets(operation: Operation, values: Mapping[str, Any]) -> None:
    if not operation.secret_inputs:
        return
    fields, count, characters = top_level_names(operation.secret_inputs), 0, 0
    for name in (each for each in values if each in fields):
        for secret in secret_values(operation, {name: values[name]}):
            count, characters = count + 1, characters + len(secret)
        if count > MAX_SECRETS or characters > MAX_SECRET_CHARACTERS:
            limits = message("arguments.too_many_secrets", count=MAX_SECRETS, characters=MAX_SECRET_CHARACTERS)
            raise InvalidArguments((name,), limits, message("arguments.less_hint"))


def _copy(
    tool: str, schema: Schema, arguments: object, coercion: Coercion | None
) -> tuple[dict[str, Any], list[JsonPath]]:
    """Return the arguments as plain JSON, and the paths of the secret handles in them."""
    copier = JsonCopier(HANDLE_SCHEME, coercion)
    given, declared = copier.open(arguments), schema.get("properties", {})
    for name in given:  # before the copy, which is more work
        if name not in declared:
            hint = (
                message("arguments.accepted_hint", names=tuple(declared))
                if declared
                else message("arguments.none_accepted_hint")
            )
            raise InvalidArguments((str(name)[:80],), message("arguments.unknown_argument", tool=tool), hint)
    return copier.copy(given), copier.prefixed


@lru_cache(maxsize=512)
def _coercion(operation: Operation) -> Coercion:
    alternatives = (name for names in operation.exactly_one for name in names)
    never_empty = frozenset((*operation.query_parameters, *alternatives))
    return Coercion(
        operation.input_schema, _empty_meaning(operation), never_empty, is_secret=partial(is_secret, operation)
    )


def _empty_meaning(operation: Operation) -> EmptyMeaning:
    """Return where null and "" mean that an argument of the operation is not given.

    Omitting a field resets nothing in a read or in a call that creates something. For an update, `diff.omitted` in the
    operation's effects says what becomes of an omitted field, at the top level only.
    """
    effects = operation.effects
    if operation.reads:
        return "not_given"
    if effects.diff is None:
        return "value" if effects.effect == "update" else "not_text"
    return "top" if effects.diff.omitted == "keeps" else "value"
