"""The consent to a plan, for a step under a policy that has changed since: it never covers more than was approved."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy.model import BulkLimits, DecisionOutcome
from saasus_mcp.permissions.policy.rules import RulePolicy
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, JobStepRef
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline, evaluate_call
from tests.support.policies import build_policy, build_rule

JOB = "j" * 32
PLAIN = ("auth_create_role", {"role_name": "a", "display_name": "A"})
TYPED = ("auth_delete_tenant_user", {"tenant_id": "t-1", "user_id": "u-1"})


def wants(then: DecisionOutcome) -> RulePolicy:
    return build_policy(
        build_rule("reads", levels=("read", "read_sensitive"), tools=()),
        build_rule("writes", then, tools=("auth_*e_*",)),
    )


async def make_step(
    catalogue: Catalogue,
    store: Store,
    step: tuple[str, dict[str, Any]],
    then: DecisionOutcome,
    other: dict[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None,
    answers: Mapping[str, Any] | None = None,
    **agreed: Any,
) -> tuple[ToolAnswer, StubApi]:
    """Make a step of a plan with this consent, under a policy with this decision and these fields.

    Args:
        answers: of the API, once the consent was given.
    """
    api, part = StubApi(catalogue), JobStepRef(JOB, "one", **{"by": "local:person", "plan": "p", **agreed})
    behind = build_pipeline(api, store, replace(wants(then), **(policy or {})))
    weighed = await evaluate_call(behind, Call(*step, PRINCIPAL, job_step=part))
    steps, given, typed = {"one": weighed.digest}, agreed.get("given", "none"), agreed.get("typed", False)
    grant = JobGrant("job_x", PRINCIPAL.id, "default", "p", given, "local:person", typed, steps)
    store.commit(JOB, {"operation": "job_x"}, time.time(), commitment=Commitment(grant=grant))
    api.answers |= answers or {}
    answer = await behind.run(
        Call(*step, PRINCIPAL, job_step=replace(part, **{"bound": weighed.snapshot, **(other or {})}))
    )
    assert isinstance(answer, ToolAnswer)
    return answer, api


@pytest.mark.parametrize(
    ("step", "then", "agreed"),
    [
        (PLAIN, "allow", {}),
        (PLAIN, "confirm", {"given": "confirmation"}),
        (PLAIN, "confirm", {"given": "approval"}),
        (PLAIN, "approve", {"given": "approval"}),
        (TYPED, "confirm", {"given": "confirmation", "typed": True}),
        (TYPED, "approve", {"given": "approval", "typed": True}),
    ],
)
async def test_a_step_goes_once_under_a_yes_that_is_as_strong_as_the_policy_wants(
    catalogue: Catalogue, store: Store, step: tuple[str, dict[str, Any]], then: DecisionOutcome, agreed: dict[str, Any]
) -> None:
    given, api = await make_step(catalogue, store, step, then, **agreed)
    assert given.ok, given.text
    assert len(api.writes) == 1


@pytest.mark.parametrize(
    ("step", "then", "agreed"),
    [
        (PLAIN, "confirm", {}),
        (PLAIN, "approve", {}),
        (PLAIN, "approve", {"given": "confirmation"}),
        (TYPED, "confirm", {"given": "confirmation"}),
        (TYPED, "approve", {"given": "confirmation", "typed": True}),
        (TYPED, "approve", {"given": "approval"}),
    ],
)
async def test_a_step_for_which_the_policy_wants_more_than_was_given_is_not_made(
    catalogue: Catalogue, store: Store, step: tuple[str, dict[str, Any]], then: DecisionOutcome, agreed: dict[str, Any]
) -> None:
    given, api = await make_step(catalogue, store, step, then, **agreed)
    assert (given.ok, given.why) == (False, "stricter"), given.text
    assert "Start the job again" in given.text
    assert api.writes == []


async def test_a_step_whose_target_cannot_be_read_is_not_made_and_says_so(catalogue: Catalogue, store: Store) -> None:
    answers = {"auth.GetTenantUser": httpx2.Response(403)}
    given, api = await make_step(catalogue, store, TYPED, "confirm", answers=answers, given="confirmation", typed=True)
    assert (given.why, api.writes) == ("unseen", [])
    assert given.failure is not None
    assert given.failure.message.id == "server.job_target_unread"
    assert "HTTP 403" in given.failure.message.text("ja")


async def test_a_step_whose_target_the_plan_did_not_see_so_is_no_part_of_it(catalogue: Catalogue, store: Store) -> None:
    given, api = await make_step(catalogue, store, TYPED, "confirm", {"bound": ""}, given="confirmation", typed=True)
    assert "not part of the plan" in given.text
    assert api.writes == []


async def test_a_job_may_only_read_beyond_its_plan_under_any_policy(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, wants("allow"))
    given = await behind.run(Call(*PLAIN, PRINCIPAL, job_step=JobStepRef(JOB, given="approval")))
    assert isinstance(given, ToolAnswer)
    assert (given.ok, given.why) == (False, "denied")
    assert api.sent == []


CRITICAL = ("auth_delete_tenant", {"tenant_id": "t-1"})
SHARED: dict[str, Any] = {"given": "approval", "typed": True, "critical": "auth.DeleteTenant", "critical_count": 2}


@pytest.mark.parametrize(
    ("by", "policy", "why"),
    [
        ("local:person", {"two_person": True, "bulk": BulkLimits(critical_limit=2)}, ""),
        (PRINCIPAL.id, {}, ""),
        (PRINCIPAL.id, {"two_person": True}, "stricter"),
        ("local:person", {"bulk": BulkLimits(critical_limit=1)}, "stricter"),
        ("local:person", {"bulk": BulkLimits(critical="each")}, "stricter"),
    ],
    ids=["another person", "the requester", "the requester of two", "too many", "each"],
)
async def test_critical_steps_share_an_approval_as_far_as_the_policy_in_force_lets_them(
    catalogue: Catalogue, store: Store, by: str, policy: dict[str, Any], why: str
) -> None:
    given, api = await make_step(catalogue, store, CRITICAL, "approve", policy=policy, by=by, **SHARED)
    assert (given.ok, given.why) == (not why, why), given.text
    assert len(api.writes) == (0 if why else 1)


@pytest.mark.parametrize(
    ("bulk", "why"),
    [
        (BulkLimits(max_calls=3), ""),
        (BulkLimits(max_calls=2), "stricter"),
        (BulkLimits(levels=("write_sensitive",)), "stricter"),
    ],
    ids=["as many", "too many", "another level"],
)
@pytest.mark.parametrize("then", ["allow", "confirm"])
async def test_a_call_of_a_list_is_made_as_far_as_the_policy_in_force_lets_lists_be(
    catalogue: Catalogue, store: Store, then: DecisionOutcome, bulk: BulkLimits, why: str
) -> None:
    given, api = await make_step(
        catalogue, store, PLAIN, then, policy={"bulk": bulk}, given="confirmation", typed=True, listed=3
    )
    assert (given.ok, given.why) == (not why, why), given.text
    assert len(api.writes) == (0 if why else 1)


@pytest.mark.parametrize("then", ["confirm", "approve", "deny"])
async def test_a_job_makes_no_read_beyond_its_plan_that_the_policy_does_not_allow_unasked(
    catalogue: Catalogue, store: Store, then: DecisionOutcome
) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, build_policy(build_rule("reads", then, levels=("read",), tools=())))
    step = JobStepRef(JOB, given="approval", typed=True, by="local:person", plan="p")
    given = await behind.run(Call("auth_get_roles", {}, PRINCIPAL, job_step=step))
    assert isinstance(given, ToolAnswer)
    assert (given.ok, given.why) == (False, "denied"), given.text
    assert api.sent == []


async def test_a_critical_step_waits_for_its_own_approval_where_the_policy_would_be_content_with_less(
    catalogue: Catalogue, store: Store
) -> None:
    given, api = await make_step(catalogue, store, CRITICAL, "confirm", given="approval", typed=True)
    assert (given.ok, given.why) == (False, "approval")
    assert api.writes == []
