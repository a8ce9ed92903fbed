"""Jobs of a narrowed connection: which there are, what they may call, and that it still holds when a job is taken up again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.jobs.job_tools import build_job_tools
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_surface import ToolSurface
from tests.support.job_data import HEADER, tenant_id
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL


def narrowed(**given: Any) -> Any:
    sets: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, tuple) else value for name, value in given.items()
    }
    return replace(PRINCIPAL, narrowing=Narrowing(**sets))


def listed(on: JobServer, who: Any) -> set[str]:
    return {each.name for each in on.surface.list_tools(who) if isinstance(each, BuiltinTool)}


def one_user(on: JobServer) -> str:
    return HEADER + f"new@example.com,,{tenant_id(on.sandbox)},,3,viewer,New\n"


@pytest.mark.parametrize("given", [{"tools": ("job_export_users",)}, {"toolsets": ("jobs",)}])
async def test_a_job_that_is_selected_calls_what_it_needs_and_its_result_can_be_read(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    who = narrowed(**given)
    async with start_job_server(tmp_path) as on:
        assert {"job_export_users", "job_status", "job_control"} <= listed(on, who)
        told = await on.call_json("job_export_users", {}, who=who)
        assert told["status"] == "done"
        assert await on.call_json("job_status", {"job": told["job"]}, who=who) == told
        assert (await on.call("select_from_result", {"id": told["result"], "expression": "@"}, who=who)).ok
        refused = await on.call("auth_search_tenant_users", {"tenant_id": "t"}, who=who)
        assert refused.why == "narrowed", "the job may read it, its caller may not"
        begun = next(record for record in on.audit_records() if record["call"] == told["job"])
        assert begun["narrowing"] == {name: list(value) for name, value in given.items()}


@pytest.mark.parametrize(
    "given",
    [
        {"toolsets": ("users", "tenants", "roles")},
        {"tools": ("job_user_activity",)},
        {"exclude": ("job_export_users",)},
        {"exclude": ("auth_search_tenant_users",)},
    ],
)
async def test_a_job_that_is_left_out_or_calls_what_is_is_neither_listed_nor_run(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    who = narrowed(**given)
    async with start_job_server(tmp_path) as on:
        assert "job_export_users" not in listed(on, who)
        compact = ToolSurface(on.pipeline, "en", "compact", extra_tools=build_job_tools(on.runner, "compact"))
        on_compact = replace(on, surface=compact)
        for answer in (
            await on.call("job_export_users", {}, who=who),
            await on_compact.call("job_run", {"name": "job_export_users", "arguments": {}}, who=who),
        ):
            assert not answer.ok
            assert "job_export_users is not allowed: " in answer.text
        assert on.sandbox.requests == []
        assert [record["refused"] for record in on.audit_records("refused")] == ["narrowed"] * 2


async def test_a_read_only_connection_exports_and_neither_imports_nor_stops(tmp_path: Path) -> None:
    who = narrowed(read_only=True)
    async with start_job_server(tmp_path) as on:
        names = listed(on, who)
        assert "job_export_users" in names
        assert not {"job_import_users", "job_offboard_tenant", "job_control"} & names
        assert (await on.call_json("job_export_users", {}, who=who))["status"] == "done"
        sent = len(on.sandbox.requests)
        for name, args in (("job_import_users", {"csv": one_user(on)}), ("job_cancel", {"job": "x"})):
            refused = await on.call(name, args, who=who)
            assert f"{name} is not allowed: " in refused.text
        assert len(on.sandbox.requests) == sent


async def test_a_job_that_is_left_out_is_not_told_of(tmp_path: Path) -> None:
    who = narrowed(exclude=("job_export_users",))
    async with start_job_server(tmp_path) as on:
        job = (await on.call_json("job_export_users", {}))["job"]
        assert (await on.call_json("job_status", {}, who=who))["jobs"] == []
        for name in ("job_status", "job_cancel"):
            assert "You have no such job here" in (await on.call(name, {"job": job}, who=who)).text


async def begun_but_not_run(on: JobServer, monkeypatch: pytest.MonkeyPatch, who: Any) -> dict[str, Any]:
    """Return the engine's input of an approved job, as another process would find it."""
    handed: list[dict[str, Any]] = []

    async def submit(_: str, submitted: dict[str, Any]) -> None:
        handed.append(json.loads(json.dumps(submitted)))

    monkeypatch.setattr(on.runner.engine, "submit", submit)
    monkeypatch.setattr("saasus_mcp.jobs.job_tools.MAX_WAIT_SECONDS", 0.0)
    await on.call("job_import_users", {"csv": one_user(on)}, who=who, elicitor=AcceptingPerson())
    [submitted] = handed
    return submitted


@pytest.mark.slow
async def test_the_narrowing_in_force_at_the_start_holds_when_another_process_takes_the_job_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_job_server(tmp_path) as on:
        submitted = await begun_but_not_run(on, monkeypatch, narrowed(exclude=("auth_delete_tenant",)))
        assert submitted["principal"]["narrowing"] == {"exclude": ["auth_delete_tenant"]}
        await on.runner.run(submitted)
        steps = [record for record in on.audit_records() if "step" in record]
        assert {tuple(record["narrowing"]["exclude"]) for record in steps} == {("auth_delete_tenant",)}
        assert len(steps) > 1


@pytest.mark.parametrize("kept", [{"exclude": ["auth_create_saas_user"]}, {"read_only": True}, {"tools": []}])
async def test_a_step_that_the_kept_narrowing_leaves_out_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: Mapping[str, Any]
) -> None:
    async with start_job_server(tmp_path) as on:
        submitted = await begun_but_not_run(on, monkeypatch, PRINCIPAL)
        submitted["principal"]["narrowing"] = kept
        await on.runner.run(submitted)
        assert on.count_requests("auth.CreateSaasUser") == 0
        assert "narrowed" in {record["refused"] for record in on.audit_records("refused")}


@pytest.mark.slow
async def test_a_job_takes_no_result_that_its_caller_may_not_read(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        kept = (await on.call_json("job_export_users", {}))["result"]
        who = narrowed(tools=("job_import_users",))
        refused = await on.call("job_import_users", {"result": kept}, who=who, elicitor=AcceptingPerson())
        assert not refused.ok
        assert "This result comes from" in refused.text
