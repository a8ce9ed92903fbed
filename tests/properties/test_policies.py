"""A policy decides as its words say: held against an evaluation so naive that it can be read at a glance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.policy.model import DecisionOutcome, PolicyInput, Principal
from saasus_mcp.permissions.policy.rules import Rule, RulePolicy
from tests.support.strategies import CATALOGUE

OUTCOMES: list[DecisionOutcome] = ["allow", "confirm", "approve", "deny"]
TOOLS = ["auth_delete_tenant", "auth_get_tenant", "auth_create_tenant", "pricing_delete_all_plans_and_units_and_menus"]
OPERATIONS: list[Operation] = [
    *(operation for operation in CATALOGUE if operation.tool in TOOLS),
    *(next(operation for operation in CATALOGUE if operation.level == level) for level in ("write", "destructive")),
]


class CannotTell(Exception):
    """The naive evaluation of a condition has no value."""


def _known(value: Any) -> Any:
    if value is None:
        raise CannotTell
    return value


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise CannotTell
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise CannotTell
    return value


CONDITIONS: dict[str, Callable[[PolicyInput], bool]] = {
    "true": lambda _: True,
    "false": lambda _: False,
    "args.n > 2": lambda case: _number(case.arguments.get("n")) > 2,
    "has(args.n) && args.n == 1": lambda case: case.arguments.get("n") == 1 and case.arguments["n"] is not True,
    "args.n": lambda case: _truth(case.arguments.get("n")),
    'principal.id == "local:a"': lambda case: case.principal.id == "local:a",
    '"g" in principal.groups': lambda case: "g" in case.principal.groups,
    'principal.claims.level == "high"': lambda case: _known(case.principal.claims.get("level")) == "high",
    'target.plan == "pro"': lambda case: _known(_known(case.target).get("plan")) == "pro",
    "impact.users > 5": lambda case: _number(_known(case.impact).get("users")) > 5,
    "has(impact.users)": lambda case: "users" in _known(case.impact),
}

whens = st.none() | st.sampled_from(sorted(CONDITIONS))
selectors = st.sampled_from(
    [
        {"tools": ("*",)},
        {"tools": ("auth_*", "pricing.*")},
        {"tools": ("auth.DeleteTenant",)},
        {"module": ("auth",)},
        {"levels": ("critical", "write")},
        {"effects": ("delete", "money")},
    ]
)
rules = st.builds(
    lambda selector, **given: Rule(**selector, **given),
    selectors,
    name=st.just(""),
    then=st.sampled_from(OUTCOMES),
    who=st.sampled_from([(), (), ("local:*",), ("local:b", "own"), ("g",)]),
    profile=st.sampled_from([(), (), ("default",), ("staging", "production")]),
    when=whens,
)


def _policy(given: list[Rule], via: Any) -> RulePolicy:
    named = tuple(replace(rule, name=f"r{number}") for number, rule in enumerate(given))
    return RulePolicy("random", named, groups={"own": ("local:a",)}, confirm_via=via)


policies = st.builds(_policy, st.lists(rules, max_size=14), st.sampled_from(["client", "approval"]))
cases = st.builds(
    PolicyInput,
    operation=st.sampled_from(OPERATIONS),
    arguments=st.fixed_dictionaries({}, optional={"n": st.sampled_from([0, 1, 2, 3, True, False, "x", None])}),
    principal=st.builds(
        Principal,
        st.sampled_from(["local:a", "local:b", "own"]),
        st.sampled_from([frozenset(), frozenset({"g"})]),
        st.sampled_from([{}, {"level": "high"}, {"level": "low"}]),
    ),
    profile=st.sampled_from(["default", "staging", "other"]),
    target=st.sampled_from([None, {}, {"plan": "pro"}, {"plan": "free"}]),
    impact=st.sampled_from([None, {}, {"users": 3}, {"users": 9}]),
)


def _concerns(rule: Rule, case: PolicyInput, groups: dict[str, tuple[str, ...]]) -> bool:
    operation, row, who = case.operation, case.operation.effects, case.principal
    money = {"money"} if row.money != "no" else set()
    selected = [
        any(fnmatchcase(name, tool) for name in (operation.tool, operation.key) for tool in rule.tools),
        operation.module in rule.module,
        operation.level in rule.levels,
        bool({row.effect, *money} & set(rule.effects)),
    ]
    mine = [name for name, members in groups.items() if who.id in members]
    meant = [
        name in mine or (name not in groups and (name in who.groups or fnmatchcase(who.id, name))) for name in rule.who
    ]
    return any(selected) and (not rule.who or any(meant)) and (not rule.profile or case.profile in rule.profile)


def naive(policy: RulePolicy, case: PolicyInput) -> tuple[str, str]:
    """Return the decision, by going through all rules once for each outcome, strictest first."""
    found: list[tuple[str, str]] = []
    for rule in policy.rules:
        if _concerns(rule, case, dict(policy.groups)):
            hardened = rule.then == "confirm" and policy.confirm_via == "approval"
            try:
                if rule.when is None or CONDITIONS[rule.when](case):
                    found.append(("approve" if hardened else rule.then, rule.name))
            except CannotTell:
                found.append(("deny", rule.name))
    for outcome in reversed(OUTCOMES):
        for then, name in found:
            if then == outcome:
                return then, name
    return "deny", "none"


@pytest.mark.slow
@given(policies, cases)
def test_the_decision_is_what_a_naive_reading_gives(policy: RulePolicy, case: PolicyInput) -> None:
    decision = policy.decide(case)
    assert (decision.outcome, decision.rule) == naive(policy, case)
    assert decision.reason
    assert policy.decide(case) == decision


@pytest.mark.slow
@given(policies, cases, rules, st.integers(0, 14))
def test_adding_a_rule_that_denies_never_permits_more(
    policy: RulePolicy, case: PolicyInput, added: Rule, where: int
) -> None:
    before = policy.decide(case)
    denying = replace(added, name="added", then="deny")
    after = replace(policy, rules=(*policy.rules[:where], denying, *policy.rules[where:])).decide(case)
    assert after.outcome in (before.outcome, "deny")
    assert OUTCOMES.index(after.outcome) >= OUTCOMES.index(before.outcome)


@given(policies, cases)
def test_an_unlisted_tool_is_denied_with_any_arguments(policy: RulePolicy, case: PolicyInput) -> None:
    if not policy.could_allow(case.operation, case.principal, case.profile):
        assert policy.decide(case).outcome == "deny"


@given(policies, cases)
def test_state_that_is_not_needed_decides_nothing(policy: RulePolicy, case: PolicyInput) -> None:
    needed = policy.required_state(case.operation, case.principal, case.profile)
    target = case.target if "target" in needed else None
    impact = case.impact if "impact" in needed else None
    assert policy.decide(replace(case, target=target, impact=impact)) == policy.decide(case)


@given(policies, cases)
def test_the_explanation_tells_the_decision(policy: RulePolicy, case: PolicyInput) -> None:
    decision, told = policy.decide(case), policy.explain(case)
    won = [rule for rule in told if rule.won]
    assert [rule.rule for rule in told] == [rule.name for rule in policy.rules]
    assert [(rule.outcome, rule.rule) for rule in won] == (
        [] if decision.rule == "none" else [(decision.outcome, decision.rule)]
    )
    assert all(
        (rule.skipped_by is None) == _concerns(own, case, dict(policy.groups))
        for rule, own in zip(told, policy.rules, strict=True)
    )
    assert all(rule.outcome == "deny" for rule in told if rule.error)
