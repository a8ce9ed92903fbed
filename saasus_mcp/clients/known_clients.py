"""The clients that `install` supports: the location, format and features of their configuration files.

Checked against the clients' documentation and, where they run here, against the clients themselves, in November 2026.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Machine:
    """The system, home folder and environment that determine where clients keep their files."""

    system: str
    home: Path
    environment: Mapping[str, str]

    def variable_folder(self, name: str, default: Path) -> Path:
        """Return the folder in an environment variable, or the default if the variable is not an absolute path."""
        found = Path(self.environment.get(name, ""))
        return found if found.is_absolute() else default

    def application_folder(self) -> Path:
        """Return the folder of desktop applications for user data."""
        if self.system == "Windows":
            return self.variable_folder("APPDATA", self.home / "AppData" / "Roaming")
        if self.system == "Darwin":
            return self.home / "Library" / "Application Support"
        return self.variable_folder("XDG_CONFIG_HOME", self.home / ".config")


@dataclass(frozen=True, slots=True)
class KnownClient:
    """One client.

    Attributes:
        key: its name for `install`.
        title: its name as its vendor writes it.
        servers_key: the member or table with its servers.
        file: returns the path of its configuration file for a user.
        variable_template: its reference to an environment variable ({name}), or to an input ({id}) that the client asks for and
            stores. Empty if it has no references and could only store a credential in clear text.
        supports_inputs: it asks the person for the inputs that its file declares.
        forwards_variables: it passes variables on by a list of names (`env_vars`).
        url_key: the member with a remote server's URL; empty if its file takes none.
        writes_type: an entry has the member `type`.
        tool_limit: its maximum number of tools over all servers; None if it has no relevant limit.
        is_desktop: it starts from the desktop, without the shell's PATH and variables.
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
    """Return the path. On Windows (MSIX), the app reads its package's folder, not the folder that its menu opens."""
    name = "claude_desktop_config.json"
    if machine.system == "Windows":
        packages = machine.variable_folder("LOCALAPPDATA", machine.home / "AppData" / "Local") / "Packages"
        for package in sorted(packages.glob("Claude_*")):
            return package / "LocalCache" / "Roaming" / "Claude" / name
    return machine.application_folder() / "Claude" / name


CLIENTS: Mapping[str, KnownClient] = {
    client.key: client
    for client in (
        KnownClient("claude-desktop", "Claude Desktop", "mcpServers", _claude_desktop, is_desktop=True),
        KnownClient(
            "claude-code",
            "Claude Code",
            "mcpServers",
            lambda machine: machine.variable_folder("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json",
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
        KnownClient(
            "gemini",
            "Gemini CLI",
            "mcpServers",
            lambda machine: machine.variable_folder("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json",
            variable_template="${name}",
            url_key="httpUrl",
        ),
        KnownClient(
            "codex",
            "Codex",
            "mcp_servers",
            lambda machine: machine.variable_folder("CODEX_HOME", machine.home / ".codex") / "config.toml",
            format="toml",
            forwards_variables=True,
            url_key="url",
        ),
    )
}
"""By name."""

GENERIC_CLIENT = KnownClient("any", "MCP client", "mcpServers", lambda machine: machine.home, url_key="url")
"""The format that most other clients read. It is only printed."""
