"""`python -m scripts.clients.proxied`: connect clients through each proxy of deploy/proxies/ to two servers, and write the second table of docs/clients/tried.md.

Each connection loads every tool and makes a call that asks a person. It counts if the client asked and the change reached the API once.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import anyio
import click
from mcp import Client as SdkClient
from mcp import StdioServerParameters, types

from saasus_mcp.catalog import Catalogue, load_catalogue
from scripts.clients import page, proxied_results, results
from scripts.clients.installing import Installer
from scripts.clients.proxied_results import Proxied
from scripts.clients.registry import npm
from scripts.clients.stand_in import Anthropic, serving
from scripts.clients.task import SERVER, Call
from tests.support.gate import ACCEPT
from tests.support.hosting_server import connect_client
from tests.support.pipeline import ERAS, Era
from tests.support.proxies import FILES, ProxiedReplicas, ProxyName, start_proxied_replicas

CONNECTIONS = 12
SECONDS = 180
PACKAGES = (
    npm("claude_code", "Claude Code", "@anthropic-ai/claude-code"),
    npm("mcp_remote", "mcp-remote", "mcp-remote"),
)
HOOK = """import json, pathlib, sys
asked = json.load(sys.stdin)
pathlib.Path(sys.argv[1]).touch()
content = dict.fromkeys(asked["requested_schema"]["properties"], True)
print(json.dumps({"hookSpecificOutput": {"hookEventName": "Elicitation", "action": "accept", "content": content}}))
"""
"""What Claude Code runs in place of its dialog, which `claude -p` does not have."""


@dataclass
class Trial:
    """One connection: a folder of its own, and a change that only it makes."""

    two: ProxiedReplicas
    programs: Path
    folder: Path
    name: str
    asked: int = 0
    tools: int = 0

    @property
    def arguments(self) -> dict[str, Any]:
        rate = {"percentage": 8, "inclusive": False, "country": "JP", "description": ""}
        return {"name": self.name, "display_name": self.name, **rate}

    def accept(self, _: types.ElicitRequestFormParams) -> types.ElicitResult:
        self.asked += 1
        return ACCEPT

    def is_good(self, total: int) -> bool:
        return (self.tools, self.asked, self.two.sandbox.count_writes(f'"{self.name}"')) == (total, 1, 1)


async def _sdk(trial: Trial, era: Era) -> None:
    async with connect_client(trial.two.url, era, trial.two.token, trial.accept) as client:
        await _use(client, trial)


async def _mcp_remote(trial: Trial, era: Era) -> None:
    async def elicited(context: Any, params: types.ElicitRequestParams) -> types.ElicitResult:
        del context
        return trial.accept(cast("types.ElicitRequestFormParams", params))

    header = f"Authorization:Bearer {trial.two.token}"
    words = [f"{trial.two.url}/mcp", "--allow-http", "--transport", "http-only", "--header", header]
    env = {"PATH": os.environ["PATH"], "HOME": str(trial.folder)}
    started = StdioServerParameters(command=str(trial.programs / "mcp-remote"), args=words, env=env)
    async with SdkClient(started, mode=era, elicitation_callback=elicited) as client:
        await _use(client, trial)


async def _use(client: SdkClient, trial: Trial) -> None:
    trial.tools = len((await client.list_tools()).tools)
    await client.call_tool("pricing_create_tax_rate", trial.arguments)


async def _claude_code(trial: Trial, _: Era) -> None:
    await anyio.to_thread.run_sync(_run_claude, trial)


def _run_claude(trial: Trial) -> None:
    hook, asked = trial.folder / "hook.py", trial.folder / "asked"
    hook.write_text(HOOK, encoding="utf-8")
    headers = {"Authorization": f"Bearer {trial.two.token}"}
    servers = {"mcpServers": {SERVER: {"type": "http", "url": f"{trial.two.url}/mcp", "headers": headers}}}
    command = {"type": "command", "command": f"{sys.executable} {hook} {asked}"}
    settings = {"hooks": {"Elicitation": [{"hooks": [command]}]}}
    words = ["-p", "Go.", "--strict-mcp-config", "--allowedTools", f"mcp__{SERVER}"]
    words += ["--mcp-config", json.dumps(servers), "--settings", json.dumps(settings)]
    calls = [Call("pricing_create_tax_rate", trial.arguments)]
    with serving(Anthropic(), calls, f"mcp__{SERVER}__") as (address, heard):
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(trial.folder),
            "ANTHROPIC_BASE_URL": address,
            "ANTHROPIC_API_KEY": "stand-in",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "ENABLE_TOOL_SEARCH": "false",
            "MCP_CONNECTION_NONBLOCKING": "false",
        }
        subprocess.run(  # noqa: S603 - the client under test
            [trial.programs / "claude", *words],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            cwd=trial.folder,
            env=env,
        )
    trial.tools, trial.asked = len(heard.tools), int(asked.exists())


CLIENTS: Mapping[tuple[str, Era], Callable[[Trial, Era], Awaitable[None]]] = {
    **{("MCP Python SDK", era): _sdk for era in ERAS},
    **{("mcp-remote", era): _mcp_remote for era in ERAS},
    ("Claude Code, `claude -p`", "legacy"): _claude_code,
}


@click.command
@click.option(
    "--programs", type=click.Path(path_type=Path), help="Where both npm clients are; without it, they are installed."
)
def main(programs: Path | None) -> None:
    """Try every client through every proxy."""
    rows = anyio.run(_try_all, programs)
    proxied_results.save(rows)
    page.write(results.load())
    sys.exit(any(row.good < row.tried for row in rows))


async def _try_all(programs: Path | None) -> list[Proxied]:
    async with AsyncExitStack() as until:
        folder = Path(until.enter_context(tempfile.TemporaryDirectory()))
        found = {"MCP Python SDK": (folder, version("mcp"))}
        for client, name in zip(PACKAGES, ("Claude Code, `claude -p`", "mcp-remote"), strict=True):
            if programs is None:
                made = until.enter_context(Installer(folder).installed(client))
                found[name] = (cast("Path", made.programs), made.version)
            else:
                described = programs.parent / client.packages[0] / "package.json"
                found[name] = (programs, json.loads(described.read_text(encoding="utf-8"))["version"])
        catalogue = load_catalogue()
        rows = []
        for proxy in FILES:
            home = folder / proxy
            home.mkdir()
            rows += await _try_proxy(catalogue, proxy, home, found)
        return rows


async def _try_proxy(
    catalogue: Catalogue, proxy: ProxyName, folder: Path, found: Mapping[str, tuple[Path, str]]
) -> list[Proxied]:
    rows = []
    async with start_proxied_replicas(catalogue, proxy, folder) as two:
        async with connect_client(two.url, ERAS[0], two.token) as client:
            total = len((await client.list_tools()).tools)
        for (name, era), connect in CLIENTS.items():
            programs, named = found[name]
            good = 0
            for number in range(CONNECTIONS):
                label = f"{connect.__name__}_{era}_{number}".replace("-", "_")
                home = folder / label
                home.mkdir()
                trial = Trial(two, programs, home, label)
                try:
                    await connect(trial, era)
                except Exception as error:  # noqa: BLE001 - whatever a client raises, it did not connect
                    click.echo(f"{label}: {error!r}")
                good += trial.is_good(total)
            row = Proxied(name, named, era, proxy, dt.datetime.now(dt.UTC).date().isoformat(), good, CONNECTIONS)
            click.echo(f"{row}")
            rows.append(row)
    return rows


if __name__ == "__main__":
    main()
