"""Nothing of others changes in a client's file when our entry goes in, and every byte is back when it goes out."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from saasus_mcp.clients.known_clients import CLIENTS
from tests.support.client_files import sample_files
from tests.support.client_install import file_content, parse_file, read_servers, run_install, write_file
from tests.support.commands import run_command

EVERY_FILE = [(client, name) for client in CLIENTS for name in sample_files(client)]


@pytest.mark.parametrize(("client", "name"), EVERY_FILE)
def test_nothing_of_others_changes_and_uninstalling_restores_every_byte(client: str, name: str, file: Path) -> None:
    before = write_file(file, sample_files(client)[name])
    others = parse_file(CLIENTS[client], before)
    run_install(client, file)
    after = parse_file(CLIENTS[client], file_content(file))
    assert after[CLIENTS[client].servers_key].pop("saasus")["args"][:2] == ["saasus-mcp", "--sandbox"]
    assert others == after or {**others, CLIENTS[client].servers_key: {}} == after
    run_install(client, file, "--uninstall")
    assert file_content(file) == before


@pytest.mark.parametrize(("client", "name"), EVERY_FILE)
def test_twice_is_the_same_as_once_and_still_undone_by_one_uninstall(client: str, name: str, file: Path) -> None:
    before = write_file(file, sample_files(client)[name])
    run_install(client, file)
    once = file_content(file)
    assert "Nothing to do" in run_install(client, file)
    assert file_content(file) == once
    run_install(client, file, "--lang", "ja")
    run_install(client, file, "--lang", "en")
    assert file_content(file) == once
    run_install(client, file, "--uninstall")
    assert file_content(file) == before


@pytest.mark.parametrize(
    ("client", "name"), [(client, name) for client, name in EVERY_FILE if sample_files(client)[name]]
)
def test_uninstalling_keeps_every_earlier_line(client: str, name: str, file: Path) -> None:
    """Also where the record of what was there is lost, the text goes back, but for an empty container of ours."""
    before = write_file(file, sample_files(client)[name])
    run_install(client, file)
    shutil.rmtree(os.environ["SAASUS_MCP_STATE_DIR"])
    run_install(client, file, "--uninstall")
    left = file_content(file)
    if name in {"other servers", "tabs", "odd", "windows", "comments", "trailing commas", "one line", "sub-tables"}:
        assert left == before
    assert parse_file(CLIENTS[client], left) in (
        parse_file(CLIENTS[client], before),
        {**parse_file(CLIENTS[client], before), CLIENTS[client].servers_key: {}},
    )


def test_a_program_learns_what_was_done_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mcp.json"
    for flags, result in (((), "written"), ((), "unchanged"), (("--uninstall",), "removed")):
        ran = run_command("install", "cursor", "--file", str(file), "--sandbox", "--yes", "--json", *flags)
        assert ran.status == 0
        assert json.loads(ran.out) == {"client": "cursor", "file": str(file), "name": "saasus", "result": result}
        assert str(file) in ran.err


def test_later_additions_stay_after_uninstalling(file: Path) -> None:
    write_file(file, '{\n  "mcpServers": {\n    "a": {"command": "a"} // mine\n  }\n}\n')
    run_install("cursor", file)
    text = file.read_text(encoding="utf-8").replace(
        '"a": {"command": "a"}', '"new": {"command": "n"},\n    "a": {"command": "a"}'
    )
    file.write_text(text, encoding="utf-8")
    run_install("cursor", file, "--uninstall")
    assert file.read_text(encoding="utf-8") == (
        '{\n  "mcpServers": {\n    "new": {"command": "n"},\n    "a": {"command": "a"} // mine\n  }\n}\n'
    )


def test_an_entry_that_a_person_wrote_comes_back(file: Path) -> None:
    before = write_file(file, '{"mcpServers": {"saasus": {"command": "node", "args": ["old.js"]}}}')
    run_install("cursor", file)
    assert read_servers("cursor", file)["saasus"]["command"] == "/usr/bin/uvx"
    run_install("cursor", file, "--uninstall")
    assert file_content(file) == before


def test_two_servers_of_ours_live_side_by_side(file: Path) -> None:
    before = write_file(file, "{}")
    run_install("vscode", file)
    run_install("vscode", file, "--name", "saasus-two")
    assert set(read_servers("vscode", file)) == {"saasus", "saasus-two"}
    run_install("vscode", file, "--uninstall")
    assert set(read_servers("vscode", file)) == {"saasus-two"}
    run_install("vscode", file, "--uninstall", "--name", "saasus-two")
    assert parse_file(CLIENTS["vscode"], file_content(file)) == {"servers": {}}
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
def test_a_file_that_is_not_what_the_client_reads_is_not_changed(client: str, text: str, file: Path) -> None:
    before = write_file(file, text.replace("[1]", "[1]]") if client == "codex" else text)
    ran = run_command("install", client, "--file", str(file), "--sandbox", "--yes")
    assert (ran.status, file_content(file)) == (1, before)
    assert "Nothing was written" in ran.err


def test_servers_in_an_inline_table_are_not_changed(file: Path) -> None:
    before = write_file(file, 'mcp_servers = {a = {command = "x"}}\n')
    ran = run_command("install", "codex", "--file", str(file), "--sandbox", "--yes")
    assert (ran.status, file_content(file)) == (1, before)


def test_a_file_in_another_encoding_is_not_changed(file: Path) -> None:
    file.parent.mkdir()
    file.write_bytes('{"名前": 1}'.encode("utf-16"))
    ran = run_command("install", "cursor", "--file", str(file), "--sandbox", "--yes")
    assert ran.status == 1
    assert "UTF-8" in ran.err
