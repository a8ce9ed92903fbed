"""Codex without a person (`codex exec`), told to leave the decision to this server, before a stand-in for the model."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scripts.clients.command import output
from scripts.clients.probe import run
from scripts.clients.stand_in import OpenAi, serving
from scripts.clients.task import SERVER, Found, Task

PROVIDER = "stand_in"


async def probe(task: Task) -> Found:
    return run_exec(task, "approve")


def run_exec(task: Task, approval_mode: str) -> Found:
    """Return the result of `codex exec` under this mode of approval."""
    server = task.unattended
    home = Path(os.environ["HOME"], ".codex")
    home.mkdir(parents=True, exist_ok=True)
    with serving(OpenAi(), list(task.calls.values()), f"mcp__{SERVER}") as (address, heard):
        (home / "config.toml").write_text(
            f"""
model = "gpt-5"
model_provider = "{PROVIDER}"
[model_providers.{PROVIDER}]
name = "{PROVIDER}"
base_url = "{address}/v1"
wire_api = "responses"
[mcp_servers.{SERVER}]
command = {json.dumps(server.command)}
args = {json.dumps(list(server.args))}
startup_timeout_sec = 60
required = true
default_tools_approval_mode = "{approval_mode}"
[mcp_servers.{SERVER}.env]
"""
            + "\n".join(f"{name} = {json.dumps(value)}" for name, value in server.env.items()),
            encoding="utf-8",
        )
        print(output(task, "codex", "exec", "--skip-git-repo-check", "Go."))
    return Found(len(heard.tools), len(heard.tools), dict(zip(task.calls, heard.results, strict=False)))


if __name__ == "__main__":
    run(probe)
