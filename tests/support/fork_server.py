"""A process that has imported the product, and forks to run it: `python -m tests.support.fork_server FD WHAT`.

A new interpreter that imports the product takes 0.5 to 1.2 s of CPU, a fork 0.02 s. `processes.py` has the client. The processes
that run the tests share one server, which takes three seconds to start. It listens at FD.
WHAT is `product`, or `libraries`: then it has imported what the product needs, but neither the product nor the SDK.
"""

from __future__ import annotations

import atexit
import gc
import json
import logging
import multiprocessing.util
import os
import pkgutil
import runpy
import selectors
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

LARGEST_REQUEST = 1 << 17
NOT_PRELOADED = ("__main__", "picture", "png_chart", "thread_transport")
"""Parts of names of modules that other systems need, or whose libraries start threads, which a fork would not copy."""
WORKER = "spawn_main"
"""The name of a process that its supervisor would spawn."""
LIBRARIES = (
    "anyio._backends._asyncio",
    "anyio.from_thread",
    "cel_expr_python.cel",
    "dbos",
    "getpass",
    "mcp.server.streamable_http_manager",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "uvicorn.lifespan.on",
    "uvicorn.protocols.http.h11_impl",
    "wcwidth.table_grapheme_overrides",
    "tests.support.job_server",
)
"""What the product imports late and indirectly, and programs of the tests."""
BELOW_THE_SDK = (
    "anyio._backends._asyncio",
    "click",
    "cryptography.hazmat.primitives.ciphers.aead",
    "httpx2",
    "mcp_types.methods",
    "opentelemetry.trace",
    "python_multipart",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "sse_starlette",
    "uvicorn",
)
"""What the SDK and the product import. Of the second that a server takes to start, that is two thirds."""


SHARED = ExitStack()
"""What the children share. It is never closed."""


@dataclass
class ForkServer:
    """Forks a child for each request of its clients. Reports its exit on a socket that came with the request.

    Attributes:
        clients: the connections of the processes that run the tests. The server ends with the last one.
        children: of each process id, the client and where its end is reported.
    """

    listener: socket.socket
    clients: list[socket.socket] = field(default_factory=list)
    children: dict[int, tuple[socket.socket, socket.socket]] = field(default_factory=dict)

    def serve(self) -> dict[str, Any] | None:
        """Serve until all clients have left. Return the request in a child, None in the server."""
        wake, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        with wake, wakeup, selectors.DefaultSelector() as selector:
            selector.register(self.listener, selectors.EVENT_READ, lambda: self._accept(selector))
            selector.register(wake, selectors.EVENT_READ, lambda: self._report_exits(wake))
            while True:
                for key, _ in selector.select():
                    done, request = key.data()
                    if done:
                        return request  # type: ignore[no-any-return]

    def _accept(self, selector: selectors.BaseSelector) -> tuple[bool, None]:
        client, _ = self.listener.accept()
        _, user, _ = struct.unpack(
            "3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        )
        if user != os.getuid():
            client.close()
            return False, None
        self.clients.append(client)
        selector.register(client, selectors.EVENT_READ, lambda: self._answer_request(client, selector))
        return False, None

    def _answer_request(
        self, client: socket.socket, selector: selectors.BaseSelector
    ) -> tuple[bool, dict[str, Any] | None]:
        message, fds, *_ = socket.recv_fds(client, LARGEST_REQUEST, 4)
        if not message:
            selector.unregister(client)
            self.clients.remove(client)
            client.close()
            for pid, (owner, _) in self.children.items():
                if owner is client:
                    os.kill(pid, signal.SIGKILL)
            return not self.clients, None
        *streams, report = fds
        pid = os.fork()
        if pid:
            for stream in streams:
                os.close(stream)
            self.children[pid] = client, socket.socket(fileno=report)
            self.children[pid][1].send(str(pid).encode())
            return False, None
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for inherited in (self.listener, *self.clients, *(each for _, each in self.children.values())):
            inherited.close()
        os.close(report)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for stream in {*streams} - {0, 1, 2}:
            os.close(stream)
        return True, json.loads(message)

    def _report_exits(self, wake: socket.socket) -> tuple[bool, None]:
        wake.recv(4096)
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            with self.children.pop(pid)[1] as report, suppress(BrokenPipeError, ConnectionResetError):
                report.send(str(os.waitstatus_to_exitcode(status)).encode())
        return False, None


def preload_libraries() -> None:
    """Import what the SDK needs, and not the SDK."""
    for name in BELOW_THE_SDK:
        import_module(name)
    assert not {"mcp", "saasus_mcp"} & sys.modules.keys()


def preload_product() -> None:
    """Import the product with what it imports late, and run a command: that compiles, and caches, what others need."""
    import saasus_mcp  # noqa: PLC0415 - not in the server of libraries
    from saasus_mcp.catalog import load_catalogue  # noqa: PLC0415 - as above
    from tests.support.shared_work import share_work  # noqa: PLC0415 - as above

    for module in pkgutil.walk_packages(saasus_mcp.__path__, "saasus_mcp."):
        if not any(part in module.name for part in NOT_PRELOADED):
            import_module(module.name)
    for name in LIBRARIES:
        import_module(name)
    load_catalogue().decode_all()
    SHARED.enter_context(share_work())
    _run_command()


def _run_command() -> None:
    import pytest  # noqa: PLC0415 - as above

    from tests.support.commands import run_command  # noqa: PLC0415 - not in the server of libraries

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAASUS_MCP_STATE_DIR", f"{folder}/state")
        patch.setenv("SAASUS_MCP_CONFIG", f"{folder}/config.toml")
        ran = run_command("call", "--sandbox", "auth_get_roles")
        assert ran.status == 0, ran.err


def fork_workers() -> None:
    """Fork a worker process that this process spawns. It gets the open files that a new interpreter would, and nothing else."""
    spawn = multiprocessing.util.spawnv_passfds

    def fork(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
        if args[-1] != "--multiprocessing-fork":
            return spawn(path, args, passfds)
        pid = os.fork()
        if not pid:
            become_worker(str(args[-2]), {*passfds, 0, 1, 2})
        return pid

    multiprocessing.util.spawnv_passfds = fork


def become_worker(program: str, passed: set[int]) -> NoReturn:
    """Run the program of a spawned worker, in a fork. Never return to what the parent was doing, whose objects must not be freed."""
    from prometheus_client import values  # noqa: PLC0415 - not in the server of libraries

    gc.freeze()
    atexit._clear()
    atexit.register(logging.shutdown)
    logging.getLogger().handlers.clear()  # their threads are not in the fork
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) not in (signal.SIG_IGN, signal.SIG_DFL, None):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    for opened in {int(each.name) for each in Path("/proc/self/fd").iterdir()} - passed:
        with suppress(OSError):
            os.close(opened)
    values.ValueClass = _count_where_told(cache(values.get_value_class))
    Path("/proc/self/comm").write_text(WORKER, encoding="ascii")
    sys.argv, status = ["-c", "--multiprocessing-fork"], 1
    try:
        exec(program)  # noqa: S102 - that of multiprocessing
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    leave(status)


def _count_where_told(choose: Callable[[], Callable[..., Any]]) -> Any:
    """Return what makes the values of metrics. The library chose when it was imported, before the worker sets its variable."""

    def make_value(*given: Any, **named: Any) -> Any:
        return choose()(*given, **named)

    return make_value


def run(request: dict[str, Any]) -> int:
    """Run a module as `python -m` does. Return the exit status."""
    fork_workers()
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    if request["start_new_session"]:
        os.setsid()
    sys.stdin = TextIOWrapper(os.fdopen(0, "rb", closefd=False), "utf-8")
    sys.stdout = TextIOWrapper(os.fdopen(1, "wb", closefd=False), "utf-8", line_buffering=os.isatty(1))
    sys.stderr = TextIOWrapper(os.fdopen(2, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
    module, *sys.argv[1:] = request["args"]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(f"{end.code}\n")
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        traceback.print_exc()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
        return 1
    return 0


def main() -> None:
    # The product does not load it, but the debugger, which pytest imports. It would read what is typed at the terminals.
    sys.modules["readline"] = None  # type: ignore[assignment]
    {"product": preload_product, "libraries": preload_libraries}[sys.argv[2]]()
    assert threading.active_count() == 1
    gc.collect()
    gc.freeze()  # a collection in a child would copy every page
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        request = ForkServer(listener).serve()
    if request is None:
        return
    leave(run(request))


def leave(status: int) -> NoReturn:
    """End as the interpreter does, except that no module is freed."""
    threading._shutdown()  # type: ignore[attr-defined] # as above
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):
            if stream is not None:  # as the interpreter does: a program may have given up its output
                stream.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
