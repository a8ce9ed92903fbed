"""Trying one client: its probe in a process of its own, before a sandbox of its own, within a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from mcp import Client as SdkClient
from mcp import StdioServerParameters

from saasus_mcp.catalog import Catalogue
from scripts.clients.installing import Environment
from scripts.clients.outcome import Outcome, attended, audited, unattended
from scripts.clients.task import CRITICAL, DESTRUCTIVE, READ, WRITE_SENSITIVE, Call, Found, Server, Task

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
CLOSED = "http://127.0.0.1:9"
"""A proxy that nobody answers at: what a client asks the network for fails at once."""
ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PYTHONPATH": str(ROOT),
    "PYTHONDONTWRITEBYTECODE": "1",
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), CLOSED),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "MCP_USE_ANONYMIZED_TELEMETRY": "false",
}


class ProbeFailed(Exception):
    """A probe ended without a report. `late` where its time was over."""

    def __init__(self, *, late: bool) -> None:
        super().__init__("The probe ended without a report.")
        self.late = late


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a trial.

    Attributes:
        total: how many tools the server has.
        alone: by level, what came of the call without a person.
        with_person: the same with a person who agrees, for what the client asked.
    """

    found: Found
    total: int
    alone: Mapping[str, Outcome]
    with_person: Mapping[str, Outcome]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What every trial shares: the server's tools, a task, and the operation of each level."""

    total: int
    task: Task
    operations: Mapping[str, str]


async def prepare(command: str, catalogue: Catalogue, folder: Path) -> Prepared:
    """Read from the sandbox what the calls need."""
    server = _server(command, folder, "first")
    started = StdioServerParameters(command=server.command, args=list(server.args), env=dict(server.env))
    async with SdkClient(started) as client:
        total = len((await client.list_tools()).tools)
        tenant = (await _read(client, "auth_get_tenants"))["tenants"][0]
        target = {"tenant_id": tenant["id"]}
        user = (await _read(client, "auth_get_tenant_users", target))["users"][0]
    calls = {
        READ: Call("auth_get_tenants", {}),
        WRITE_SENSITIVE: Call(
            "auth_update_tenant_billing_info", {**target, **tenant["billing_info"], "name": "Aozora"}
        ),
        DESTRUCTIVE: Call("auth_delete_tenant_user", {**target, "user_id": user["id"]}),
        CRITICAL: Call("auth_delete_tenant", target),
    }
    operations = {level: catalogue.find(call.tool).key for level, call in calls.items()}
    return Prepared(total, Task(server, server, calls, user["email"]), operations)


async def _read(client: SdkClient, tool: str, arguments: Mapping[str, Any] | None = None) -> Any:
    return (await client.call_tool(tool, dict(arguments or {}))).structured_content


def _server(command: str, folder: Path, name: str) -> Server:
    state = folder / name
    state.mkdir(mode=0o700, parents=True)
    return Server(command, ("serve", "--sandbox"), {"SAASUS_MCP_STATE_DIR": str(state)})


def try_client(key: str, environment: Environment, prepared: Prepared, folder: Path, path: str) -> Tried:
    """Run the probe of a client, and read in the audit what came of its calls.

    Args:
        key: its module in `probes/`.
        environment: where it is installed.
        prepared: what all trials share.
        folder: an empty one, for homes and states.
        path: the PATH of the probe and of all that it starts.

    Raises:
        ProbeFailed: there is no report.
    """
    command = prepared.task.unattended.command
    task = replace(
        prepared.task,
        unattended=_server(command, folder, "unattended"),
        attended=_server(command, folder, "attended"),
        programs=str(environment.programs or ""),
    )
    given, report, home = folder / "task.json", folder / "report.json", folder / "home"
    home.mkdir()
    task.write(given)
    words = (str(environment.python), "-m", f"scripts.clients.probes.{key}", str(given), str(report))
    with (folder / "output.txt").open("wb") as output:
        in_time = run_limited(words, {**ENVIRONMENT, "PATH": path, "HOME": str(home)}, home, output)
    if not report.exists():
        raise ProbeFailed(late=not in_time)
    found = Found.read(report)
    alone, asked = _audit(task.unattended), _audit(task.attended)
    return Tried(
        found,
        prepared.total,
        {
            level: unattended(level, audited(alone, operation), found.answers.get(level))
            for level, operation in prepared.operations.items()
        },
        {level: attended(audited(asked, prepared.operations[level])) for level in found.asked},
    )


def run_limited(
    words: Sequence[str], env: Mapping[str, str], folder: Path, output: IO[bytes], seconds: float = SECONDS
) -> bool:
    """Whether a command ends within these seconds. It and all that it started have ended afterwards."""
    process = subprocess.Popen(  # noqa: S603 - the probe
        words, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return True


def _audit(server: Server) -> list[Mapping[str, Any]]:
    """Every record of the server's state."""
    if not any(Path(server.env["SAASUS_MCP_STATE_DIR"]).iterdir()):
        return []
    ran = subprocess.run(  # noqa: S603 - this server
        [server.command, "audit", "export"],
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, **server.env},
    )
    return [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
