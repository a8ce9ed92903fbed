"""What a probe is given and what it reports. Only the standard library: probes run in the environments of their clients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

READ, WRITE_SENSITIVE, DESTRUCTIVE, CRITICAL = "read", "write_sensitive", "destructive", "critical"
LEVELS = (READ, WRITE_SENSITIVE, DESTRUCTIVE, CRITICAL)
SERVER = "saasus"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Server:
    """How a client starts the server on stdio. `env` is everything that it needs from the environment."""

    command: str
    args: tuple[str, ...]
    env: Mapping[str, str]

    def entry(self) -> dict[str, Any]:
        """Return the form that most clients read."""
        return {"command": self.command, "args": list(self.args), "env": dict(self.env)}


@dataclass(frozen=True, slots=True)
class Task:
    """What a probe tries.

    Attributes:
        unattended: the server for calls without a person.
        attended: the same with a state of its own, for calls with a person. Only clients that can ask use it.
        calls: one call for each level.
        typed: what the person types to confirm the destructive call.
        programs: the folder of the programs that npm installed.
    """

    unattended: Server
    attended: Server
    calls: Mapping[str, Call]
    typed: str
    programs: str = ""

    @classmethod
    def read(cls, file: Path) -> Task:
        """Return a task from its file."""
        data = json.loads(file.read_text(encoding="utf-8"))
        data |= {name: Server(**data[name]) for name in ("unattended", "attended")}
        data["calls"] = {level: Call(**call) for level, call in data["calls"].items()}
        return cls(**data)

    def write(self, file: Path) -> None:
        """Write the task for a probe."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe reports.

    Attributes:
        tools: the number of tools that the client loaded; None where it does not tell.
        converted: the number that it turned into its model provider's form; None where it has none.
        answers: by level, the text that the client gave back for the call without a person.
        asked: the same with a person who agrees.
    """

    tools: int | None
    converted: int | None = None
    answers: Mapping[str, str] = field(default_factory=dict)
    asked: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Found:
        """Return a report from its file."""
        return cls(**json.loads(file.read_text(encoding="utf-8")))

    def write(self, file: Path) -> None:
        """Write the report for the runner."""
        file.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")
