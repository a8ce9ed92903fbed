"""A variable or key that looks like a setting and is unknown stops every command, with the nearest name there is."""

from __future__ import annotations

from pathlib import Path

import click
import platformdirs
import pytest

from saasus_mcp.cli import COMMANDS, commands
from saasus_mcp.common.language import Language
from saasus_mcp.settings.config import load_config
from saasus_mcp.settings.environment import known_variables, read_settings
from saasus_mcp.settings.validation import SettingsError
from tests.support.commands import run_command

MISSPELT = {
    "SAASUS_MCP_READONLY": "SAASUS_MCP_READ_ONLY",
    "SAASUS_MCP_READ_ONLYY": "SAASUS_MCP_READ_ONLY",
    "SAASUS_MCP_MDOE": "SAASUS_MCP_MODE",
    "SAASUS_MCP_POLICY_FILE": "SAASUS_MCP_POLICY",
    "SAASUS_MCP_STATEDIR": "SAASUS_MCP_STATE_DIR",
    "SAASUS_MCP_SEALING_KEY": "SAASUS_MCP_SEALING_KEYS",
    "SAASUS_MCP_DATABASE": "SAASUS_MCP_DATABASE_URL",
    "SAASUS_MCP_SURFACES": "SAASUS_MCP_SURFACE",
    "SAASUS_MCP_TOOLSET": "SAASUS_MCP_TOOLSETS",
    "saasus_mcp_mdoe": "SAASUS_MCP_MODE",
    "SASUS_MCP_MODE": "SAASUS_MCP_MODE",
    "SAASUS_MPC_MODE": "SAASUS_MCP_MODE",
    "SAASUSMCP_MODE": "SAASUS_MCP_MODE",
    "SAASUS-MCP-MODE": "SAASUS_MCP_MODE",
    "SAASUS__MCP_READ_ONLY": "SAASUS_MCP_READ_ONLY",
}


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize(("name", "near"), MISSPELT.items())
def test_a_misspelt_variable_is_named_with_the_one_that_is_meant(
    name: str, near: str, lang: Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "hush")
    with pytest.raises(SettingsError) as caught:
        read_settings(lang=lang)
    assert f"{name}" in str(caught.value.message)
    assert near in str(caught.value.message)
    assert "hush" not in str(caught.value)
    assert caught.value.text(lang).isascii() is (lang == "en")


@pytest.mark.parametrize(
    "command",
    [["serve"], ["doctor"], ["call", "auth_get_basic_info"], ["tools"], ["approvals"], ["freeze"], ["audit", "verify"],
     ["policy", "explain", "auth.DeleteTenant"], ["token", "list"], ["undo"], ["install", "cursor", "--yes"]],
)  # fmt: skip
def test_every_command_says_it_alike(command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert command[0] in COMMANDS
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SAASUS_MCP_READ_OLNY", "1")
    ran = run_command(*command)
    assert ran.status == 1
    assert "SAASUS_MCP_READ_OLNY (did you mean SAASUS_MCP_READ_ONLY?): unknown setting." in ran.out + ran.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SAASUS_MCP_MDOE", ""),
        ("SAASUS_API_URL", "https://example.com"),
        ("SAASUS_SDK_DEBUG", "1"),
        ("SAASUS_APP_MODE", "x"),
        ("SAASUS_PLATFORM_REGION", "x"),
        ("MCP_MODE", "x"),
        ("SAASUS_MCP_TOKEN", "smcp_x"),
        ("SAASUS_MCP_SERVICE_HOST", "10.0.0.1"),
        ("SAASUS_MCP_SERVICE_PORT_HTTP", "8000"),
        ("SAASUS_MCP_PORT", "tcp://10.0.0.1:8000"),
        ("SAASUS_MCP_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("SAASUS_MCP_DB_PORT", "tcp://10.0.0.2:5432"),
    ],
)
def test_empty_foreign_and_kubernetes_variables_stop_nothing(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_settings()
    monkeypatch.setenv(name, value)
    assert read_settings() == before


def test_a_variable_that_the_configuration_file_names_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_PROD_KEY", "k")
    (tmp_path / "config.toml").write_text(
        "version = 1\n[profiles.a.secrets]\nSTRIPE = {env = 'SAASUS_MCP_PROD_KEY'}\n", encoding="utf-8"
    )
    assert read_settings().profile == "default"
    monkeypatch.setenv("SAASUS_MCP_PROD_KEYS", "k")
    with pytest.raises(SettingsError, match="SAASUS_MCP_PROD_KEYS"):
        read_settings()


def test_of_many_a_few_are_shown_and_nothing_that_a_terminal_would_act_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(500):
        monkeypatch.setenv(f"SAASUS_MCP_{number:03}\x1b[31m" + "X" * 5000, "v")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "and 497 more" in str(caught.value.message)
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()


def test_one_name_in_two_spellings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_MODE", "guarded")
    monkeypatch.setenv("saasus_mcp_mode", "guarded")
    assert read_settings().mode == "guarded"
    monkeypatch.setenv("saasus_mcp_mode", "strict")
    with pytest.raises(SettingsError, match="SAASUS_MCP_MODE, saasus_mcp_mode: set more than once"):
        read_settings()


def test_every_variable_of_every_flag_is_known() -> None:
    def variables(command: click.Command) -> set[str]:
        own = {param.envvar for param in command.params if isinstance(param.envvar, str)}
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                own |= variables(found) if found is not None else set()
        return own

    assert variables(commands)
    assert variables(commands) <= known_variables()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[htpp]", "htpp: unknown key (did you mean http?)"),
        ("[http]\nconections = 5", "http.conections: unknown key (did you mean connections?)"),
        (
            "[auth.jwt]\nissuer = 'https://x'\njwks_url = 'https://x'\naudiance = 'a'",
            "audiance: unknown key (did you mean audience?)",
        ),
        ("[auth]\ntoken = true", "auth.token: unknown key (did you mean tokens?)"),
        ("[console]\nenable = false", "console.enable: unknown key (did you mean enabled?)"),
        ("[profiles.a]\ngroup = ['x']", "profiles.a.group: unknown key (did you mean groups?)"),
        ("[profiles.a.secrets]\nX = {evn = 'Y'}", "unknown key (did you mean env?)"),
    ],
)
def test_an_unknown_key_of_any_table_stops_the_start(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"version = 1\n{text}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_config(file)
    assert said in str(caught.value.message)


PATHS = ("SAASUS_MCP_STATE_DIR", "SAASUS_MCP_CONFIG", "SAASUS_MCP_POLICY")


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "value",
    [
        "state",
        "./state",
        "../state",
        "~/state",
        "$HOME/state",
        "${HOME}/state",
        "/home/${USER}/state",
        "/x/state ",
        '"/x/state"',
        "/x\n/y",
    ],
)
def test_a_path_that_depends_on_where_it_is_read_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=f"{name}: write an absolute path"):
        read_settings()


def test_a_state_folder_in_which_sqlite_opens_no_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", "/" + "あ" * 133)
    assert read_settings().state_dir is not None
    monkeypatch.setenv("SAASUS_MCP_STATE_DIR", "/" + "あ" * 134)
    with pytest.raises(SettingsError, match="SAASUS_MCP_STATE_DIR: the path has more than 400 bytes"):
        read_settings()


@pytest.mark.parametrize(("variable", "of"), [("XDG_STATE_HOME", "state_folder"), ("XDG_CONFIG_HOME", "config_file")])
def test_the_working_directory_is_no_default_either(variable: str, of: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAASUS_MCP_STATE_DIR")
    monkeypatch.delenv("SAASUS_MCP_CONFIG")
    monkeypatch.setenv(variable, "relative")
    assert getattr(read_settings(), of).is_absolute()
    for name in ("user_state_path", "user_config_path"):  # as earlier versions of the library answered
        monkeypatch.setattr(platformdirs, name, lambda *_, **__: Path("relative"))
    with pytest.raises(SettingsError, match=f"{variable}: not an absolute path"):
        getattr(read_settings(), of)


@pytest.mark.parametrize("name", ["passfile", "sslrootcert", "sslcert", "sslkey", "servicefile"])
def test_a_file_that_the_databases_address_names_is_absolute(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", "A" * 43 + "=")
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", f"postgresql://hush@h/d?{name}=/absolute")
    assert read_settings().database_url is not None
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", "postgresql://u:${hush}@h/d")
    with pytest.raises(SettingsError, match="SAASUS_MCP_DATABASE_URL: it contains a placeholder"):
        read_settings()
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", f"postgresql://hush@h/d?{name}=relative")
    with pytest.raises(SettingsError, match=f"SAASUS_MCP_DATABASE_URL: {name}: write an absolute path") as caught:
        read_settings()
    assert "hush" not in str(caught.value)
