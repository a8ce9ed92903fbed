"""`freeze`, `unfreeze` and `audit`, in a terminal or in a script."""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from saasus_mcp.cli import commands
from saasus_mcp.cli.state import AUDIT_KEY_PURPOSE, KEY_FILE
from saasus_mcp.cli.terminal import TerminalError
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from tests.support.commands import Terminal


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kept"
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(folder))
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments)


def called(tool: str, arguments: str = "{}") -> Result:
    return run("call", "--sandbox", tool, arguments)


ROLE = '{"role_name":"new","display_name":"New"}'


@pytest.mark.parametrize("used_before", [True, False], ids=["a store that there is", "a store made later"])
def test_a_freeze_stops_writes_of_every_process_and_says_why(state: Path, used_before: bool) -> None:
    if used_before:
        assert called("auth_get_roles").exit_code == 0
    assert str(state) in run("freeze", "--reason", "an incident").output
    stopped = called("auth_create_role", ROLE)
    assert stopped.exit_code == 4
    assert "“an incident”" in stopped.output
    assert "unfreeze" in stopped.output
    assert called("auth_get_roles").exit_code == 0, "reads go on"


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals on this system")
def test_a_person_lifts_the_freeze_of_everything_and_of_each_store(state: Path) -> None:
    called("auth_get_roles")
    [file] = state.glob("*.sqlite3")
    store = Store.open_file(file)
    store.freeze(Freeze(1.0, "local:other", ""))
    store.close()
    run("freeze")
    assert called("auth_create_role", ROLE).exit_code == 4
    with Terminal("unfreeze") as terminal:
        assert terminal.wait() == 0
    assert called("auth_create_role", ROLE).exit_code == 0


def test_a_freeze_of_another_profile_lets_writes_go() -> None:
    called("auth_get_roles")
    told = run("freeze", "--profile", "production", "--reason", "an incident")
    assert told.exit_code == 0
    assert "have no profile production" in told.stderr
    assert called("auth_create_role", ROLE).exit_code == 0


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals on this system")
def test_a_freeze_of_a_profile_is_lifted_by_its_name_and_by_nothing_else() -> None:
    assert "profile sandbox" in run("freeze", "--profile", "sandbox").output, "also before anything was stored"
    stopped = called("auth_create_role", ROLE)
    assert stopped.exit_code == 4
    assert "unfreeze --profile sandbox" in stopped.output
    with Terminal("unfreeze") as terminal:
        terminal.wait_for("Writes of the profile sandbox are still frozen")
        assert terminal.wait() == 0
    assert called("auth_create_role", ROLE).exit_code == 4
    with Terminal("unfreeze", "--profile", "sandbox") as terminal:
        assert terminal.wait() == 0
    assert called("auth_create_role", ROLE).exit_code == 0


@pytest.mark.skipif(os.name != "posix", reason="no pseudo-terminals on this system")
def test_without_a_freeze_nothing_is_lifted_and_nothing_is_recorded() -> None:
    called("auth_get_roles")
    for options, said in (((), "Nothing was frozen."), (("--profile", "sandbox"), "profile sandbox was not frozen")):
        with Terminal("unfreeze", *options) as terminal:
            assert terminal.wait() == 0
        assert said in terminal.output
    assert '"unfreeze"' not in run("audit", "export").output


@pytest.mark.parametrize("options", [(), ("--profile", "sandbox")], ids=["everything", "a profile"])
def test_a_freeze_whose_end_cannot_be_recorded_stays(monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]) -> None:
    called("auth_get_roles")
    assert run("freeze", *options).exit_code == 0

    def full(*_: object) -> None:
        raise StoreError.of("store.unusable", reason="The disk is full")

    monkeypatch.setattr("saasus_mcp.cli.freeze.require_approver", lambda *_: None)
    with monkeypatch.context() as broken:
        broken.setattr(Store, "record_decision", full)
        assert "The disk is full" in str(run("unfreeze", *options).exception)
    assert called("auth_create_role", ROLE).exit_code == 4, "writes are still frozen"
    assert run("unfreeze", *options).exit_code == 0
    assert called("auth_create_role", ROLE).exit_code == 0


def test_a_profile_that_cannot_be_frozen_is_said() -> None:
    assert "so the profile production cannot be frozen" in str(run("freeze", "--profile", "production").exception)
    for command in ("freeze", "unfreeze"):
        assert "--profile is empty" in str(run(command, "--profile", " ").exception)


def test_a_freeze_of_a_name_that_no_profile_can_have_is_refused() -> None:
    result = run("freeze", "--profile", "bad/name")
    assert "bad/name is not the name of a profile" in str(result.exception)


def test_a_program_learns_what_is_frozen_and_verified(state: Path) -> None:
    told = json.loads(run("freeze", "--profile", "sandbox", "--reason", "an incident", "--json").output)
    assert told == {"frozen": True, "profile": "sandbox", "known": True, "reason": "an incident", "folder": str(state)}
    assert json.loads(run("freeze", "--json").output)["profile"] is None
    found = json.loads(run("audit", "verify", "--json").output)
    assert (found["ok"], found["heads_checked"], found["lost"]) == (True, False, [])
    assert sum(store["records"] for store in found["stores"]) == 2


def test_a_freeze_that_cannot_be_read_holds_all_the_same(state: Path) -> None:
    run("freeze")
    (state / "frozen.json").write_text("{", encoding="utf-8")
    stopped = called("auth_create_role", ROLE)
    assert stopped.exit_code == 4
    assert "cannot be read" in stopped.output


def test_a_state_folder_that_cannot_be_written_cannot_be_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(tmp_path / "file"))
    failed = run("freeze")
    assert failed.exit_code == 1
    assert "SAASUS_MCP_STATE_DIR" in str(failed.exception)


@pytest.mark.parametrize("command", [("unfreeze",), ("audit", "purge")])
def test_lifting_and_purging_need_a_person_at_a_terminal(command: tuple[str, ...]) -> None:
    refused = run(*command)
    assert refused.exit_code == 1
    assert "terminal" in str(refused.exception)


def test_every_record_is_exported() -> None:
    called("auth_get_roles")
    called("auth_get_envs")
    exported = [json.loads(line) for line in run("audit", "export").output.splitlines()]
    assert [record["event"] for record in exported] == ["begun", "ended"] * 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\xe9", "not UTF-8"), (b"{", "Expecting property name"), (b"[1]", "another format")],
)
def test_a_file_that_holds_no_heads_is_refused_with_the_reason(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "heads.json"
    file.write_bytes(content)
    refused = run("audit", "verify", "--heads", str(file)).exception
    assert isinstance(refused, TerminalError)
    assert reason in refused.text("en")


def test_the_audit_is_verified_against_heads_kept_elsewhere(state: Path, tmp_path: Path) -> None:
    called("auth_get_roles")
    kept = tmp_path / "heads.json"
    kept.write_text(run("audit", "heads").output, encoding="utf-8")
    whole = run("audit", "verify", "--heads", str(kept))
    assert (whole.exit_code, whole.output.splitlines()[-1]) == (0, "All exported heads are present.")
    for file in state.glob("*.sqlite3*"):
        file.unlink()
    called("auth_get_roles")
    cut = run("audit", "verify", "--heads", str(kept), "--lang", "ja")
    assert cut.exit_code == 1
    assert "改ざんの可能性があります" in cut.output


def test_a_chain_that_was_purged_whole_still_reaches_its_exported_head(state: Path, tmp_path: Path) -> None:
    called("auth_get_roles")
    kept = tmp_path / "heads.json"
    kept.write_text(run("audit", "heads").output, encoding="utf-8")
    [file] = state.glob("*.sqlite3")
    with closing(Store.open_file(file, Encryptor.from_file(state / KEY_FILE).derive_keys(AUDIT_KEY_PURPOSE))) as store:
        assert store.audit_log.purge(time.time() + 1, by="local:me", at=time.time()) == 2
    called("auth_get_roles")
    whole = run("audit", "verify", "--heads", str(kept))
    assert (whole.exit_code, whole.output.splitlines()[-1]) == (0, "All exported heads are present.")
    assert "an exported head is among the first 2 records, which were purged by local:me at" in whole.output
    assert "1 chains" in run("audit", "verify").output


def test_a_decision_that_version_0_1_0_recorded_is_shown_like_a_new_one(state: Path) -> None:
    run("freeze", "--reason", "an incident")
    called("auth_get_roles")
    [file] = state.glob("sandbox*.sqlite3")
    with closing(Store.open_file(file, Encryptor.from_file(state / KEY_FILE).derive_keys(AUDIT_KEY_PURPOSE))) as store:
        store.record_decision({"deed": "unfreeze", "principal": "local:me", "via": "terminal"}, time.time())
    found = json.loads(run("audit", "search", "--event", "decided", "--json").output)
    assert [each["action"] for each in found] == ["unfreeze", "freeze"]
    assert run("audit", "verify").exit_code == 0


def test_an_altered_chain_is_reported(state: Path) -> None:
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - only here

    called("auth_get_roles")
    [file] = state.glob("*.sqlite3")
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE audit SET record = '{}' WHERE number = 1"))
    engine.dispose()
    broken = run("audit", "verify")
    assert broken.exit_code == 1
    assert "modified" in broken.output


def test_a_file_that_holds_no_heads_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('[{"no": "head"}]', encoding="utf-8")
    refused = run("audit", "verify", "--heads", str(wrong))
    assert refused.exit_code == 1
    assert "audit heads" in str(refused.exception)
