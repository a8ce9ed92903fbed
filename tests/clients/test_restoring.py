"""Nothing of others changes in a client's file when our entry goes in, and every byte is back when it goes out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from saasus_mcp.clients.known import CLIENTS
from tests.cli.running import run
from tests.clients.files import fixtures
from tests.clients.installing import given, install, now, read, servers

EVERY_FILE = [(client, name) for client in CLIENTS for name in fixtures(client)]


@pytest.mark.parametrize(("client", "name"), EVERY_FILE)
def test_nothing_of_others_changes_and_uninstalling_restores_every_byte(client: str, name: str, file: Path) -> None:
    before = given(file, fixtures(client)[name])
    others = read(CLIENTS[client], before)
    install(client, file)
    after = read(CLIENTS[client], now(file))
    assert after[CLIENTS[client].servers].pop("saasus")["args"][:2] == ["saasus-mcp", "--sandbox"]
    assert others == after or {**others, CLIENTS[client].servers: {}} == after
    install(client, file, "--uninstall")
    assert now(file) == before


@pytest.mark.parametrize(("client", "name"), EVERY_FILE)
def test_twice_is_the_same_as_once_and_still_undone_by_one_uninstall(client: str, name: str, file: Path) -> None:
    before = given(file, fixtures(client)[name])
    install(client, file)
    once = now(file)
    assert "Nothing to do" in install(client, file)
    assert now(file) == once
    install(client, file, "--lang", "ja")
    install(client, file, "--lang", "en")
    assert now(file) == once
    install(client, file, "--uninstall")
    assert now(file) == before


@pytest.mark.parametrize(("client", "name"), [(client, name) for client, name in EVERY_FILE if fixtures(client)[name]])
def test_what_the_text_kept_is_every_line_that_was_there(client: str, name: str, file: Path) -> None:
    """Also where the record of what was there is lost, the text goes back, but for an empty container of ours."""
    before = given(file, fixtures(client)[name])
    install(client, file)
    shutil.rmtree(os.environ["SAASUS_MCP_STATE_DIR"])
    install(client, file, "--uninstall")
    left = now(file)
    if name in {"other servers", "tabs", "odd", "windows", "comments", "trailing commas", "one line", "sub-tables"}:
        assert left == before
    assert read(CLIENTS[client], left) in (
        read(CLIENTS[client], before),
        {**read(CLIENTS[client], before), CLIENTS[client].servers: {}},
    )


def test_what_was_added_after_us_stays_when_we_go(file: Path) -> None:
    given(file, '{\n  "mcpServers": {\n    "a": {"command": "a"} // mine\n  }\n}\n')
    install("cursor", file)
    text = file.read_text(encoding="utf-8").replace(
        '"a": {"command": "a"}', '"new": {"command": "n"},\n    "a": {"command": "a"}'
    )
    file.write_text(text, encoding="utf-8")
    install("cursor", file, "--uninstall")
    assert file.read_text(encoding="utf-8") == (
        '{\n  "mcpServers": {\n    "new": {"command": "n"},\n    "a": {"command": "a"} // mine\n  }\n}\n'
    )


def test_an_entry_that_a_person_wrote_comes_back(file: Path) -> None:
    before = given(file, '{"mcpServers": {"saasus": {"command": "node", "args": ["old.js"]}}}')
    install("cursor", file)
    assert servers("cursor", file)["saasus"]["command"] == "/usr/bin/uvx"
    install("cursor", file, "--uninstall")
    assert now(file) == before


def test_two_servers_of_ours_live_side_by_side(file: Path) -> None:
    before = given(file, "{}")
    install("vscode", file)
    install("vscode", file, "--name", "saasus-two")
    assert set(servers("vscode", file)) == {"saasus", "saasus-two"}
    install("vscode", file, "--uninstall")
    assert set(servers("vscode", file)) == {"saasus-two"}
    install("vscode", file, "--uninstall", "--name", "saasus-two")
    assert read(CLIENTS["vscode"], now(file)) == {"servers": {}}
    assert before is not None


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"mcpServers": {"a": 1,,}}',
        "[1]",
        '{"mcpServers": [], "servers": 3}',
        "mcp_servers = 1 2",
        "\x00",
        "{'a': 1}",
    ],
)
def test_a_file_that_is_not_what_the_client_reads_is_left_alone(client: str, text: str, file: Path) -> None:
    before = given(file, text.replace("[1]", "[1]]") if client == "codex" else text)
    ran = run("install", client, "--file", str(file), "--sandbox", "--yes")
    assert (ran.status, now(file)) == (1, before)
    assert "Nothing was written" in ran.err


def test_servers_in_an_inline_table_are_left_alone(file: Path) -> None:
    before = given(file, 'mcp_servers = {a = {command = "x"}}\n')
    ran = run("install", "codex", "--file", str(file), "--sandbox", "--yes")
    assert (ran.status, now(file)) == (1, before)


def test_a_file_in_another_encoding_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes('{"名前": 1}'.encode("utf-16"))
    ran = run("install", "cursor", "--file", str(file), "--sandbox", "--yes")
    assert ran.status == 1
    assert "UTF-8" in ran.err
