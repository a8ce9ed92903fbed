"""@wong2/mcp-cli: calls. It lists tools only for a person at a terminal."""

from __future__ import annotations

from pathlib import Path

from scripts.clients.command import arguments_of, output, servers_file
from scripts.clients.probe import each_level, run
from scripts.clients.task import SERVER, Call, Found, Task


async def probe(task: Task) -> Found:
    config = str(servers_file(task.unattended, Path("servers.json")))

    async def call(each: Call) -> str:
        return output(
            task, "mcp-cli", "--config", config, "call-tool", f"{SERVER}:{each.tool}", "--args", arguments_of(each)
        )

    return Found(None, answers=await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
