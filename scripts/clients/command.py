"""Running a client's program from a probe: with an environment of its own, and a home where only the server is configured."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.clients.task import SERVER, Call, Server, Task

ASKED_SECONDS = 120


def servers_file(server: Server, file: Path) -> Path:
    """Return the configuration that most clients read, with the one server."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"mcpServers": {SERVER: server.entry()}}), encoding="utf-8")
    return file


def output(task: Task, name: str, *words: str, env: Mapping[str, str] | None = None, check: bool = False) -> str:
    """Return the output of a client's program, errors included.

    Raises:
        CalledProcessError: it failed, and `check` is set.
    """
    program = Path(task.programs) / name
    ran = subprocess.run(  # noqa: S603 - the client under test
        [program, *words],
        check=check,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ASKED_SECONDS,
        env={**os.environ, **(env or {})},
    )
    return ran.stdout + ran.stderr


def json_of(text: str) -> Any:
    """Return the first JSON value of an output."""
    return json.JSONDecoder().raw_decode(text[text.index("{") :])[0]


def arguments_of(call: Call) -> str:
    """Return the arguments of a call as JSON."""
    return json.dumps(dict(call.arguments))
