"""The policy language: rules over operations, people and profiles, with conditions over the call and live state.

Deny over approve over confirm over allow. Without a rule, a call is denied. A condition that cannot be evaluated denies. The first rule
in the file with the final outcome makes the decision. Everything here is pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import translate
from functools import cache
from typing import Literal

from saasus_mcp.catalog.levels import TYPED_LEVELS
from saasus_mcp.catalog.model import Effects, Operation
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import fold_name
from saasus_mcp.permissions.policy import conditions
from saasus_mcp.permissions.policy.conditions import ConditionResult
from saasus_mcp.permissions.policy.model import (
    DEFAULT_BULK,
    STRICTNESS,
    BulkLimits,
    Ceiling,
    Decision,
    DecisionOutcome,
    LiveState,
    Policy,
    PolicyInput,
    Principal,
    RuleTrace,
)

NO_RULE = "none"
"""The rule name of a decision without a rule. It is reserved."""

MAX_CACHED = 4096
"""Combinations of operation, caller and profile whose applicable rules are cached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. At most one of tools, module, levels and effects is given; an omitted selector matches everything.

    Attributes:
        who: ids of principals, globs of ids, or names of groups.
        tools: names of tools, keys of operations, or globs.
        effects: words of the table of effects (see `effect_words`).
        when: a valid condition (permissions.policy.conditions).
        reason: for the reader of the decision, without a full stop.
    """

    name: str
    then: DecisionOutcome
    who: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    module: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    when: str | None = None
    reason: str = ""

    def selects(self, operation: Operation) -> bool:
        if self.tools:
            return any(matches_glob(tool, operation.tool) or matches_glob(tool, operation.key) for tool in self.tools)
        if self.module:
            return operation.module in self.module
        if self.levels:
            return operation.level in self.levels
        return not self.effects or not effect_words(operation.effects).isdisjoint(self.effects)

    def applies_to_profile(self, profile: str) -> bool:
        """Return whether the rule applies to this profile. If the profile is unknown, only denying rules do."""
        return not self.profile or profile in self.profile or (not profile and self.then == "deny")


@dataclass(frozen=True, slots=True)
class _ApplicableRules:
    """The rules that apply to one operation, caller and profile, in file order, with their conditions.

    `groups`: the caller's groups, as conditions see them.
    """

    rules: tuple[Rule, ...]
    conditions: tuple[str, ...]
    groups: frozenset[str]

    def results(self, call: PolicyInput) -> Iterator[ConditionResult]:
        """Yield for every rule whether it holds. A rule without a condition holds."""
        if self.conditions and call.principal.groups != self.groups:
            call = replace(call, principal=replace(call.principal, groups=self.groups))
        results = iter(conditions.evaluate_conditions(self.conditions, call) if self.conditions else ())
        return (True if rule.when is None else next(results) for rule in self.rules)


@dataclass(frozen=True, eq=False)
class RulePolicy(Policy):
    """The policy of a file.

    Attributes:
        groups: members of the file's groups by name: ids of principals, or globs. These groups are closed: a caller
            with a group of the same name from elsewhere is not a member.
        confirm_via: `approval` turns every confirm into approve.
        two_person: whether the approver must be another person than the requester.
        ceilings, bulk: see Policy.
    """

    name: str
    rules: tuple[Rule, ...]
    announcement: str = ""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confirm_via: Literal["client", "approval"] = "client"
    two_person: bool = False
    ceilings: Mapping[Ceiling, int] | None = field(default_factory=dict)
    bulk: BulkLimits = DEFAULT_BULK
    _selected: dict[str, tuple[Rule, ...]] = field(default_factory=dict, init=False, repr=False)
    _applicable: dict[tuple[object, ...], _ApplicableRules] = field(default_factory=dict, init=False, repr=False)

    @property
    def profiles(self) -> frozenset[str]:
        """The profiles that rules name."""
        return frozenset(name for rule in self.rules for name in rule.profile)

    def required_state(self, operation: Operation, principal: Principal, profile: str) -> frozenset[LiveState]:
        """Return the live state that the conditions of the applicable rules use."""
        applicable = self._applicable_rules(operation, principal, profile)
        return frozenset(state for text in applicable.conditions for state in conditions.used_states(text))

    def decide(self, call: PolicyInput) -> Decision:
        typed = call.operation.level in TYPED_LEVELS
        applicable = self._applicable_rules(call.operation, call.principal, call.profile)
        won = self._winner(applicable.rules, applicable.results(call))
        if won is None:
            return Decision("deny", NO_RULE, message("policy.no_rule"), typed)
        rule, verdict = won
        if isinstance(verdict, Message):
            failed = message("policy.condition_failed", rule=rule.name, why=verdict)
            return Decision("deny", rule.name, failed, typed)
        outcome = self.final_outcome(rule.then)
        return Decision(outcome, rule.name, rule.reason or _default_reason(rule, outcome, call.operation.level), typed)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        possible, applicable = False, self._applicable_rules(operation, principal, profile)
        who = replace(principal, groups=applicable.groups)
        for rule in applicable.rules:
            verdict = _result_in_advance(rule, operation, who, profile)
            if isinstance(verdict, Message) or (verdict is True and rule.then == "deny"):
                return False
            possible = possible or (verdict is not False and rule.then != "deny")
        return possible

    def explain(self, call: PolicyInput) -> tuple[RuleTrace, ...]:
        """Return the trace of every rule, in file order."""
        applicable = self._applicable_rules(call.operation, call.principal, call.profile)
        given = dict(zip((rule.name for rule in applicable.rules), applicable.results(call), strict=True))
        won = self._winner(applicable.rules, given.values())
        return tuple(
            self._trace(rule, call, given.get(rule.name), won=won is not None and rule is won[0]) for rule in self.rules
        )

    def _winner(self, rules: Sequence[Rule], given: Iterable[ConditionResult]) -> tuple[Rule, ConditionResult] | None:
        """Return the deciding rule and its result; None if no rule holds. Evaluation stops at the first denying rule."""
        won, best = None, -1
        for rule, verdict in zip(rules, given, strict=False):
            if verdict is False:
                continue
            rank = STRICTNESS[self.final_outcome(rule.then)] if verdict is True else STRICTNESS["deny"]
            if rank > best:
                won, best = (rule, verdict), rank
            if rank == STRICTNESS["deny"]:
                break
        return won

    def _trace(self, rule: Rule, call: PolicyInput, verdict: ConditionResult | None, *, won: bool) -> RuleTrace:
        outcome = self.final_outcome(rule.then)
        if verdict is None:
            skipped_by: Literal["tool", "who", "profile"] = "who"
            if not rule.selects(call.operation):
                skipped_by = "tool"
            elif not rule.applies_to_profile(call.profile):
                skipped_by = "profile"
            return RuleTrace(rule.name, outcome, rule.when, skipped_by)
        if isinstance(verdict, Message):
            return RuleTrace(rule.name, "deny", rule.when, error=verdict, won=won)
        return RuleTrace(rule.name, outcome, rule.when, value=verdict, won=won)

    def final_outcome(self, outcome: DecisionOutcome) -> DecisionOutcome:
        """Return the outcome of a rule under `confirm_via`."""
        return "approve" if outcome == "confirm" and self.confirm_via == "approval" else outcome

    def _applicable_rules(self, operation: Operation, principal: Principal, profile: str) -> _ApplicableRules:
        """Return the rules for this operation, caller and profile, in file order."""
        key = (operation.key, principal.id, principal.groups, profile)
        found = self._applicable.get(key)
        if found is None:
            mine = self.groups_of(principal)
            rules = tuple(
                rule
                for rule in self._select(operation)
                if rule.applies_to_profile(profile)
                and (not rule.who or self._matches_caller(rule.who, principal, mine))
            )
            found = _ApplicableRules(rules, tuple(rule.when for rule in rules if rule.when is not None), mine)
            if len(self._applicable) >= MAX_CACHED:
                self._applicable.clear()
            self._applicable[key] = found
        return found

    def _select(self, operation: Operation) -> tuple[Rule, ...]:
        found = self._selected.get(operation.key)
        if found is None:
            found = self._selected[operation.key] = tuple(rule for rule in self.rules if rule.selects(operation))
        return found

    def groups_of(self, principal: Principal) -> frozenset[str]:
        """Return the caller's groups: those of the file that list them, and others that the file does not define."""
        own = {
            name
            for name, members in self.groups.items()
            if any(matches_glob(member, principal.id) for member in members)
        }
        closed = {fold_name(name) for name in self.groups}
        return frozenset(own | {name for name in principal.groups if fold_name(name) not in closed})

    def _matches_caller(self, who: Sequence[str], principal: Principal, mine: frozenset[str]) -> bool:
        """Return whether an entry matches the caller. A group name of the file never matches a person of that name."""
        return any(name in mine or (name not in self.groups and matches_glob(name, principal.id)) for name in who)


def effect_words(effects: Effects) -> frozenset[str]:
    """Return the words that a rule's `effects` can use for an operation: effect, reversibility, reach, touched systems."""
    found = {effects.effect, effects.reversibility, *effects.blast}
    touched = {
        "email": effects.email != "no",
        "money": effects.money != "no",
        "outside": bool(effects.outside),
        "personal_data": effects.personal_data,
    }
    return frozenset(found | {word for word, does in touched.items() if does})


def matches_glob(pattern: str, text: str) -> bool:
    """Return whether a glob matches: `*` for any characters, `?` for one, all else literally."""
    return pattern == text or (("*" in pattern or "?" in pattern) and _glob(pattern).match(text) is not None)


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.replace("[", "[[]")))


def _result_in_advance(rule: Rule, operation: Operation, principal: Principal, profile: str) -> ConditionResult | None:
    """Return the result of a rule for all arguments and states; None if it depends on them."""
    if rule.when is None:
        return True
    if conditions.used_variables(rule.when) <= {"principal"}:
        return next(iter(conditions.evaluate_conditions((rule.when,), PolicyInput(operation, {}, principal, profile))))
    return None


def _default_reason(rule: Rule, outcome: DecisionOutcome, level: str) -> Message:
    """Return the reason of a rule that states none, in both languages."""
    if rule.levels and not (rule.who or rule.profile or rule.when):
        return one_of("policy.by_level", outcome, level=level)
    return one_of("policy.by_rule", outcome, rule=rule.name)
