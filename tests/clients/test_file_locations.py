"""Each client's file is where that client reads it, on each system."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.clients.known_clients import CLIENTS, Machine

HOME = Path("/home/x")
PLACES = [
    ("claude-desktop", "Linux", {}, ".config/Claude/claude_desktop_config.json"),
    ("claude-desktop", "Darwin", {}, "Library/Application Support/Claude/claude_desktop_config.json"),
    ("claude-desktop", "Windows", {}, "AppData/Roaming/Claude/claude_desktop_config.json"),
    ("claude-code", "Linux", {}, ".claude.json"),
    ("cursor", "Windows", {}, ".cursor/mcp.json"),
    ("vscode", "Linux", {"XDG_CONFIG_HOME": "/home/x/c"}, "c/Code/User/mcp.json"),
    ("vscode", "Darwin", {}, "Library/Application Support/Code/User/mcp.json"),
    ("vscode", "Windows", {"APPDATA": "/home/x/R"}, "R/Code/User/mcp.json"),
    ("vscode", "Linux", {"XDG_CONFIG_HOME": "relative"}, ".config/Code/User/mcp.json"),
    ("gemini", "Darwin", {}, ".gemini/settings.json"),
    ("codex", "Linux", {}, ".codex/config.toml"),
    ("codex", "Linux", {"CODEX_HOME": "/home/x/cx"}, "cx/config.toml"),
    ("claude-code", "Linux", {"CLAUDE_CONFIG_DIR": "/home/x/cc"}, "cc/.claude.json"),
]


@pytest.mark.parametrize(("client", "system", "environment", "expected"), PLACES)
def test_each_clients_file_is_where_it_reads_it(
    client: str, system: str, environment: dict[str, str], expected: str
) -> None:
    assert CLIENTS[client].file(Machine(system, HOME, environment)) == HOME / expected


def test_claude_desktop_as_packaged_for_windows_reads_its_packages_folder(tmp_path: Path) -> None:
    package = tmp_path / "AppData" / "Local" / "Packages" / "Claude_pzs8sxrjxfjjc"
    package.mkdir(parents=True)
    found = CLIENTS["claude-desktop"].file(Machine("Windows", tmp_path, {}))
    assert found == package / "LocalCache" / "Roaming" / "Claude" / "claude_desktop_config.json"
