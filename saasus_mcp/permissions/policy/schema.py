"""Validation of a document against its published schema, with lines and messages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from saasus_mcp.permissions.policy.errors import PolicyFault
from saasus_mcp.permissions.policy.yaml_reader import DocumentPath, PolicyDocument

POLICY_SCHEMA, TEST_SCHEMA = "policy.schema.json", "policy-test.schema.json"
PATTERN_NAMES = {"profile": "profile", "groups": "group", "tools": "tool"}
"""The value of `policy.form` for a pattern, by field; `name` for all other fields."""

KEY_FAULTS = {"additionalProperties": "unknown_key", "required": "missing"}
VALUE_FAULTS = {
    "const": "unsafe",
    "type": "type",
    "enum": "word",
    "minItems": "empty_list",
    "minLength": "blank",
    "minProperties": "blank",
    "maxLength": "long",
    "maxItems": "long",
    "minimum": "number",
    "maximum": "number",
    "pattern": "format",
}
MAX_SHOWN_LENGTH = 60


def schema_faults(document: PolicyDocument, schema: str) -> list[PolicyFault]:
    found = [fault for error in _validator(schema).iter_errors(document.value) for fault in _faults(error, document)]
    return list({(fault.line, str(fault.message)): fault for fault in found}.values())


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(Path(__file__).with_name(schema).read_text(encoding="utf-8")))


def _faults(error: ValidationError, document: PolicyDocument) -> Iterator[PolicyFault]:
    steps: DocumentPath = tuple(error.absolute_path)
    where, given = describe_place(document, steps), _given(error, steps)
    if error.validator == "anyOf":  # an item or a list of items: the type of the value chooses the branch
        branch = int(isinstance(error.instance, list))
        for inner in error.context or ():
            if inner.schema_path[0] == branch:
                yield from _faults(inner, document)
    elif error.validator in KEY_FAULTS:
        for key in _keys(error):
            line = document.line(*steps) if error.validator == "required" else document.line(*steps, key)
            yield PolicyFault(line, KEY_FAULTS[error.validator], given | {"key": key[:MAX_SHOWN_LENGTH]}, where)
    elif error.validator in ("const", "type") and steps == ("version",):
        yield PolicyFault(document.line(*steps), "version", given)
    else:
        steps = (*steps, str(error.instance)) if "propertyNames" in error.schema_path else steps
        yield PolicyFault(document.line(*steps), VALUE_FAULTS.get(str(error.validator), "other"), given, where)


def _keys(error: ValidationError) -> list[str]:
    """Return the keys of an object that are unknown, missing or misspelled."""
    instance: Any = error.instance
    wanted: Any = error.validator_value
    if error.validator == "required":
        return [key for key in wanted if key not in instance]
    return [key for key in instance if key not in _schema(error)["properties"]]


def _given(error: ValidationError, steps: DocumentPath) -> dict[str, str]:
    """Return the parameters for the message of a fault."""
    wanted: Any = error.validator_value
    schema = _schema(error)
    named = next((PATTERN_NAMES[step] for step in steps if step in PATTERN_NAMES), "name")
    return {
        "given": shorten_value(error.instance),
        "wanted": str(wanted),
        "known": ", ".join(
            str(word) for word in (wanted if error.validator == "enum" else schema.get("properties", ()))
        ),
        "least": str(schema.get("minimum", "")),
        "most": str(schema.get("maximum", wanted)),
        "form": named,
    }


def _schema(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def describe_place(document: PolicyDocument, steps: Iterable[str | int]) -> tuple[tuple[str, str], ...]:
    """Return the place of a value for people: the name of the rule or case, then the field."""
    steps = tuple(steps)
    found: list[tuple[str, str]] = []
    if len(steps) > 1 and isinstance(steps[1], int):
        item = document.value[steps[0]][steps[1]]
        name = item.get("name") if isinstance(item, dict) else None
        found.append((str(steps[0]), shorten_value(name)[1:-1] if isinstance(name, str) else str(steps[1] + 1)))
        steps = steps[2:]
    fields = ".".join(str(step) for step in steps if isinstance(step, str))
    return (*found, ("field", fields)) if fields else tuple(found)


def shorten_value(value: Any) -> str:
    """Return a value as in the file, cut if long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN_LENGTH else text[:MAX_SHOWN_LENGTH] + "…"
