"""The presets: the design's table of levels, word by word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.model import PolicyInput, Principal
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, UnsafeAllowAllPolicy

ME = Principal("local:me")
LEVELS = ("read", "read_sensitive", "write", "write_sensitive", "destructive", "critical")
TABLE = {
    "read-only": ("allow", "allow", "deny", "deny", "deny", "deny"),
    "guarded": ("allow", "allow", "allow", "confirm", "confirm", "approve"),
    "strict": ("allow", "allow", "confirm", "confirm", "confirm", "approve"),
}


@pytest.mark.parametrize("name", TABLE)
def test_each_preset_decides_every_operation_by_its_level(catalogue: Catalogue, name: str) -> None:
    preset = next(preset for mode, preset in PRESETS.items() if mode == name)
    for operation in catalogue:
        decision = preset.decide(PolicyInput(operation, {}, ME))
        assert decision.outcome == TABLE[name][LEVELS.index(operation.level)], operation.key
        assert decision.typed == (operation.level in ("destructive", "critical"))
        assert decision.rule
        assert decision.reason
        assert preset.could_allow(operation, ME) == (decision.outcome != "deny")


def test_there_are_three_presets_and_none_that_allows_everything() -> None:
    assert set(PRESETS) == set(TABLE)
    assert all(preset.announcement == "" for preset in PRESETS.values())


def test_a_level_that_nobody_knows_is_denied(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenants")
    unknown = replace(operation, effects=replace(operation.effects, level="harmless"))  # type: ignore[arg-type]
    for preset in PRESETS.values():
        assert preset.decide(PolicyInput(unknown, {}, ME)).outcome == "deny"
        assert not preset.could_allow(unknown, ME)


def test_the_ceiling_denies_whatever_does_more_than_read_and_keeps_the_warning(catalogue: Catalogue) -> None:
    ceiling = ReadOnlyPolicy(UnsafeAllowAllPolicy())
    assert ceiling.announcement.startswith("UNSAFE")
    for operation in catalogue:
        wanted = "allow" if operation.level in ("read", "read_sensitive") else "deny"
        assert ceiling.decide(PolicyInput(operation, {}, ME)).outcome == wanted, operation.key
        assert ceiling.could_allow(operation, ME) == (wanted == "allow")
