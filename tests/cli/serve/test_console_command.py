"""`saasus-mcp console` lets the user of the computer decide on the approvals of every SaaS in a browser."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from mcp import Client, StdioServerParameters, types
from mcp.client.context import ClientRequestContext

from saasus_mcp.cli.command_line import INTERRUPTED
from saasus_mcp.hosting.console import presence
from saasus_mcp.hosting.console.service import freeze_mark
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.store import folder_stores
from tests.support.commands import Terminal, approval_status, create_approval, run_command
from tests.support.pipeline import ERAS, Era
from tests.support.processes import TIMEOUT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no pty to type into")


@contextmanager
def entered(terminal: Terminal, **fields: str) -> Iterator[httpx2.Client]:
    """Signed in by the link that is on the terminal."""
    terminal.wait_for("/console/enter/")
    terminal.wait_for("\n")
    found = re.search(r"(http://127\.0\.0\.1:\d+)(/console/enter/\S+)", terminal.output)
    assert found
    headers = {"Origin": found[1], "Accept-Language": "en"}
    with httpx2.Client(base_url=found[1], headers=headers, timeout=30) as client:
        answer = client.post(found[2], data=fields)
        assert answer.status_code == 303, answer.text
        yield client


def csrf(client: httpx2.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/console").text)
    assert found
    return found[1]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_an_approval_of_any_saas_is_given_there(state: Path) -> None:
    create_approval(state)
    create_approval(state, code="EFGH-6789", saas_id="saas-2", name="みどり")
    with Terminal("console") as terminal, entered(terminal) as client:
        page = client.get("/console").text
        assert "ABCD-2345" in page
        assert "EFGH-6789" in page
        create_approval(state, code="JKMN-2345", saas_id="saas-3", name="後から")
        assert "JKMN-2345" in client.get("/console").text, "also of a SaaS that is asked about later"
        form = {"csrf": csrf(client), "code": "EFGH-6789", "name": "みどり"}
        assert client.post("/console/approve", data=form).status_code == 303
        for path in ("audit", "tools", "policy", "limits", "secrets", "session"):
            assert client.get(f"/console/{path}").status_code == 200, path
        terminal.interrupt()
        assert terminal.wait() == INTERRUPTED
    assert approval_status(state, "EFGH-6789", "saas-2") == ("approved", None)
    assert approval_status(state) == ("pending", None)


def test_it_freezes_everything_at_once(state: Path) -> None:
    create_approval(state)
    with Terminal("console") as terminal, entered(terminal) as client:
        client.post("/console/freeze", data={"csrf": csrf(client), "reason": "調査中"})
        found = folder_stores.read_folder_freeze(state)
        assert found is not None
        assert found.reason == "調査中"
        assert "調査中" in client.get("/console/limits").text
        lifted = {"csrf": csrf(client), "sure": "yes", "seen": freeze_mark([found])}
        client.post("/console/unfreeze", data=lifted)
    assert folder_stores.read_folder_freeze(state) is None


def test_where_a_passphrase_was_set_it_is_asked_for(state: Path) -> None:
    passphrase.save_passphrase(state, "correct horse")
    create_approval(state)
    with Terminal("console", "--lang", "ja") as terminal:
        terminal.wait_for("リンクを開いてください")
        with entered(terminal, passphrase="correct horse") as client:
            assert "ABCD-2345" in client.get("/console").text
        terminal.wait_for("承認者のパスフレーズの入力が必要です")


def test_while_it_runs_servers_of_this_machine_know_where(state: Path) -> None:
    create_approval(state)
    with Terminal("console") as terminal, entered(terminal) as client:
        assert presence.find_console(state, time.time()) == f"{client.base_url}/console".replace(
            "//console", "/console"
        )
        terminal.interrupt()
        assert terminal.wait() == INTERRUPTED
    assert presence.find_console(state, time.time()) == ""


@pytest.mark.usefixtures("forked_servers")
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_can_open_a_page_is_sent_to_the_approval(era: Era) -> None:
    opened: list[str] = []

    async def browser(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG001
        assert isinstance(params, types.ElicitRequestURLParams)
        opened.append(params.url)
        return types.ElicitResult(action="accept")

    server = StdioServerParameters(command=sys.executable, args=["-m", "saasus_mcp", "--sandbox"], env={**os.environ})
    with Terminal("console", "--sandbox") as terminal, entered(terminal) as visitor:
        async with Client(server, mode=era, elicitation_callback=browser, read_timeout_seconds=TIMEOUT) as client:
            listed = await client.call_tool("auth_get_tenants", {})
            tenant = (listed.structured_content or {})["tenants"][0]
            deletion = ("auth_delete_tenant", {"tenant_id": tenant["id"]})
            assert (await client.call_tool(*deletion)).is_error
            [url] = opened
            assert tenant["name"] in visitor.get(url).text
            form = {"csrf": csrf(visitor), "code": url.rsplit("/", 1)[1], "name": tenant["name"]}
            assert visitor.post("/console/approve", data=form).status_code == 303
            assert not (await client.call_tool(*deletion)).is_error


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{}",
        '{"url": "http://127.0.0.1:80/console", "at": 1}',
        '{"url": "http://evil.example.com/console", "at": 1000}',
        '{"url": "http://127.0.0.1:80/console/../x", "at": 1000}',
        '{"url": "http://127.0.0.1:80/console", "at": 2000}',
    ],
    ids=["empty", "nothing", "of one that was killed", "elsewhere", "another path", "from the future"],
)
def test_a_note_that_does_not_hold_leads_nowhere(state: Path, note: str) -> None:
    state.mkdir()
    (state / presence.PRESENCE_FILE).write_text(note, encoding="utf-8")
    assert presence.find_console(state, 1001.0) == ""


def test_a_damaged_store_is_reported_once_however_often_a_page_is_loaded(state: Path) -> None:
    create_approval(state)
    damaged = state / "damaged.sqlite3"
    damaged.write_bytes(b"this is no database" * 100)
    damaged.chmod(0o600)
    with Terminal("console") as terminal, entered(terminal) as client:
        for _ in range(3):
            assert "ABCD-2345" in client.get("/console").text
        terminal.interrupt()
        assert terminal.wait() == INTERRUPTED
        assert terminal.output.count("damaged.sqlite3: ") == 1


def test_without_a_terminal_no_link_is_given() -> None:
    ran = run_command("console")
    assert ran.status == 1
    assert "/console/enter/" not in ran.out + ran.err
