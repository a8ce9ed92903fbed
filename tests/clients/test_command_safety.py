"""Which command lines run what lies in the folder that a client works in: none that `install` writes, and doctor finds the others."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli.install import server_command
from saasus_mcp.clients.detection import DetectedServer, detect_servers, runs_code_from_working_directory
from saasus_mcp.clients.known_clients import CLIENTS, Machine
from tests.support.commands import run_command

LOCAL: list[tuple[list[str], dict[str, Any]]] = [
    ([sys.executable, "-m", "saasus_mcp"], {}),
    (["python", "-m", "saasus_mcp", "serve"], {}),
    (["python3", "-um", "saasus_mcp"], {}),
    (["python3", "-msaasus_mcp"], {}),
    (["python3", "-u", "-m", "saasus_mcp.cli"], {}),
    (["python3", "-E", "-s", "-m", "saasus_mcp"], {}),
    (["py", "-3", "-m", "saasus_mcp"], {}),
    (["env", "python3", "-m", "saasus_mcp"], {}),
    ([sys.executable, "-m", "saasus_mcp"], {"PYTHONSAFEPATH": ""}),
    (["./saasus-mcp"], {}),
    ([".venv/bin/saasus-mcp"], {}),
    ([".venv\\Scripts\\saasus-mcp.exe"], {}),
    (["uv", "run", "saasus-mcp"], {}),
    (["/usr/bin/uv", "run", "--with", "saasus-mcp", "saasus-mcp"], {}),
    (["uv", "run", "--directory", ".", "saasus-mcp"], {}),
    (["uv", "run", "--project=./app", "saasus-mcp"], {}),
    (["uvx", "--from", ".", "saasus-mcp"], {}),
    (["uvx", "--from", "./saasus-mcp", "saasus-mcp"], {}),
    (["uvx", "--with-editable", "..", "saasus-mcp"], {}),
    (["uvx", "saasus-mcp"], {"PYTHONPATH": "."}),
    (["/usr/bin/saasus-mcp"], {"PYTHONPATH": f"/x{os.pathsep}"}),
]
SAFE: list[tuple[list[str], dict[str, Any]]] = [
    ([sys.executable, "-P", "-m", "saasus_mcp"], {}),
    ([sys.executable, "-I", "-m", "saasus_mcp"], {}),
    ([sys.executable, "-uPm", "saasus_mcp"], {}),
    ([sys.executable, "-m", "saasus_mcp"], {"PYTHONSAFEPATH": "1"}),
    (["/usr/local/bin/saasus-mcp", "serve"], {}),
    (["C:\\Tools\\saasus-mcp.exe"], {}),
    (["saasus-mcp"], {}),
    (["uvx", "saasus-mcp"], {}),
    (["uvx", "--from", "saasus-mcp[charts]", "saasus-mcp"], {}),
    (["uvx", "--from", "git+https://example.com/x/y", "saasus-mcp"], {}),
    (["uv", "tool", "run", "saasus-mcp"], {}),
    (["uv", "run", "--directory", "/opt/app", "saasus-mcp"], {}),
    (["uv", "run", "--no-project", "--with", "saasus-mcp", "saasus-mcp"], {}),
    (["uvx", "saasus-mcp"], {"PYTHONPATH": "/opt/modules"}),
    (["docker", "run", "-m", "512m", "saasus-mcp"], {}),
]


@pytest.mark.parametrize(("words", "variables"), LOCAL)
def test_a_command_that_runs_the_working_directory_is_reported(words: list[str], variables: dict[str, Any]) -> None:
    assert runs_code_from_working_directory(words, variables)


@pytest.mark.parametrize(("words", "variables"), SAFE)
def test_a_command_that_does_not_is_let_be(words: list[str], variables: dict[str, Any]) -> None:
    assert not runs_code_from_working_directory(words, variables)


def found(home: Path, words: list[str], client: str = "cursor") -> DetectedServer:
    machine = Machine("Linux", home, {})
    file = CLIENTS[client].file(machine)
    file.parent.mkdir(parents=True, exist_ok=True)
    if CLIENTS[client].format == "toml":
        file.write_text(
            f"[mcp_servers.saasus]\ncommand = {json.dumps(words[0])}\nargs = {json.dumps(words[1:])}\n",
            encoding="utf-8",
        )
    else:
        entry = {"command": words[0], "args": words[1:]}
        file.write_text(json.dumps({CLIENTS[client].servers_key: {"saasus": entry}}), encoding="utf-8")
    (one,) = detect_servers(machine)
    return one


@pytest.mark.parametrize("client", list(CLIENTS))
def test_it_is_found_in_every_clients_file(client: str, tmp_path: Path) -> None:
    one = found(tmp_path, [sys.executable, "-m", "saasus_mcp", "--profile", "x"], client)
    assert (one.flaw, one.detail) == ("working_directory", f"{sys.executable} -m saasus_mcp --profile")


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_a_program_that_everybody_can_replace_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name)
    program = tmp_path / "bin" / "saasus-mcp"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    assert found(tmp_path, [str(program)]).flaw == ""
    program.parent.chmod(0o777)
    assert found(tmp_path, [str(program)]).flaw == "open_folder"
    program.parent.chmod(0o1777)  # as /tmp is: a file there is replaced by its owner alone
    assert found(tmp_path, [str(program)]).flaw == ""
    (tmp_path / "link").symlink_to(program)
    program.chmod(0o777)
    assert found(tmp_path, [str(tmp_path / "link"), "saasus-mcp"]).flaw == "open_folder"


@pytest.mark.parametrize("client", list(CLIENTS))
@pytest.mark.parametrize("script", [True, False])
def test_a_written_command_never_runs_the_working_directory(
    client: str, script: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "uvx" else which(name))
    if not script:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    file = tmp_path / "file"
    assert run_command("install", client, "--file", str(file), "--sandbox", "--yes").status == 0
    command = server_command.installed_command()
    assert all(part in file.read_text(encoding="utf-8") for part in command)
    assert command[1:] == (() if script else ("-P", "-m", "saasus_mcp"))
    assert not runs_code_from_working_directory(command, {})
