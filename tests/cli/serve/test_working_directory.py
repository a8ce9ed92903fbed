"""Nothing in the working directory runs or is read: clients start servers there, and a model may write there."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli.install.server_command import PACKAGE_NAME, installed_command
from saasus_mcp.common import working_directory
from tests.support import hostile_folder

pytestmark = pytest.mark.skipif(
    os.name != "posix", reason="named pipes, by which reading is noticed, are not there elsewhere"
)

EARLIER = "the module, as earlier versions wrote it"
WAYS = {
    "the command that install writes": installed_command(),
    "the module with -P": (sys.executable, "-P", "-m", "saasus_mcp"),
    EARLIER: (sys.executable, "-m", "saasus_mcp"),
}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    return hostile_folder.create_folder(tmp_path / "project")


@pytest.mark.process
def test_the_decoys_run_where_python_looks_for_them(hostile: Path) -> None:
    hostile_folder.run_in_folder([sys.executable, "-c", "import click"], hostile)
    assert hostile_folder.executed_file(hostile).read_text(encoding="utf-8") == "click "


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "command"),
    [
        *(
            pytest.param(
                EARLIER, command, marks=pytest.mark.exhaustive
            )  # the server below starts so; each takes a second
            for command in (
                ["doctor", "--sandbox"],
                ["install", "cursor", "--print", "--sandbox"],
                ["policy", "explain", "auth.DeleteTenant"],
                ["call", "auth_get_tenants", "--sandbox"],
            )
        ),
        ("the command that install writes", ["call", "auth_get_tenants", "--sandbox"]),
        ("the module with -P", ["tools"]),
    ],
)
def test_no_command_runs_or_reads_it(way: str, command: list[str], hostile: Path) -> None:
    done = hostile_folder.run_in_folder([*WAYS[way], *command], hostile)
    assert (done.returncode, hostile_folder.executed_file(hostile).exists()) == (0, False), done.stderr


@pytest.mark.slow
def test_no_server_runs_or_reads_it_nor_does_a_chart(hostile: Path) -> None:
    messages: list[dict[str, Any]] = [
        {"id": 1, "method": "initialize", "params": INITIALIZE},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": "job_contract_report", "arguments": {"chart": "png"}}},
    ]
    given = "".join(json.dumps({"jsonrpc": "2.0", **each}) + "\n" for each in messages)
    done = hostile_folder.run_in_folder([*WAYS[EARLIER], "serve", "--sandbox"], hostile, given)
    assert (done.returncode, hostile_folder.executed_file(hostile).exists()) == (0, False), done.stderr
    answered = [json.loads(line) for line in done.stdout.splitlines()]
    assert {1, 2} <= {each.get("id") for each in answered}


@pytest.mark.slow
@pytest.mark.exhaustive  # the server above draws one too, from the same folder
def test_a_job_with_a_chart_reads_none_of_it_and_writes_to_the_given_place(hostile: Path) -> None:
    command = [*installed_command(), "job", "contract_report", "--sandbox", "--chart", "chart.png"]
    done = hostile_folder.run_in_folder(command, hostile)
    assert (done.returncode, hostile_folder.executed_file(hostile).exists()) == (0, False), done.stderr
    assert (hostile / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_the_console_script_is_chosen_and_without_one_the_module_with_p(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (script,) = installed_command()
    assert Path(script) == Path(sys.executable).with_name(PACKAGE_NAME)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert installed_command() == (str(tmp_path / "python"), "-P", "-m", "saasus_mcp")
    (tmp_path / PACKAGE_NAME).write_text("not a program", encoding="utf-8")
    assert installed_command()[1] == "-P"


def test_a_working_directory_that_is_gone_does_not_stop_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with working_directory.outside_working_directory():
        assert Path.cwd() == Path(sys.prefix)
