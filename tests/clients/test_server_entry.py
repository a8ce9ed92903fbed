"""What our entry in a client's file says: credentials by reference, a surface that fits, a server's address."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.clients import jsonc
from tests.support.client_install import file_content, read_servers, run_install
from tests.support.commands import run_command

SECRETS = {"SAASUS_SAAS_ID": "saas-1", "SAASUS_API_KEY": "key-in-the-clear", "SAASUS_SECRET_KEY": "secret-in-the-clear"}


@pytest.mark.parametrize("client", ["claude-code", "cursor", "vscode", "gemini", "codex"])
def test_credentials_are_references_where_the_client_resolves_them(
    client: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    ran = run_command("install", client, "--file", str(file), "--yes")
    assert ran.status == 0
    text = file.read_text(encoding="utf-8")
    assert not [value for value in SECRETS.values() if value in text + ran.out]
    entry = read_servers(client, file)["saasus"]
    if client == "codex":
        assert entry["env_vars"] == list(SECRETS)
    else:
        assert all("$" in entry["env"][name] for name in SECRETS)
    if client == "vscode":
        asked = {item["id"]: item["password"] for item in jsonc.parse_jsonc(text).value["inputs"]}
        assert {entry["env"][name][8:-1] for name in SECRETS} == set(asked)
        assert sorted(asked.values()) == [False, True, True]


def test_credentials_are_never_written_in_plain_text_silently(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    ran = run_command("install", "claude-desktop", "--file", str(file), "--yes")
    assert (ran.status, file_content(file)) == (1, None)
    assert "in plain text" in ran.err
    assert "--write-secrets" in ran.err
    ran = run_command("install", "claude-desktop", "--file", str(file), "--yes", "--write-secrets")
    assert read_servers("claude-desktop", file)["saasus"]["env"].items() >= SECRETS.items()
    assert not [value for value in SECRETS.values() if value in ran.out]
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("prefix", "is_lasting"),
    [
        ("/home/me/.cache/uv/archive-v0/Ab3_x", False),
        ("/home/me/.cache/uv/environments-v2/saasus-mcp-0a1b", False),
        ("/home/me/.local/share/pipx/.cache/0a1b2c", False),
        ("/home/me/.local/share/uv/tools/saasus-mcp", True),
        ("/home/me/.local/share/pipx/venvs/saasus-mcp", True),
        ("/home/me/project/.venv", True),
    ],
)
def test_no_client_is_given_a_path_in_a_cache(
    prefix: str, is_lasting: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.delenv("UV", raising=False)
    ran = run_command("install", "cursor", "--file", str(file), "--sandbox", "--yes")
    assert (ran.status, file.exists()) == ((0, True) if is_lasting else (1, False))
    assert ("uv tool install saasus-mcp" in ran.err) is not is_lasting


@pytest.mark.skipif(os.name != "posix", reason="a program is a file with a mode")
@pytest.mark.parametrize("client", ["cursor", "claude-desktop"])
def test_uvx_outside_the_path_is_named_in_full(
    client: str, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(sys, "prefix", "/home/me/.cache/uv/archive-v0/Ab3_x")
    for name in ("uv", "uvx"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("UV", str(tmp_path / "uv"))
    run_install(client, file)
    entry = read_servers(client, file)["saasus"]
    assert (entry["command"], entry["args"][0]) == (str(tmp_path / "uvx"), "saasus-mcp")


def test_a_profile_with_credentials_in_files_needs_none_in_the_client(file: Path, tmp_path: Path) -> None:
    keys = f'api_key = {{file = "{tmp_path.as_posix()}/a"}}\nsecret_key = {{file = "{tmp_path.as_posix()}/b"}}\n'
    config = f'version = 1\n[profiles.staging]\nsaas_id = "s"\n{keys}'
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    ran = run_command("install", "claude-desktop", "--file", str(file), "--profile", "staging", "--yes")
    assert ran.status == 0
    entry = read_servers("claude-desktop", file)["saasus"]
    assert entry["args"] == ["saasus-mcp", "--profile", "staging"]
    assert not set(entry["env"]) & set(SECRETS)


def test_a_missing_profile_is_reported_before_anything_is_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n[profiles.staging]\n", encoding="utf-8")
    ran = run_command("install", "cursor", "--file", str(file), "--profile", "production", "--yes")
    assert (ran.status, file_content(file)) == (1, None)
    assert "--profile: staging" in ran.err


def test_a_faulty_policy_is_reported_before_anything_is_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 2\n", encoding="utf-8")
    ran = run_command(
        "install", "cursor", "--file", str(file), "--sandbox", "--policy", str(tmp_path / "policy.yaml"), "--yes"
    )
    assert (ran.status, file_content(file)) == (1, None)


@pytest.mark.parametrize(
    ("client", "args"),
    [("cursor", ["--surface", "compact"]), ("vscode", ["--surface", "compact"]), ("gemini", []), ("codex", [])],
)
def test_the_surface_is_one_that_the_client_can_hold(client: str, args: list[str], file: Path) -> None:
    run_install(client, file)
    assert read_servers(client, file)["saasus"]["args"] == ["saasus-mcp", "--sandbox", *args]


def test_more_tools_than_the_client_holds_are_warned_of(file: Path) -> None:
    assert "at least 195" in run_install("vscode", file, "--surface", "full")
    assert "below that" in run_install("vscode", file, "--toolsets", "users,tenants")
    assert read_servers("vscode", file)["saasus"]["args"][-2:] == ["--toolsets", "tenants,users"]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("claude-code", {"type": "http", "url": "URL", "headers": {"Authorization": "Bearer ${TOKEN}"}}),
        ("cursor", {"url": "URL", "headers": {"Authorization": "Bearer ${env:TOKEN}"}}),
        ("vscode", {"type": "http", "url": "URL", "headers": {"Authorization": "Bearer ${input:saasus.token}"}}),
        ("gemini", {"httpUrl": "URL", "headers": {"Authorization": "Bearer $TOKEN"}}),
        ("codex", {"url": "URL", "bearer_token_env_var": "TOKEN"}),
    ],
)
def test_a_hosted_server_is_written_in_the_clients_own_form(client: str, expected: dict[str, Any], file: Path) -> None:
    url = "https://mcp.example.com/mcp/production"
    ran = run_command("install", client, "--file", str(file), "--url", url, "--token-env", "TOKEN", "--yes")
    assert ran.status == 0
    assert read_servers(client, file)["saasus"] == json.loads(json.dumps(expected).replace("URL", url))
    run_command("install", client, "--file", str(file), "--url", url, "--yes")
    assert "TOKEN" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("url", ["http://mcp.example.com/mcp", "ftp://x", "mcp.example.com", "https://u:p@h/mcp"])
def test_an_address_that_is_not_safe_is_refused(url: str, file: Path) -> None:
    assert run_command("install", "cursor", "--file", str(file), "--url", url, "--yes").status == 1
    assert file_content(file) is None


def test_a_client_without_remote_servers_says_where_to_add_one(file: Path) -> None:
    ran = run_command("install", "claude-desktop", "--file", str(file), "--url", "https://mcp.example.com/mcp", "--yes")
    assert "Add custom connector" in ran.err


@pytest.mark.parametrize("name", ["../../other", "", "a b", "a.b", "x" * 41, "日本"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str, file: Path) -> None:
    ran = run_command("install", "cursor", "--file", str(file), "--sandbox", "--yes", "--name", name)
    assert (ran.status, file_content(file)) == (1, None)
    assert "--name" in ran.err
