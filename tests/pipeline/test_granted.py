"""What the yes to a whole plan is worth for a step of it, where the policy has changed since: never more than was given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy import Outcome
from saasus_mcp.permissions.rules import RulePolicy
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.server.call import Call, Part
from saasus_mcp.server.job_steps import weigh
from saasus_mcp.store import Commitment, Grant, Store
from tests.policies import policy, rule
from tests.support import ME, StubApi, pipeline

JOB = "j" * 32
PLAIN = ("auth_create_role", {"role_name": "a", "display_name": "A"})
TYPED = ("auth_delete_tenant_user", {"tenant_id": "t-1", "user_id": "u-1"})


def wants(then: Outcome) -> RulePolicy:
    return policy(
        rule("reads", levels=("read", "read_sensitive"), tools=()), rule("writes", then, tools=("auth_*e_*",))
    )


async def made(
    catalogue: Catalogue,
    store: Store,
    step: tuple[str, dict[str, Any]],
    then: Outcome,
    other: dict[str, Any] | None = None,
    **agreed: Any,
) -> tuple[ToolAnswer, StubApi]:
    """A step of a plan that was agreed to as `agreed` says, under a policy that now wants this.

    Args:
        other: what the step says otherwise than its plan.
    """
    api, part = StubApi(catalogue), Part(JOB, "one", by="local:person", plan="p", **agreed)
    behind = pipeline(api, store, wants(then))
    weighed = await weigh(behind, Call(*step, ME, part=part))
    steps, given, typed = {"one": weighed.digest}, agreed.get("given", "none"), agreed.get("typed", False)
    grant = Grant("job_x", ME.id, "default", "p", given, "local:person", typed, steps)
    store.commit(JOB, {"operation": "job_x"}, 0.0, None, Commitment(grant=grant))
    answer = await behind.run(Call(*step, ME, part=replace(part, **{"bound": weighed.bound, **(other or {})})))
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
    catalogue: Catalogue, store: Store, step: tuple[str, dict[str, Any]], then: Outcome, agreed: dict[str, Any]
) -> None:
    given, api = await made(catalogue, store, step, then, **agreed)
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
    catalogue: Catalogue, store: Store, step: tuple[str, dict[str, Any]], then: Outcome, agreed: dict[str, Any]
) -> None:
    given, api = await made(catalogue, store, step, then, **agreed)
    assert (given.ok, given.why) == (False, "stricter"), given.text
    assert "Start the job again" in given.text
    assert api.writes == []


async def test_a_step_whose_target_the_plan_did_not_see_so_is_no_part_of_it(catalogue: Catalogue, store: Store) -> None:
    given, api = await made(catalogue, store, TYPED, "confirm", {"bound": ""}, given="confirmation", typed=True)
    assert "not part of the plan" in given.text
    assert api.writes == []


async def test_what_a_job_does_beside_its_plan_is_to_read_however_much_the_policy_allows(
    catalogue: Catalogue, store: Store
) -> None:
    api = StubApi(catalogue)
    behind = pipeline(api, store, wants("allow"))
    given = await behind.run(Call(*PLAIN, ME, part=Part(JOB, given="approval")))
    assert isinstance(given, ToolAnswer)
    assert (given.ok, given.why) == (False, "denied")
    assert api.sent == []


async def test_a_critical_step_waits_for_its_own_approval_where_the_policy_would_be_content_with_less(
    catalogue: Catalogue, store: Store
) -> None:
    critical = ("auth_delete_tenant", {"tenant_id": "t-1"})
    given, api = await made(catalogue, store, critical, "confirm", given="approval", typed=True)
    assert (given.ok, given.why) == (False, "approval")
    assert api.writes == []
