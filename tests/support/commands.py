"""How tests run commands: in this process, in another process, or on a terminal."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from click.testing import CliRunner

from saasus_mcp.cli import commands
from saasus_mcp.cli.terminal import render
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.inspection.target import encode_snapshot
from saasus_mcp.store.records import Approval
from tests.support.processes import TIMEOUT, run_module, start_module
from tests.support.questions import deletion
from tests.support.saas_store import open_saas_store


@dataclass(frozen=True)
class CommandResult:
    """The exit status and the output of a command."""

    status: int
    out: str
    err: str


SANDBOX_VARIABLES = {"SAASUS_API_URL_BASE", "SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY"}


def sandbox_variables(process: subprocess.Popen[str]) -> dict[str, str]:
    """Return the variables that a served sandbox prints. Kill a sandbox that does not print all of them."""
    assert process.stdout is not None
    found: dict[str, str] = {}
    shown: list[str] = []
    late = threading.Timer(TIMEOUT, process.kill)
    late.start()
    try:
        for line in process.stdout:
            shown.append(line)
            found |= dict(re.findall(r"(SAASUS_\w+)=(\S+)", line))
            if set(found) == SANDBOX_VARIABLES:
                return found
    finally:
        late.cancel()
    raise AssertionError(f"{SANDBOX_VARIABLES - set(found)} was never shown, but:\n{''.join(shown)}")


def run_command(*args: str, given: str | bytes | None = None) -> CommandResult:
    """Run a command in this process without a terminal. Report a SaasusMcpError as `main` does."""
    result = CliRunner().invoke(commands, args, input=given)
    if isinstance(result.exception, SaasusMcpError):
        return CommandResult(1, result.stdout, f"saasus-mcp: {render(result.exception)}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return CommandResult(result.exit_code, result.stdout, result.stderr)


def spawn_command(*args: str, **env: str) -> CommandResult:
    """Run a command in a process of its own."""
    done = run_module("saasus_mcp", *args, env={**os.environ, **env})
    return CommandResult(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def wait_for_port(port: int) -> None:
    """Wait for a listener by trying to connect. No event announces it."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    raise AssertionError("nobody ever listened")


INTERRUPTS, SECONDS_OF_SILENCE = 20, 3


class Terminal:
    """A command on a pseudo-terminal; with `redirected`, its standard output goes to this file."""

    def __init__(self, *args: str, env: Mapping[str, str] | None = None, redirected: Path | None = None) -> None:
        import pty  # noqa: PLC0415 - not on every system

        self._screen, inside = pty.openpty()
        with nullcontext(inside) if redirected is None else redirected.open("wb") as output:
            self._process = start_module(
                "saasus_mcp",
                *args,
                stdin=inside,
                stdout=output,
                stderr=inside,
                start_new_session=True,
                env={**os.environ, "TERM": "dumb", "PYTHONUTF8": "1", **(env or {})},
            )
        os.close(inside)
        self.output = ""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._screen)

    def wait_for(self, text: str) -> None:
        """Read the output until it contains a text."""
        before = time.monotonic()
        while text not in self.output[self._read :]:
            ended = not self._more(TIMEOUT - (time.monotonic() - before))
            assert not ended, f"{text!r} was never shown, but:\n{self.output}"
        self._read = self.output.index(text, self._read) + len(text)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._screen, line.encode() + b"\n")

    def answer(self, *pairs: tuple[str, str]) -> None:
        """Type a line after each question."""
        for asked_for, typed in pairs:
            self.wait_for(asked_for)
            self.type(typed)

    def interrupt(self) -> None:
        """Interrupt the command as Ctrl+C does."""
        self._process.send_signal(signal.SIGINT)

    def close_window(self) -> None:
        """Signal the command as a terminal does whose window is closed."""
        self._process.send_signal(signal.SIGHUP)

    def interrupt_question(self) -> int:
        """Interrupt a command that waits for an answer, again if it goes on. Return the exit status.

        An interrupt that comes just before the answer is read is lost, as it is in every program that reads a line.
        """
        for _ in range(INTERRUPTS):
            self.interrupt()
            while select.select([self._screen], [], [], SECONDS_OF_SILENCE)[0]:
                if not self._more(TIMEOUT):
                    return self._process.wait(TIMEOUT)
        raise AssertionError(f"it was never interrupted, but shows:\n{self.output}")

    def hang_up(self) -> None:
        """Type Ctrl+D."""
        os.write(self._screen, b"\x04")

    def wait(self) -> int:
        """Read to the end. Return the exit status."""
        while self._more(TIMEOUT):
            pass
        return self._process.wait(TIMEOUT)

    def _more(self, patience: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], max(0.0, patience))
        assert ready, f"nothing more was shown after:\n{self.output}"
        try:
            piece = os.read(self._screen, 65536)
        except OSError:  # how Linux says that the other end is closed
            return False
        self.output += piece.decode("utf-8", "replace").replace("\r\n", "\n")
        return bool(piece)


def create_approval(
    state: Path,
    code: str = "ABCD-2345",
    saas_id: str = "saas-1",
    at: float | None = None,
    operation: str = "auth.DeleteTenant",
    **given: Any,
) -> Approval:
    """Store a pending approval to delete the tenant Aozora in the state folder."""
    name = given.get("name", "Aozora")
    now = time.time() if at is None else at
    wanted = Approval(
        code=code,
        binding=code.rjust(64, "0"),
        subject=code.rjust(64, "0"),
        operation=operation,
        profile="default",
        saas_id=saas_id,
        bound=encode_snapshot({}, seen=True),
        status="pending",
        requested_at=now,
        expires_at=now + 900,
        **{"principal": "local:somebody", "name": name, "preview": deletion(name).to_json(), **given},
    )
    store = open_saas_store(state, saas_id)
    try:
        assert store.request_approval(wanted, 5) == wanted
    finally:
        store.close()
    return wanted


def approval_status(state: Path, code: str = "ABCD-2345", saas_id: str = "saas-1") -> tuple[str, str | None]:
    """Return the status of an approval, and the reason of the decision."""
    store = open_saas_store(state, saas_id)
    try:
        found = next(approval for approval in store.list_approvals(time.time()) if approval.code == code)
    finally:
        store.close()
    return found.status, found.reason
