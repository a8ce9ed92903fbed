"""`saasus-mcp serve` lists the surface and the toolsets of its options."""

from __future__ import annotations

import os
import sys

import pytest
from mcp import Client, StdioServerParameters

from saasus_mcp.catalog import Catalogue
from tests.support.commands import run_command
from tests.support.pipeline import ERAS, Era
from tests.support.processes import TIMEOUT


@pytest.mark.process
@pytest.mark.usefixtures("forked_servers")
@pytest.mark.parametrize("era", ERAS)
async def test_the_flags_and_variables_choose_what_is_listed(catalogue: Catalogue, era: Era) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "saasus_mcp", "--sandbox", "--surface", "compact"],
        env={**os.environ, "SAASUS_MCP_TOOLSETS": "tenants, logs"},
    )
    async with Client(server, mode=era, read_timeout_seconds=TIMEOUT) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("call_read", {"name": "auth.GetRoles"})
    assert "call_destructive" in listed
    assert [name for name in listed if "_get_" in name] == [
        operation.tool
        for operation in catalogue
        if operation.toolset in ("tenants", "logs") and operation.tool.split("_")[1] == "get"
    ]
    assert not found.is_error
    assert "roles" in (found.structured_content or {})


@pytest.mark.process
@pytest.mark.usefixtures("forked_servers")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("by", ["flags", "variables"])
async def test_named_and_excluded_tools_narrow_what_is_listed_and_allowed(era: Era, by: str) -> None:
    given = {"SAASUS_MCP_TOOLS": "auth_get_*,auth_delete_role", "SAASUS_MCP_EXCLUDE_TOOLS": "*_tenant*"}
    flags = ["--tools", given["SAASUS_MCP_TOOLS"], "--exclude-tools", given["SAASUS_MCP_EXCLUDE_TOOLS"]]
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "saasus_mcp", "--sandbox", *(flags if by == "flags" else [])],
        env={**os.environ, **(given if by == "variables" else {})},
    )
    async with Client(server, mode=era, read_timeout_seconds=TIMEOUT) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools if tool.name.startswith("auth_")}
        refused = [
            await client.call_tool(name, arguments)
            for name, arguments in (
                ("auth_get_tenants", {}),
                ("call_read", {"name": "auth_get_tenants"}),
                ("auth_create_role", {"role_name": "r", "display_name": "R"}),
            )
        ]
        allowed = await client.call_tool("auth_get_roles", {})
    assert {"auth_get_roles", "auth_delete_role"} <= listed
    assert not [name for name in listed if "_tenant" in name or not name.startswith(("auth_get_", "auth_delete_role"))]
    assert all("is not allowed: this connection" in str(each.content) for each in refused)
    assert not allowed.is_error


@pytest.mark.parametrize(
    ("flags", "lang", "said"),
    [
        (
            ("--tools", "auth_get_tenantz"),
            "en",
            "--tools (SAASUS_MCP_TOOLS): there is no tool 'auth_get_tenantz'. Nearest: ",
        ),
        (("--tools", ""), "en", "--tools (SAASUS_MCP_TOOLS) is empty."),
        (
            ("--exclude-tools", "*_destroy_*"),
            "ja",
            "--exclude-tools (SAASUS_MCP_EXCLUDE_TOOLS): '*_destroy_*'に一致するツールがありません。",
        ),
    ],
)
def test_a_narrowing_that_cannot_be_read_stops_the_start(flags: tuple[str, ...], lang: str, said: str) -> None:
    for transport in ("stdio", "http"):
        ran = run_command("serve", "--sandbox", *flags, "--lang", lang, "--transport", transport)
        assert (ran.status, ran.out) == (1, "")
        assert said in ran.err


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", 'There is no toolset "User". Nearest: users. Toolsets: analysis, '),
        ("ja", "「User」というツールセットはありません。近い名前: users。"),
    ],
)
def test_an_unknown_toolset_stops_the_start_with_the_nearest_and_those_there_are(lang: str, said: str) -> None:
    ran = run_command("serve", "--sandbox", "--toolsets", "tenants,User", "--lang", lang)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert ("tenants、users" if lang == "ja" else "tenants, users") in ran.err


def test_an_unknown_toolset_in_the_environment_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_TOOLSETS", "everything")
    ran = run_command("--sandbox")
    assert ran.status == 1
    assert '"everything"' in ran.err


def test_an_unknown_surface_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_SURFACE", "tiny")
    ran = run_command("serve", "--sandbox")
    assert ran.status != 0
    assert "tiny" in ran.err
    assert "compact" in ran.err


def test_several_toolsets_narrow_the_list_of_tools(catalogue: Catalogue) -> None:
    rows = run_command("tools", "--toolsets", "logs,events").out.partition("\n\n")[0]
    listed = {row.split()[0] for row in rows.splitlines()}
    assert listed == {one.tool for one in catalogue if one.toolset in ("logs", "events")}
