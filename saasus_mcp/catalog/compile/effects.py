"""Reading tool_specs/effects.yaml, held to its vocabulary: a row that says something unknown does not compile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from saasus_mcp.catalog.compile import recipes
from saasus_mcp.catalog.expressions import TARGET
from saasus_mcp.common.errors import SaasusMcpError

Row = dict[str, Any]

ONE_OF: dict[str, frozenset[Any]] = {
    "effect": frozenset({"read", "create", "update", "delete", "action"}),
    "level": frozenset({"read", "read_sensitive", "write", "write_sensitive", "destructive", "critical"}),
    "reversibility": frozenset({"reversible", "recreate", "irreversible", "n/a"}),
    "email": frozenset({"no", "yes", "conditional"}),
    "money": frozenset({"no", "yes", "indirect", "conditional"}),
    "idempotent": frozenset({True, False}),
    "adds_only": frozenset({True, False}),
    "personal_data": frozenset({True, False}),
}
SOME_OF: dict[str, frozenset[str]] = {
    "blast": frozenset({"record", "user", "tenant", "saas", "external"}),
    "outside": frozenset({"stripe", "aws", "aws_marketplace", "eventbridge", "dns", "ses"}),
}
TEXTS = frozenset({"preconditions", "bind", "secrets_in", "secrets_out", "scrub_out"})


class EffectsError(SaasusMcpError):
    """A row of the table of effects says something that the table's vocabulary does not hold."""


def read_effects(file: Path) -> dict[str, Row]:
    """All rows by operation key, each checked, and what its impact measures with the words for it.

    Raises:
        EffectsError: a row has an unknown key or value, a destructive or critical row has no target, or words are missing.
    """
    rows: dict[str, Row] = yaml.safe_load(file.read_text(encoding="utf-8"))
    labels = rows.pop("labels")
    for key, row in rows.items():
        if isinstance(row.get("impact"), dict):
            row["impact"] = {name: _labelled(name, measure, labels) for name, measure in row["impact"].items()}
        for problem in find_effect_problems(row):
            raise EffectsError(f"effects.yaml: {key}: {problem}.")
    return rows


def find_effect_problems(row: Row) -> list[str]:
    """What is wrong with a row, in words; empty where nothing is."""
    found = [f"{key} is missing" for key in ("effect", "level") if key not in row]
    for key, value in row.items():
        if key in ONE_OF:
            if value not in ONE_OF[key]:
                found.append(f"{key} is {value!r}")
        elif key in SOME_OF:
            found += [f"{key} holds {item!r}" for item in value if item not in SOME_OF[key]]
        elif key in TEXTS:
            found += [f"{key} holds {item!r}, not text" for item in value if not isinstance(item, str)]
        elif key not in ("why", "target") and key not in recipes.KEYS:
            found.append(f"{key} is not a key of this table")
    if row.get("level") in ("destructive", "critical") and "target" not in row:
        found.append("a destructive or critical operation needs a target")
    return found + _target_problems(row.get("target") or {}, row.get("bind", [])) + recipes.find_recipe_problems(row)


def _target_problems(target: Row, bind: list[str]) -> list[str]:
    unknown = [f"target.{key} is not known" for key in target if key not in ("read", "args", "name", "pick", "saas")]
    pick = target.get("pick") or {"from": "", "where": {}}
    expressions = [*target.get("args", {}).values(), *pick["where"].values(), *bind]
    if "name" in target:
        expressions.append(target["name"])
    elif target and not target.get("saas"):
        unknown.append("target has neither a name nor saas: true")
    return unknown + [
        f"{text!r} is not an expression over args and target"
        for text in expressions
        if not recipes.is_valid_expression(text, TARGET)
    ]


def _labelled(name: str, measure: Row, labels: dict[str, Any]) -> Row:
    if set(labels.get(name, {})) != {"en", "ja"}:
        raise EffectsError(f"effects.yaml: labels: {name} is not there in both languages.")
    return {**measure, "label": labels[name]}
