"""Every decision at a terminal is in the audit log once, with the same fields as on the console."""

from __future__ import annotations

import json
import pwd
import re
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from saasus_mcp.cli import terminal
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.policy_in_force import make_reload_recorder
from saasus_mcp.cli.state import AUDIT_KEY_PURPOSE, KEY_FILE
from saasus_mcp.permissions.policy.file import ReloadablePolicy
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.settings.environment import read_settings
from tests.support.commands import Terminal, approval_status, create_approval, run_command
from tests.support.saas_store import open_saas_store

pytest.importorskip("pty", reason="no pseudo-terminals on this system")

CHANGING = ("call", "at", "event", "principal_name")
"""Fields that differ each time, and the name of the user, which not every system knows."""


def decided() -> list[dict[str, Any]]:
    """Return the decisions in every audit log, oldest first, without fields that differ each time."""
    records = [json.loads(line) for line in run_command("audit", "export").out.splitlines()]
    assert run_command("audit", "verify").status == 0
    return [
        {name: value for name, value in record.items() if name not in CHANGING}
        for record in records
        if record["event"] == "decided"
    ]


def told(kind: str, **more: str) -> dict[str, str]:
    return {"action": kind, "principal": local_user().id, "via": "terminal", **more}


def done(*args: str) -> None:
    with Terminal(*args) as terminal:
        assert terminal.wait() == 0, terminal.output


def test_a_freeze_and_its_end_are_recorded(state: Path) -> None:
    assert run_command("freeze", "--reason", "an incident").status == 0
    done("unfreeze")
    assert decided() == [told("freeze", reason="an incident"), told("unfreeze")]
    assert [file.name for file in state.glob("*.sqlite3")] == [], "it is of no single SaaS"


def test_the_name_of_the_user_stands_beside_the_id(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="sato", pw_gecos="佐藤 花子"))
    create_approval(state)
    assert run_command("reject", "ABCD-2345", "--reason", "not now").status == 0
    assert run_command("freeze").status == 0
    assert run_command("freeze", "--profile", "production").status == 0
    records = [json.loads(line) for line in run_command("audit", "export").out.splitlines()]
    by_action = {each["action"]: each for each in records if each["event"] == "decided"}
    assert set(by_action) == {"reject", "freeze"}
    people = {(each["principal"], each["principal_name"]) for each in records if each["event"] == "decided"}
    assert people == {("local:sato", "佐藤 花子")}


def test_every_decision_that_needs_a_person_names_the_user(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", lambda _: SimpleNamespace(pw_name="sato", pw_gecos="佐藤 花子"))
    monkeypatch.setattr(terminal, "require_person", lambda _: None)
    sealer, hiding = Encryptor.from_file(state / KEY_FILE), SecretCollector()
    handle = hiding.add("hush-hush")
    with closing(open_saas_store(state, "saas-1", sealer.derive_keys(AUDIT_KEY_PURPOSE))) as store:
        SecretVault(store, sealer, time.time).store_secrets(hiding, "local:somebody", "production")
        store.record_refusal("c" * 32, {}, 1.0)
    commands = {
        "reveal": ("reveal", handle),
        "purge": ("audit", "purge"),
        "token_create": ("token", "new", "hanako"),
        "token_revoke": ("token", "revoke", "hanako"),
        "sign_out": ("token", "sign-out", "token:hanako"),
        "freeze": ("freeze",),
        "unfreeze": ("unfreeze",),
    }
    for args in commands.values():
        ran = run_command(*args)
        assert ran.status == 0, ran.err
    records = [json.loads(line) for line in run_command("audit", "export").out.splitlines()]
    named = {each["action"]: (each["principal"], each.get("principal_name")) for each in records if "action" in each}
    assert named == dict.fromkeys(commands, ("local:sato", "佐藤 花子"))


def test_a_new_token_ends_when_the_list_says_that_it_ends() -> None:
    with Terminal("token", "new", "hanako", "--group", "support", "--lang", "ja", "--days", "31") as terminal:
        assert terminal.wait() == 0
    [end] = re.findall(r"有効期限は(.*? JST)", " ".join(terminal.output.split()))
    assert end in run_command("token", "list", "--lang", "ja").out


def test_tokens_are_recorded_by_name_and_never_by_what_they_are() -> None:
    with Terminal("token", "new", "hanako", "--group", "support") as terminal:
        assert terminal.wait() == 0
    token = next(word for word in terminal.output.split() if word.startswith("smcp_"))
    done("token", "revoke", "hanako")
    done("token", "sign-out", "token:hanako")
    made, revoked, signed_out = decided()
    assert made.pop("reason").endswith("groups: support")
    assert made == told("token_create", subject="hanako")
    assert revoked == told("token_revoke", subject="hanako")
    assert signed_out == told("sign_out", subject="token:hanako")
    assert token not in run_command("audit", "export").out


def test_a_passphrase_that_is_set_and_cleared_is_recorded() -> None:
    with Terminal("approver", "set") as terminal:
        terminal.wait_for("assphrase")
        terminal.type("correct horse")
        terminal.wait_for("Repeat the new passphrase")
        terminal.type("correct horse")
        assert terminal.wait() == 0, terminal.output
    with Terminal("approver", "clear") as terminal:
        terminal.wait_for("assphrase")
        terminal.type("correct horse")
        assert terminal.wait() == 0, terminal.output
    assert decided() == [told("passphrase_set"), told("passphrase_cleared")]


def test_a_revealed_secret_is_recorded_with_where_it_came_from(state: Path) -> None:
    sealer, hiding = Encryptor.from_file(state / KEY_FILE), SecretCollector()
    handle = hiding.add("hush-hush")
    with closing(open_saas_store(state, "saas-1", sealer.derive_keys(AUDIT_KEY_PURPOSE))) as store:
        handles = SecretVault(store, sealer, time.time)
        handles.store_secrets(hiding, "local:somebody", "production", operation="auth.CreateSaasUser", call="c" * 32)
    with Terminal("reveal", handle) as terminal:
        assert terminal.wait() == 0
    assert "hush-hush" in terminal.output
    where = {"profile": "production", "operation": "auth.CreateSaasUser", "from_call": "c" * 32}
    assert decided() == [told("reveal", handle=handle.removeprefix("secret://r/"), **where)]
    assert "hush" not in run_command("audit", "export").out
    [line] = run_command("audit", "search", "--event", "decided").out.splitlines()
    assert "(auth_create_saas_user)" in line


def test_approvals_and_rejections_are_recorded(state: Path) -> None:
    create_approval(state)
    with Terminal("approve", "ABCD-2345") as terminal:
        terminal.wait_for("To approve, type")
        terminal.type("Aozora")
        assert terminal.wait() == 0
    create_approval(state, "WXYZ-2345")
    assert run_command("reject", "WXYZ-2345", "--reason", "not today").status == 0
    approved, rejected = decided()
    assert told("approve", code="ABCD-2345", operation="auth.DeleteTenant").items() <= approved.items()
    assert told("reject", code="WXYZ-2345", reason="not today").items() <= rejected.items()


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_no_decision_succeeds_while_a_store_cannot_be_read(state: Path, command: str) -> None:
    state.mkdir(mode=0o700)
    damaged = state / "damaged.sqlite3"
    damaged.write_bytes(b"this is no database" * 100)
    damaged.chmod(0o600)
    with Terminal(command) as terminal:
        assert terminal.wait() == 1
    assert "No pending" not in terminal.output


def test_a_call_whose_question_cannot_be_read_is_not_approved(state: Path) -> None:
    create_approval(state, preview="{}")
    with Terminal("approve", "ABCD-2345") as terminal:
        assert terminal.wait() == 1
    assert "To approve, type" not in terminal.output
    assert "another version of saasus-mcp" in " ".join(terminal.output.split()).lower()
    assert approval_status(state) == ("pending", None)
    assert decided() == []


def test_each_reload_of_the_policy_is_recorded_by_the_server_that_made_it(state: Path, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SOUND, encoding="utf-8")
    settings = read_settings(policy=file)
    reloading = ReloadablePolicy(file)
    for text in (SOUND, "version: 1\nrules: nonsense\n"):
        file.write_text(text, encoding="utf-8")
        before = set(threading.enumerate())
        make_reload_recorder(settings)(reloading.reload())
        for thread in set(threading.enumerate()) - before:
            thread.join()
    taken, refused = decided()
    assert (taken["action"], refused["action"]) == ("policy_taken", "policy_refused")
    assert re.fullmatch(r"The policy '[^']+' is in force\.", taken["reason"])
    assert refused["reason"].startswith("The policy '")
    assert taken["via"] == refused["via"] == "server"
    assert taken["subject"] == str(file)
    assert "stays in force" in refused["reason"]
    assert (state / "decisions.db").is_file()


@pytest.mark.usefixtures("state")
def test_a_reload_warns_of_a_profile_that_does_not_exist(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(SOUND, encoding="utf-8")
    reloading, before = ReloadablePolicy(file), set(threading.enumerate())
    file.write_text(SOUND.replace("levels:", "profile: prodution, levels:"), encoding="utf-8")
    make_reload_recorder(read_settings(policy=file), reloading)(reloading.reload())
    for thread in set(threading.enumerate()) - before:
        thread.join()
    assert "prodution" in caplog.text


SOUND = "version: 1\nname: desk\nrules:\n  - {name: reads, levels: [read], then: allow}\n"


def test_without_a_code_the_call_to_reject_is_picked_from_a_list(state: Path) -> None:
    create_approval(state)
    with Terminal("reject", "--reason", "not now") as terminal:
        terminal.wait_for("Which one?")
        terminal.type("1")
        assert terminal.wait() == 0, terminal.output
    assert [each["action"] for each in decided()] == ["reject"]
