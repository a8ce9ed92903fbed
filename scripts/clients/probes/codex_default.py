"""Codex without a person and with its own rules for approvals, before a stand-in for the model."""

from __future__ import annotations

from scripts.clients.probe import run
from scripts.clients.probes.codex import run_exec
from scripts.clients.task import Found, Task


async def probe(task: Task) -> Found:
    return run_exec(task, "auto")


if __name__ == "__main__":
    run(probe)
