"""Settings: every spelling that people use, and an error that names the variable for every one that they do not."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from saasus_mcp.cli.destination import resolve_destination
from saasus_mcp.cli.policy_in_force import resolve_policy
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.validation import SettingsError

SWITCHES = {
    "SAASUS_MCP_READ_ONLY": "read_only",
    "SAASUS_PLATFORM_API_READ_ONLY_MODE": "read_only",
    "SAASUS_MCP_SANDBOX": "sandbox",
}
YES = ["1", "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", " true ", "tRuE"]
NO = ["0", "false", "False", "FALSE", "no", "No", "off", "OFF", " 0 ", ""]
NEITHER = ["treu", "ture", "2", "-1", "y", "n", "enabled", "none", "null", "はい", "true false", "1.0", "t"]


def setting(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)


@pytest.mark.parametrize("variable", SWITCHES)
@pytest.mark.parametrize(("value", "meant"), [*((word, True) for word in YES), *((word, False) for word in NO)])
def test_a_switch_is_understood(variable: str, value: str, meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    setting(variable, value, monkeypatch)
    assert getattr(read_settings(), SWITCHES[variable]) is meant


@pytest.mark.parametrize("variable", SWITCHES)
@pytest.mark.parametrize("value", NEITHER)
def test_a_switch_that_cannot_be_read_stops_the_server_and_is_named(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(variable, value, monkeypatch)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert variable in str(caught.value.message)
    assert "true or false" in str(caught.value.message)


def test_read_only_means_read_only_whichever_name_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_READ_ONLY", "false", monkeypatch)
    setting("SAASUS_PLATFORM_API_READ_ONLY_MODE", "true", monkeypatch)
    assert resolve_policy(read_settings()).name == "read-only"


@pytest.mark.parametrize("name", ["SAASUS_MCP_READ_ONLY", "SAASUS_PLATFORM_API_READ_ONLY_MODE"])
@pytest.mark.parametrize("mode", [None, "guarded", "strict", "read-only"])
def test_a_read_only_switch_is_stronger_than_a_mode(
    name: str, mode: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting(name, "1", monkeypatch)
    assert resolve_policy(read_settings(mode=mode)) is PRESETS["read-only"]


@pytest.mark.parametrize("mode", ["read-only", "guarded", "strict"])
def test_a_mode_is_the_preset_of_its_name(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_MODE", mode, monkeypatch)
    assert resolve_policy(read_settings()).name == mode


def test_without_a_word_the_policy_is_guarded() -> None:
    assert resolve_policy(read_settings()) is PRESETS["guarded"]


@pytest.mark.parametrize("mode", ["readonly", "Guarded", "unsafe-allow-everything", "allow", "off"])
def test_a_mode_that_does_not_exist_is_named(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_MODE", mode, monkeypatch)
    with pytest.raises(SettingsError, match="SAASUS_MCP_MODE"):
        read_settings()


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\nunsafe-allow-everything: true\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("mode", ["guarded", "strict"])
def test_a_policy_and_another_mode_are_a_conflict_that_names_both(policy_file: Path, mode: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(policy=policy_file, mode=mode)
    assert "SAASUS_MCP_MODE" in str(caught.value.message)
    assert "SAASUS_MCP_POLICY" in str(caught.value.message)


def test_read_only_is_a_ceiling_over_a_policy_file(policy_file: Path) -> None:
    for given in ({"mode": "read-only"}, {"own_read_only": True}):
        assert isinstance(resolve_policy(read_settings(policy=policy_file, **given)), ReadOnlyPolicy)
    assert resolve_policy(read_settings(policy=policy_file)).name == "unsafe-allow-everything"


@pytest.mark.parametrize("path", ["policy.yaml", "./policy.yaml", "../policy.yaml"])
def test_a_policy_is_never_taken_from_the_working_directory(
    policy_file: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(policy_file.parent)
    setting("SAASUS_MCP_POLICY", path, monkeypatch)
    with pytest.raises(SettingsError, match="absolute"):
        read_settings()


def test_nothing_is_read_from_a_dotenv_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(
        "SAASUS_API_KEY=planted\nSAASUS_API_URL_BASE=https://evil.example\n", encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    settings = read_settings()
    assert settings.api_key.get_secret_value() == ""
    assert settings.api_url_base == "https://api.saasus.io"


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://api.saasus.io", "https://api.saasus.io"),
        ("https://api.saasus.io/", "https://api.saasus.io"),
        ("https://api.saasus.io/v1", "https://api.saasus.io"),
        ("https://api.saasus.io/v1/", "https://api.saasus.io"),
        (" https://api.dev.saasus.io ", "https://api.dev.saasus.io"),
        ("https://proxy.example:8443", "https://proxy.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost", "http://localhost"),
        ("http://[::1]:9000", "http://[::1]:9000"),
        ("HTTPS://api.saasus.io", "HTTPS://api.saasus.io"),
    ],
)
@pytest.mark.parametrize("variable", ["SAASUS_API_URL_BASE", "SAASUS_PLATFORM_API_URL_BASE"])
def test_a_base_url_is_https_or_loopback(variable: str, given: str, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting(variable, given, monkeypatch)
    assert read_settings().api_url_base.lower() == base.lower()


@pytest.mark.parametrize(
    "given",
    [
        "http://api.saasus.io",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "ftp://api.saasus.io",
        "file:///etc/passwd",
        "api.saasus.io",
        "//api.saasus.io",
        "https://",
        "https://api.saasus.io/other",
        "https://api.saasus.io/v1/auth",
        "https://api.saasus.io?x=1",
        "https://api.saasus.io?",
        "https://api.saasus.io#x",
        "https://api.saasus.io#",
        "https://user@api.saasus.io",
        "https://user:hush@api.saasus.io",
        "https://:hush@api.saasus.io",
        "https://[::1",
        "https://api.saasus.io:99999",
        "https://api.saasus.io:port",
        "https://api.saa\nsus.io",
        "https://api saasus.io",
        "javascript:alert(1)",
    ],
)
def test_any_other_base_url_stops_the_server_and_is_named_but_not_repeated(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting("SAASUS_API_URL_BASE", given, monkeypatch)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "SAASUS_API_URL_BASE" in str(caught.value.message)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("SAASUS_SAAS_ID", "SAASUS_PLATFORM_SAASID"), "saas_id"),
        (("SAASUS_API_KEY", "SAASUS_PLATFORM_APIKEY"), "api_key"),
        (("SAASUS_SECRET_KEY", "SAASUS_PLATFORM_SECRETKEY"), "secret_key"),
    ],
)
def test_credentials_go_by_the_sdks_names_and_by_the_official_servers(
    names: tuple[str, str], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def value() -> str:
        given = getattr(read_settings(), field)
        return str(given.get_secret_value() if hasattr(given, "get_secret_value") else given)

    setting(names[1], "by-the-official-name", monkeypatch)
    assert value() == "by-the-official-name"
    setting(names[0], "by-the-sdks-name", monkeypatch)
    assert value() == "by-the-sdks-name"


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_API_KEY", "hush-1", monkeypatch)
    setting("SAASUS_SECRET_KEY", "hush-2", monkeypatch)
    assert "hush" not in f"{read_settings()!r} {read_settings()} {asdict(read_settings())}"


@pytest.mark.parametrize("missing", ["SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY"])
def test_missing_credentials_are_named_with_a_way_out(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in {"SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY"} - {missing}:
        setting(variable, "given", monkeypatch)
    with pytest.raises(SettingsError) as caught:
        resolve_destination(read_settings())
    assert f"Missing credentials: {missing}." in str(caught.value.message)
    assert "--sandbox" in str(caught.value.hint)


@pytest.mark.parametrize(("value", "seconds"), [("30", 30.0), ("0.5", 0.5), ("600", 600.0), ("", 30.0)])
def test_a_timeout_is_seconds(value: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_TIMEOUT", value, monkeypatch)
    assert read_settings().timeout == seconds


@pytest.mark.parametrize("value", ["0", "-1", "601", "nan", "inf", "soon", "30s", "1e9"])
def test_an_invalid_timeout_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_TIMEOUT", value, monkeypatch)
    with pytest.raises(SettingsError, match="SAASUS_MCP_TIMEOUT"):
        read_settings()


@pytest.mark.parametrize(("value", "size"), [("4096", 4096), ("1048576", 1024 * 1024), ("", 24 * 1024)])
def test_the_budget_of_an_answer_is_bytes(value: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_ANSWER_BUDGET", value, monkeypatch)
    assert read_settings().answer_budget == size


@pytest.mark.parametrize("value", ["0", "4095", "-1", "1048577", "24k", "24.5", "all"])
def test_an_invalid_budget_is_named(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_ANSWER_BUDGET", value, monkeypatch)
    with pytest.raises(SettingsError, match="SAASUS_MCP_ANSWER_BUDGET"):
        read_settings()


@pytest.mark.parametrize(("variable", "value"), [("SAASUS_MCP_LOG_FORMAT", "json"), ("SAASUS_MCP_LOG_LEVEL", "error")])
def test_the_log_has_a_form_and_a_level(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (read_settings().log_format, read_settings().log_level) == ("text", None)
    setting(variable, value, monkeypatch)
    assert value in (read_settings().log_format, read_settings().log_level)
    setting(variable, "loud", monkeypatch)
    with pytest.raises(SettingsError, match=variable):
        read_settings()


@pytest.mark.parametrize("value", ["../x", "a b", "", "x" * 41, "prod\n", "株式会社"])
def test_a_profile_is_a_plain_word(value: str) -> None:
    with pytest.raises(SettingsError, match="SAASUS_MCP_PROFILE"):
        read_settings(profile=value)


def test_a_flag_is_stronger_than_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    setting("SAASUS_MCP_MODE", "guarded", monkeypatch)
    setting("SAASUS_MCP_LANG", "en", monkeypatch)
    setting("SAASUS_MCP_SANDBOX", "0", monkeypatch)
    settings = read_settings(mode="strict", lang="ja", sandbox=True)
    assert (settings.mode, settings.lang, settings.sandbox) == ("strict", "ja", True)
    assert read_settings(mode=None, lang=None).mode == "guarded"


@pytest.mark.parametrize(
    ("lang", "name", "shown"),
    [
        ("ja", None, "2026年12月1日(火) 09:00 JST"),
        ("en", None, "Tue 1 Dec 2026, 00:00 UTC"),
        ("en", "Asia/Tokyo", "Tue 1 Dec 2026, 09:00 JST"),
        ("ja", "UTC", "2026年12月1日(火) 00:00 UTC"),
    ],
)
def test_times_are_those_of_the_readers_zone(
    lang: str, name: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name is not None:
        setting("SAASUS_MCP_TIME_ZONE", name, monkeypatch)
    settings = read_settings(lang=lang)
    assert format_value(Timestamp(1796083200), Reader.of(settings.lang, settings.zone)) == shown


@pytest.mark.parametrize("name", ["JST", "Tokyo", "+09:00", "../etc/passwd", "Asia/Tokyo\n/x", "x" * 100])
def test_an_unknown_time_zone_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=r"--time-zone \(SAASUS_MCP_TIME_ZONE\): .*Asia/Tokyo"):
        read_settings(time_zone=name)


@pytest.mark.parametrize("name", ["LANG", "MODE", "API_KEY", "SAAS_ID", "SANDBOX", "READ_ONLY", "POLICY", "TIMEOUT"])
def test_no_variable_of_somebody_elses_is_taken_for_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read_settings()
    setting(name, "strict", monkeypatch)
    assert read_settings() == before


def test_a_flag_that_does_not_exist_is_an_error_of_ours() -> None:
    with pytest.raises((SettingsError, KeyError)):
        read_settings(no_such_flag="x")


def test_the_sandbox_does_not_go_with_a_profile() -> None:
    with pytest.raises(SettingsError, match="profile"):
        resolve_destination(read_settings(sandbox=True, profile="production"))


def test_the_sandbox_never_reads_real_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY"):
        setting(variable, "real", monkeypatch)
    place = resolve_destination(read_settings(sandbox=True))
    assert place.sandbox
    assert place.saas_id != "real"


def test_state_is_kept_where_the_variable_says_or_where_the_platform_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings(state_dir=tmp_path / "elsewhere").state_folder == tmp_path / "elsewhere"
    monkeypatch.delenv("SAASUS_MCP_STATE_DIR")
    assert read_settings().state_folder.is_absolute()
    assert read_settings().state_folder.name == "saasus-mcp"
