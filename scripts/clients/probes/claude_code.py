"""Claude Code without a person (`claude -p`), before a stand-in for the model."""

from __future__ import annotations

from pathlib import Path

from scripts.clients.command import output, servers_file
from scripts.clients.probe import run
from scripts.clients.stand_in import Anthropic, serving
from scripts.clients.task import SERVER, Found, Task

PREFIX = f"mcp__{SERVER}__"


async def probe(task: Task) -> Found:
    config = str(servers_file(task.unattended, Path("servers.json")))
    words = ("-p", "Go.", "--mcp-config", config, "--strict-mcp-config", "--allowedTools", f"mcp__{SERVER}")
    with serving(Anthropic(), list(task.calls.values()), PREFIX) as (address, heard):
        env = {
            "ANTHROPIC_BASE_URL": address,
            "ANTHROPIC_API_KEY": "stand-in",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "ENABLE_TOOL_SEARCH": "false",  # every tool goes to the model, so that they can be counted
            "MCP_CONNECTION_NONBLOCKING": "false",  # the first turn waits for the server
            "MCP_TIMEOUT": "60000",  # milliseconds; a busy machine starts the server slowly
        }
        print(output(task, "claude", *words, env=env))
    return Found(len(heard.tools), answers=dict(zip(task.calls, heard.results, strict=False)))


if __name__ == "__main__":
    run(probe)
