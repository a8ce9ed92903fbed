"""The clients that `install` knows: where each keeps its servers on each system, in which form, and what it can hold.

Checked against the clients' documentation and, where they run here, against the clients themselves, in November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

System = Literal["Linux", "Darwin", "Windows"]


@dataclass(frozen=True, slots=True)
class Machine:
    """What says where a client's files are."""

    system: str
    home: Path
    environment: Mapping[str, str]

    def folder(self, name: str, otherwise: Path) -> Path:
        """The folder that a variable names by an absolute path, else the usual one."""
        found = Path(self.environment.get(name, ""))
        return found if found.is_absolute() else otherwise

    def applications(self) -> Path:
        """Where applications with windows keep what is the user's."""
        if self.system == "Windows":
            return self.folder("APPDATA", self.home / "AppData" / "Roaming")
        if self.system == "Darwin":
            return self.home / "Library" / "Application Support"
        return self.folder("XDG_CONFIG_HOME", self.home / ".config")


@dataclass(frozen=True, slots=True)
class Client:
    """One client.

    Attributes:
        title: its name as its makers write it.
        servers: the member or table that holds its servers.
        file: where it keeps them for this user.
        reference: how it writes "what the environment variable {name} holds", or "{id}" for an input that it asks for and
            keeps itself; empty where it knows no such thing, and a credential could only be written in clear.
        forwards: whether variables are passed on by a list of names instead (`env_vars`).
        remote: the member that holds a remote server's address; empty where its file takes none.
        typed: whether an entry says `type`.
        tools: how many tools it takes of all servers together; None where that is no concern.
        windowed: whether it is started from a desktop, which knows neither the shell's PATH nor its variables.
    """

    key: str
    title: str
    servers: str
    file: Callable[[Machine], Path]
    reference: str = ""
    form: Literal["json", "toml"] = "json"
    inputs: bool = False
    forwards: bool = False
    remote: str = ""
    typed: bool = False
    tools: int | None = None
    windowed: bool = False


def _claude_desktop(machine: Machine) -> Path:
    """As packaged for Windows (MSIX) it reads a folder of its package's, and not the one that its menu opens."""
    name = "claude_desktop_config.json"
    if machine.system == "Windows":
        packages = machine.folder("LOCALAPPDATA", machine.home / "AppData" / "Local") / "Packages"
        for package in sorted(packages.glob("Claude_*")):
            return package / "LocalCache" / "Roaming" / "Claude" / name
    return machine.applications() / "Claude" / name


def _claude_code(machine: Machine) -> Path:
    return machine.folder("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"


def _codex(machine: Machine) -> Path:
    return machine.folder("CODEX_HOME", machine.home / ".codex") / "config.toml"


def _gemini(machine: Machine) -> Path:
    return machine.folder("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json"


CLIENTS: Mapping[str, Client] = {
    client.key: client
    for client in (
        Client("claude-desktop", "Claude Desktop", "mcpServers", _claude_desktop, windowed=True),
        Client(
            "claude-code", "Claude Code", "mcpServers", _claude_code, reference="${{{name}}}", remote="url", typed=True
        ),
        Client(
            "cursor",
            "Cursor",
            "mcpServers",
            lambda machine: machine.home / ".cursor" / "mcp.json",
            reference="${{env:{name}}}",
            remote="url",
            tools=40,
            windowed=True,
        ),
        Client(
            "vscode",
            "VS Code",
            "servers",
            lambda machine: machine.applications() / "Code" / "User" / "mcp.json",
            reference="${{input:{id}}}",
            inputs=True,
            remote="url",
            typed=True,
            tools=128,
            windowed=True,
        ),
        Client("gemini", "Gemini CLI", "mcpServers", _gemini, reference="${name}", remote="httpUrl"),
        Client("codex", "Codex", "mcp_servers", _codex, form="toml", forwards=True, remote="url"),
    )
}
"""By the name that `install` takes."""

ANY = Client("any", "MCP client", "mcpServers", lambda machine: machine.home, remote="url")
"""The form that most other clients read; it is only ever printed."""
