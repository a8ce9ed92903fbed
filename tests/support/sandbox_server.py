"""A sandbox on a loopback port, for servers that are killed. It stores every request."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.sandbox.server import create_server
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.processes import ROOT, run_module

EXIT_KILLED = 9


@dataclass(frozen=True)
class SandboxServer:
    """The sandbox and its address."""

    sandbox: FaultySandbox
    url: str

    async def run_job(self, folder: Path, moment: str, number: int = 0, listed: str = "") -> tuple[int, dict[str, Any]]:
        """Run tests.support.crashing_job with a folder. Return the exit status and the report."""
        program = ("tests.support.crashing_job", str(folder), self.url, moment, str(number))
        done = await to_thread.run_sync(partial(run_module, *program, input=listed.encode(), cwd=ROOT))
        assert done.returncode in (0, EXIT_KILLED), done.stderr.decode()
        return done.returncode, json.loads(done.stdout) if done.stdout else {}

    async def run_report(
        self, folder: Path, name: str, args: dict[str, Any], read: str, number: int
    ) -> tuple[int, dict[str, Any]]:
        """Run a report whose process ends when the NUMBER-th read of an operation has its answer."""
        listed = json.dumps({"job": name, "arguments": args, "counted": read})
        return await self.run_job(folder, "before end", number, listed)

    def writes(self) -> Counter[tuple[str, str, bytes]]:
        """Return how often each identical write arrived. A write whose sender died on the way has no body."""
        return Counter((each.method, each.target, each.body) for each in self.sandbox.requests if each.body)


@asynccontextmanager
async def serve_sandbox() -> AsyncIterator[SandboxServer]:
    """Serve a sandbox until the block ends."""
    sandbox = FaultySandbox(load_catalogue())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        running = create_server(host, port, sandbox)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(running.serve, [listener])
            yield SandboxServer(sandbox, f"http://{host}:{port}")
            running.should_exit = True
