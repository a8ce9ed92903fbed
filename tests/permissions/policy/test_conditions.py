"""Conditions of rules: their variables, and denial where one cannot be evaluated."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy import conditions
from saasus_mcp.permissions.policy.model import Principal
from tests.support.policies import PRINCIPAL, build_case, build_policy, build_rule, decide_case


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ('args.tenant_id == "t1"', True),
        ('args.tenant_id == "t9"', False),
        ("args.tenant_id in principal.claims.tenants", True),
        ('principal.id == "local:me" && "support" in principal.groups', True),
        ('principal.claims.nested.set == ["a", "b"]', True),
        ('target.plan_id == "enterprise"', True),
        ("impact.users > 2", True),
        ("has(args.nothing)", False),
        ('args["tenant_id"].startsWith("t")', True),
        ('args.tenant_id == "t1" // and so on', True),
        ("args.flag", True),
    ],
)
def test_a_condition_is_true_or_false(deleting: Operation, when: str, holds: bool) -> None:
    args = {"tenant_id": "t1", "flag": True}
    here = build_case(deleting, args, target={"plan_id": "enterprise"}, impact={"users": 3})
    assert build_policy(build_rule(when=when)).decide(here).outcome == ("allow" if holds else "deny")


FAILING = [
    ("args.nothing == 1", "`nothing` is missing"),
    ("args.tenant_id > 3", "values of different types"),
    ("args.number", "it returns int, not true or false"),
    ("args.tenant_id", "it returns string, not true or false"),
    ("1 / (args.number - 1) == 1", "divides by zero"),
    ("args.tenant_id.x == 1", "has no fields"),
    ("target.plan_id == 'x'", "`target` could not be read"),
    ("impact.users > 3 || target.x == 1", "`impact` and `target` could not be read"),
    ("target.x == 1 || true", "`target` could not be read"),
    ("args.many.all(a, args.many.all(b, a <= b || a >= b))", "too many steps"),
    ("args.map[args.secret] == 1", "a field that it uses is missing"),
    ("timestamp(args.secret) > timestamp('2026-01-01T00:00:00Z')", "it failed"),
]


@pytest.mark.parametrize(("when", "why"), FAILING)
def test_an_unknown_condition_denies_and_says_why(deleting: Operation, when: str, why: str) -> None:
    args = {"tenant_id": "t1", "number": 1, "many": list(range(3000)), "map": {"a": 1}, "secret": "hunter2"}
    for then in ("allow", "confirm", "approve", "deny"):
        decided = build_policy(build_rule("fine"), build_rule("doubtful", then, when=when))
        decision = decided.decide(build_case(deleting, args))
        assert (decision.outcome, decision.rule) == ("deny", "doubtful")
        assert why in str(decision.reason)
        assert "hunter2" not in str(decision.reason)


@pytest.mark.parametrize("value", [2**70, "\ud800", object(), {1, "a"}])
def test_values_that_the_runtime_cannot_take_deny(deleting: Operation, value: object) -> None:
    decided = build_policy(
        build_rule("r", when="has(args.x) || true"), *(build_rule(f"r{n}", when=f"args.x == {n}") for n in range(20))
    )
    assert decided.decide(build_case(deleting, {"x": value})).outcome == "deny"
    claims = Principal("local:me", claims={"x": value})
    assert (
        build_policy(build_rule(when='principal.claims.x == "a"'))
        .decide(build_case(deleting, principal=claims))
        .outcome
        == "deny"
    )


def test_many_conditions_are_explained_like_few(deleting: Operation) -> None:
    many = [build_rule(f"r{n}", when=f"args.n == {n}") for n in range(40)]
    assert decide_case(build_policy(*many), build_case(deleting, {"n": 31})) == ("allow", "r31")
    assert decide_case(build_policy(*many), build_case(deleting, {})) == ("deny", "r0")
    failing = [*many[:20], build_rule("bad", when="args.text == 1 || args.missing == 1"), *many[20:]]
    assert decide_case(build_policy(*failing), build_case(deleting, {"n": 31, "text": "a"})) == ("deny", "bad")


def test_a_condition_on_an_empty_target_is_known(deleting: Operation) -> None:
    empty = build_case(deleting, {}, target={}, impact={})
    assert build_policy(build_rule(when="!has(target.plan_id) && size(impact) == 0")).decide(empty).outcome == "allow"


@pytest.mark.parametrize("value", [1, "t", ["t"], None])
def test_among_many_conditions_too_what_is_neither_true_nor_false_denies(deleting: Operation, value: object) -> None:
    many = [build_rule(f"r{n}", when=f"args.n == {n}") for n in range(40)]
    decision = build_policy(*many, build_rule("doubtful", when="args.value")).decide(
        build_case(deleting, {"n": -1, "value": value})
    )
    assert (decision.outcome, decision.rule) == ("deny", "doubtful")
    assert "not true or false" in str(decision.reason)


def test_conditions_beyond_the_combined_limit_are_explained_one_by_one(deleting: Operation) -> None:
    long = "a" * 9000
    many = [build_rule(f"r{n}", when=f'args.n == {n} && args.t != "{long}"') for n in range(20)]
    assert decide_case(build_policy(*many), build_case(deleting, {"n": 7, "t": "x"})) == ("allow", "r7")


def test_needs_are_what_the_conditions_of_its_own_rules_speak_of(catalogue: Catalogue, deleting: Operation) -> None:
    decided = build_policy(
        build_rule("a", tools=("auth_delete_tenant",), when="impact.users > 3"),
        build_rule("b", tools=("auth_delete_tenant",), who=("local:you",), when="target.x == 1"),
        build_rule("c", tools=("auth_delete_tenant",), profile=("staging",), when="target.x == 1 && impact.y == 1"),
    )
    assert decided.required_state(deleting, PRINCIPAL, "default") == {"impact"}
    assert decided.required_state(deleting, PRINCIPAL, "staging") == {"impact", "target"}
    assert decided.required_state(deleting, Principal("local:you"), "default") == {"impact", "target"}
    assert decided.required_state(catalogue.find("auth_get_tenant"), PRINCIPAL, "default") == frozenset()


def test_a_name_inside_a_condition_is_not_a_variable() -> None:
    assert conditions.used_variables('args.x.exists(target, target == "impact")') == {"args"}
    assert conditions.used_variables("args.target == principal.claims.impact") == {"args", "principal"}


@pytest.mark.parametrize(("text", "why"), [('args.x == "\ud800"', "half a character"), ("x" * 100_001, "limit")])
def test_an_invalid_expression_is_reported(text: str, why: str) -> None:
    fault = conditions.check_condition(text)
    assert fault is not None
    assert why in str(fault[2])
    assert conditions.check_condition("args.x == 1") is None
