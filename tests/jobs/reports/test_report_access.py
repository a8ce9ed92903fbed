"""Access to reports: only callers who may still read the data get it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import TextContent

from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.rules import Rule
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.job_data import import_lines, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL, connect_client
from tests.support.policies import build_policy, build_rule

READING = "auth_search_tenant_users"
ALLOWED: tuple[Rule, ...] = (build_rule("all"),)
PEOPLE = ("csv", "records", "document", "result", "rows", "all_rows", "chart", "notes", "counts", "kept_secrets", "why")
"""Fields of a report that are made of what the job read."""


def denying(tool: str, **given: Any) -> Policy:
    return build_policy(*ALLOWED, build_rule("denied", "deny", tools=(tool,), **given))


async def withheld(on: JobServer, job: str, whole: str, tool: str, who: Principal = PRINCIPAL) -> None:
    """Check that neither the job nor its result, nor a part of it, is shown."""
    told = await on.call_json("job_status", {"job": job}, who=who)
    assert not set(PEOPLE) & set(told)
    assert tool in told["hint"]
    assert (told["job"], told["status"]) == (job, "done")
    picked = await on.call("select_from_result", {"id": whole, "expression": "@"}, who=who)
    assert not picked.ok
    assert f"of {tool} that you are no longer allowed to make" in picked.text
    async with connect_client(on.pipeline, "2026-07-28", who=lambda _: who, extra_tools=on.tools) as client:
        with pytest.raises(MCPError, match="are no longer allowed to make"):
            await client.read_resource(whole)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("job", "args", "tool"),
    [
        ("job_export_users", {}, READING),
        ("job_contract_report", {"chart": "png"}, "auth_get_tenants"),
        ("job_user_activity", {"from": "2026-10"}, "auth_search_saas_users"),
        ("job_export_settings", {}, "auth_get_roles"),
    ],
)
async def test_a_report_is_withheld_after_a_read_of_it_is_denied(
    tmp_path: Path, job: str, args: dict[str, Any], tool: str
) -> None:
    async with start_job_server(tmp_path, policy=build_policy(*ALLOWED)) as on:
        told = await on.call_json(job, args)
    async with start_job_server(tmp_path, on.sandbox, denying(tool)) as later:
        await withheld(later, told["job"], told["result"], tool)
        assert job not in {each.name for each in later.surface.list_tools(PRINCIPAL) if isinstance(each, BuiltinTool)}
        async with connect_client(later.pipeline, "2026-07-28", extra_tools=later.tools) as client:
            assert [str(each.uri) for each in (await client.list_resources()).resources] == ["saasus://policy"]
            answer = await client.call_tool("job_status", {"job": told["job"]})
            assert all(isinstance(each, TextContent) for each in answer.content), "no picture either"
    async with start_job_server(tmp_path, on.sandbox, build_policy(*ALLOWED)) as allowed:
        again = await allowed.call_json("job_status", {"job": told["job"]})
        assert again == told, "it is withheld, not lost"


async def test_a_client_that_draws_charts_gets_the_data_while_the_reads_are_allowed(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=build_policy(*ALLOWED)) as on:
        told = await on.call("job_contract_report")
        assert told.structured is not None
        chart = told.app_data["chart"]
        assert chart["title"]["en"] != chart["title"]["ja"]
        assert [bar["name"]["ja"] for panel in chart["panels"] for bar in panel["bars"]] != []
        assert "chart_data" not in told.text, "the model does not pay for it"
        assert not {"chart", "chart_data"} & told.structured.keys()
    async with start_job_server(tmp_path, on.sandbox, denying("auth_get_tenants")) as later:
        withheld_from_app = await later.call("job_status", {"job": told.structured["job"]})
        assert withheld_from_app.app_data.keys() == {"title"}


async def test_a_report_is_withheld_by_the_arguments_of_its_reads(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=build_policy(*ALLOWED)) as on:
        first, second = sorted(str(row["id"]) for row in sandbox_state(on.sandbox).rows("tenants"))[:2]
        told = {tenant: await on.call_json("job_export_users", {"tenant_ids": [tenant]}) for tenant in (first, second)}
    one_denied = denying(READING, when=f"has(args.tenant_id) && args.tenant_id == '{first}'")
    async with start_job_server(tmp_path, on.sandbox, one_denied) as later:
        await withheld(later, told[first]["job"], told[first]["result"], READING)
        assert await later.call_json("job_status", {"job": told[second]["job"]}) == told[second]
        assert later.stored_result(told[second]["result"]) == told[second]["csv"]


@pytest.mark.slow
async def test_a_caller_who_left_a_group_gets_nothing_of_what_it_let_them_read(tmp_path: Path) -> None:
    members = Principal(PRINCIPAL.id, frozenset({"readers"}))
    grouped = build_policy(
        *ALLOWED, build_rule("others", "deny", tools=(READING,), when='!("readers" in principal.groups)')
    )
    async with start_job_server(tmp_path, policy=grouped) as on:
        told = await on.call_json("job_export_users", who=members)
        assert await on.call_json("job_status", {"job": told["job"]}, who=members) == told
        await withheld(on, told["job"], told["result"], READING)


async def test_part_of_a_report_is_withheld_like_the_whole(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=build_policy(*ALLOWED)) as on:
        told = await on.call_json("job_export_users")
        on.pipeline.results.budget = 2_000
        picked = await on.call("select_from_result", {"id": told["result"], "expression": "@"})
        assert "saasus://results/" in picked.text, "the part is kept as well"
        part = "saasus://results/" + picked.text.split("saasus://results/")[1][:24]
    async with start_job_server(tmp_path, on.sandbox, denying(READING)) as later:
        await withheld(later, told["job"], part, READING)


async def test_the_writes_of_a_job_are_withheld_with_its_reads(tmp_path: Path) -> None:
    sandbox: FaultySandbox
    async with start_job_server(tmp_path, policy=build_policy(*ALLOWED)) as on:
        sandbox = on.sandbox
        told = await on.call_json("job_import_users", {"csv": import_lines(sandbox, 3)}, elicitor=AcceptingPerson())
        assert told["rows"]
        tool = on.pipeline.catalogue.find(on.runner.specs["job_import_users"].reads[0]).tool
    async with start_job_server(tmp_path, sandbox, denying(tool)) as later:
        brief = await later.call_json("job_status", {"job": told["job"]})
        assert not set(PEOPLE) & set(brief)
        assert brief["steps"] == told["steps"], "the outcome is still reported"


@pytest.mark.slow
async def test_a_kept_report_does_not_bypass_the_policy_for_another_job(tmp_path: Path) -> None:
    async with start_job_server(tmp_path, policy=build_policy(*ALLOWED)) as on:
        people = await on.call_json("job_export_users", {"tenant_ids": [_tenant(on)]})
        again = await on.call_json("job_import_users", {"result": people["result"]}, elicitor=AcceptingPerson())
    one_denied = denying(READING, when=f"has(args.tenant_id) && args.tenant_id == '{_tenant(on)}'")
    async with start_job_server(tmp_path, on.sandbox, one_denied) as later:
        refused = await later.call("job_import_users", {"result": people["result"]}, elicitor=AcceptingPerson())
        assert f"of {READING} that you are no longer allowed to make" in refused.text
        brief = await later.call_json("job_status", {"job": again["job"]})
        assert not set(PEOPLE) & set(brief), "what came of it is of the same people"


def _tenant(on: JobServer) -> str:
    return min(str(row["id"]) for row in sandbox_state(on.sandbox).rows("tenants"))
