"""The Inspector's command line: its strict check of schemas, and calls."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.clients.command import json_of, output, servers_file
from scripts.clients.probe import each_level, run
from scripts.clients.task import SERVER, Call, Found, Task


async def probe(task: Task) -> Found:
    config = str(servers_file(task.unattended, Path("servers.json")))

    def inspect(*words: str, check: bool = False) -> str:
        chosen = ("--cli", "--config", config, "--server", SERVER, "--format", "json", "-q")
        return output(task, "mcp-inspector", *chosen, "--method", *words, check=check)

    async def call(each: Call) -> str:
        pairs = (
            f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in each.arguments.items()
        )
        given = [word for pair in pairs for word in ("--tool-arg", pair)]
        return inspect("tools/call", "--tool-name", each.tool, *given)

    tools = json_of(inspect("tools/list", "--strict", check=True))["result"]["tools"]
    return Found(len(tools), answers=await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
