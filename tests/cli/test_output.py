"""Colours, JSON and long lists, on a screen and elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from saasus_mcp.cli.terminal import format_json
from tests.support.commands import Terminal, create_approval, run_command, spawn_command

HOSTILE = "a\x1b[2J\x9b1m\u202e\u2028\u3164\U000e0041b"


def test_json_keeps_every_value_and_has_no_invisible_character() -> None:
    for indent in (None, 2):
        text = format_json({HOSTILE: [HOSTILE, "青空", 1.5, None]}, indent=indent)
        assert json.loads(text) == {HOSTILE: [HOSTILE, "青空", 1.5, None]}
        assert "青空" in text
        assert all(line.isprintable() for line in text.split("\n"))
        assert "\u3164" not in text


def test_json_is_one_line_for_a_program_and_indented_for_a_person() -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    assert len(run_command("call", "--sandbox", "auth_get_roles").out.splitlines()) == 1
    with Terminal("call", "--sandbox", "auth_get_roles") as terminal:
        assert terminal.wait() == 0
    assert '{\n  "roles": [\n' in terminal.output


def test_force_color_colours_a_pipe_and_no_color_wins(state: Path) -> None:
    create_approval(state)
    assert "\x1b[" not in spawn_command("approvals").out
    assert "\x1b[" in spawn_command("approvals", FORCE_COLOR="1").out
    assert "\x1b[" not in spawn_command("approvals", FORCE_COLOR="1", NO_COLOR="1").out


def test_a_long_list_is_read_in_the_persons_pager_under_headings() -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    with Terminal("tools", env={"TERM": "xterm", "PAGER": "cat -n", "NO_COLOR": "1", "COLUMNS": "80"}) as terminal:
        assert terminal.wait() == 0
    lines = terminal.output.splitlines()
    assert lines[0].split("\t")[0].strip() == "1"
    assert "users (" in terminal.output
    assert all(len(line.split("\t", 1)[1]) <= 80 for line in lines[:-2] if "\t" in line)


@pytest.mark.parametrize("env", [{"PAGER": ""}, {"PAGER": "cat"}, {"TERM": "dumb"}])
def test_there_is_no_pager_where_nobody_wants_one(env: dict[str, str]) -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    with Terminal("tools", "--toolset", "users", env={"TERM": "xterm", "LINES": "5", **env}) as terminal:
        assert terminal.wait() == 0
    assert "auth_get_saas_users" in terminal.output


def test_a_list_that_fits_and_a_pipe_use_no_pager(state: Path) -> None:
    pytest.importorskip("pty", reason="no pseudo-terminals on this system")
    create_approval(state)
    with Terminal("approvals", env={"TERM": "xterm", "PAGER": "false"}) as terminal:
        assert terminal.wait() == 0
    assert "ABCD-2345" in terminal.output
    assert len(spawn_command("tools", PAGER="false").out.splitlines()) > 200
