"""Start Python programs in processes of their own.

On Linux they are forked from a process that has imported the product (`fork_server.py`). With SAASUS_MCP_TEST_FORK=0 each is a
new interpreter, as on other systems: `make coverage` sets it, so CI runs every test in that way too.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import cache
from io import TextIOWrapper
from pathlib import Path
from typing import IO, Any, Literal

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 60.0
FORKING = sys.platform == "linux" and os.environ.get("SAASUS_MCP_TEST_FORK") != "0"

Preloaded = Literal["product", "libraries"]


def start_module(
    *args: str,
    stdin: Any = None,
    stdout: Any = None,
    stderr: Any = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    encoding: str | None = None,
    start_new_session: bool = False,
    preloaded: Preloaded = "product",
) -> subprocess.Popen[Any]:
    """Start `python -m ARGS`, with the options of Popen. `preloaded` is what it finds imported, if it is forked."""
    variables = dict(os.environ if env is None else env)
    streams = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    if FORKING and _interpreter_variables(variables) == _interpreter_variables(os.environ):
        request = {
            "args": args,
            "env": variables,
            "cwd": str(cwd or Path.cwd()),
            "start_new_session": start_new_session,
        }
        return ForkedProcess(request, streams, encoding, preloaded)
    return subprocess.Popen(
        [sys.executable, "-m", *args],
        **streams,
        env=variables,
        cwd=cwd,
        encoding=encoding,
        start_new_session=start_new_session,
    )


def run_module(
    *args: str,
    input: Any = None,
    timeout: float = TIMEOUT,
    **options: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run `python -m ARGS` to its end and capture its output.

    Raises:
        TimeoutExpired: it did not end in time, and was killed.
    """
    pipe = subprocess.PIPE
    given = {"stdin": None if input is None else pipe, "stdout": pipe, "stderr": pipe, **options}
    with start_module(*args, **given) as process:
        try:
            out, err = process.communicate(input, timeout)
        except BaseException:
            process.kill()
            raise
        return subprocess.CompletedProcess([*args], process.wait(), out, err)


def _interpreter_variables(env: Mapping[str, str]) -> dict[str, str]:
    """Return what only a new interpreter reads. A fork always uses UTF-8."""
    return {name: value for name, value in env.items() if name.startswith("PYTHON") and name != "PYTHONUTF8"}


@cache
def _fork_server(_process: int, preloaded: Preloaded) -> socket.socket:
    """Connect this process to the fork server of this run of the tests, and start it if none does yet. It ends with its last client."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    address = f"\0saasus-mcp-tests-{run}-{preloaded}"
    while True:
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) as listener, suppress(OSError):
            listener.bind(address)  # fails if another process has it
            listener.listen()
            _start_fork_server(listener, preloaded)
        try:
            ours.connect(address)
        except ConnectionRefusedError:  # the other process does not listen yet, or has just ended
            ours.close()
        else:
            return ours


def _start_fork_server(listener: socket.socket, preloaded: Preloaded) -> None:
    subprocess.Popen(
        [sys.executable, "-m", "tests.support.fork_server", str(listener.fileno()), preloaded],
        pass_fds=[listener.fileno()],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("SAASUS_")},
        stdin=subprocess.DEVNULL,
    ).returncode = 0  # nothing waits for it, and Popen need not complain of that


class ForkedProcess(subprocess.Popen[Any]):
    """A program in a child of the fork server, with the interface of Popen."""

    def __init__(
        self, request: Mapping[str, Any], streams: Mapping[str, Any], encoding: str | None, preloaded: Preloaded
    ) -> None:
        self.args = request["args"]
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        theirs: list[int] = []
        opened: list[int] = []
        for number, (name, stream) in enumerate(streams.items()):
            if stream == subprocess.PIPE:
                reading, writing = os.pipe()
                ours, its = (writing, reading) if name == "stdin" else (reading, writing)
                setattr(self, name, _open_pipe(ours, "wb" if name == "stdin" else "rb", encoding))
                opened.append(its)
                theirs.append(its)
            elif stream == subprocess.DEVNULL:
                opened.append(os.open(os.devnull, os.O_RDWR))
                theirs.append(opened[-1])
            elif stream == subprocess.STDOUT:
                theirs.append(theirs[1])
            elif stream is None:
                theirs.append(number)
            else:
                theirs.append(stream if isinstance(stream, int) else stream.fileno())
        self._status, report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with report:
            message = json.dumps(request).encode()
            socket.send_fds(_fork_server(os.getpid(), preloaded), [message], [*theirs, report.fileno()])
        for each in opened:
            os.close(each)
        self.pid = int(self._status.recv(64))

    def poll(self) -> int | None:
        return self._read_status(0.0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._read_status(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        return status

    def _read_status(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(self._status.recv(64))
            self._status.close()
        return self.returncode

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        deadline = None if timeout is None else time.monotonic() + timeout
        output: dict[str, Any] = {}

        def read(name: str, stream: IO[Any]) -> None:
            with stream:
                output[name] = stream.read()

        def write(stream: IO[Any]) -> None:
            with suppress(BrokenPipeError), stream:
                stream.write(input)

        def remaining() -> float | None:
            return None if deadline is None else max(0.0, deadline - time.monotonic())

        threads = [
            threading.Thread(target=read, args=(name, stream), daemon=True)
            for name, stream in (("stdout", self.stdout), ("stderr", self.stderr))
            if stream and not stream.closed
        ]
        if self.stdin and not self.stdin.closed:
            if input:
                threads.append(threading.Thread(target=write, args=(self.stdin,), daemon=True))
            else:
                self.stdin.close()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(remaining())
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        self.wait(remaining())
        return output.get("stdout"), output.get("stderr")


def _open_pipe(fd: int, mode: str, encoding: str | None) -> IO[Any]:
    raw: IO[bytes] = os.fdopen(fd, mode)
    return raw if encoding is None else TextIOWrapper(raw, encoding, write_through=True)
