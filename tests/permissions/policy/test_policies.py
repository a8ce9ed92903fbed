"""Every kind of policy, asked in every way; the people it is asked about; and what it costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy.model import Decision, DecisionOutcome, Policy, Principal, stricter_decision
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, UnsafeAllowAllPolicy
from saasus_mcp.permissions.policy.wrappers import PolicyWrapper
from tests.support.policies import PRINCIPAL, build_case, build_policy, build_rule
from tests.support.timing import cpu_seconds

# -- the other policies, asked by case ---------------------------------------------------------------------------------


def test_an_unconditionally_denied_tool_is_not_listed(catalogue: Catalogue) -> None:
    rules = build_policy(
        build_rule("reads", tools=(), levels=("read",)), build_rule("asked", "confirm", tools=(), levels=("write",))
    )
    policies: list[Policy] = [*PRESETS.values(), UnsafeAllowAllPolicy(), ReadOnlyPolicy(rules), rules]
    for decided in policies:
        for operation in catalogue:
            denied = decided.decide(build_case(operation, profile="")).outcome == "deny"
            assert decided.could_allow(operation, PRINCIPAL) != denied


def test_the_ceiling_reads_no_state_for_what_it_denies(catalogue: Catalogue, deleting: Operation) -> None:
    under = build_policy(
        build_rule(when="impact.users > 3"), two_person=True, ceilings={"writes_per_minute": 3}, announcement="loud"
    )
    ceiling = ReadOnlyPolicy(under)
    assert ceiling.required_state(deleting, PRINCIPAL, "default") == frozenset()
    assert ceiling.required_state(catalogue.find("auth_get_tenant"), PRINCIPAL, "default") == {"impact"}
    assert ceiling.decide(build_case(deleting, impact={"users": 9})).outcome == "deny"
    assert (ceiling.two_person, ceiling.ceilings, ceiling.announcement) == (True, {"writes_per_minute": 3}, "loud")


def test_only_what_allows_everything_lifts_the_budgets() -> None:
    assert UnsafeAllowAllPolicy().ceilings is None
    assert all(preset.ceilings == {} and not preset.two_person for preset in PRESETS.values())
    assert build_policy(build_rule()).ceilings == {}


# -- people ------------------------------------------------------------------------------------------------------------


def test_people_are_distinguished_by_their_claims_and_can_be_keys() -> None:
    plain, clerk = Principal("a"), Principal("a", claims={"tenants": ["t1"]})
    assert plain != clerk
    assert hash(plain) == hash(clerk)
    assert {plain: 1, clerk: 2} == {Principal("a", claims={"tenants": ["t1"]}): 2, Principal("a"): 1}
    assert plain == replace(clerk, claims={})


# -- cost --------------------------------------------------------------------------------------------------------------


def test_two_hundred_rules_cost_next_to_nothing(catalogue: Catalogue, deleting: Operation) -> None:
    tools = [operation.tool for operation in catalogue]
    rules = [build_rule(f"r{n}", tools=(tools[n % len(tools)],), when=f'args.tenant_id == "t{n}"') for n in range(200)]
    decided = build_policy(build_rule("mine", tools=("auth_delete_tenant",), when="impact.users < 50"), *rules)
    here = build_case(deleting, {"tenant_id": "t1"}, impact={"users": 3})

    assert cpu_seconds(lambda: decided.decide(here), runs=200, enough=0.0003) < 0.0003


def test_the_memory_of_callers_is_bounded(deleting: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.permissions.policy.rules.MAX_CACHED", 10)
    decided = build_policy(build_rule(who=("local:*",)))
    for number in range(50):
        assert decided.decide(build_case(deleting, principal=Principal(f"local:{number}"))).outcome == "allow"
    assert len(decided._applicable) <= 10


@pytest.mark.parametrize(
    ("one", "other", "wins"), [("allow", "confirm", "b"), ("deny", "approve", "a"), ("allow", "allow", "a")]
)
@pytest.mark.parametrize("typed", [(True, False), (False, True), (False, False)])
def test_of_two_decisions_the_stricter_holds_and_a_name_that_either_wants_is_typed(
    one: DecisionOutcome, other: DecisionOutcome, wins: str, typed: tuple[bool, bool]
) -> None:
    held = stricter_decision(Decision(one, "a", "", typed[0]), Decision(other, "b", "", typed[1]))
    assert (held.rule, held.typed) == (wins, any(typed))


def test_a_caller_with_changed_groups_is_decided_by_the_new_ones(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.GetTenants")
    decided = build_policy(build_rule(who=("operators",)))
    for groups, wanted in (((), "deny"), (("operators",), "allow"), (("testers",), "deny")):
        who = Principal("token:olga", frozenset(groups))
        assert decided.decide(build_case(operation, principal=who)).outcome == wanted
        assert decided.could_allow(operation, who, "default") == (wanted == "allow")


def test_a_wrapper_answers_for_its_inner_policy_in_every_respect() -> None:
    members = {name for name in vars(Policy) | Policy.__annotations__ if not name.startswith("_")}
    assert members <= vars(PolicyWrapper).keys(), "what it lacks would be the default of `Policy`"
