"""Gemini CLI without a person (`--yolo`), before a stand-in for the model."""

from __future__ import annotations

import json
import os
from pathlib import Path

from scripts.clients.command import output
from scripts.clients.probe import run
from scripts.clients.stand_in import Google, serving
from scripts.clients.task import SERVER, Found, Task


async def probe(task: Task) -> Found:
    _configure(task)
    with serving(Google(), list(task.calls.values()), f"mcp_{SERVER}_") as (address, heard):
        env = {
            "GOOGLE_GEMINI_BASE_URL": address,
            "GEMINI_API_KEY": "stand-in",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "GEMINI_TELEMETRY_ENABLED": "false",
        }
        print(output(task, "gemini", "--yolo", "--model", "gemini-2.5-flash", "--prompt", "Go.", env=env))
    return Found(len(heard.tools), len(heard.tools), dict(zip(task.calls, heard.results, strict=False)))


def _configure(task: Task) -> None:
    settings = Path(os.environ["HOME"], ".gemini", "settings.json")
    settings.parent.mkdir(parents=True, exist_ok=True)
    chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    settings.write_text(json.dumps({**chosen, "mcpServers": {SERVER: task.unattended.entry()}}), encoding="utf-8")


if __name__ == "__main__":
    run(probe)
