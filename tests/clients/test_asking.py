"""Before a client's file is written, a person sees the difference, and no secret in it."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest

from saasus_mcp.clients.known import CLIENTS
from tests.cli.running import Terminal, run
from tests.clients.files import fixtures
from tests.clients.installing import given, install, now


def test_without_a_terminal_nothing_is_written_unless_told(file: Path) -> None:
    ran = run("install", "cursor", "--file", str(file), "--sandbox")
    assert (ran.status, now(file)) == (1, None)
    assert '+    "saasus"' in ran.out
    assert "--yes" in ran.err


@pytest.mark.skipif(os.name != "posix", reason="a terminal of the test's own needs pty")
@pytest.mark.parametrize(("answer", "written"), [("y", True), ("n", False), ("", False)])
def test_a_person_sees_the_difference_and_is_asked(answer: str, written: bool, file: Path) -> None:
    with Terminal("install", "cursor", "--file", str(file), "--sandbox", "--lang", "ja") as terminal:
        terminal.until('"saasus"')
        terminal.until("書き込みますか")
        terminal.types(answer)
        assert terminal.ends() == (0 if written else 1)
    assert (now(file) is not None) is written


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("name", ["other servers", "one line", "sub-tables", "no last newline"])
def test_the_difference_shows_no_secret_of_others(client: str, name: str, file: Path) -> None:
    given(file, fixtures(client).get(name))
    out = install(client, file) + install(client, file, "--uninstall")
    assert "other-secret" not in out


@pytest.mark.parametrize("client", ["", *CLIENTS])
def test_printing_writes_nothing(client: str, home: Path) -> None:
    ran = run("install", *([client] if client else []), "--print")
    assert ran.status == 0
    known = CLIENTS.get(client)
    said = tomllib.loads(ran.out) if client == "codex" else json.loads(ran.out)
    assert said[known.servers if known else "mcpServers"]["saasus"]["args"][0] == "saasus-mcp"
    assert list(home.iterdir()) == []


def test_a_client_must_be_named() -> None:
    assert "--print" in run("install").err
