"""Compile the preset policies into a table of levels and outcomes, so that the server starts without reading YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from saasus_mcp.catalog.model import Level
from scripts.catalogue.spec_file import TEXT, TEXTS, SpecError, mapping, read_yaml

LEVELS: frozenset[str] = frozenset(get_args(Level))
OUTCOMES = ("allow", "confirm", "approve", "deny")
_RULE = mapping({"name": TEXT, "levels": TEXTS, "then": TEXT}, required=("name", "levels", "then"))
"""No reason: a rule by level alone that states none gets one in both languages."""
_FORM = mapping(
    {"version": {}, "name": TEXT, "rules": {"type": "array", "items": _RULE}}, required=("version", "name", "rules")
)


def compile_presets(folder: Path) -> str:
    """Return the outcome of each level by preset, as JSON text. A level without a rule is denied.

    Raises:
        SpecError: a rule has a condition or a selector other than one level, or an unknown level or outcome.
    """
    tables = {file.stem: _read_levels(file) for file in sorted(folder.glob("*.yaml"))}
    return json.dumps(tables, indent=1) + "\n"


def _read_levels(file: Path) -> dict[str, str]:
    policy = read_yaml(file, _FORM)
    if policy["name"] != file.stem:
        raise SpecError(f"{file.name}: a preset has its own name")
    outcomes: dict[str, str] = {}
    for rule in policy["rules"]:
        level, outcome = _read_rule(rule, f"{file.name}: {rule['name']}")
        if rule["name"] != f"{file.stem}/{level}" or level in outcomes:
            raise SpecError(f"{file.name}: {rule['name']}: a level has one rule, named after preset and level")
        outcomes[level] = outcome
    return outcomes


def _read_rule(rule: dict[str, Any], place: str) -> tuple[str, str]:
    if len(rule["levels"]) != 1:
        raise SpecError(f"{place}: a rule of a preset has one level")
    level, outcome = rule["levels"][0], rule["then"]
    if level not in LEVELS or outcome not in OUTCOMES:
        raise SpecError(f"{place}: {level} or {outcome} is unknown")
    return level, outcome
