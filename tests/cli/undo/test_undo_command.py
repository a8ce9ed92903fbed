"""`saasus-mcp undo` lists changes anywhere, and undoes them only at a terminal."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.to_thread import run_sync

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.sandbox.server import create_server
from saasus_mcp.store.records import Commitment, UndoEntry
from tests.support.commands import Terminal, run_command, spawn_command
from tests.support.saas_store import open_saas_store


@pytest.fixture
async def api(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """Serve an API on a port for other processes, with credentials for it in the environment."""
    sandbox = Sandbox(catalogue)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        monkeypatch.setenv("SAASUS_API_URL_BASE", f"http://{host}:{port}")
        monkeypatch.setenv("SAASUS_SAAS_ID", CREDENTIALS.saas_id)
        monkeypatch.setenv("SAASUS_API_KEY", CREDENTIALS.api_key)
        monkeypatch.setenv("SAASUS_SECRET_KEY", CREDENTIALS.secret_key)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        running = create_server(host, port, sandbox)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.serve, [listener])
            yield sandbox
            running.should_exit = True


def changed() -> str:
    """Change a role's name by a call from the terminal; the id of the change."""
    made = spawn_command("call", "auth_create_role", '{"role_name": "helper", "display_name": "Helper"}')
    assert made.status == 0, made.err
    updated = spawn_command("call", "auth_update_role", '{"role_name": "helper", "display_name": "Changed"}')
    assert updated.status == 0, updated.err
    entries = json.loads(run_command("undo", "--json").out)
    assert [entry["operation"] for entry in entries] == ["auth.UpdateRole", "auth.CreateRole"]
    return str(entries[0]["call"])


def names() -> dict[str, str]:
    roles = json.loads(spawn_command("call", "auth_get_roles").out)["roles"]
    return {role["role_name"]: role["display_name"] for role in roles}


def undo(identifier: str) -> tuple[int, str]:
    with Terminal("undo", identifier, "--lang", "ja") as terminal:
        return terminal.wait(), terminal.output


def test_nothing_was_done_where_there_is_no_state(state: Path) -> None:
    assert "No changes in the last 30 days." in run_command("undo").out
    assert not state.exists()


@pytest.mark.parametrize(
    "words",
    [("undo",), ("undo", "--json"), ("approvals",), ("audit", "search"), ("audit", "verify"), ("audit", "export")],
)
def test_a_store_that_cannot_be_read_is_named_and_the_status_tells_it(words: tuple[str, ...], state: Path) -> None:
    state.mkdir(mode=0o700)
    damaged = state / "damaged.sqlite3"
    damaged.write_bytes(b"this is no database" * 100)
    damaged.chmod(0o600)
    ran = run_command(*words)
    assert "damaged" in ran.err
    assert ran.status == 1


@pytest.mark.usefixtures("api")
async def test_a_change_is_listed_and_put_back_once() -> None:
    identifier = await run_sync(changed)
    assert re.search(
        rf"^{identifier[:8]}  .*UTC \(just now\)  Rename the role Helper\n +Role name: helper\n +Display name: Helper → Changed\n +Can be undone\.$",
        run_command("undo").out,
        re.MULTILINE | re.IGNORECASE,
    )
    status, shown = await run_sync(undo, identifier[:8])
    assert status == 0, shown
    assert "元に戻しました。" in shown
    assert re.search(
        r"行われた変更:\n  .*ロール.* Helper の表示名を変更しました\n    ロール名: helper\n    表示名: Helper → Changed",
        shown.replace("\r", ""),
    )
    assert re.search(
        r"元に戻すために行う操作:\n  .*ロール.* Helper の表示名を変更します\n    ロール名: helper\n    表示名: Helper\n    auth_update_role role_name=helper\n",
        shown.replace("\r", ""),
    )
    assert (await run_sync(names))["helper"] == "Helper"
    assert re.search(
        rf"^{identifier[:8]}  .*\n.*\n.*→.*\n +Undone\.$", run_command("undo").out, re.MULTILINE | re.IGNORECASE
    )
    decided = [json.loads(line) for line in run_command("audit", "export").out.splitlines() if '"decided"' in line]
    assert [(each["action"], each["from_call"]) for each in decided if each["action"] == "undo"] == [
        ("undo", identifier)
    ]
    status, shown = await run_sync(undo, identifier)
    assert status == 1
    assert "すでに元に戻し済みです。" in shown


@pytest.mark.usefixtures("api")
async def test_without_a_terminal_nothing_is_put_back() -> None:
    identifier = await run_sync(changed)
    refused = await run_sync(spawn_command, "undo", identifier)
    assert refused.status == 1
    assert "terminal" in refused.err
    assert (await run_sync(names))["helper"] == "Changed"


@pytest.mark.usefixtures("api")
async def test_an_id_that_fits_nothing_or_several_is_reported() -> None:
    await run_sync(changed)
    status, shown = await run_sync(undo, "zz")
    assert status == 1
    assert "zz" in shown
    status, shown = await run_sync(undo, "")
    assert status == 1


def test_an_undo_that_waits_for_an_approval_says_how_to_approve_it_and_has_the_status_of_a_call() -> None:
    made = spawn_command("call", "--sandbox", "auth_create_role", '{"role_name": "helper", "display_name": "Helper"}')
    assert made.status == 0, made.err
    identifier = json.loads(run_command("undo", "--json").out)[0]["call"]
    with Terminal("undo", "--sandbox", identifier) as terminal:
        assert terminal.wait() == 4, terminal.output
    assert re.search(r"To approve it, run\s+`saasus-mcp approve", terminal.output)
    assert "You cannot approve it" not in terminal.output


@pytest.mark.parametrize("profile", ["other", "default"])
def test_no_passphrase_is_asked_for_where_a_change_cannot_be_undone(state: Path, profile: str) -> None:
    """It was made in a profile that is not this one, or that has no credentials any more."""
    with closing(open_saas_store(state, "acme")) as store:
        entry = UndoEntry("c1" * 16, time.time(), "auth.DeleteRole", "local:me", profile, {"role_name": "a"}, None)
        store.commit(entry.call, {}, entry.at, commitment=Commitment(True, undo_entry=entry, profile=profile))
    passphrase.save_passphrase(state, "a long passphrase")
    with Terminal("undo", "c1c1") as terminal:
        assert terminal.wait() == 1, terminal.output
    assert message("cli.ask_passphrase").text("en") not in terminal.output
    hint = "--profile other" if profile == "other" else "SAASUS_SAAS_ID"
    assert hint in terminal.output


def test_a_wrong_name_is_reported_as_by_a_call() -> None:
    user = '{"user_id": "da8d500a-6679-584e-9fa1-b202effcb4ae", "email": "akane@example.jp"}'
    with Terminal("call", "--sandbox", "auth_update_saas_user_email", user) as terminal:
        terminal.answer(("type", "akane.hoshino@example.jp"))
        assert terminal.wait() == 0, terminal.output
    identifier = json.loads(run_command("undo", "--json").out)[0]["call"]
    with Terminal("undo", "--sandbox", identifier) as terminal:
        terminal.answer(("type", "somebody"))
        assert terminal.wait() == 4, terminal.output
    assert "the name typed does not match" in terminal.output


def lines(*args: str) -> list[str]:
    """Return the first line of each call or job in the list."""
    return [line for line in run_command("undo", *args).out.splitlines() if "UTC" in line]


def test_an_irreversible_change_is_listed_and_says_so() -> None:
    made = spawn_command("call", "--sandbox", "auth_create_saas_user", '{"sign_in_id": "shop-9"}')
    attribute = '{"attribute_name": "shop", "display_name": "Shop", "attribute_type": "string"}'
    assert spawn_command("call", "--sandbox", "auth_create_saas_user_attribute", attribute).status == 0
    assert made.status == 0, made.err
    shown = run_command("undo").out
    assert re.search(
        r"Define the SaaS user attribute Shop\n +Attribute name: shop\n +Type: text\n +Cannot be undone\. ", shown
    ), shown
    assert re.search(r"Create an account for shop-9\n +Can be undone with an approval\. ", shown), shown
    assert re.search(
        r" 日?.*JST \(たった今\)  shop-9 のアカウントを作成しました\n +承認を受ければ元に戻せます。",
        run_command("undo", "--lang", "ja").out,
    )


def test_the_list_is_filtered_and_says_what_it_leaves_out() -> None:
    for name in ("first", "second", "third"):
        made = spawn_command(
            "call", "--sandbox", "auth_create_role", json.dumps({"role_name": name, "display_name": name})
        )
        assert made.status == 0, made.err
    assert len(lines()) == 3
    assert len(lines("--limit", "1")) == 1
    [second] = [
        each["call"] for each in json.loads(run_command("undo", "--json").out) if each["undo"]["concerns"] == "second"
    ]
    [shown] = lines(second[:8], "--list")
    assert shown.endswith("Create the role second")
    assert "2 more are not shown (--limit)." in run_command("undo", "--limit", "1").out
    assert len(lines("--operation", "create_role", "--since", "1h")) == 3
    assert "No matching changes" in run_command("undo", "--operation", "auth.DeleteTenant").out
    assert "No matching changes" in run_command("undo", "--since", "2099-01-01").out
    refused = run_command("undo", "--since", "yesterday")
    assert (refused.status, "is not a time" in refused.err) == (1, True)


def test_a_job_is_listed_as_one_and_undone_as_one_by_one_approval(tmp_path: Path) -> None:
    listed = tmp_path / "new.csv"
    listed.write_text(
        "email,tenant_name,env_id,role_name\nnew@example.jp,株式会社青空商事,3,editor\n", encoding="utf-8"
    )
    with Terminal("job", "import_users", "--sandbox", "--csv", str(listed)) as terminal:
        terminal.wait_for("[y/N]")
        terminal.type("y")
        assert terminal.wait() == 0, terminal.output
    [shown] = lines()
    found = re.match(r"job (\w{8})  .*UTC \(just now\)  Import users$", shown)
    assert found, shown
    assert "3 can be undone (1 with an approval)" in run_command("undo").out
    assert len(lines("--job", found[1], "--list")) == 3
    refused = spawn_command("undo", "--sandbox", "--job", found[1])
    assert (refused.status, "terminal" in refused.err) == (1, True)
    told = tmp_path / "told.json"
    with Terminal("undo", "--sandbox", "--job", found[1], "--json", redirected=told) as terminal:
        assert terminal.wait() != 0
    refused = json.loads(told.read_text(encoding="utf-8"))
    assert (refused["ok"], refused["reason"]) == (False, "approval")
    code = re.search(r"saasus-mcp approve (\S{4}-\S{4})", refused["text"])
    assert code, refused
    with Terminal("approve", code[1]) as terminal:
        terminal.wait_for("3 calls")
        terminal.type("3 calls")
        assert terminal.wait() == 0, terminal.output
    with Terminal("undo", "--sandbox", "--job", found[1]) as terminal:
        assert terminal.wait() == 0, terminal.output
        assert "3 undone, 0 not undone, 0 cannot be undone." in terminal.output
    assert "3 undone" in run_command("undo").out


def test_only_what_can_never_be_undone_is_counted_so(tmp_path: Path) -> None:
    calls = [
        {"tool": "auth_update_role", "arguments": {"role_name": "editor", "display_name": "Changed"}},
        {
            "tool": "auth_create_saas_user_attribute",
            "arguments": {"attribute_name": "shop", "display_name": "Shop", "attribute_type": "string"},
        },
    ]
    with Terminal("job", "run_plan", "--sandbox", json.dumps({"calls": calls})) as terminal:
        assert terminal.wait() == 0, terminal.output
    told = tmp_path / "told.json"
    counted: list[dict[str, Any]] = []
    [shown] = lines()
    for _ in range(2):
        with Terminal("undo", "--sandbox", "--job", shown.split()[1], "--json", redirected=told) as terminal:
            assert terminal.wait() == 0, terminal.output
        outcome = json.loads(told.read_text(encoding="utf-8"))
        counted.append({name: outcome[name] for name in ("undone", "done", "left", "never")})
    assert counted == [
        {"undone": True, "done": 1, "left": 0, "never": 1},
        {"undone": True, "done": 0, "left": 0, "never": 1},
    ]
