"""The description of an operation for a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import Policy, PolicyInput, Principal, is_conditional
from saasus_mcp.server.surface.examples import example_arguments, required_arguments

SELECT_NOTE = "JMESPath over the outputSchema picks from the full response: `select` of call_read or read_and_select"
DEPENDS_ON_CALL = "depends on the call"


def summarize_operation(operation: Operation, language: Language) -> dict[str, Any]:
    """Return the description of an operation in one line."""
    return {
        "name": operation.tool,
        "title": operation.title.text(language),
        "level": operation.level,
        "line": operation.terse,
        "required": required_arguments(operation),
    }


def describe_operation(
    operation: Operation, principal: Principal, policy: Policy, profile: str, *, language: Language = "en"
) -> dict[str, Any]:
    """Return the full description of an operation, with the decision of the policy for this caller.

    Args:
        language: of the title and of the texts of the effects.
    """
    decided = describe_decision(operation, principal, policy, profile)
    description = {
        "name": operation.tool,
        "title": operation.title.text(language),
        "toolset": operation.toolset,
        "http": f"{operation.method} {operation.path}",
        "level": operation.level,
        "description": operation.description.en,
        **decided,
        "preview": describe_preview(operation) if decided["decision"] != "allow" else {},
        "effects": describe_effects(operation, language),
        "inputSchema": operation.input_schema,
        "exactlyOne": [list(names) for names in operation.exactly_one],
        "variants": describe_variants(operation),
        "fields": dict(operation.input_texts),
        "example": {"name": operation.tool, "arguments": example_arguments(operation)},
        "outputSchema": operation.output_schema,
        "answerFields": dict(operation.output_texts),
        "select": SELECT_NOTE if operation.reads else {},
    }
    return {name: value for name, value in description.items() if value not in ({}, [])}


def describe_decision(operation: Operation, principal: Principal, policy: Policy, profile: str) -> dict[str, Any]:
    """Return the decision, its rule and its reason, unless they depend on the arguments or on live state."""
    case = PolicyInput(operation, {}, principal, profile)
    traces = policy.explain(case)
    if is_conditional(traces):
        return {"decision": DEPENDS_ON_CALL, "rules": [each.rule for each in traces if each.skipped_by is None]}
    decided = policy.decide(case)
    return {"decision": decided.outcome, "rule": decided.rule, "reason": str(decided.reason)}


def describe_preview(operation: Operation) -> dict[str, Any]:
    """Return what a person sees about a call before the confirmation, and how they confirm it."""
    row = operation.effects
    preview = {
        "target": "its current state" if row.target and row.target.read else None,
        "shows": [measure.label.en for measure in row.impact],
        "compares": "each argument with what is there now" if row.diff is not None and row.diff.now else None,
        "warns": row.say.en if row.say else None,
        "typed": "the target's name" if operation.level in TYPED_LEVELS else None,
    }
    return {name: value for name, value in preview.items() if value}


def describe_effects(operation: Operation, language: Language = "en") -> dict[str, Any]:
    """Return the effects of the operation, with the texts in a language. Members that do not apply are left out."""
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
        "preconditions": tuple(each.text(language) for each in row.preconditions),
        "user_token": row.user_token.text(language) if row.user_token else None,
        "why": row.why.text(language) if row.why else None,
        "undo": {"class": row.undo.kind, "note": row.undo.note.text(language) if row.undo.note else ""}
        if row.undo
        else None,
    }
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name == "idempotent" or value not in ("", "no", "n/a", (), False, None)
    }


def describe_variants(operation: Operation) -> dict[str, Any]:
    """Return the required arguments of each variant of a body, by the value of the argument that selects the variant."""
    if operation.variants is None:
        return {}
    tag, shapes = operation.variants
    return {tag: {shape: schema.get("required", []) for shape, schema in shapes.items()}}
