"""mcporter: the list with schemas, and calls."""

from __future__ import annotations

from pathlib import Path

from scripts.clients.command import arguments_of, json_of, output, servers_file
from scripts.clients.probe import each_level, run
from scripts.clients.task import SERVER, Call, Found, Task


async def probe(task: Task) -> Found:
    config = str(servers_file(task.unattended, Path("servers.json")))
    listed = json_of(output(task, "mcporter", "--config", config, "list", SERVER, "--json", check=True))

    async def call(each: Call) -> str:
        return output(
            task, "mcporter", "--config", config, "call", f"{SERVER}.{each.tool}", "--args", arguments_of(each)
        )

    return Found(len(listed["tools"]), answers=await each_level(task.calls, call))


if __name__ == "__main__":
    run(probe)
