"""Read tool_specs/effects.yaml and refuse unknown keys and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from saasus_mcp.catalog.expressions import TARGET
from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.catalog.model import Level
from scripts.catalogue import recipes
from scripts.catalogue.spec_file import (
    BOTH,
    TEXT,
    TEXTS,
    Form,
    SpecError,
    find_form_problems,
    mapping,
    mapping_of,
    read_yaml,
)

Row = dict[str, Any]

_WORDS: dict[str, Form] = {
    "effect": {"enum": ["read", "create", "update", "delete", "action"]},
    "level": {"enum": [*get_args(Level)]},
    "reversibility": {"enum": ["reversible", "recreate", "irreversible", "n/a"]},
    "email": {"enum": ["no", "yes", "conditional"]},
    "money": {"enum": ["no", "yes", "indirect", "conditional"]},
    "blast": {"type": "array", "items": {"enum": ["record", "user", "tenant", "saas", "external"]}},
    "outside": {
        "type": "array",
        "items": {"enum": ["stripe", "aws", "aws_marketplace", "eventbridge", "dns", "ses"]},
    },
}
_FLAGS = ("idempotent", "adds_only", "personal_data")
_TEXT_LISTS = ("bind", "secrets_in", "secrets_out", "scrub_out")
_TARGET = {**recipes.READ, "name": TEXT, "saas": {"type": "boolean"}}
ROW = mapping(
    {
        **_WORDS,
        **{key: {"type": "boolean"} for key in _FLAGS},
        **dict.fromkeys(_TEXT_LISTS, TEXTS),
        "preconditions": {"type": "array", "items": BOTH},
        "why": BOTH,
        "target": mapping(_TARGET),
        **recipes.FORMS,
    },
    required=("effect", "level"),
)
"""The form of a row."""
_LABELS = mapping_of(BOTH)
_TABLE: Form = {
    "type": "object",
    "properties": {"labels": _LABELS},
    "required": ["labels"],
    "additionalProperties": ROW,
}


def read_effects(file: Path) -> dict[str, Row]:
    """Return all rows by operation key, checked, with the labels of their impact metrics.

    Raises:
        SpecError: a row has an unknown key or value, a destructive or critical row has no target, or a label is missing.
    """
    rows: dict[str, Row] = read_yaml(file, _TABLE)
    labels = rows.pop("labels")
    for key, row in rows.items():
        if isinstance(row.get("impact"), dict):
            row["impact"] = {
                name: {**measure, "label": _label(name, labels)} for name, measure in row["impact"].items()
            }
        for problem in find_effect_problems(row):
            raise SpecError(f"effects.yaml: {key}: {problem}.")
    return rows


def find_effect_problems(row: Row) -> list[str]:
    """Return the problems of a row as sentences. What it does not have in its form comes first, and alone."""
    if problems := find_form_problems(row, ROW):
        return problems
    if row["level"] in TYPED_LEVELS and "target" not in row:
        problems.append("a destructive or critical operation needs a target")
    return problems + _target_problems(row.get("target", {}), row.get("bind", [])) + recipes.find_recipe_problems(row)


def _target_problems(target: Row, bind: list[str]) -> list[str]:
    problems = []
    expressions = [*target.get("args", {}).values(), *target.get("pick", {"where": {}})["where"].values()]
    if "name" in target:
        expressions.append(target["name"])
    elif target and not target.get("saas"):
        problems.append("target has neither a name nor saas: true")
    invalid = recipes.invalid_expressions
    return [*problems, *invalid(expressions, TARGET), *invalid(bind, (*TARGET, "before"))]


def _label(name: str, labels: dict[str, Any]) -> Any:
    if name not in labels:
        raise SpecError(f"effects.yaml: labels.{name} is missing.")
    return labels[name]
