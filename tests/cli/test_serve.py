"""`saasus-mcp serve` as clients start it: the surface and the toolsets it was told to list."""

from __future__ import annotations

import os
import sys

import pytest
from mcp import Client, StdioServerParameters

from saasus_mcp.catalog import Catalogue
from tests.cli.running import PATIENCE, run
from tests.support import ERAS, Era


@pytest.mark.parametrize("era", ERAS)
async def test_the_flags_and_variables_choose_what_is_listed(catalogue: Catalogue, era: Era) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "saasus_mcp", "--sandbox", "--surface", "compact"],
        env={**os.environ, "SAASUS_MCP_TOOLSETS": "tenants, logs"},
    )
    async with Client(server, mode=era, read_timeout_seconds=PATIENCE) as client:
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


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", "There is no toolset 'User'. Nearest: users. Toolsets: analysis, "),
        ("ja", "'User' というツールセットはありません。近い名前: users。"),
    ],
)
def test_an_unknown_toolset_stops_the_start_with_the_nearest_and_those_there_are(lang: str, said: str) -> None:
    ran = run("serve", "--sandbox", "--toolsets", "tenants,User", "--lang", lang)
    assert (ran.status, ran.out) == (1, "")
    assert said in ran.err
    assert "tenants, users" in ran.err


def test_an_unknown_toolset_in_the_environment_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_TOOLSETS", "everything")
    ran = run("--sandbox")
    assert ran.status == 1
    assert "'everything'" in ran.err


def test_an_unknown_surface_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_SURFACE", "tiny")
    ran = run("serve", "--sandbox")
    assert ran.status != 0
    assert "tiny" in ran.err
    assert "compact" in ran.err


def test_several_toolsets_narrow_the_list_of_tools(catalogue: Catalogue) -> None:
    listed = {
        line.split()[0] for line in run("tools", "--toolsets", "logs,events").out.splitlines() if line[:1].isalpha()
    }
    assert listed == {one.tool for one in catalogue if one.toolset in ("logs", "events")}
