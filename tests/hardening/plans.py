"""Attacks on lists of calls: cells and references that smuggle, lists that change after their approval, limits, narrowing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from saasus_mcp.permissions.policy.model import BulkLimits
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS
from tests.support.attack_corpus import AttackContext, attack
from tests.support.job_data import AOZORA, add_tenants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL
from tests.support.policies import replace_policy

AREA = "Lists of calls"
NAME = "job_run_plan"
Calls = Sequence[Mapping[str, Any]]


@asynccontextmanager
async def _server(ground: AttackContext) -> AsyncIterator[JobServer]:
    async with start_job_server(ground.folder) as on:
        yield on


def _changes(on: JobServer, tenants: Sequence[str], plan: str = "starter") -> list[dict[str, Any]]:
    when = int(on.pipeline.clock()) // 3600 * 3600 + 7200
    change = {"next_plan_id": plan, "using_next_plan_from": when}
    return [{"tool": "auth_update_tenant_plan", "arguments": {"tenant_id": each, **change}} for each in tenants]


def _role(name: Any, shown: Any = "x") -> dict[str, Any]:
    return {"tool": "auth_create_role", "arguments": {"role_name": name, "display_name": shown}}


def _sends(on: JobServer) -> int:
    return sum(each.method != "GET" for each in on.sandbox.requests)


async def _refuses(on: JobServer, said: str, **args: Any) -> None:
    """Assert that a list is refused with these words, and that nobody is asked and nothing is sent."""
    answer = await on.call(NAME, args, elicitor=AcceptingPerson())
    assert not answer.ok
    assert said in answer.text, answer.text
    assert on.pipeline.store.list_approvals(on.pipeline.clock()) == []
    assert _sends(on) == 0


async def _approve(on: JobServer, calls: Calls) -> None:
    assert "saasus-mcp approve" in (await on.call(NAME, {"calls": list(calls)})).text
    [approval], now = on.pipeline.store.list_approvals(on.pipeline.clock()), on.pipeline.clock()
    assert on.pipeline.store.decide_approval(approval.code, "approved", by="local:p", at=now, expires_at=now + 600)


@attack(AREA, "A cell of a table holds a template, JSON or a reference to another call")
async def cells(ground: AttackContext) -> str:
    async with _server(ground) as on:
        texts = ["{b}", '{"$from": "a.id"}', '["admin"]', "{{b}}"]
        rows = "".join(f'r{number},"{text.replace(chr(34), chr(34) * 2)}"\n' for number, text in enumerate(texts))
        template = [_role("{a}", "{b}")]
        started = await on.call_json(NAME, {"csv": f"a,b\n{rows}", "template": template})
        assert (await on.wait_for_job(started["job"]))["counts"] == {"applied": len(texts)}
        shown = {row["role_name"]: row["display_name"] for row in sandbox_state(on.sandbox).rows("roles")}
        assert [shown[f"r{number}"] for number in range(len(texts))] == texts
    return "each cell is a plain text"


@attack(AREA, "A column of a table chooses the tool of the calls")
async def chosen_tool(ground: AttackContext) -> str:
    async with _server(ground) as on:
        await _refuses(on, "the same for all rows", csv="a\nauth_delete_role\n", template=[{"tool": "{a}"}])
    return "refused"


@attack(AREA, "A call takes a secret from the answer of an earlier one, or hides a secret handle in a plain argument")
async def secrets(ground: AttackContext) -> str:
    async with _server(ground) as on:
        account = {"tool": "auth_create_saas_user", "id": "a", "arguments": {"sign_in_id": "terminal-1"}}
        await _refuses(on, "no field", calls=[account, _role("x", {"$from": "a.password"})])
        await _refuses(on, "secret", calls=[_role("x", "secret://r/0123456789abcdef")])
    return "refused"


@attack(AREA, "References go forward, in a circle, to nothing, or give the target of a critical call")
async def references(ground: AttackContext) -> str:
    async with _server(ground) as on:
        one = {**_role("x", {"$from": "two.role_name"}), "id": "one"}
        two = {**_role("y", {"$from": "one.role_name"}), "id": "two"}
        await _refuses(on, "comes later", calls=[one, two])
        await _refuses(on, "no earlier call", calls=[_role("x", {"$from": "three.role_name"})])
        await _refuses(on, "whole argument", calls=[_role("x", {"deep": {"$from": "one.id"}})])
        tenant = {"tool": "auth_delete_tenant", "arguments": {"tenant_id": {"$from": "one.role_name"}}}
        await _refuses(on, "a person must know", calls=[{**_role("x"), "id": "one"}, tenant])
    return "each is refused"


@attack(AREA, "One tenant is in the list twice, once by id and once by name")
async def twice(ground: AttackContext) -> str:
    async with _server(ground) as on:
        await _refuses(on, "row 1", calls=_changes(on, [AOZORA, "株式会社青空商事"]))
    return "the second row is a fault"


@attack(AREA, "A list is approved, and then calls are added, dropped, exchanged, reordered or changed")
async def changed_list(ground: AttackContext) -> str:
    async with _server(ground) as on:
        tenants = add_tenants(on.sandbox, 4)
        calls = _changes(on, tenants[:3])
        await _approve(on, calls)
        others = (
            _changes(on, tenants),
            calls[:2],
            _changes(on, [*tenants[:2], tenants[3]]),
            calls[::-1],
            _changes(on, tenants[:3], "business_year"),
            [*calls, _role("x")],
        )
        for other in others:
            assert not (await on.call(NAME, {"calls": other})).ok
        assert _sends(on) == 0
    return "each asks again; nothing is sent"


@attack(AREA, "A tenant of an approved list changes before its call is made")
async def changed_tenant(ground: AttackContext) -> str:
    async with _server(ground) as on:
        tenants = add_tenants(on.sandbox, 2)
        calls, state = _changes(on, tenants), sandbox_state(on.sandbox)
        await _approve(on, calls)
        submit = on.runner.engine.submit

        async def changed(job: str, submitted: dict[str, Any]) -> None:
            state.put("tenants", (tenants[0],), {**state.get("tenants", tenants[0]), "name": "Renamed"})
            await submit(job, submitted)

        ground.monkeypatch.setattr(on.runner.engine, "submit", changed)
        report = await on.wait_for_job((await on.call_json(NAME, {"calls": calls}))["job"])
        assert report["counts"] == {"applied": 1, "not_applied": 1}, report
        assert on.count_requests("auth.UpdateTenantPlan") == 1
    return "its call is refused, and the others are made"


@attack(AREA, "The policy becomes stricter while an approved list runs")
async def stricter_policy(ground: AttackContext) -> str:
    limits = (
        BulkLimits(critical="never"),
        BulkLimits(critical="each"),
        BulkLimits(critical_limit=1),
        BulkLimits(max_calls=1),
    )
    for number, bulk in enumerate(limits):
        folder = ground.folder / str(number)
        folder.mkdir()
        async with start_job_server(folder) as on:
            calls = _changes(on, add_tenants(on.sandbox, 2))
            await _approve(on, calls)
            submit, stricter = on.runner.engine.submit, replace(PRESETS["guarded"], bulk=bulk)

            async def changed(
                job: str, submitted: dict[str, Any], on: JobServer = on, submit: Any = submit, stricter: Any = stricter
            ) -> None:
                replace_policy(on.pipeline, stricter)
                await submit(job, submitted)

            ground.monkeypatch.setattr(on.runner.engine, "submit", changed)
            report = await on.wait_for_job((await on.call_json(NAME, {"calls": calls}))["job"])
            assert report["counts"] == {"not_applied": 2}, report
            assert _sends(on) == 0
    return "no call is sent"


@attack(AREA, "A list has 51 critical calls, or critical calls of two operations")
async def too_many(ground: AttackContext) -> str:
    async with _server(ground) as on:
        tenants = add_tenants(on.sandbox, 51)
        await _refuses(on, "one approval covers 50", calls=_changes(on, tenants))
        deletion = {"tool": "auth_delete_tenant", "arguments": {"tenant_id": tenants[1]}}
        await _refuses(on, "of one operation", calls=[*_changes(on, tenants[:1]), deletion])
    return "refused"


@attack(AREA, "A client answers the question of a list with critical calls itself")
async def client_confirms(ground: AttackContext) -> str:
    async with _server(ground) as on:
        person = AcceptingPerson()
        answer = await on.call(NAME, {"calls": _changes(on, [AOZORA])}, elicitor=person)
        assert "saasus-mcp approve" in answer.text
        assert (person.questions, _sends(on)) == ([], 0)
    return "it is not asked; an approval is needed"


@attack(AREA, "A connection that offers few tools makes calls of others in a list")
async def narrowed(ground: AttackContext) -> str:
    async with _server(ground) as on:
        narrow = Narrowing(tools=frozenset({NAME, "auth_create_role"}))
        caller = replace(PRINCIPAL, narrowing=narrow)
        answer = await on.call(NAME, {"calls": [_role("x"), *_changes(on, [AOZORA])]}, who=caller)
        assert "Row 2, auth_update_tenant_plan" in answer.text, answer.text
        assert _sends(on) == 0
        hidden = replace(PRINCIPAL, narrowing=Narrowing(exclude=frozenset({NAME})))
        assert not (await on.call(NAME, {"calls": [_role("x")]}, who=hidden)).ok
    return "refused"


@attack(AREA, "A secret stands in the arguments of a listed call")
async def secret_argument(ground: AttackContext) -> str:
    async with _server(ground) as on:
        user = sandbox_state(on.sandbox).rows("users")[0]["id"]
        call = {"tool": "auth_update_saas_user_password", "arguments": {"user_id": user, "password": "Zq9!secret-x7"}}
        await _approve(on, [call])
        report = await on.wait_for_job((await on.call_json(NAME, {"calls": [call]}))["job"])
        stored = [
            *on.pipeline.store.audit_log.list_records(),
            *map(str, on.pipeline.store.list_approvals(on.pipeline.clock())),
        ]
        assert "Zq9!secret-x7" not in json.dumps([report, stored], default=str)
    return "it is in no question, record or report"


@attack(AREA, "A client starts the undo of a job, which only people do")
async def undo_by_client(ground: AttackContext) -> str:
    async with _server(ground) as on:
        answer = await on.call("job_undo_job", {"of": "x", "is_approver": True})
        assert not answer.ok
    return "there is no such tool"
