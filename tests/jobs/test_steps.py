"""The steps of a job: what is made of one whose answer was lost, and where one that is refused ends them all."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.jobs.plan import Entry, Find, Row
from saasus_mcp.jobs.stepper import Stepper
from saasus_mcp.jobs.work import AT_ONCE, Reader, Work, at_once, together
from saasus_mcp.server.call import Call, Part
from saasus_mcp.server.job_steps import weigh
from saasus_mcp.store import Commitment, Grant, Store, StoreError
from tests.policies import policy, rule
from tests.support import ME, StubApi, pipeline

JOB = "j" * 32
FIND = Find("auth.GetRoles", {}, "roles", {"role_name": "a"})
ENTRY = Entry("role", "auth.CreateRole", {"role_name": "a", "display_name": "A"}, find=FIND)
ROLE, OTHER = {"role_name": "a", "display_name": "A"}, {"role_name": "b", "display_name": "A"}


def lost(request: httpx2.Request) -> httpx2.Response:
    raise httpx2.ReadError("connection reset", request=request)


@pytest.mark.parametrize(
    ("roles", "found"),
    [([OTHER, ROLE], ROLE), ([ROLE, {**ROLE, "display_name": "Another"}], None)],
    ids=["one fits", "two fit"],
)
async def test_what_a_step_made_is_known_again_only_where_one_thing_can_be_it(
    catalogue: Catalogue, store: Store, roles: list[Any], found: Any
) -> None:
    api = StubApi(catalogue, answers={"auth.CreateRole": lost, "auth.GetRoles": {"roles": roles}})
    behind, part = pipeline(api, store), Part(JOB)
    weighed = await weigh(behind, Call("auth_create_role", ENTRY.args, ME, part=ENTRY.part(part)))
    grant = Grant("job_x", ME.id, "default", "p", "none", "", False, {ENTRY.step: weighed.digest})
    store.commit(JOB, {"operation": "job_x"}, 0.0, None, Commitment(grant=grant))
    stepper = Stepper(behind, ME, part, Reader(behind, ME, part).answer)
    made, _ = await stepper.make(ENTRY)
    assert (made.outcome, made.answer) == ("applied", found)
    assert len(api.writes) == 1
    again, _ = await stepper.make(ENTRY)
    assert (again.outcome, again.answer) == ("applied", found), "and so it stays, without another call"
    assert len(api.writes) == 1


async def test_a_ceiling_that_is_reached_ends_a_plan_that_would_only_go_on_to_reach_it(
    catalogue: Catalogue, store: Store
) -> None:
    api = StubApi(catalogue)
    behind = pipeline(api, store, policy(rule("all", "allow"), ceilings={"destructive_per_hour": 2}))
    rows, steps = [], {}
    for number in range(20):
        entry = Entry(f"{number}/leave", "auth.DeleteTenantUser", {"tenant_id": "t", "user_id": f"u-{number}"})
        weighed = await weigh(behind, Call("auth_delete_tenant_user", entry.args, ME, part=entry.part(Part(JOB))))
        rows.append(Row(f"row {number}", (replace(entry, bound=weighed.bound),)))
        steps[entry.step] = weighed.digest
    grant = Grant("job_x", ME.id, "default", "p", "none", "", False, steps)
    store.commit(JOB, {"operation": "job_x"}, 0.0, None, Commitment(grant=grant))
    work = Work(behind, ME, Part(JOB), at_once)
    done = [each async for batch in work.rows(rows) for each in batch]
    assert sum(each.outcome == "applied" for each in done) == len(api.writes) == 2
    assert 0 < sum(each.why == "overbudget" for each in done) <= AT_ONCE
    assert len(done) <= 2 + AT_ONCE, "the others were not begun"
    assert not work.stopped, "nobody cancelled it"


async def test_after_the_first_thing_that_cannot_be_made_no_other_is_begun() -> None:
    begun: list[int] = []

    async def make(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise SaasusMcpError("It cannot be read.")
        await anyio.lowlevel.checkpoint()

    with pytest.raises(SaasusMcpError, match="cannot be read"):
        await together([partial(make, number) for number in range(50)])
    assert len(begun) <= 2 * AT_ONCE, "but those that were under way"


async def test_a_step_that_was_begun_while_the_store_failed_is_read_back_and_not_taken_for_refused(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saasus_mcp.jobs.patience.PAUSE", 0.0)
    api = StubApi(catalogue, answers={"auth.GetRoles": {"roles": [ROLE]}})
    behind, part = pipeline(api, store), Part(JOB)
    weighed = await weigh(behind, Call("auth_create_role", ENTRY.args, ME, part=ENTRY.part(part)))
    grant = Grant("job_x", ME.id, "default", "p", "none", "", False, {ENTRY.step: weighed.digest})
    store.commit(JOB, {"operation": "job_x"}, 0.0, None, Commitment(grant=grant))
    commit = store.commit

    def unheard(*given: Any) -> None:
        monkeypatch.setattr(store, "commit", commit)
        commit(*given)
        raise StoreError("The connection was lost.")

    monkeypatch.setattr(store, "commit", unheard)
    made, why = await Stepper(behind, ME, part, Reader(behind, ME, part).answer).make(ENTRY)
    assert (made.outcome, why) == ("applied", "")
    assert api.writes == [], "what may have been sent is never sent again"
