"""What doctor finds in the state folder, the stores and the engine of jobs."""

from __future__ import annotations

import errno
import io
import os
import re
import shlex
import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from saasus_mcp.cli.doctor import checks
from saasus_mcp.jobs import engine_check
from saasus_mcp.permissions.secrets import passphrase
from tests.support.commands import create_approval, run_command
from tests.support.doctor import findings

TRIAL = engine_check.check_engine


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch, _no_engine: None) -> None:
    monkeypatch.setattr(engine_check, "check_engine", TRIAL)


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_state_that_others_can_read_is_a_problem(state: Path) -> None:
    state.mkdir(mode=0o755)
    assert f"chmod go-rwx {state}" in findings("--sandbox")["state"]["hint"]
    state.chmod(0o700)
    leak = state / "leak.sqlite3-wal"
    leak.write_bytes(b"")
    leak.chmod(0o644)
    assert str(leak) in findings("--sandbox")["state"]["said"]


def test_modes_are_not_judged_where_they_mean_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Windows:
        name = "nt"

    state.mkdir(mode=0o755)
    monkeypatch.setattr(checks, "os", Windows)
    assert findings("--sandbox")["state"]["status"] == "ok"


def test_a_state_folder_that_cannot_be_written_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(tmp_path / "file" / "state"))
    assert "cannot be written" in findings("--sandbox")["state"]["said"]


def test_a_state_folder_on_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    found = findings("--sandbox")["state"]
    assert found["status"] == "problem"
    assert "No space left" in found["said"]


def test_a_damaged_store_is_a_problem(state: Path) -> None:
    state.mkdir(mode=0o700)
    damaged = state / "damaged.sqlite3"
    damaged.write_bytes(b"this is no database" * 100)
    damaged.chmod(0o600)
    assert findings("--sandbox")["approvals"]["status"] == "problem"


def test_pending_approvals_are_noted(state: Path) -> None:
    create_approval(state)
    found = findings("--sandbox")["approvals"]
    assert (found["status"], found["said"]) == ("note", "1 pending")


@pytest.mark.slow
@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("lang", "said"), [("en", "so jobs cannot run: IntegrityError"), ("ja", "ジョブを実行できません: IntegrityError")]
)
def test_a_job_engine_that_does_not_start_is_a_problem(lang: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the engine stamps its rows with a time that an old SQLite does not know."""

    def fail() -> None:
        raise IntegrityError("INSERT", {}, sqlite3.IntegrityError("NOT NULL constraint failed\nmore"))

    monkeypatch.setattr("dbos.DBOS.launch", fail)
    ran = run_command("doctor", "--sandbox", "--lang", lang)
    (line,) = [each for each in ran.out.splitlines() if said in each]
    assert "NOT NULL constraint failed" in line
    assert ran.status == 1
    assert "Traceback" not in ran.out + ran.err


@pytest.mark.slow
@pytest.mark.usefixtures("_engine")
def test_a_job_engine_that_hangs_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()
    monkeypatch.setattr(engine_check, "TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr("dbos.DBOS.launch", goes_on.wait)
    try:
        found = findings("--sandbox")["jobs"]
    finally:
        goes_on.set()
        for thread in [each for each in threading.enumerate() if each.name == engine_check.THREAD_NAME]:
            thread.join(30)
    assert (found["status"], "no job ran within" in found["said"]) == ("problem", True)


@pytest.mark.slow
@pytest.mark.usefixtures("_engine")
def test_the_trial_of_the_job_engine_leaves_nothing(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    found = findings("--sandbox")["jobs"]
    assert (found["status"], f"SQLite {sqlite3.sqlite_version}" in found["said"]) == ("ok", True)
    assert not list(folder.iterdir())
    assert not list(state.glob("*.jobs.db"))


def test_the_boundary_is_reported_with_the_state_of_the_passphrase(state: Path) -> None:
    assert "Approver passphrase: not set" in findings("--sandbox")["boundary"]["said"]
    passphrase.save_passphrase(state, "correct horse")
    assert "Approver passphrase: set" in findings("--sandbox")["boundary"]["said"]


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_secret_that_others_can_read_is_a_problem(tmp_path: Path, lang: str) -> None:
    open_file, closed = tmp_path / "api key", tmp_path / "hook"
    for file in (open_file, closed):
        file.write_text("b7d2c9e4f1a0", encoding="utf-8")
        file.chmod(0o600)
    (tmp_path / "config.toml").write_text(
        f"""
version = 1
[profiles.default]
saas_id = "acme"
api_key = {{ file = "{open_file}" }}
secret_key = {{ file = "{closed}" }}
secrets.stripe = {{ file = "{closed}" }}
[notices.slack.ops]
url = {{ file = "{closed}" }}
""",
        encoding="utf-8",
    )
    assert findings("--lang", lang)["secret_files"]["status"] == "ok"
    for file in (open_file, closed):
        file.chmod(0o644)
        found = findings("--lang", lang)["secret_files"]
        assert found["status"] == "problem"
        assert str(file) in found["said"]
        command = re.search("chmod (?:go|o)-rwx (.+)", found["hint"])
        assert command is not None
        assert shlex.split(command[1]) == [str(file)]
        file.chmod(0o600)


def test_without_a_file_of_secrets_nothing_is_said_of_them() -> None:
    assert "secret_files" not in findings("--sandbox")
