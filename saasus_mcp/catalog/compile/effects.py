"""Read tool_specs/effects.yaml and refuse unknown keys and values."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import yaml

from saasus_mcp.catalog.compile import recipes
from saasus_mcp.catalog.expressions import TARGET
from saasus_mcp.catalog.model import TYPED_LEVELS, Level

Row = dict[str, Any]

_ONE_OF: dict[str, frozenset[Any]] = {
    "effect": frozenset({"read", "create", "update", "delete", "action"}),
    "level": frozenset(get_args(Level)),
    "reversibility": frozenset({"reversible", "recreate", "irreversible", "n/a"}),
    "email": frozenset({"no", "yes", "conditional"}),
    "money": frozenset({"no", "yes", "indirect", "conditional"}),
    "idempotent": frozenset({True, False}),
    "adds_only": frozenset({True, False}),
    "personal_data": frozenset({True, False}),
}
_SOME_OF: dict[str, frozenset[str]] = {
    "blast": frozenset({"record", "user", "tenant", "saas", "external"}),
    "outside": frozenset({"stripe", "aws", "aws_marketplace", "eventbridge", "dns", "ses"}),
}
_TEXTS = frozenset({"preconditions", "bind", "secrets_in", "secrets_out", "scrub_out"})


class EffectsError(Exception):
    """A row of effects.yaml is invalid."""


def read_effects(file: Path) -> dict[str, Row]:
    """Return all rows by operation key, checked, with the labels of their impact metrics.

    Raises:
        EffectsError: a row has an unknown key or value, a destructive or critical row has no target, or a label is missing.
    """
    rows: dict[str, Row] = yaml.safe_load(file.read_text(encoding="utf-8"))
    labels = rows.pop("labels")
    for key, row in rows.items():
        if isinstance(row.get("impact"), dict):
            row["impact"] = {name: _with_label(name, measure, labels) for name, measure in row["impact"].items()}
        for problem in find_effect_problems(row):
            raise EffectsError(f"effects.yaml: {key}: {problem}.")
    return rows


def find_effect_problems(row: Row) -> list[str]:
    """Return the problems of a row as sentences."""
    problems = [f"{key} is missing" for key in ("effect", "level") if key not in row]
    for key, value in row.items():
        if key in _ONE_OF:
            if value not in _ONE_OF[key]:
                problems.append(f"{key} is {value!r}")
        elif key in _SOME_OF:
            problems += [f"{key} contains {item!r}" for item in value if item not in _SOME_OF[key]]
        elif key in _TEXTS:
            problems += [f"{key} contains {item!r}, which is not text" for item in value if not isinstance(item, str)]
        elif key not in ("why", "target") and key not in recipes.KEYS:
            problems.append(f"{key} is not a key of this table")
    if row.get("level") in TYPED_LEVELS and "target" not in row:
        problems.append("a destructive or critical operation needs a target")
    return problems + _target_problems(row.get("target") or {}, row.get("bind", [])) + recipes.find_recipe_problems(row)


def _target_problems(target: Row, bind: list[str]) -> list[str]:
    problems = [f"target.{key} is unknown" for key in target if key not in ("read", "args", "name", "pick", "saas")]
    pick = target.get("pick") or {"from": "", "where": {}}
    expressions = [*target.get("args", {}).values(), *pick["where"].values(), *bind]
    if "name" in target:
        expressions.append(target["name"])
    elif target and not target.get("saas"):
        problems.append("target has neither a name nor saas: true")
    return problems + [
        f"{text!r} is not an expression over args and target"
        for text in expressions
        if not recipes.is_valid_expression(text, TARGET)
    ]


def _with_label(name: str, measure: Row, labels: dict[str, Any]) -> Row:
    if set(labels.get(name, {})) != {"en", "ja"}:
        raise EffectsError(f"effects.yaml: labels: {name} lacks a language.")
    return {**measure, "label": labels[name]}
