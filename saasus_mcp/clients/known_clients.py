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

    def variable_folder(self, name: str, otherwise: Path) -> Path:
        """The folder that a variable names by an absolute path, else the usual one."""
        found = Path(self.environment.get(name, ""))
        return found if found.is_absolute() else otherwise

    def application_folder(self) -> Path:
        """Where applications with windows keep what is the user's."""
        if self.system == "Windows":
            return self.variable_folder("APPDATA", self.home / "AppData" / "Roaming")
        if self.system == "Darwin":
            return self.home / "Library" / "Application Support"
        return self.variable_folder("XDG_CONFIG_HOME", self.home / ".config")


@dataclass(frozen=True, slots=True)
class KnownClient:
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
    servers_key: str
    file: Callable[[Machine], Path]
    variable_template: str = ""
    format: Literal["json", "toml"] = "json"
    supports_inputs: bool = False
    forwards_variables: bool = False
    url_key: str = ""
    writes_type: bool = False
    tool_limit: int | None = None
    is_desktop: bool = False


def _claude_desktop(machine: Machine) -> Path:
    """As packaged for Windows (MSIX) it reads a folder of its package's, and not the one that its menu opens."""
    name = "claude_desktop_config.json"
    if machine.system == "Windows":
        packages = machine.variable_folder("LOCALAPPDATA", machine.home / "AppData" / "Local") / "Packages"
        for package in sorted(packages.glob("Claude_*")):
            return package / "LocalCache" / "Roaming" / "Claude" / name
    return machine.application_folder() / "Claude" / name


def _claude_code(machine: Machine) -> Path:
    return machine.variable_folder("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"


def _codex(machine: Machine) -> Path:
    return machine.variable_folder("CODEX_HOME", machine.home / ".codex") / "config.toml"


def _gemini(machine: Machine) -> Path:
    return machine.variable_folder("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json"


CLIENTS: Mapping[str, KnownClient] = {
    client.key: client
    for client in (
        KnownClient("claude-desktop", "Claude Desktop", "mcpServers", _claude_desktop, is_desktop=True),
        KnownClient(
            "claude-code",
            "Claude Code",
            "mcpServers",
            _claude_code,
            variable_template="${{{name}}}",
            url_key="url",
            writes_type=True,
        ),
        KnownClient(
            "cursor",
            "Cursor",
            "mcpServers",
            lambda machine: machine.home / ".cursor" / "mcp.json",
            variable_template="${{env:{name}}}",
            url_key="url",
            tool_limit=40,
            is_desktop=True,
        ),
        KnownClient(
            "vscode",
            "VS Code",
            "servers",
            lambda machine: machine.application_folder() / "Code" / "User" / "mcp.json",
            variable_template="${{input:{id}}}",
            supports_inputs=True,
            url_key="url",
            writes_type=True,
            tool_limit=128,
            is_desktop=True,
        ),
        KnownClient("gemini", "Gemini CLI", "mcpServers", _gemini, variable_template="${name}", url_key="httpUrl"),
        KnownClient("codex", "Codex", "mcp_servers", _codex, format="toml", forwards_variables=True, url_key="url"),
    )
}
"""By the name that `install` takes."""

GENERIC_CLIENT = KnownClient("any", "MCP client", "mcpServers", lambda machine: machine.home, url_key="url")
"""The form that most other clients read; it is only ever printed."""
