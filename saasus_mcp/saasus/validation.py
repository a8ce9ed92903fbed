"""Arguments against a JSON Schema, strictly, with an error for the one who wrote the value."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator


INSIDE = ("pattern", "additionalProperties", "properties", "items", "anyOf")
"""Keywords that look into a value, in the order in which they are checked. Those that bound it are checked first."""


def validate_arguments(operation: Operation, values: Mapping[str, Any]) -> None:
    """Hold the arguments to the tool's schema and, for a body of several shapes, to the shape they name.

    Raises:
        InvalidArguments: the first field that does not fit.
    """
    _first_error(_validator(operation), values)
    if operation.variants is not None:
        tag = operation.variants[0]
        parameters = {*operation.path_parameters, *operation.query_parameters}
        body = {name: value for name, value in values.items() if name not in parameters}
        _first_error(_validator(operation, values[tag]), body, f"with {tag} {values[tag]}, ")


def validate_schema(schema: Schema, values: Mapping[str, Any]) -> None:
    """Hold arguments to a schema that is no operation's.

    Raises:
        InvalidArguments: the first field that does not fit.
    """
    _first_error(_compiled(schema), values)


@lru_cache(maxsize=512)
def _validator(operation: Operation, shape: str = "") -> Validator:
    return _compiled(operation.variants[1][shape] if operation.variants and shape else operation.input_schema)


def _compiled(schema: Schema) -> Validator:
    from jsonschema import FormatChecker  # noqa: PLC0415 - off the way to tools/list

    formats = FormatChecker(formats=("date",))
    formats.checks("date-time", raises=ValueError)(_is_date_time)
    return _lazy()(strict_validator(schema), format_checker=formats)


@cache
def _lazy() -> type[Validator]:
    """The validator of Draft 2020-12, which makes no error before it is asked for.

    By itself the library makes all errors of all branches of an `anyOf`, and writes every unknown field into one message.
    """
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415 - as above
    from jsonschema.validators import extend  # noqa: PLC0415 - as above

    untyped: Any = extend

    def any_of(validator: Validator, branches: list[Schema], value: Any, _: Schema) -> Iterator[ValidationError]:
        first: list[ValidationError] = []
        for branch in branches:
            error = next(validator.evolve(schema=branch).iter_errors(value), None)
            if error is None:
                return
            first.append(error)
        yield ValidationError("it matches no variant", context=first)

    fields = Draft202012Validator.VALIDATORS["additionalProperties"]

    def additional(validator: Validator, other: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
        if other is not False:
            yield from fields(validator, other, value, schema)
        elif isinstance(value, dict) and not value.keys() <= schema.get("properties", {}).keys():
            yield ValidationError("it has an undeclared field")

    made: type[Validator] = untyped(Draft202012Validator, {"anyOf": any_of, "additionalProperties": additional})
    return made


def _is_date_time(value: object) -> bool:
    """RFC 3339, with an offset: a time of nowhere in particular is not one."""
    return not isinstance(value, str) or ("T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None)


def strict_validator(schema: Schema) -> Schema:
    """The schema with every typed object closed: an undeclared field is an error, never dropped.

    The keywords are in the order in which they are checked: a list that is too long is refused before its items are read.
    """
    closed: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            closed[key] = {name: strict_validator(item) for name, item in value.items()}
        elif key == "pattern":
            closed[key] = re.sub(r"\$$", r"\\Z", value)  # Python's $ lets a line break through
        elif isinstance(value, dict):
            closed[key] = strict_validator(value)
        elif key == "anyOf":
            closed[key] = [strict_validator(item) for item in value]
        else:
            closed[key] = value
    if "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return dict(sorted(closed.items(), key=lambda item: INSIDE.index(item[0]) if item[0] in INSIDE else -1))


def _first_error(validator: Validator, values: Mapping[str, Any], prefix: str = "") -> None:
    """Tell the first error alone: each one that is made costs time and repeats the value that it is about."""
    for error in validator.iter_errors(values):
        raise _explained(error, prefix)


def _explained(error: ValidationError, prefix: str) -> InvalidArguments:
    place: JsonPath = tuple(error.absolute_path)
    rule: str = str(error.validator)
    got: Any = error.instance
    wanted: Any = error.validator_value
    declared: Any = error.schema
    if rule == "required":
        missing = next(name for name in wanted if name not in got)
        return InvalidArguments((*place, missing), f"{prefix}required, but missing.")
    if rule == "additionalProperties":
        known = declared.get("properties", {})
        extra = next(name for name in got if name not in known)
        return InvalidArguments((*place, extra), f"{prefix}there is no such field.", f"Accepted: {', '.join(known)}.")
    if rule == "anyOf":
        inside = [part for part in error.context or () if isinstance(got, dict) and part.validator != "type"]
        if inside:
            return _explained(inside[0], prefix)
        kinds = [str(branch.get("type", "value")) for branch in wanted]
        return InvalidArguments(place, f"expected {' or '.join(kinds)}, got {_kind(got)}.", _fix(kinds[0], got))
    if rule == "type":
        return InvalidArguments(place, f"expected {wanted}, got {_kind(got)}.", _fix(wanted, got))
    expected = {
        "enum": f"expected one of {', '.join(map(str, wanted)) if rule == 'enum' else ''}",
        "const": f"expected {wanted!r}",
        "minimum": f"expected at least {wanted}",
        "maximum": f"expected at most {wanted}",
        "maxLength": f"expected at most {wanted} characters",
        "minItems": f"expected at least {wanted} items",
        "maxItems": f"expected at most {wanted} items",
        "pattern": f"expected text of the form {wanted}",
        "format": f"expected the format {wanted}",
    }.get(rule, f"does not satisfy {rule}")
    return InvalidArguments(place, f"{expected}, got {_shown(got, rule)}.")


def _fix(wanted: str, got: Any) -> str:
    """What to send instead of a value of the wrong type."""
    if got is None or got == "":
        return "Give a value or omit the argument."
    if wanted == "string" and isinstance(got, int | float) and not isinstance(got, bool):
        return "Send it as text, in quotation marks: a number can lose zeros and digits."
    if wanted in ("object", "array") and isinstance(got, str):
        return f"Send the {wanted} itself, or valid JSON text of one."
    if wanted == "boolean":
        return "Send true or false."
    return "Send the number itself, not text." if wanted in ("integer", "number") and isinstance(got, str) else ""


def _kind(value: Any) -> str:
    """Describe a value of the wrong type. A number may be a secret that should have been text."""
    return _shown(value, "type")


def _shown(value: Any, rule: str) -> str:
    """Describe the value that breaks a rule.

    Text is described by kind, since it may be a secret. So is a number, which may be a secret that should have been text, unless
    the rule bounds numbers.
    """
    if isinstance(value, str):
        return f"text of {len(value)} characters"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, bool) or value is None or rule in ("minimum", "maximum"):
        return json.dumps(value)
    return "a number"
