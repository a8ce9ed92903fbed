"""Commands with --sandbox continue from the saved state; a served sandbox loads and saves its state in a file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from saasus_mcp.cli.sandbox import sandbox_state
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.settings.environment import read_settings
from tests.support.commands import Terminal, run_command, sandbox_variables, spawn_command, wait_for_port
from tests.support.processes import TIMEOUT, start_module

ROLE = '{"role_name": "accountant", "display_name": "経理担当"}'
READS = ("call", "--sandbox", "auth_get_roles")
MAKES = ("call", "--sandbox", "auth_create_role", ROLE)
DOCUMENT = '{"format": "saasus-mcp sandbox state", "version": 1, "made": 0, "tables": {}}'


@pytest.fixture
def file(state: Path) -> Path:
    """Where the commands keep the sandbox's state."""
    return state / sandbox_state.STATE_FILE


def roles(*command: str) -> list[str]:
    ran = run_command(*(command or READS))
    assert ran.status == 0, ran.err
    return [role["role_name"] for role in json.loads(ran.out)["roles"]]


def test_a_call_finds_what_the_last_one_changed_and_fresh_begins_again() -> None:
    assert "accountant" not in roles()
    assert run_command(*MAKES).status == 0
    assert "accountant" in roles()
    assert "accountant" in roles()
    assert "accountant" not in roles(*READS, "--fresh")
    assert "accountant" not in roles(), "what was there before is forgotten"


def test_a_job_finds_what_a_call_changed(tmp_path: Path) -> None:
    assert run_command(*MAKES).status == 0
    for name, flags, there in (("kept", (), True), ("fresh", ("--fresh",), False)):
        made = tmp_path / f"{name}.json"
        ran = run_command("job", "export_settings", '{"kinds": ["roles"]}', "--sandbox", "--output", str(made), *flags)
        assert ran.status == 0, ran.err
        assert ("accountant" in made.read_text(encoding="utf-8")) is there


def test_a_change_that_a_call_made_is_undone_by_another_command() -> None:
    assert run_command(*MAKES).status == 0
    renamed = '{"role_name": "accountant", "display_name": "Renamed"}'
    assert run_command("call", "--sandbox", "auth_update_role", renamed).status == 0
    entry = json.loads(run_command("undo", "--json").out)[0]
    with Terminal("undo", entry["call"][:8], "--sandbox") as terminal:
        assert terminal.wait() == 0, terminal.output
    ran = run_command(*READS)
    assert "経理担当" in ran.out
    assert "Renamed" not in ran.out


def test_a_failed_save_keeps_the_earlier_state() -> None:
    assert run_command(*MAKES).status == 0
    assert run_command(*MAKES).status == 1
    assert run_command("call", "--sandbox", "no_such_tool").status == 1
    assert roles().count("accountant") == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [((), "--fresh resets the sandbox, but"), (("--lang", "ja"), "このコマンドはサンドボックスを使っていません")],
)
def test_fresh_without_the_sandbox_is_refused(flags: tuple[str, ...], said: str, file: Path) -> None:
    for command in (("call", "auth_get_roles"), ("job", "export_users")):
        ran = run_command(*command, "--fresh", *flags)
        assert ran.status == 1
        assert said in ran.err
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "lang", "said"),
    [
        ("{}", "en", "the file was not written by the sandbox"),
        ("{", "en", "the file is not JSON"),
        (DOCUMENT.replace("1", "99"), "en", "it was written by another version of saasus-mcp"),
        (DOCUMENT.replace("0", '"x"'), "ja", "テーブルまたはレコードが壊れています"),
    ],
)
def test_a_damaged_state_is_reported_with_the_fix_and_not_changed(
    content: str, lang: str, said: str, file: Path
) -> None:
    file.parent.mkdir(mode=0o700)
    file.write_text(content, encoding="utf-8")
    file.chmod(0o600)
    ran = run_command(*READS, "--lang", lang)
    assert ran.status == 1
    assert said in ran.err
    assert "--fresh" in ran.err
    assert file.read_text(encoding="utf-8") == content
    assert "admin" in roles(*READS, "--fresh")
    assert "admin" in roles()


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_a_state_that_others_can_change_is_refused(file: Path) -> None:
    assert "admin" in roles()
    file.chmod(0o666)
    ran = run_command(*READS)
    assert ran.status == 1
    assert f"chmod 600 {file}" in ran.err


def test_two_commands_do_not_lose_each_others_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox_state, "LOCK_TIMEOUT", 0.1)
    settings = read_settings(sandbox=True)
    with sandbox_state.open_sandbox(settings):
        for lang, said in (("en", "Another command is using the sandbox state"), ("ja", "別のコマンドが使用中です")):
            ran = run_command(*READS, "--lang", lang)
            assert ran.status == 1
            assert said in ran.err
    assert "admin" in roles()


def test_a_lock_that_cannot_be_used_is_not_said_to_be_another_command(file: Path) -> None:
    assert "admin" in roles()
    [lock] = file.parent.glob("sandbox-state*.lock")
    lock.write_bytes(b"this is no database" * 100)
    for lang, said in (("en", "is not a database"), ("ja", "データベース")):
        ran = run_command(*READS, "--lang", lang)
        assert ran.status == 1
        assert said in ran.err
        assert str(lock) in ran.err.replace("\n", "")


def test_commands_that_run_at_the_same_time_all_leave_their_changes() -> None:
    names = [f"role-{number}" for number in range(3)]
    made = [
        start_module(
            *("saasus_mcp", "call", "--sandbox", "auth_create_role"),
            json.dumps({"role_name": name, "display_name": "x"}),
            stdout=subprocess.DEVNULL,
        )
        for name in names
    ]
    ended = [each.wait(TIMEOUT) for each in made]
    kept = roles()
    assert [name in kept for name in names] == [status == 0 for status in ended]
    assert 0 in ended


@contextmanager
def served(*args: str) -> Iterator[subprocess.Popen[str]]:
    """Serve a sandbox on a port, with its address in the environment of the commands."""
    with start_module(
        *("saasus_mcp", "sandbox", "--port", "0"), *args, stdout=subprocess.PIPE, encoding="utf-8"
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def told(running: subprocess.Popen[str]) -> dict[str, str]:
    """Return the variables that a client needs, once the sandbox listens."""
    found = sandbox_variables(running)
    wait_for_port(int(found["SAASUS_API_URL_BASE"].rpartition(":")[2]))
    return {**found, "NO_PROXY": "127.0.0.1"}


@pytest.mark.skipif(os.name != "posix", reason="signals of another kind")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda each: each.name)
def test_a_served_sandbox_writes_its_state_however_it_is_asked_to_end(tmp_path: Path, number: signal.Signals) -> None:
    kept = tmp_path / "state.json"
    with served("--state", str(kept)) as running:
        ran = spawn_command("call", "auth_create_role", ROLE, **told(running))
        assert ran.status == 0, ran.err
        running.send_signal(number)
        assert running.wait(TIMEOUT) == 128 + number
    with served("--state", str(kept)) as running:
        assert "accountant" in spawn_command("call", "auth_get_roles", **told(running)).out


@pytest.mark.parametrize(
    ("lang", "error", "hint"),
    [
        ("en", "the file was not written by the sandbox", "Specify a file written by `saasus-mcp sandbox --state`"),
        ("ja", "サンドボックスが保存したファイルではありません", "`saasus-mcp sandbox --state`で保存したファイル"),
    ],
)
def test_a_foreign_file_is_never_overwritten(tmp_path: Path, lang: str, error: str, hint: str) -> None:
    foreign = tmp_path / "package.json"
    foreign.write_text('{"name": "somebody-elses"}', encoding="utf-8")
    ran = run_command("sandbox", "--port", "0", "--state", str(foreign), "--lang", lang)
    assert ran.status == 1
    assert error in ran.err
    assert hint in ran.err
    assert foreign.read_text(encoding="utf-8") == '{"name": "somebody-elses"}'


def test_a_state_that_cannot_be_written_is_reported_before_the_sandbox_is_served(tmp_path: Path) -> None:
    ran = run_command("sandbox", "--port", "0", "--state", str(tmp_path / "none" / "state.json"))
    assert ran.status == 1
    assert "cannot be saved to" in ran.err
    assert "SAASUS_API_URL_BASE" not in ran.out


def test_a_link_in_the_place_of_the_state_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    with pytest.raises(UnsafeFile), sandbox_state.open_sandbox_file(read_settings(), tmp_path / "link.json"):
        pass
    assert (tmp_path / "real.json").read_text(encoding="utf-8") == DOCUMENT
