"""The page about scripts: the keys that it names are those that the commands print."""

from __future__ import annotations

import json
import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.cli import state as cli_state
from saasus_mcp.permissions.policy.file import preset_path
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.store.tokens import Token
from tests.support.commands import create_approval, run_command
from tests.support.home_folder import create_home

DOCS = Path(__file__).resolve().parents[2] / "docs"
ROW = re.compile(r"^\| `([^|]+?)`(?:[,、][^|]*)? \| (.+) \|$", re.MULTILINE)
WORD = re.compile(r"`(\w+)`|`[^`]*`")
VALUES = {"written", "unchanged", "removed"}
"""Words in the rows that are values."""


def documented(page: str) -> dict[str, set[str]]:
    """Return the words in code of each row, by command."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {command: set(WORD.findall(shape)) - VALUES - {""} for command, shape in ROW.findall(text)}


def keys(value: Any) -> set[str]:
    """Return the keys of an object, or of the objects of an array."""
    return set().union(*map(keys, value)) if isinstance(value, list) else set(value)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LANG", raising=False)
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", str(tmp_path / "state"))
    return create_home(tmp_path / "home", monkeypatch)


def test_both_languages_name_the_same_keys() -> None:
    assert documented("scripting.md") == documented("scripting.ja.md")
    assert len(documented("scripting.md")) > 20


@pytest.mark.usefixtures("home")
def test_each_command_prints_the_keys_of_its_row(tmp_path: Path) -> None:
    create_approval(tmp_path / "state")
    now = time.time()
    with cli_state.open_tokens(read_settings()) as tokens, closing(tokens):
        tokens.add(Token("hanako", "caller", frozenset(), "local:me", now, now + 900))
    run_command("call", "--sandbox", "auth_create_role", '{"role_name": "reviewer", "display_name": "Reviewer"}')
    cases = tmp_path / "cases.yaml"
    cases.write_text("mode: strict\ncases: [{name: a, tool: auth_create_tenant, expect: confirm}]\n", encoding="utf-8")
    commands = {
        "approvals": ["approvals"],
        "audit search": ["audit", "search"],
        "audit verify": ["audit", "verify"],
        "doctor": ["doctor", "--sandbox"],
        "freeze": ["freeze"],
        "install CLIENT": ["install", "cursor", "--sandbox", "--yes", "--file", str(tmp_path / "mcp.json")],
        "policy check FILE": ["policy", "check", str(preset_path("guarded"))],
        "policy explain TOOL": ["policy", "explain", "auth_delete_tenant"],
        "policy test FILE": ["policy", "test", str(cases)],
        "policy reload": ["policy", "reload"],
        "token list": ["token", "list"],
        "tools": ["tools"],
        "undo": ["undo"],
    }
    rows = documented("scripting.md")
    for name, words in commands.items():
        printed = json.loads(run_command(*words, "--json").out)
        nested = {key: value for key, value in printed.items() if value} if isinstance(printed, dict) else {}
        inner = [value for value in nested.values() if isinstance(value, list) and isinstance(value[0], dict)]
        found = keys(printed).union(*map(keys, inner))
        missing = rows[name] - found - {"faults", "line", "kind", "text", "hint", "file", "servers", "silent"}
        assert not missing, (name, missing)
