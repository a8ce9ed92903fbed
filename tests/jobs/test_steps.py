"""The steps of a job: what is made of one whose answer was lost, and where one that is refused ends them all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_reader import MAX_CONCURRENT, JobReader, no_checkpoint, run_concurrently
from saasus_mcp.jobs.pause_gate import PauseGate
from saasus_mcp.jobs.plan import AnswerLookup, PlanStep, StepGroup
from saasus_mcp.jobs.step_runner import StepRunner
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy
from saasus_mcp.server.pipeline import call_sender
from saasus_mcp.server.pipeline.call import Call, JobStepRef
from saasus_mcp.server.scheduling.fair_queue import FairQueue
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.job_records import JobGrant
from saasus_mcp.store.records import Commitment
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline, evaluate_call
from tests.support.policies import build_policy, build_rule

JOB = "j" * 32
FIND = AnswerLookup("auth.GetRoles", {}, "roles", {"role_name": "a"})
ENTRY = PlanStep("role", "auth.CreateRole", {"role_name": "a", "display_name": "A"}, lookup=FIND)
ROLE, OTHER = {"role_name": "a", "display_name": "A"}, {"role_name": "b", "display_name": "A"}


def lost(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("connection reset", request=request)


@pytest.mark.parametrize(
    ("roles", "found"),
    [([OTHER, ROLE], ROLE), ([ROLE, {**ROLE, "display_name": "Another"}], None)],
    ids=["one fits", "two fit"],
)
async def test_an_object_made_by_a_step_is_recognised_only_if_it_is_unambiguous(
    catalogue: Catalogue, store: Store, roles: list[Any], found: Any
) -> None:
    api = StubApi(catalogue, answers={"auth.CreateRole": lost, "auth.GetRoles": {"roles": roles}})
    behind, part = build_pipeline(api, store), JobStepRef(JOB)
    weighed = await evaluate_call(behind, Call("auth_create_role", ENTRY.args, PRINCIPAL, job_step=ENTRY.ref(part)))
    grant = JobGrant("job_x", PRINCIPAL.id, "default", "p", "none", "", False, {ENTRY.step: weighed.digest})
    store.commit(JOB, {"operation": "job_x"}, 0.0, commitment=Commitment(grant=grant))
    stepper = StepRunner(behind, PRINCIPAL, part, JobReader(behind, PRINCIPAL, part).fetch, PauseGate(behind, JOB))
    made, _ = await stepper.run_step(ENTRY)
    assert (made.outcome, made.answer) == ("applied", found)
    assert len(api.writes) == 1
    again, _ = await stepper.run_step(ENTRY)
    assert (again.outcome, again.answer) == ("applied", found), "and so it stays, without another call"
    assert len(api.writes) == 1


async def test_a_job_with_a_busy_owner_waits_for_none_of_the_owners_calls(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps read their targets before they are sent."""
    monkeypatch.setattr(call_sender, "READ_WAIT_SECONDS", 0.01)
    queue, part, api = FairQueue(per_principal=1), JobStepRef(JOB), StubApi(catalogue)
    behind = build_pipeline(api, store, UnsafeAllowAllPolicy(), call_queue=queue)
    entry = PlanStep("leave", "auth.DeleteTenantUser", {"tenant_id": "t", "user_id": "u"})
    call = Call("auth_delete_tenant_user", entry.args, PRINCIPAL, job_step=entry.ref(part))
    with await queue.acquire(PRINCIPAL.id):
        weighed = await evaluate_call(behind, call)
        grant = JobGrant("job_x", PRINCIPAL.id, "default", "p", "none", "", False, {entry.step: weighed.digest})
        store.commit(JOB, {"operation": "job_x"}, 0.0, commitment=Commitment(grant=grant))
        steps = StepRunner(behind, PRINCIPAL, part, JobReader(behind, PRINCIPAL, part).fetch, PauseGate(behind, JOB))
        made, _ = await steps.run_step(replace(entry, snapshot=weighed.snapshot))
    assert (made.outcome, made.error) == ("applied", "")
    assert api.to(catalogue.find("auth_get_tenant_user")), "its target was read"


async def test_a_ceiling_that_is_reached_ends_a_plan_that_would_only_go_on_to_reach_it(
    catalogue: Catalogue, store: Store
) -> None:
    api = StubApi(catalogue)
    behind = build_pipeline(api, store, build_policy(build_rule("all", "allow"), ceilings={"destructive_per_hour": 2}))
    rows, steps = [], {}
    for number in range(20):
        entry = PlanStep(f"{number}/leave", "auth.DeleteTenantUser", {"tenant_id": "t", "user_id": f"u-{number}"})
        weighed = await evaluate_call(
            behind, Call("auth_delete_tenant_user", entry.args, PRINCIPAL, job_step=entry.ref(JobStepRef(JOB)))
        )
        rows.append(StepGroup(f"row {number}", (replace(entry, snapshot=weighed.snapshot),)))
        steps[entry.step] = weighed.digest
    grant = JobGrant("job_x", PRINCIPAL.id, "default", "p", "none", "", False, steps)
    store.commit(JOB, {"operation": "job_x"}, 0.0, commitment=Commitment(grant=grant))
    work = JobContext(behind, PRINCIPAL, JobStepRef(JOB), no_checkpoint)
    done = [each async for batch in work.run_groups(rows) for each in batch]
    assert sum(each.outcome == "applied" for each in done) == len(api.writes) == 2
    assert 0 < sum(each.reason == "overbudget" for each in done) <= MAX_CONCURRENT
    assert len(done) <= 2 + MAX_CONCURRENT, "the others were not begun"
    assert not work.cancelled, "nobody cancelled it"


async def test_after_the_first_thing_that_cannot_be_made_no_other_is_begun() -> None:
    begun: list[int] = []

    async def make(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise SaasusMcpError(message("store.unusable", reason="cannot be read"))
        await anyio.lowlevel.checkpoint()

    with pytest.raises(SaasusMcpError, match="cannot be read"):
        await run_concurrently([partial(make, number) for number in range(50)])
    assert len(begun) <= 2 * MAX_CONCURRENT, "but those that were under way"


async def test_a_step_that_was_begun_while_the_store_failed_is_read_back_and_not_taken_for_refused(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.jobs.store_retry.RETRY_SECONDS", 0.0)
    api = StubApi(catalogue, answers={"auth.GetRoles": {"roles": [ROLE]}})
    behind, part = build_pipeline(api, store), JobStepRef(JOB)
    weighed = await evaluate_call(behind, Call("auth_create_role", ENTRY.args, PRINCIPAL, job_step=ENTRY.ref(part)))
    grant = JobGrant("job_x", PRINCIPAL.id, "default", "p", "none", "", False, {ENTRY.step: weighed.digest})
    store.commit(JOB, {"operation": "job_x"}, 0.0, commitment=Commitment(grant=grant))
    commit = store.commit

    def unheard(*given: Any, **named: Any) -> None:
        monkeypatch.setattr(store, "commit", commit)
        commit(*given, **named)
        raise StoreError.of("store.unusable", reason="The connection was lost")

    monkeypatch.setattr(store, "commit", unheard)
    made, why = await StepRunner(
        behind, PRINCIPAL, part, JobReader(behind, PRINCIPAL, part).fetch, PauseGate(behind, JOB)
    ).run_step(ENTRY)
    assert (made.outcome, why) == ("applied", "")
    assert api.writes == [], "what may have been sent is never sent again"
