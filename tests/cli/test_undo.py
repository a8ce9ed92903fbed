"""`undo` as a person uses it: a list anywhere, putting back only at a terminal, with what comes back and what does not."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from anyio.to_thread import run_sync

from saasus_mcp.catalog import Catalogue
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.sandbox.serving import server
from tests.cli.running import Terminal, run, spawn


@pytest.fixture
async def api(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """An API on a port that other processes reach, with the credentials for it in the environment."""
    sandbox = Sandbox(catalogue)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        monkeypatch.setenv("SAASUS_API_URL_BASE", f"http://{host}:{port}")
        monkeypatch.setenv("SAASUS_SAAS_ID", CREDENTIALS.saas_id)
        monkeypatch.setenv("SAASUS_API_KEY", CREDENTIALS.api_key)
        monkeypatch.setenv("SAASUS_SECRET_KEY", CREDENTIALS.secret_key)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        running = server(host, port, sandbox)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.serve, [listener])
            yield sandbox
            running.should_exit = True


def changed() -> str:
    """Change a role's name by a call from the terminal; the id of the change."""
    made = spawn("call", "auth_create_role", '{"role_name": "helper", "display_name": "Helper"}')
    assert made.status == 0, made.err
    updated = spawn("call", "auth_update_role", '{"role_name": "helper", "display_name": "Changed"}')
    assert updated.status == 0, updated.err
    entries = json.loads(run("undo", "--json").out)
    assert [entry["operation"] for entry in entries] == ["auth.UpdateRole", "auth.CreateRole"]
    return str(entries[0]["call"])


def names() -> dict[str, str]:
    roles = json.loads(spawn("call", "auth_get_roles").out)["roles"]
    return {role["role_name"]: role["display_name"] for role in roles}


def undo(identifier: str) -> tuple[int, str]:
    with Terminal("undo", identifier, "--lang", "ja") as terminal:
        return terminal.ends(), terminal.shown


def test_nothing_was_done_where_there_is_no_state(state: Path) -> None:
    assert "Nothing that could be undone" in run("undo").out
    assert not state.exists()


@pytest.mark.usefixtures("api")
async def test_a_change_is_listed_and_put_back_once() -> None:
    identifier = await run_sync(changed)
    assert re.search(rf"^{identifier[:8]} .*\(can be put back\)$", run("undo").out, re.MULTILINE)
    status, shown = await run_sync(undo, identifier[:8])
    assert status == 0, shown
    assert "元に戻しました。" in shown
    assert re.search(r"元に戻すために行う操作:\n.*Helper", shown)
    assert (await run_sync(names))["helper"] == "Helper"
    assert "[undone]" in run("undo").out
    decided = [json.loads(line) for line in run("audit", "export").out.splitlines() if '"decided"' in line]
    assert [(each["deed"], each["from_call"]) for each in decided if each["deed"] == "undo"] == [("undo", identifier)]
    status, shown = await run_sync(undo, identifier)
    assert status == 1
    assert "undone already" in shown


@pytest.mark.usefixtures("api")
async def test_without_a_terminal_nothing_is_put_back() -> None:
    identifier = await run_sync(changed)
    refused = await run_sync(spawn, "undo", identifier)
    assert refused.status == 1
    assert "terminal" in refused.err
    assert (await run_sync(names))["helper"] == "Changed"


@pytest.mark.usefixtures("api")
async def test_an_id_that_fits_nothing_or_several_is_told() -> None:
    await run_sync(changed)
    status, shown = await run_sync(undo, "zz")
    assert status == 1
    assert "zz" in shown
    status, shown = await run_sync(undo, "")
    assert status == 1
