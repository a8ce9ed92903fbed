"""`saasus-mcp install`: our entry goes into a client's file and out again, and nothing else in it changes."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.clients import jsonc, keeping
from saasus_mcp.clients.known import CLIENTS, Client, Machine
from tests.cli.running import Terminal, run
from tests.clients.files import fixtures

SECRETS = {"SAASUS_SAAS_ID": "saas-1", "SAASUS_API_KEY": "key-in-the-clear", "SAASUS_SECRET_KEY": "secret-in-the-clear"}
EVERY_FILE = [(client, name) for client in CLIENTS for name in fixtures(client)]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no uvx, whatever this machine has."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    for name in ("XDG_CONFIG_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "APPDATA", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}" if name == "uvx" else None)
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "client" / "settings"


def given(file: Path, text: str | None) -> bytes | None:
    if text is None:
        return None
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return text.encode()


def now(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def read(client: Client, raw: bytes | None) -> Any:
    text = (raw or b"").decode("utf-8")
    if client.form == "toml":
        return tomllib.loads(text.removeprefix("\ufeff"))
    return jsonc.parse(text).value if text.strip("\ufeff\n") else {}


def servers(client: str, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = read(CLIENTS[client], now(file))[CLIENTS[client].servers]
    return found


def install(client: str, file: Path, *flags: str) -> str:
    ran = run("install", client, "--file", str(file), "--sandbox", "--yes", *flags)
    assert (ran.status, ran.err) == (0, "")
    return ran.out


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


@pytest.mark.parametrize("client", ["claude-code", "cursor", "vscode", "gemini", "codex"])
def test_credentials_are_references_where_the_client_resolves_them(
    client: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    ran = run("install", client, "--file", str(file), "--yes")
    assert ran.status == 0
    text = file.read_text(encoding="utf-8")
    assert not [value for value in SECRETS.values() if value in text + ran.out]
    entry = servers(client, file)["saasus"]
    if client == "codex":
        assert entry["env_vars"] == list(SECRETS)
    else:
        assert all("$" in entry["env"][name] for name in SECRETS)
    if client == "vscode":
        asked = {item["id"]: item["password"] for item in jsonc.parse(text).value["inputs"]}
        assert {entry["env"][name][8:-1] for name in SECRETS} == set(asked)
        assert sorted(asked.values()) == [False, True, True]


def test_credentials_are_never_written_in_clear_without_a_word(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    ran = run("install", "claude-desktop", "--file", str(file), "--yes")
    assert (ran.status, now(file)) == (1, None)
    assert "in clear" in ran.err
    assert "--write-secrets" in ran.err
    ran = run("install", "claude-desktop", "--file", str(file), "--yes", "--write-secrets")
    assert servers("claude-desktop", file)["saasus"]["env"].items() >= SECRETS.items()
    assert not [value for value in SECRETS.values() if value in ran.out]
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0


def test_a_profile_with_credentials_in_files_needs_none_in_the_client(file: Path, tmp_path: Path) -> None:
    keys = f'api_key = {{file = "{tmp_path.as_posix()}/a"}}\nsecret_key = {{file = "{tmp_path.as_posix()}/b"}}\n'
    config = f'version = 1\n[profiles.staging]\nsaas_id = "s"\n{keys}'
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    ran = run("install", "claude-desktop", "--file", str(file), "--profile", "staging", "--yes")
    assert ran.status == 0
    entry = servers("claude-desktop", file)["saasus"]
    assert entry["args"] == ["saasus-mcp", "--profile", "staging"]
    assert not set(entry["env"]) & set(SECRETS)


def test_a_profile_that_is_not_there_is_told_before_anything_is_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("version = 1\n[profiles.staging]\n", encoding="utf-8")
    ran = run("install", "cursor", "--file", str(file), "--profile", "production", "--yes")
    assert (ran.status, now(file)) == (1, None)
    assert "It has: staging" in ran.err


def test_a_policy_that_is_not_sound_is_told_before_anything_is_written(file: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 2\n", encoding="utf-8")
    ran = run("install", "cursor", "--file", str(file), "--sandbox", "--policy", str(tmp_path / "policy.yaml"), "--yes")
    assert (ran.status, now(file)) == (1, None)


@pytest.mark.parametrize(
    ("client", "args"),
    [("cursor", ["--surface", "compact"]), ("vscode", ["--surface", "compact"]), ("gemini", []), ("codex", [])],
)
def test_the_surface_is_one_that_the_client_can_hold(client: str, args: list[str], file: Path) -> None:
    install(client, file)
    assert servers(client, file)["saasus"]["args"] == ["saasus-mcp", "--sandbox", *args]


def test_more_tools_than_the_client_holds_are_warned_of(file: Path) -> None:
    assert "at least 195" in install("vscode", file, "--surface", "full")
    assert "below that" in install("vscode", file, "--toolsets", "users,tenants")
    assert servers("vscode", file)["saasus"]["args"][-2:] == ["--toolsets", "tenants,users"]


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
    ran = run("install", client, "--file", str(file), "--url", url, "--token-env", "TOKEN", "--yes")
    assert ran.status == 0
    assert servers(client, file)["saasus"] == json.loads(json.dumps(expected).replace("URL", url))
    run("install", client, "--file", str(file), "--url", url, "--yes")
    assert "TOKEN" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("url", ["http://mcp.example.com/mcp", "ftp://x", "mcp.example.com", "https://u:p@h/mcp"])
def test_an_address_that_is_not_safe_is_refused(url: str, file: Path) -> None:
    assert run("install", "cursor", "--file", str(file), "--url", url, "--yes").status == 1
    assert now(file) is None


def test_a_client_without_remote_servers_says_where_to_add_one(file: Path) -> None:
    ran = run("install", "claude-desktop", "--file", str(file), "--url", "https://mcp.example.com/mcp", "--yes")
    assert "Add custom connector" in ran.err


@pytest.mark.parametrize("client", ["", *CLIENTS])
def test_printing_writes_nothing(client: str, home: Path) -> None:
    ran = run("install", *([client] if client else []), "--print")
    assert ran.status == 0
    known = CLIENTS.get(client)
    said = tomllib.loads(ran.out) if client == "codex" else json.loads(ran.out)
    assert said[known.servers if known else "mcpServers"]["saasus"]["args"][0] == "saasus-mcp"
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", ["../../other", "", "a b", "a.b", "x" * 41, "日本"])
def test_a_name_that_would_lead_elsewhere_is_refused(name: str, file: Path) -> None:
    ran = run("install", "cursor", "--file", str(file), "--sandbox", "--yes", "--name", name)
    assert (ran.status, now(file)) == (1, None)
    assert "--name" in ran.err


def test_a_client_must_be_named() -> None:
    assert "--print" in run("install").err


@pytest.mark.skipif(os.name != "posix", reason="links and modes are not the same elsewhere")
def test_a_link_stays_a_link_and_a_mode_stays_a_mode(file: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}", encoding="utf-8")
    real.chmod(0o640)
    file.parent.mkdir()
    file.symlink_to(real)
    install("cursor", file)
    assert file.is_symlink()
    assert "saasus" in real.read_text(encoding="utf-8")
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_file_that_changes_while_a_person_reads_is_not_overwritten(file: Path, tmp_path: Path) -> None:
    given(file, "{}")
    held = keeping.read(file)
    keeper = keeping.Keeper(tmp_path, CLIENTS["cursor"], held.file, "saasus")
    file.write_text('{"changed": true}', encoding="utf-8")
    with pytest.raises(keeping.NotWritten, match="changed meanwhile"):
        keeper.write(held, '{"ours": true}')
    assert file.read_text(encoding="utf-8") == '{"changed": true}'


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="only where a folder can be closed to its owner")
def test_a_folder_that_cannot_be_written_is_told(file: Path) -> None:
    given(file, "{}")
    file.parent.chmod(0o500)
    ran = run("install", "cursor", "--file", str(file), "--sandbox", "--yes")
    file.parent.chmod(0o700)
    assert (ran.status, now(file)) == (1, b"{}")


@pytest.mark.skipif(os.name != "posix", reason="modes mean nothing on this system")
def test_what_is_kept_of_a_file_is_private(file: Path) -> None:
    given(file, fixtures("cursor")["other servers"])
    install("cursor", file)
    state = Path(os.environ["SAASUS_MCP_STATE_DIR"])
    assert any(path.is_file() for path in state.rglob("*"))
    assert [path for path in (state, *state.rglob("*")) if path.stat().st_mode & 0o077] == []


HOME = Path("/home/x")
PLACES = [
    ("claude-desktop", "Linux", {}, ".config/Claude/claude_desktop_config.json"),
    ("claude-desktop", "Darwin", {}, "Library/Application Support/Claude/claude_desktop_config.json"),
    ("claude-desktop", "Windows", {}, "AppData/Roaming/Claude/claude_desktop_config.json"),
    ("claude-code", "Linux", {}, ".claude.json"),
    ("cursor", "Windows", {}, ".cursor/mcp.json"),
    ("vscode", "Linux", {"XDG_CONFIG_HOME": "/home/x/c"}, "c/Code/User/mcp.json"),
    ("vscode", "Darwin", {}, "Library/Application Support/Code/User/mcp.json"),
    ("vscode", "Windows", {"APPDATA": "/home/x/R"}, "R/Code/User/mcp.json"),
    ("vscode", "Linux", {"XDG_CONFIG_HOME": "relative"}, ".config/Code/User/mcp.json"),
    ("gemini", "Darwin", {}, ".gemini/settings.json"),
    ("codex", "Linux", {}, ".codex/config.toml"),
    ("codex", "Linux", {"CODEX_HOME": "/home/x/cx"}, "cx/config.toml"),
    ("claude-code", "Linux", {"CLAUDE_CONFIG_DIR": "/home/x/cc"}, "cc/.claude.json"),
]


@pytest.mark.parametrize(("client", "system", "environment", "expected"), PLACES)
def test_each_clients_file_is_where_it_reads_it(
    client: str, system: str, environment: dict[str, str], expected: str
) -> None:
    assert CLIENTS[client].file(Machine(system, HOME, environment)) == HOME / expected


def test_claude_desktop_as_packaged_for_windows_reads_its_packages_folder(tmp_path: Path) -> None:
    package = tmp_path / "AppData" / "Local" / "Packages" / "Claude_pzs8sxrjxfjjc"
    package.mkdir(parents=True)
    found = CLIENTS["claude-desktop"].file(Machine("Windows", tmp_path, {}))
    assert found == package / "LocalCache" / "Roaming" / "Claude" / "claude_desktop_config.json"
