"""`job_export_users`: every user x tenant x environment x role, checked row by row against what the sandbox holds."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.jobs.job_tools import build_job_tools
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.tool_surface import ToolSurface
from tests.support.job_data import list_grants, sandbox_state
from tests.support.job_server import start_job_server
from tests.support.pipeline import ERAS, PRINCIPAL, Era, connect_client


def exported(rows: Iterable[dict[str, Any]]) -> list[tuple[str, ...]]:
    names = ("email", "sign_in_id", "tenant_id", "env_id", "role_name")
    return sorted(tuple(str(row[name]) for name in names) for row in rows)


def read(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def test_every_grant_is_a_row_and_every_row_a_grant(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_export_users")
        assert exported(read(told["csv"])) == list_grants(on.sandbox)
        assert told["counts"]["rows"] == len(list_grants(on.sandbox))
        assert on.count_requests("auth.SearchTenantUsers") == 1, "one page holds them all"


async def test_records_have_the_attributes_that_were_chosen(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_export_users", {"format": "json", "attributes": ["full_name", "is_manager"]})
        whole = await on.call_json("select_from_result", {"id": told["result"], "expression": "[?email!='']"})
        minami = next(row for row in whole["result"] if row["email"] == "minami.aozora@example.jp")
        assert (minami["attribute.full_name"], minami["attribute.is_manager"]) == ("青空 みなみ", True)


async def test_filters_leave_only_what_they_name(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        tenant = sandbox_state(on.sandbox).rows("tenants")[1]["id"]
        args = {"tenant_ids": [tenant], "env_ids": [3], "role_names": ["editor", "admin"]}
        rows = exported(read((await on.call_json("job_export_users", args))["csv"]))
        wanted = [row for row in list_grants(on.sandbox) if row[2:4] == (tenant, "3") and row[4] in ("editor", "admin")]
        assert rows == wanted != []


async def test_users_in_no_tenant_are_added_where_asked_for(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        rows = read((await on.call_json("job_export_users", {"without_tenant": True}))["csv"])
        assert {row["email"] or row["sign_in_id"] for row in rows if not row["tenant_id"]} == {
            "waiting@example.jp",
            "kiosk-spare",
        }


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"attributes": ["shoe_size"]}, "attributes"),
        ({"tenant_ids": ["none-such"]}, "tenant_ids"),
        ({"role_names": ["king"]}, "role_names"),
        ({"without_tenant": True, "env_ids": [3]}, "without_tenant"),
        ({"format": "xml"}, "format"),
    ],
)
async def test_a_missing_or_unfit_object_is_reported_by_field(tmp_path: Path, args: dict[str, Any], field: str) -> None:
    async with start_job_server(tmp_path) as on:
        answer = await on.call("job_export_users", args)
        assert not answer.ok
        assert answer.text.startswith(f"{field}:")
        assert on.count_requests("auth.SearchTenantUsers") == 0


async def test_each_inner_call_is_one_audit_record_under_the_job(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = (await on.call_json("job_export_users", {"attributes": ["full_name"]}))["job"]
        begun = on.audit_records()
        assert [record["call"] for record in begun if record["operation"] == "job_export_users"] == [job]
        assert {record["operation"] for record in begun if record.get("parent") == job} == {
            "auth.GetUserAttributes",
            "auth.SearchTenantUsers",
        }
        assert len(begun) == len(on.audit_records("ended"))


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_either_protocol_sees_progress_and_the_whole(tmp_path: Path, era: Era) -> None:
    seen: list[tuple[float, float | None]] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK names them
        seen.append((progress, total))

    async with start_job_server(tmp_path) as on, connect_client(on.pipeline, era, extra_tools=on.tools) as client:
        assert "job_export_users" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("job_export_users", {}, progress_callback=progress)
        assert result.structured_content is not None
        assert seen[-1][0] == result.structured_content["counts"]["rows"]
        [kept] = [each for each in (await client.list_resources()).resources if each.uri.startswith("saasus://results")]
        [content] = (await client.read_resource(kept.uri)).contents
        assert content.mime_type == "text/plain"


async def test_the_compact_surface_has_one_tool_that_describes_and_runs_them_all(tmp_path: Path) -> None:
    async with (
        start_job_server(tmp_path) as on,
        connect_client(
            on.pipeline, "2026-07-28", kind="compact", extra_tools=build_job_tools(on.runner, "compact")
        ) as client,
    ):
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"job_run", "job_status", "job_control"} <= names
        assert "job_export_users" not in names
        described = await client.call_tool("job_run", {"name": "job_export_users"})
        assert described.structured_content is not None
        assert "format" in described.structured_content["inputSchema"]["properties"]
        done = await client.call_tool("job_run", {"name": "job_export_users", "arguments": {"env_ids": [3]}})
        assert done.structured_content is not None
        assert done.structured_content["status"] == "done"
        unfit = await client.call_tool("job_run", {"name": "job_export_users", "arguments": {"colour": 1}})
        assert unfit.is_error


async def test_jobs_are_a_toolset_of_their_own(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        for toolset, listed in (("jobs", True), ("users", False)):
            surface = ToolSurface(on.pipeline, "en", "full", toolsets=frozenset({toolset}), extra_tools=on.tools)
            names = {tool.name for tool in surface.list_tools(PRINCIPAL) if isinstance(tool, BuiltinTool)}
            assert ("job_export_users" in names) == ("job_status" in names) == listed


async def test_only_the_person_who_started_a_job_can_follow_it(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        job = (await on.call_json("job_export_users"))["job"]
        assert (await on.call_json("job_status", {"job": job}))["status"] == "done"
        assert [each["job"] for each in (await on.call_json("job_status"))["jobs"]] == [job]
        stranger = await on.call("job_status", {"job": job}, who=Principal("local:stranger"))
        assert "You have no such job here" in stranger.text


@pytest.mark.exhaustive  # so does the list of tests/server/stdio/test_loaded_modules.py
def test_listing_tools_imports_no_engine() -> None:
    program = (
        "import sys, anyio\n"
        "from saasus_mcp.jobs.engine import HeartbeatConfig\n"
        "from tests.support.job_server import start_job_server\n"
        "from tests.support.pipeline import PRINCIPAL\n"
        "from pathlib import Path\n"
        "import tempfile\n"
        "async def main():\n"
        "    async with start_job_server(Path(tempfile.mkdtemp()), pace=HeartbeatConfig(startup_delay=60.0)) as on:\n"
        "        assert on.surface.list_tools(PRINCIPAL)\n"
        "anyio.run(main)\n"
        "print('dbos' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.strip() == "False", ran.stderr


@pytest.mark.parametrize("era", ERAS)
async def test_a_job_takes_its_arguments_as_text_and_without_those_that_are_empty(tmp_path: Path, era: Era) -> None:
    given = {"format": "", "env_ids": '["3"]', "without_tenant": "False", "tenant_ids": None, "role_names": ""}
    async with start_job_server(tmp_path) as on:
        typed = await on.call_json("job_export_users", {"env_ids": [3]})
        assert (await on.call_json("job_export_users", given))["counts"] == typed["counts"]
        more = build_job_tools(on.runner, "compact")
        async with connect_client(on.pipeline, era, kind="compact", extra_tools=more) as client:
            inner = {"name": "job_export_users", "arguments": json.dumps(given)}
            result = await client.call_tool("job_run", inner)
            assert result.structured_content is not None
            assert result.structured_content["counts"] == typed["counts"]
            described = await client.call_tool("job_run", {"name": "job_export_users", "arguments": None})
            assert described.structured_content is not None
            assert "inputSchema" in described.structured_content
            listed = await client.call_tool("job_status", {"job": "", "wait": ""})
            assert not listed.is_error
            refused = await client.call_tool("job_run", {**inner, "arguments": '{"env_ids": "3,4"}'})
            assert refused.is_error


async def test_a_japanese_server_writes_headings_that_the_import_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start_job_server(tmp_path) as on:
        monkeypatch.setattr(on.pipeline, "language", "ja")
        exported = on.stored_result((await on.call_json("job_export_users"))["result"])
        assert exported.splitlines()[0] == "メールアドレス,ログインID,テナントID,テナント名,環境ID,ロール"
        report = await on.call_json("job_import_users", {"csv": exported})
        assert set(report["counts"]) == {"skipped"}
        assert report["rows"][0]["why"] == "すでに登録されています"


async def test_display_names_stand_beside_ids_and_do_not_hinder_an_import(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        args = {"display_names": True, "login_contains": "KAZAMA"}
        told = await on.call_json("job_export_users", args)
        [row] = read(told["csv"])
        assert told["counts"] == {"rows": 1, "users": 1}, "not those who were only read"
        assert (row["env_name"], row["role_display_name"]) == ("本番環境", "閲覧者")
        done = await on.call_json("job_import_users", {"csv": told["csv"]})
        assert done["status"] == "done"
        assert done["counts"]["skipped"] == 1
