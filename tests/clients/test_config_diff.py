"""Before a client's file is written, a person sees the difference, and no secret in it."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from saasus_mcp.clients.known_clients import CLIENTS
from tests.support.client_files import sample_files
from tests.support.client_install import file_content, run_install, write_file
from tests.support.commands import Terminal, run_command


def test_without_a_terminal_nothing_is_written_unless_told(file: Path) -> None:
    ran = run_command("install", "cursor", "--file", str(file), "--sandbox")
    assert (ran.status, file_content(file)) == (1, None)
    assert '+    "saasus"' in ran.out
    assert "--yes" in ran.err


@pytest.mark.skipif(os.name != "posix", reason="a terminal of the test's own needs pty")
@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
def test_a_person_sees_the_difference_and_is_asked(answer: str, written: bool, file: Path) -> None:
    with Terminal("install", "cursor", "--file", str(file), "--sandbox", "--lang", "ja") as terminal:
        terminal.wait_for('"saasus"')
        terminal.wait_for("書き込みますか")
        terminal.type(answer)
        assert terminal.wait() == (0 if written else 1)
    assert (file_content(file) is not None) is written


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("name", ["other servers", "one line", "sub-tables", "no last newline"])
def test_the_difference_shows_no_secret_of_others(client: str, name: str, file: Path) -> None:
    write_file(file, sample_files(client).get(name))
    out = run_install(client, file) + run_install(client, file, "--uninstall")
    assert "other-secret" not in out


@pytest.mark.parametrize("client", ["", *CLIENTS])
def test_printing_writes_nothing(client: str, home: Path) -> None:
    ran = run_command("install", *([client] if client else []), "--print")
    assert ran.status == 0
    known = CLIENTS.get(client)
    said = tomllib.loads(ran.out) if client == "codex" else json.loads(ran.out)
    assert said[known.servers_key if known else "mcpServers"]["saasus"]["args"][0] == "saasus-mcp"
    assert list(home.iterdir()) == []


def test_a_client_must_be_named() -> None:
    assert "--print" in run_command("install").err
