"""What there is to know of an operation before it is called, for a model to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.catalog import Language, Operation
from saasus_mcp.permissions.case import Case, CasePolicy, Principal
from saasus_mcp.server.example import example, required

SELECT = "JMESPath over the outputSchema picks from the full response: `select` of call_read or read_and_select"
DEPENDS = "depends on the call"


def brief(operation: Operation, language: Language) -> dict[str, Any]:
    """An operation in one line."""
    return {
        "name": operation.tool,
        "title": operation.title.get(language),
        "level": operation.level,
        "line": operation.terse,
        "required": required(operation),
    }


def describe(
    operation: Operation, principal: Principal, policy: CasePolicy, profile: str, language: Language = "en"
) -> dict[str, Any]:
    """An operation in full, with what the policy decides for this caller.

    Args:
        language: of the title.
    """
    decided = decision(operation, principal, policy, profile)
    whole = {
        "name": operation.tool,
        "title": operation.title.get(language),
        "toolset": operation.toolset,
        "http": f"{operation.method} {operation.path}",
        "level": operation.level,
        "description": operation.description.en,
        **decided,
        "preview": preview(operation) if decided["decision"] != "allow" else {},
        "effects": effects(operation),
        "inputSchema": operation.input_schema,
        "exactlyOne": [list(names) for names in operation.exactly_one],
        "variants": variants(operation),
        "fields": dict(operation.input_texts),
        "example": {"name": operation.tool, "arguments": example(operation)},
        "outputSchema": operation.output_schema,
        "answerFields": dict(operation.output_texts),
        "select": SELECT if operation.reads else {},
    }
    return {name: value for name, value in whole.items() if value not in ({}, [])}


def decision(operation: Operation, principal: Principal, policy: CasePolicy, profile: str) -> dict[str, Any]:
    """What is decided on a call, by which rule and why, as far as that hangs on the operation and the caller alone."""
    case = Case(operation, {}, principal, profile)
    concerning = [each for each in policy.explain(case) if each.passed_over is None]
    if any(each.when is not None for each in concerning):
        return {"decision": DEPENDS, "rules": [each.rule for each in concerning]}
    decided = policy.decide(case)
    return {"decision": decided.outcome, "rule": decided.rule, "reason": decided.reason}


def preview(operation: Operation) -> dict[str, Any]:
    """What a person is shown of what a call would hit before they say yes, and how they say it."""
    row = operation.effects
    shown = {
        "target": "its current state" if row.target and row.target.read else None,
        "shows": [measure.label.en for measure in row.impact],
        "compares": "each argument with what is there now" if row.diff is not None and row.diff.now else None,
        "warns": row.say.en if row.say else None,
        "typed": "the target's name" if operation.level in ("destructive", "critical") else None,
    }
    return {name: value for name, value in shown.items() if value}


def effects(operation: Operation) -> dict[str, Any]:
    """The operation's row of the table of effects; what does not apply is left out."""
    row = operation.effects
    values: Mapping[str, Any] = {
        "effect": row.effect,
        "reversibility": row.reversibility,
        "blast": row.blast,
        "idempotent": row.idempotent,
        "adds_only": row.adds_only,
        "email": row.email,
        "money": row.money,
        "outside": row.outside,
        "personal_data": row.personal_data,
        "secrets_in": operation.secret_inputs,
        "secrets_out": operation.secret_outputs,
        "preconditions": row.preconditions,
        "why": row.why,
        "undo": {"class": row.undo.kind, "note": row.undo.note.en if row.undo.note else ""} if row.undo else None,
    }
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name == "idempotent" or value not in ("", "no", "n/a", (), False, None)
    }


def variants(operation: Operation) -> dict[str, Any]:
    """What a body of several shapes must have, by the value of the argument that names the shape."""
    if operation.variants is None:
        return {}
    tag, shapes = operation.variants
    return {tag: {shape: schema.get("required", []) for shape, schema in shapes.items()}}
