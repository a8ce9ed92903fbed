"""The rules of a policy: what wins, whom and what they concern, what is listed, how it is explained."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy.model import DecisionOutcome, Principal
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, UnsafeAllowAllPolicy
from saasus_mcp.permissions.policy.rules import Rule, effect_words, matches_glob
from tests.support.policies import PRINCIPAL, build_case, build_policy, build_rule, decide_case

# -- what wins ---------------------------------------------------------------------------------------------------------


def test_a_call_that_no_rule_allows_is_denied(deleting: Operation) -> None:
    decision = build_policy(build_rule(tools=("auth_get_*",))).decide(build_case(deleting))
    assert (decision.outcome, decision.rule, decision.typed) == ("deny", "none", True)
    assert decision.reason


@pytest.mark.parametrize(
    ("first", "second", "wins"),
    [
        ("allow", "confirm", "b"),
        ("confirm", "approve", "b"),
        ("approve", "deny", "b"),
        ("deny", "allow", "a"),
        ("approve", "confirm", "a"),
        ("confirm", "allow", "a"),
        ("allow", "allow", "a"),
        ("deny", "deny", "a"),
    ],
)
def test_the_stricter_wins_and_of_equals_the_first(
    deleting: Operation, first: DecisionOutcome, second: DecisionOutcome, wins: str
) -> None:
    decided = build_policy(build_rule("a", first), build_rule("b", second))
    assert decide_case(decided, build_case(deleting)) == (first if wins == "a" else second, wins)


def test_a_decision_has_a_reason_even_where_the_rule_gives_none(deleting: Operation) -> None:
    for then in ("allow", "confirm", "approve", "deny"):
        assert "'r'" in str(build_policy(build_rule(then=then)).decide(build_case(deleting)).reason)
    assert build_policy(build_rule(reason="because")).decide(build_case(deleting)).reason == "because"


def test_grave_calls_are_confirmed_by_typing(catalogue: Catalogue) -> None:
    for operation in catalogue:
        typed = build_policy(build_rule(then="confirm")).decide(build_case(operation)).typed
        assert typed == (operation.level in ("destructive", "critical"))


def test_confirming_can_be_hardened_to_approving(deleting: Operation) -> None:
    hardened = build_policy(build_rule("a", "confirm"), build_rule("b", "approve"), confirm_via="approval")
    assert decide_case(hardened, build_case(deleting)) == ("approve", "a")
    assert decide_case(build_policy(build_rule("a", "confirm"), confirm_via="approval"), build_case(deleting)) == (
        "approve",
        "a",
    )
    assert decide_case(build_policy(build_rule("a"), confirm_via="approval"), build_case(deleting)) == ("allow", "a")


# -- whom and what a rule concerns -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selector", "concerned"),
    [
        ({"tools": ("auth_delete_tenant",)}, True),
        ({"tools": ("auth.DeleteTenant",)}, True),
        ({"tools": ("auth_delete_*",)}, True),
        ({"tools": ("auth.Delete*",)}, True),
        ({"tools": ("auth_get_*", "*_tenant")}, True),
        ({"tools": ("auth_delete_tenan",)}, False),
        ({"tools": ("auth_delete_tenan?",)}, True),
        ({"tools": ("auth_[d]elete_tenant*",)}, False),
        ({"tools": (), "module": ("auth",)}, True),
        ({"tools": (), "module": ("pricing",)}, False),
        ({"tools": (), "levels": ("read", "critical")}, True),
        ({"tools": (), "levels": ("destructive",)}, False),
        ({"tools": (), "effects": ("delete",)}, True),
        ({"tools": (), "effects": ("tenant", "email")}, True),
        ({"tools": (), "effects": ("create", "email")}, False),
        ({"tools": ()}, True),
    ],
)
def test_the_tools_of_a_rule(deleting: Operation, selector: dict[str, Any], concerned: bool) -> None:
    assert build_rule(**selector).selects(deleting) == concerned


def test_effects_are_named_by_the_words_of_the_table(catalogue: Catalogue) -> None:
    for operation in catalogue:
        row, found = operation.effects, effect_words(operation.effects)
        assert {row.effect, row.reversibility, *row.blast} <= found
        assert ("email" in found) == (row.email != "no")
        assert ("money" in found) == (row.money != "no")
        assert ("outside" in found) == bool(row.outside)
        assert ("personal_data" in found) == row.personal_data


@pytest.mark.parametrize(
    ("who", "concerned"),
    [
        (("local:me",), True),
        (("local:*",), True),
        (("local:m?",), True),
        (("LOCAL:ME",), False),
        (("support",), True),
        (("sup*",), False),
        (("desk",), True),
        (("local:you", "billing"), False),
        ((), True),
    ],
)
def test_the_callers_of_a_rule(deleting: Operation, who: tuple[str, ...], concerned: bool) -> None:
    decided = build_policy(build_rule(who=who), groups={"desk": ("local:m*",), "billing": ("local:you",)})
    assert (decided.decide(build_case(deleting)).outcome == "allow") == concerned


def test_a_person_called_like_a_group_of_the_file_is_not_in_it(deleting: Operation) -> None:
    decided = build_policy(build_rule(who=("admins",)), groups={"admins": ("local:boss",)})
    impostor, boss = Principal("admins"), Principal("local:boss")
    assert decided.decide(build_case(deleting, principal=impostor)).outcome == "deny"
    assert decided.decide(build_case(deleting, principal=boss)).outcome == "allow"


IMPOSTORS = (
    "owners",
    "Owners",
    "OWNERS",
    "\N{FULLWIDTH LATIN SMALL LETTER O}wners",
    " owners ",
    "owner\N{LATIN SMALL LETTER LONG S}",
)


@pytest.mark.parametrize("brought", IMPOSTORS)
@pytest.mark.parametrize(
    "rules",
    [
        (build_rule(who=("owners",)),),
        (build_rule(when='"owners" in principal.groups'),),
        (build_rule(when='principal.groups.exists(g, g.matches("(?i)^ ?owner."))'),),
        (build_rule("all"), build_rule("others", "deny", when='!("owners" in principal.groups)')),
    ],
    ids=["who", "in", "matches", "not in"],
)
def test_a_group_whose_members_the_file_lists_takes_nobody_else_in(
    deleting: Operation, rules: tuple[Rule, ...], brought: str
) -> None:
    decided = build_policy(*rules, groups={"owners": ("local:alice",)})
    mallory, alice = Principal("oidc:idp|mallory", frozenset({brought})), Principal("local:alice")
    assert decided.decide(build_case(deleting, principal=mallory)).outcome == "deny"
    assert not decided.could_allow(deleting, mallory, "default")
    assert not any(
        each.won and each.outcome == "allow" for each in decided.explain(build_case(deleting, principal=mallory))
    )
    assert decided.decide(build_case(deleting, principal=alice)).outcome == "allow"
    assert decided.could_allow(deleting, alice, "default")


def test_a_group_that_the_file_does_not_define_is_the_providers(deleting: Operation) -> None:
    decided = build_policy(build_rule(who=("clerks",)), groups={"owners": ("local:alice",)})
    brings = Principal("oidc:idp|eve", frozenset({"clerks", "owners"}))
    assert decided.groups_of(brings) == {"clerks"}
    assert decided.decide(build_case(deleting, principal=brings)).outcome == "allow"


def test_a_rule_of_a_profile_holds_there(deleting: Operation) -> None:
    decided = build_policy(
        build_rule("allowed", profile=("staging",)), build_rule("closed", "deny", profile=("production",))
    )
    assert decide_case(decided, build_case(deleting, profile="staging")) == ("allow", "allowed")
    assert decide_case(decided, build_case(deleting, profile="production")) == ("deny", "closed")
    assert decide_case(decided, build_case(deleting, profile="other")) == ("deny", "none")


def test_where_the_profile_is_not_known_only_what_forbids_holds(deleting: Operation) -> None:
    decided = build_policy(
        build_rule("allowed", profile=("staging",)), build_rule("closed", "deny", profile=("production",))
    )
    assert decide_case(decided, build_case(deleting, profile="")) == ("deny", "closed")


@pytest.mark.parametrize(("pattern", "text"), [("a[b]*", "a[b]c"), ("*", ""), ("a*", "a\nb"), ("[!a]", "[!a]")])
def test_only_star_and_question_mark_are_special(pattern: str, text: str) -> None:
    assert matches_glob(pattern, text)
    assert not matches_glob("a[b]*", "abc")


# -- what is listed ----------------------------------------------------------------------------------------------------


def test_listed_is_what_could_be_anything_but_denied(deleting: Operation) -> None:
    def listed(*rules: Rule, principal: Principal = PRINCIPAL, profile: str = "default") -> bool:
        return build_policy(*rules).could_allow(deleting, principal, profile)

    assert listed(build_rule())
    assert not listed()
    assert not listed(build_rule(tools=("auth_get_*",)))
    assert not listed(build_rule("a"), build_rule("b", "deny"))
    assert listed(build_rule("a"), build_rule("b", "deny", when="args.tenant_id == 'x'"))
    assert listed(build_rule("a", "approve", when="impact.users < 3"))
    assert not listed(build_rule("a", "deny", when="args.x == 1"))
    assert not listed(build_rule(who=("local:you",)))
    assert not listed(build_rule(profile=("staging",)))
    assert listed(build_rule(profile=("staging",)), profile="staging")


def test_a_condition_on_the_caller_alone_is_known_before_any_call(deleting: Operation) -> None:
    own = build_policy(build_rule(when='principal.claims.role == "admin"'))
    assert own.could_allow(deleting, Principal("a", claims={"role": "admin"}))
    assert not own.could_allow(deleting, Principal("a", claims={"role": "clerk"}))
    assert not own.could_allow(deleting, Principal("a"))
    assert not build_policy(build_rule("a"), build_rule("b", "deny", when='principal.id == "a"')).could_allow(
        deleting, Principal("a")
    )


# -- explaining --------------------------------------------------------------------------------------------------------


def test_every_rule_is_explained(deleting: Operation) -> None:
    decided = build_policy(
        build_rule("reads", tools=("auth_get_*",)),
        build_rule("others", who=("local:you",)),
        build_rule("staging", profile=("staging",)),
        build_rule("asked", "confirm"),
        build_rule("small", "approve", when="impact.users < 3"),
        build_rule("big", "deny", when="impact.users > 50"),
        build_rule("unseen", "deny", when="target.x == 1"),
        confirm_via="approval",
    )
    told = decided.explain(build_case(deleting, impact={"users": 1}))
    assert [(rule.rule, rule.outcome, rule.skipped_by, rule.value, rule.won) for rule in told] == [
        ("reads", "allow", "tool", None, False),
        ("others", "allow", "who", None, False),
        ("staging", "allow", "profile", None, False),
        ("asked", "approve", None, True, False),
        ("small", "approve", None, True, False),
        ("big", "deny", None, False, False),
        ("unseen", "deny", None, None, True),
    ]
    assert str(told[-1].error) == "`target` could not be read"
    calm = decided.explain(build_case(deleting, impact={"users": 1}, target={"x": 2}))
    assert [rule.rule for rule in calm if rule.won] == ["asked"]


def test_policies_without_rules_explain_themselves_too(catalogue: Catalogue, deleting: Operation) -> None:
    reading = catalogue.find("auth_get_tenant")
    for decided in (
        PRESETS["guarded"],
        UnsafeAllowAllPolicy(),
        ReadOnlyPolicy(build_policy(build_rule(when="impact.users > 3"))),
    ):
        for operation in (deleting, reading):
            here = build_case(operation, impact={"users": 4})
            (told,) = decided.explain(here)
            assert (told.outcome, told.rule) == decide_case(decided, here)
            assert told.won


def test_where_the_profile_is_not_known_a_rule_about_one_forbids_and_never_permits(deleting: Operation) -> None:
    permits, forbids = (
        build_rule("permits", profile=("staging",)),
        build_rule("forbids", "deny", profile=("production",)),
    )
    assert decide_case(build_policy(permits), build_case(deleting, profile="")) == ("deny", "none")
    assert decide_case(build_policy(build_rule("all"), forbids), build_case(deleting, profile="")) == (
        "deny",
        "forbids",
    )
    assert decide_case(build_policy(build_rule("all"), forbids), build_case(deleting, profile="staging")) == (
        "allow",
        "all",
    )
