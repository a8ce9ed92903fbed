"""Validate arguments against a JSON Schema, strictly, with an error for the caller."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache, lru_cache, reduce
from typing import TYPE_CHECKING, Any

from saasus_mcp.catalog.model import Operation
from saasus_mcp.common.json_path import InvalidArguments, JsonPath, Schema
from saasus_mcp.common.messages import Message, Parameter, message, one_of

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_DESCENDING = ("pattern", "additionalProperties", "properties", "items", "anyOf")
"""Keywords that read the inside of a value, in the order in which they are checked. Keywords that bound it come first."""
_RULES = frozenset(
    {"enum", "const", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern", "format"}
)
"""Keywords with a message of their own."""
PATTERN_FORMS = {r"^[A-Z]{2}\Z": "country", r"^[A-Za-z0-9_-]{1,40}\Z": "id"}
"""What each pattern of the input schemas is in words: a message of `arguments.form`."""
FORMS = frozenset({*PATTERN_FORMS.values(), "date", "date-time"})
"""The messages of `arguments.form`, with those of the formats."""
_ANNOTATIONS = frozenset({"description", "examples", "contentEncoding"})
"""Keywords that demand nothing."""
_TEXT: Schema = {"type": "string"}
_DATE = re.compile(r"\s*[0-9]{4}\s*[-/.年]\s*[0-9]{1,2}(?![0-9])", re.ASCII)
"""The beginning of a date."""


def validate_arguments(operation: Operation, values: Mapping[str, Any]) -> None:
    """Check the arguments against the operation's schema, and against what its schema does not say.

    That is the variant which a body of several variants names, the arguments of which there must be exactly one, and that
    a body is not empty.

    Raises:
        InvalidArguments: a field does not fit. Only the first is reported.
    """
    if values or "required" in operation.input_schema:  # else none can be wrong: the library is not loaded
        _raise_first_error(_validator(operation), values)
    if operation.variants is not None:
        tag = operation.variants[0]
        body = {name: value for name, value in values.items() if name not in operation.addressing}
        _raise_first_error(_validator(operation, values[tag]), body, (tag, values[tag]))
    for names in operation.exactly_one:
        if sum(name in values for name in names) != 1:
            raise InvalidArguments.at((names[0],), "arguments.exactly_one", names=names)
    if operation.body:
        fields = [name for name in operation.input_schema.get("properties", {}) if name not in operation.addressing]
        if fields and not any(name in values for name in fields):
            fault = message("arguments.no_field", tool=operation.tool)
            raise InvalidArguments((), fault, message("arguments.no_field_hint", names=tuple(fields)))


def validate_schema(schema: Schema, values: Mapping[str, Any]) -> None:
    """Check arguments against any schema.

    Raises:
        InvalidArguments: a field does not fit. Only the first is reported.
    """
    _raise_first_error(_compile(schema), values)


@lru_cache(maxsize=512)
def _validator(operation: Operation, variant: str = "") -> Validator:
    return _compile(operation.variants[1][variant] if operation.variants and variant else operation.input_schema)


def _compile(schema: Schema) -> Validator:
    from jsonschema import FormatChecker  # noqa: PLC0415 - slow, and not needed to list tools

    formats = FormatChecker(formats=("date",))
    formats.checks("date-time", raises=ValueError)(_is_date_time)
    return _lazy_validator()(strict_validator(schema), format_checker=formats)


@cache
def _lazy_validator() -> type[Validator]:
    """Return a Draft 2020-12 validator that creates errors one at a time.

    The library's own creates the errors of all branches of an `anyOf`, and writes every unknown field into one message.
    """
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415 - as above
    from jsonschema.validators import extend  # noqa: PLC0415 - as above

    untyped: Any = extend

    def any_of(validator: Validator, branches: list[Schema], value: Any, _: Schema) -> Iterator[ValidationError]:
        errors: list[ValidationError] = []
        for branch in branches:
            error = next(validator.evolve(schema=branch).iter_errors(value), None)
            if error is None:
                return
            errors.append(error)
        yield ValidationError("it matches no variant", context=errors)

    check_fields = Draft202012Validator.VALIDATORS["additionalProperties"]
    check_properties = Draft202012Validator.VALIDATORS["properties"]

    def properties(validator: Validator, wanted: Schema, value: Any, schema: Schema) -> Iterator[ValidationError]:
        if isinstance(value, dict):  # most are plain texts, for each of which the library would make a validator
            others = {
                name: each for name, each in wanted.items() if not (each == _TEXT and type(value.get(name)) is str)
            }
            yield from check_properties(validator, others, value, schema)

    def additional(validator: Validator, other: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
        if other is not False:
            yield from check_fields(validator, other, value, schema)
        elif isinstance(value, dict) and not value.keys() <= schema.get("properties", {}).keys():
            yield ValidationError("it has an undeclared field")

    own = {"anyOf": any_of, "additionalProperties": additional, "properties": properties}
    lazy: type[Validator] = untyped(Draft202012Validator, own)
    return lazy


def _is_date_time(value: object) -> bool:
    """Check for RFC 3339 with an offset: without one, a time is ambiguous."""
    return not isinstance(value, str) or ("T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None)


def strict_validator(schema: Schema) -> Schema:
    """Return the schema with every typed object closed: an undeclared field is an error and never dropped.

    Keywords are in the order in which they are checked: a list that is too long is refused before its items are read.
    """
    closed: Schema = {}
    for key, value in schema.items():
        if key == "properties":
            closed[key] = {name: strict_validator(item) for name, item in value.items()}
        elif key == "pattern":
            closed[key] = re.sub(r"\$$", r"\\Z", value)  # in Python, $ also matches before a final line break
        elif isinstance(value, dict):
            closed[key] = strict_validator(value)
        elif key == "anyOf":
            closed[key] = [strict_validator(item) for item in value]
        elif key not in _ANNOTATIONS:
            closed[key] = value
    if "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return dict(sorted(closed.items(), key=lambda item: _DESCENDING.index(item[0]) if item[0] in _DESCENDING else -1))


def _raise_first_error(validator: Validator, values: Mapping[str, Any], variant: tuple[str, str] | None = None) -> None:
    """Raise the first error only: each error costs time and contains the value it is about."""
    for error in validator.iter_errors(values):
        raise _explain(error, variant)


def _explain(error: ValidationError, variant: tuple[str, str] | None) -> InvalidArguments:
    path: JsonPath = tuple(error.absolute_path)
    rule: str = str(error.validator)
    actual: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if rule == "anyOf":
        inner = [each for each in error.context or () if isinstance(actual, dict) and each.validator != "type"]
        if inner:
            return _explain(inner[0], variant)
        return _wrong_type(path, [str(branch.get("type", "value")) for branch in wanted], actual)
    if rule == "type":
        return _wrong_type(path, [wanted] if isinstance(wanted, str) else wanted, actual)
    if rule == "required":
        first, *others = (name for name in wanted if name not in actual)
        hint = message("arguments.missing_hint", names=tuple(others)) if others else None
        return InvalidArguments((*path, first), _in_variant(message("arguments.missing"), variant), hint)
    if rule == "additionalProperties":
        declared = schema.get("properties", {})
        unknown = next(name for name in actual if name not in declared)
        fault = _in_variant(message("arguments.unknown_field"), variant)
        return InvalidArguments((*path, unknown), fault, message("arguments.accepted_hint", names=tuple(declared)))
    if rule == "enum" and len(wanted) == 1:
        rule, wanted = "const", wanted[0]
    fault = one_of(
        "arguments.expected",
        rule if rule in _RULES else "other",
        wanted=_wanted(rule, wanted),
        actual=_describe(actual, rule),
        rule=rule,
    )
    return InvalidArguments(path, fault, one_of("arguments.format_hint", wanted) if rule == "format" else None)


def _wanted(rule: str, wanted: Any) -> Parameter:
    """Return what a rule demands, in words where the rule is a pattern."""
    if rule in ("pattern", "format") and (form := PATTERN_FORMS.get(wanted, wanted)) in FORMS:
        return one_of("arguments.form", form)
    return json.dumps(wanted) if rule == "const" else tuple(map(str, wanted)) if rule == "enum" else str(wanted)


def _in_variant(fault: Message, variant: tuple[str, str] | None) -> Message:
    return message("arguments.in_variant", tag=variant[0], value=variant[1], fault=fault) if variant else fault


def _wrong_type(path: JsonPath, types: list[str], actual: Any) -> InvalidArguments:
    wanted = reduce(
        lambda first, second: message("arguments.either", first=first, second=second),
        (one_of("arguments.type", name) for name in types),
    )
    fault = one_of("arguments.expected", "type", wanted=wanted, actual=_describe(actual, "type"), rule="type")
    return InvalidArguments(path, fault, _type_hint(types[0], actual))


def _type_hint(wanted: str, actual: Any) -> Message | None:
    """Return what to send instead of a value of the wrong type."""
    if actual is None or actual == "":
        return message("arguments.type_hint.blank")
    if wanted == "string" and isinstance(actual, int | float) and not isinstance(actual, bool):
        return message("arguments.type_hint.string")
    if wanted in ("object", "array") and isinstance(actual, str):
        return one_of("arguments.type_hint", wanted)
    if wanted == "boolean":
        return message("arguments.type_hint.boolean")
    if wanted not in ("integer", "number") or not isinstance(actual, str):
        return None
    return one_of("arguments.type_hint", "time" if wanted == "integer" and _DATE.match(actual) else "number")


def _describe(value: Any, rule: str) -> Message | str:
    """Describe the value that breaks a rule without showing a text, which may be a secret.

    A number is shown only if the rule bounds numbers: it may be a secret that should have been text.
    """
    if isinstance(value, str):
        return message("arguments.actual.text", count=len(value))
    if isinstance(value, list) and rule in ("minItems", "maxItems"):
        return str(len(value))
    if isinstance(value, dict | list):
        return message("arguments.actual.object") if isinstance(value, dict) else message("arguments.actual.list")
    if isinstance(value, bool) or value is None or rule in ("minimum", "maximum"):
        return json.dumps(value)
    return message("arguments.actual.number")
