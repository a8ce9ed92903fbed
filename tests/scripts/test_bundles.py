"""What clients install from is what server.json says, and holds no credential."""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema
import pytest

from saasus_mcp import __version__
from saasus_mcp.settings.environment import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = ROOT / "bundles" / "mcpb" / "manifest.json"
KEYS = {"SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY"}
BUTTON = re.compile(r"^\[!\[(?P<title>[^\]]+)\]\((?P<badge>[^)]+)\)\]\((?P<link>[^)]+)\)$", re.MULTILINE)


def read(name: str) -> Any:
    return json.loads((ROOT / name).read_text(encoding="utf-8"))


def test_the_manifest_is_one_that_claude_desktop_accepts() -> None:
    schema = json.loads((ROOT / "tests" / "schemas" / "mcpb-manifest-v0.4.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(MANIFEST.read_text(encoding="utf-8")), schema)


def test_the_manifest_asks_for_every_variable_that_it_passes_and_hides_the_secret_ones() -> None:
    manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    asked = manifest["user_config"]
    passed = manifest["server"]["mcp_config"]["env"]
    assert {value[len("${user_config.") : -1] for value in passed.values()} == set(asked)
    assert {name for name, value in asked.items() if value["sensitive"]} == {"api_key", "secret_key"}
    assert {name for name, value in asked.items() if value["required"]} == {"saas_id", "api_key", "secret_key"}


def test_the_bundle_installs_exactly_this_version() -> None:
    project = (MANIFEST.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"saasus-mcp=={__version__}"' in project
    assert (
        json.loads(MANIFEST.read_text(encoding="utf-8"))["version"]
        == __version__
        == read("gemini-extension.json")["version"]
    )


def test_the_bundle_states_the_licence_of_everything_in_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert json.loads(MANIFEST.read_text(encoding="utf-8"))["license"] == project["license"] == "Apache-2.0 AND OFL-1.1"


def test_the_extension_asks_for_the_credentials_and_hands_them_on() -> None:
    extension = read("gemini-extension.json")
    asked = {setting["envVar"]: setting["sensitive"] for setting in extension["settings"]}
    assert asked == {"SAASUS_SAAS_ID": False, "SAASUS_API_KEY": True, "SAASUS_SECRET_KEY": True}
    assert extension["mcpServers"]["saasus"]["env"] == {name: f"${name}" for name in asked}


def test_every_variable_of_the_registrys_entry_is_a_setting_or_a_flag() -> None:
    known = {variables[0] for variables in VARIABLES.values()}
    listed = {variable["name"]: variable for variable in read("server.json")["packages"][0]["environmentVariables"]}
    assert set(listed) <= known | {"SAASUS_MCP_SURFACE"}
    assert {name for name, variable in listed.items() if variable.get("isSecret")} == {
        "SAASUS_API_KEY",
        "SAASUS_SECRET_KEY",
    }


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_the_buttons_install_what_install_would_and_hold_references_only(name: str) -> None:
    found = BUTTON.findall((ROOT / name).read_text(encoding="utf-8"))
    assert len(found) == 4
    for title, _, link in found:
        query = parse_qs(urlsplit(link).query, strict_parsing=True)
        raw = query["config"][0]
        config = json.loads(base64.b64decode(raw) if "cursor.com" in link else raw)
        assert config["command"] == "uvx"
        assert config["args"][0] == "saasus-mcp"
        assert config["args"][-2:] == ["--surface", "compact"]
        assert (
            (config["args"][config["args"].index("--lang") + 1] == "ja")
            if ".ja." in name
            else ("--lang" not in config["args"])
        )
        if "sandbox" in title or "サンドボックス" in title:
            assert "--sandbox" in config["args"]
            assert "env" not in config
        else:
            assert set(config["env"]) == KEYS
            assert all(value.startswith("${") for value in config["env"].values())
        if "vscode" in link and "env" in config:
            ids = {item["id"] for item in json.loads(query["inputs"][0])}
            assert {value[len("${input:") : -1] for value in config["env"].values()} == ids


@pytest.mark.parametrize("script", ["bundles", "reference", "commands"])
def test_a_stale_file_is_found_by_the_check(script: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each script, told to look at a copy in which one of its files was changed by hand, ends with what to run."""
    import importlib.util  # noqa: PLC0415 - scripts are no package

    spec = importlib.util.spec_from_file_location(script, ROOT / "scripts" / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    stale = tmp_path / "docs" / "commands.md"
    stale.parent.mkdir()
    stale.write_text("by hand", encoding="utf-8")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "files", lambda *_: iter([(stale, "made")]))
    monkeypatch.setattr(sys, "argv", [script, "--check"])
    with pytest.raises(SystemExit, match="make generated"):
        module.main()
