"""Policies without a policy file: the presets, which decide by level, the read-only ceiling, and the one that allows everything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.permissions.policy.model import (
    DEFAULT_BULK,
    NO_LIVE_STATE,
    BulkLimits,
    Decision,
    DecisionOutcome,
    LiveState,
    Policy,
    PolicyInput,
    Principal,
    RuleTrace,
)
from saasus_mcp.permissions.policy.wrappers import NarrowedPolicy, PolicyWrapper

if TYPE_CHECKING:
    from saasus_mcp.catalog.model import Level, Operation
    from saasus_mcp.settings.environment import Mode

PRESETS_FILE = Path(__file__).with_name("presets.json")


@dataclass(frozen=True, slots=True)
class PresetPolicy(Policy):
    """A policy by level alone. A level that its table does not list is denied.

    `scripts/catalogue/presets.py` compiles the presets from the policy files in `presets/`, so that none is read at start-up.
    """

    name: str
    by_level: Mapping[str, DecisionOutcome]
    two_person: bool = False
    bulk: BulkLimits = DEFAULT_BULK

    def decide(self, call: PolicyInput) -> Decision:
        level = call.operation.level
        return _decision(self.name, level, self.by_level.get(level, "deny"))

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        return self.by_level.get(operation.level, "deny") != "deny"


@lru_cache(maxsize=64)
def _decision(policy: str, level: Level, outcome: DecisionOutcome) -> Decision:
    return Decision(
        outcome, f"{policy}/{level}", one_of("policy.by_level", outcome, level=level), level in TYPED_LEVELS
    )


def _load_presets() -> Mapping[Mode, PresetPolicy]:
    tables: Mapping[Mode, Mapping[str, DecisionOutcome]] = json.loads(PRESETS_FILE.read_text(encoding="utf-8"))
    return {mode: PresetPolicy(mode, tables[mode]) for mode in tables}


PRESETS = _load_presets()


@dataclass(frozen=True)
class UnsafeAllowAllPolicy(Policy):
    """Allows every call of every level. Exists only if a policy file says so explicitly.

    It lifts decisions and budgets. Redaction, guards, freeze and audit stay.
    """

    name: str = "unsafe-allow-everything"
    announcement: str = "UNSAFE: the policy allows everything; nobody is asked before data is destroyed"
    ceilings: None = None

    def decide(self, call: PolicyInput) -> Decision:
        return Decision("allow", self.name, message("policy.unsafe_allowed"))


@dataclass(frozen=True)
class ReadOnlyPolicy(PolicyWrapper):
    """Another policy, limited to reads."""

    inner: Policy

    @property
    def name(self) -> str:  # type: ignore[override]  # what it overrides is computed, too
        return f"read-only over {self.inner.name}"

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        return self.inner.required_state(operation, principal, profile) if operation.reads else NO_LIVE_STATE

    def decide(self, call: PolicyInput) -> Decision:
        return (self.inner if call.operation.reads else PRESETS["read-only"]).decide(call)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        return operation.reads and self.inner.could_allow(operation, principal, profile)

    def explain(self, call: PolicyInput) -> tuple[RuleTrace, ...]:
        return (self.inner if call.operation.reads else PRESETS["read-only"]).explain(call)


def unwrap_policy(policy: Policy) -> Policy:
    """Return the policy below every ceiling."""
    while isinstance(policy, NarrowedPolicy | ReadOnlyPolicy):
        policy = policy.inner
    return policy
