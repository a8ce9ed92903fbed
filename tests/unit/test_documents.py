"""What the documents claim is what the code does."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from saasus_mcp import __version__
from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli import COMMANDS
from saasus_mcp.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
READMES = ("README.md", "README.ja.md")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", READMES)
def test_the_first_screen_has_the_two_commands_of_a_newcomer(name: str) -> None:
    first_screen = "\n".join(read(name).splitlines()[:15])
    assert "make demo" in first_screen
    assert "make test" in first_screen


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_levels_counts_what_the_catalogue_holds(name: str, catalogue: Catalogue) -> None:
    claimed = {level: int(count) for level, count in re.findall(r"^\| (\w+) \| (\d+) \|", read(name), re.MULTILINE)}
    assert claimed == Counter(operation.level for operation in catalogue)


def test_every_setting_stands_in_the_readme() -> None:
    readme = read("README.md")
    for name, field in Settings.model_fields.items():
        variable = field.validation_alias.choices[0]  # type: ignore[union-attr]
        assert f"`{variable}`" in readme, (name, variable)


def test_every_command_stands_in_the_readme() -> None:
    readme = read("README.md")
    for command in COMMANDS:
        assert f"saasus-mcp {command}" in readme or f"saasus-mcp [{command}]" in readme or f"({command} " in readme


def test_the_version_is_the_same_everywhere() -> None:
    server = json.loads(read("server.json"))
    project = tomllib.loads(read("pyproject.toml"))["project"]
    assert {__version__} == {project["version"], server["version"], *(item["version"] for item in server["packages"])}


def test_the_registry_finds_its_marker_in_the_readme() -> None:
    name = json.loads(read("server.json"))["name"]
    assert re.search(rf"mcp-name: {re.escape(name)}[^\w./-]", read("README.md"))
    assert len(json.loads(read("server.json"))["description"]) <= 100


def test_ci_runs_exactly_what_the_readme_tells() -> None:
    commands = [line for line in read(".ci/run").splitlines() if line.startswith("make ")]
    assert commands[:2] == ["make check", "make test"]
    assert all(command in read("README.md") for command in commands)


def test_both_documents_say_why_it_is_httpx2() -> None:
    for name in ("README.md", "ARCHITECTURE.md"):
        assert "httpx2" in read(name)
        assert "mix" in read(name)


def test_no_registry_host_is_written_anywhere() -> None:
    host = re.compile(r"files\.python" r"hosted|pypi\.o" r"rg/simple")
    for file in ("requirements.lock", "pyproject.toml", "Makefile", "server.json", "README.md"):
        assert not host.search(read(file)), file
