"""Fork the processes that run the tests from one that has imported them: `python -m tests.support.forked_runners FD ARGS`.

To import all tests takes six seconds of processor time, and each of three processes would spend it at the same time.
The process that has imported them is a pytest that forks instead of collecting. It ends with the last of its clients.
"""

from __future__ import annotations

import gc
import os
import shlex
import signal
import socket
import subprocess
import sys
import warnings
from typing import Any, NoReturn

import pytest

from tests.support.fork_server import ForkServer, leave

CLIENT = """
import signal, socket, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # the fork hears it, and ends
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.connect(sys.argv[1])
status, report = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
socket.send_fds(server, [b"{}"], [0, 1, 2, report.fileno()])
report.close()
sys.exit(int(status.recv(64) and status.recv(64) or 1))
"""
"""A process that lends its streams to a fork, and ends with it. xdist starts it as an interpreter."""
ONE_THREAD = "OPENBLAS_NUM_THREADS"
"""The variable that keeps NumPy from starting threads, which a fork would not copy."""


def fork_runners(config: pytest.Config, specs: list[Any]) -> None:
    """Start the process that imports the tests, and have xdist start forks of it."""
    name = f"saasus-mcp-runners-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.support.forked_runners",
                str(listener.fileno()),
                *config.invocation_params.args,
            ],
            pass_fds=[listener.fileno()],
            env={**os.environ, ONE_THREAD: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        ).returncode = 0  # nothing waits for it, and Popen need not complain of that
    ours = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.connect(f"\0{name}")  # the first client, which stays: xdist replaces a process that was killed
    config.add_cleanup(ours.close)
    for spec in specs:
        spec.python = shlex.join([sys.executable, "-I", "-S", "-c", CLIENT.replace("sys.argv[1]", repr(f"\0{name}"))])


class Forking:
    """Forks a process that runs tests for each client, where pytest would collect tests."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> NoReturn:
        gc.collect()
        gc.freeze()  # a collection in a fork would copy every page
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about threads: see ONE_THREAD
            request = ForkServer(self._listener).serve()
        if request is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.environ.pop(ONE_THREAD, None)
            exec(eval(sys.stdin.readline()), {"__name__": "__main__"})  # noqa: S102, S307 - what execnet has an interpreter do
        leave(0)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        pytest.main([*sys.argv[2:], "--numprocesses=0", "--capture=no"], plugins=[Forking(given)])
