"""Standard output that cannot be written: a full disk, a failing device, a closed stream, a reader that has gone."""

from __future__ import annotations

import errno
import json
import os
import shlex
import subprocess
import sys
import time
from contextlib import closing
from io import BufferedWriter, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import Any

import click
import pytest

from saasus_mcp import cli
from saasus_mcp.cli.standard_output import checked_output
from saasus_mcp.cli.state import KEY_FILE
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.permissions.secrets.secret_vault import SecretCollector, SecretVault
from saasus_mcp.store.tokens import TokenStore
from tests.support.commands import run_command
from tests.support.processes import run_module
from tests.support.saas_store import open_saas_store


class FailingStream(RawIOBase):
    """A stream of which every write fails."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def writable(self) -> bool:
        return True

    def write(self, _: Any) -> int:
        raise OSError(self.number, os.strerror(self.number))


def fail_output(monkeypatch: pytest.MonkeyPatch, number: int | None) -> None:
    """Let every write to standard output fail; with None, the process has no standard output."""
    failing = None if number is None else TextIOWrapper(BufferedWriter(FailingStream(number)), "utf-8")
    monkeypatch.setattr(sys, "stdout", failing)
    monkeypatch.setattr(sys, "__stdout__", failing)


def run_main(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    """Run the program in this process. Return its exit status."""
    monkeypatch.setattr(sys, "argv", ["saasus-mcp", *args])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EBADF, None])
@pytest.mark.parametrize("args", [("tools",), ("tools", "--json"), ("--help",), ("freeze",)], ids=" ".join)
def test_output_that_cannot_be_written_is_one_line_and_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], number: int | None
) -> None:
    fail_output(monkeypatch, number)
    assert run_main(monkeypatch, *args) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert told.startswith("saasus-mcp: The output cannot be written: ")
    assert os.strerror(number or errno.EBADF) in told


def test_the_rest_of_the_output_at_the_end_is_checked_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_output(monkeypatch, errno.ENOSPC)
    with pytest.raises(SystemExit) as ended, checked_output():
        sys.stdout.write("a line that stays in the buffer")
    assert ended.value.code == 1
    assert capsys.readouterr().err.count("cannot be written") == 1


def test_a_freeze_whose_output_is_lost_holds_and_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        fail_output(patch, errno.ENOSPC)
        assert run_main(patch, "freeze", "--reason", "an incident") == 1
    assert "No space left" in capsys.readouterr().err
    assert '"reason":"an incident"' in run_command("audit", "export").out


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, None])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_secret_whose_output_is_lost_can_be_revealed_again(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    number: int | None,
) -> None:
    monkeypatch.setattr("saasus_mcp.cli.reveal.require_approver", lambda *_: None)
    sealer, hiding = Encryptor.from_file(state / KEY_FILE), SecretCollector()
    store, handle = open_saas_store(state, "saas-1", sealer.derive_keys("audit")), hiding.add("hidden-pass-word")
    vault = SecretVault(store, sealer, time.time)
    vault.store_secrets(hiding, "local:somebody", "production")
    with monkeypatch.context() as patch:
        fail_output(patch, number)
        assert run_main(patch, "reveal", handle, *options) == 1
    assert "it was put back" in capsys.readouterr().err
    assert vault.reveal(handle, by="local:me", via="terminal") == "hidden-pass-word"
    assert [each["action"] for each in store.audit_log.list_records()] == ["reveal", "reveal_failed", "reveal"]
    store.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, None])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_a_token_whose_output_is_lost_is_revoked(
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    number: int | None,
) -> None:
    monkeypatch.setattr("saasus_mcp.cli.terminal.require_person", lambda *_: None)
    monkeypatch.setattr("saasus_mcp.cli.token.require_passphrase", lambda *_: None)
    with monkeypatch.context() as patch:
        fail_output(patch, number)
        assert run_main(patch, "token", "new", "ci", "--group", "support", *options) == 1
    assert "The token ci could not be printed, so it was revoked" in capsys.readouterr().err
    with closing(TokenStore.open(state)) as tokens:
        [token] = tokens.list_tokens()
    assert not token.is_valid(token.made_at)
    records = [json.loads(line) for line in run_command("audit", "export").out.splitlines()]
    assert [each["action"] for each in records] == ["token_create", "token_revoke"]


def test_a_command_that_prints_nothing_needs_no_output(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_output(monkeypatch, None)
    with checked_output():
        click.echo("for people", err=True)
    assert sys.stdout is None


def test_a_stream_that_works_is_given_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdout", file)
        with checked_output():
            click.echo("青空")
        assert sys.stdout is file
        file.write("more")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "青空\nmore"


@pytest.mark.skipif(os.name != "posix", reason="limits and file descriptors of Unix")
def test_a_reader_that_has_gone_ends_a_command_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as pipe:
        done = run_module("saasus_mcp", "tools", stdout=pipe)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(os.name != "posix", reason="limits and file descriptors of Unix")
@pytest.mark.parametrize("redirection", ["> {file}", ">&-"])
def test_a_process_says_it_once_and_python_adds_nothing(tmp_path: Path, redirection: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m saasus_mcp tools {redirection.format(file=tmp_path / 'out')}"
    # A measurement of coverage would write its own file at exit, and complain about the limit.
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 0; {command}"], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert "The output cannot be written" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="file descriptors of Unix")
@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_a_server_on_stdio_needs_both_streams(state: Path, closed: str) -> None:
    command = f"{shlex.quote(sys.executable)} -m saasus_mcp serve --sandbox {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1), done.stderr
    assert b"Standard input or output is closed" in done.stderr
    assert not state.exists() or not list(state.iterdir())
