"""Compile the preset policies into a table of levels and outcomes, so that the server starts without reading YAML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import yaml

from saasus_mcp.catalog.model import Level

LEVELS: frozenset[str] = frozenset(get_args(Level))
OUTCOMES = ("allow", "confirm", "approve", "deny")
RULE_KEYS = {"name", "levels", "then", "reason"}


class PresetError(Exception):
    """A preset is not a table of levels. The text names the file and the rule."""


def compile_presets(folder: Path) -> str:
    """Return the outcome of each level by preset, as JSON text. A level without a rule is denied.

    Raises:
        PresetError: a rule has a condition or a selector other than one level, or an unknown level or outcome.
    """
    tables = {file.stem: _read_levels(file) for file in sorted(folder.glob("*.yaml"))}
    return json.dumps(tables, indent=1) + "\n"


def _read_levels(file: Path) -> dict[str, str]:
    policy = yaml.safe_load(file.read_text(encoding="utf-8"))
    if set(policy) != {"version", "name", "rules"} or policy["name"] != file.stem:
        raise PresetError(f"{file.name}: a preset has version, its own name, and rules")
    outcomes: dict[str, str] = {}
    for rule in policy["rules"]:
        level, outcome = _read_rule(rule, f"{file.name}: {rule.get('name')}")
        if rule["name"] != f"{file.stem}/{level}" or level in outcomes:
            raise PresetError(f"{file.name}: {rule['name']}: a level has one rule, named after preset and level")
        outcomes[level] = outcome
    return outcomes


def _read_rule(rule: dict[str, Any], place: str) -> tuple[str, str]:
    if set(rule) != RULE_KEYS or len(rule["levels"]) != 1:
        raise PresetError(f"{place}: a rule of a preset has {', '.join(sorted(RULE_KEYS))}, and one level")
    level, outcome = rule["levels"][0], rule["then"]
    if level not in LEVELS or outcome not in OUTCOMES:
        raise PresetError(f"{place}: {level} or {outcome} is unknown")
    return level, outcome
