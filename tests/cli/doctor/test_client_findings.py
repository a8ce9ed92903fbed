"""What doctor says of the clients that start this server."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.doctor import findings


def test_no_client_is_worth_a_note() -> None:
    found = findings("--sandbox")["clients"]
    assert (found["status"], "install CLIENT" in found["hint"]) == ("note", True)


def in_cursor(home: Path, entry: Any, name: str = "saasus") -> dict[str, str]:
    (home / ".cursor").mkdir(exist_ok=True)
    (home / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": {name: entry}}), encoding="utf-8")
    return findings("--sandbox")["clients"]


def test_clients_that_start_this_server_are_named(home: Path) -> None:
    found = in_cursor(home, {"command": sys.executable, "args": ["-P", "-m", "saasus_mcp"]})
    assert (found["status"], found["said"]) == ("ok", "Cursor (saasus)")
    assert in_cursor(home, {"url": "https://mcp.example.com/mcp"})["said"] == "Cursor (saasus)"


@pytest.mark.parametrize(
    ("entry", "status", "said"),
    [
        ({"command": "/no/such/uvx", "args": ["saasus-mcp"]}, "problem", "the command /no/such/uvx was not found"),
        (
            {"command": sys.executable, "args": ["saasus-mcp"], "env": {"SAASUS_SECRET_KEY": "in-the-clear"}},
            "note",
            "SAASUS_SECRET_KEY is stored in plain text",
        ),
        ({"command": "npx", "args": ["-y", "saasus-api-mcp-server"]}, "note", "the official Node server"),
    ],
)
def test_a_fault_of_a_client_is_reported_with_its_fix(
    home: Path, entry: dict[str, Any], status: str, said: str
) -> None:
    found = in_cursor(home, entry)
    assert found["status"] == status
    assert said in found["said"]
    assert found["hint"]
    assert "in-the-clear" not in str(found)


def test_servers_of_others_are_not_spoken_of(home: Path) -> None:
    found = in_cursor(home, {"command": "npx", "args": ["files"]}, "files")
    assert (found["status"], "files" in found["said"]) == ("note", False)


def test_a_clients_file_that_cannot_be_read_is_a_problem(home: Path) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("= 1", encoding="utf-8")
    found = findings("--sandbox")["clients"]
    assert (found["status"], "Codex" in found["said"]) == ("problem", True)


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_a_clients_file_that_everybody_can_write_to_is_a_problem_with_the_command_that_closes_it(home: Path) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("", encoding="utf-8")
    (home / ".codex" / "config.toml").chmod(0o666)
    found = findings("--sandbox")["clients"]
    assert (found["status"], "chmod 664" in found["said"]) == ("problem", True)
