"""A credential that is a placeholder, an example, or has something around it stops what would use it, and is never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.cli.destination import check_prerequisites
from saasus_mcp.common.language import Language
from saasus_mcp.settings.credentials import MAX_CREDENTIAL_CHARACTERS, find_credential_flaw
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.profiles import load_profiles
from saasus_mcp.settings.validation import SettingsError
from tests.support.commands import run_command

NAMES = ("SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY")
WRONG = {
    "reference": [
        "${env:SAASUS_API_KEY}",
        "${SAASUS_API_KEY}",
        "${input:saasus.saasus-api-key}",
        "${{ secrets.API_KEY }}",
        "Bearer ${KEY}",
        "$SAASUS_API_KEY",
        "$env:SAASUS_API_KEY",
        "{{API_KEY}}",
        "{{ .Values.key }}",
        "%SAASUS_API_KEY%",
        "<your API key>",
        "{env:API_KEY}",
        "$(cat key)",
        "[[key]]",
        "@API_KEY@",
        "__API_KEY__",
        "op://vault/saasus/key",
        " ${KEY}\n",
    ],
    "space": ["hush-key\n", "hush-key\r\n", " hush-key", "hush-key\t", "\u3000hush-key", "\u00a0hush-key"],
    "quotes": ['"hush-key"', "'hush-key'", "hush-key”", "「hush-key」", "`hush-key`"],
    "characters": [
        "hush\nkey",
        "hush key",
        "\ufeffhush-key",
        "hush\x00key",
        "hush\x1b[31mkey",
        "ｈｕｓｈ",
        "hush\u200bkey",
        "hush‐key",
        "нush-key",
        "h" + "a1" * MAX_CREDENTIAL_CHARACTERS,
    ],
    "example": ["YOUR_API_KEY", "your-secret-key-here", "xxxxxxxx", "xxxx-xxxx-xxxx", "changeme", "PASTE_KEY_HERE", "***", "...",
                "SAASUS_API_KEY", "null", "00000000-0000-0000-0000-000000000000"],
}  # fmt: skip
EACH = [(kind, value) for kind, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("kind", "value"), EACH)
def test_a_value_that_is_not_a_credential_is_recognised(kind: str, value: str) -> None:
    assert find_credential_flaw(value) == kind


@pytest.mark.parametrize(
    "value",
    ["9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "aB3$xZ/+==", "key", "a%b%c", "x<y>z", "yourcompany-4f1", "{", "$", "%"],
)
def test_a_possible_credential_is_accepted(value: str) -> None:
    assert find_credential_flaw(value) is None


@pytest.mark.slow
@pytest.mark.parametrize("value", [values[0] for values in WRONG.values()])
@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("name", NAMES)
def test_serve_call_and_doctor_refuse_it_alike(
    name: str, lang: Language, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in NAMES:
        monkeypatch.setenv(each, "good-1")
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("SAASUS_API_URL_BASE", "http://127.0.0.1:9")  # where nothing listens: doctor compares clocks
    with pytest.raises(SettingsError) as caught:
        check_prerequisites(read_settings(lang=lang))
    said = caught.value.text(lang)
    assert said.startswith(f"{name}: ")
    assert (said.isascii(), "hush" in said) == (lang == "en", False)
    for command in (["serve"], ["call", "auth_get_basic_info"]):
        ran = run_command(*command, "--lang", lang)
        assert (ran.status, ran.err) == (1, f"saasus-mcp: {said}\n")
    assert caught.value.message.text(lang) in run_command("doctor", "--lang", lang).out


def test_the_variable_is_named_by_the_name_that_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAASUS_PLATFORM_SAASID", "SAASUS_PLATFORM_APIKEY", "SAASUS_PLATFORM_SECRETKEY"):
        monkeypatch.setenv(name, "{{KEY}}")
    with pytest.raises(
        SettingsError, match=r"^SAASUS_PLATFORM_SAASID, SAASUS_PLATFORM_APIKEY, SAASUS_PLATFORM_SECRETKEY: "
    ):
        check_prerequisites(read_settings())
    monkeypatch.setenv("SAASUS_PLATFORM_API_URL_BASE", "ftp://x")
    with pytest.raises(SettingsError, match=r"^SAASUS_PLATFORM_API_URL_BASE: "):
        read_settings()


@pytest.mark.parametrize("value", [value for _, value in EACH])
def test_hosted_profiles_refuse_it_in_files_as_well(value: str, tmp_path: Path) -> None:
    (tmp_path / "good").write_text("good-1\n", encoding="utf-8")
    (tmp_path / "bad").write_bytes(value.encode())
    (tmp_path / "config.toml").write_text(
        f"version = 1\n[profiles.a]\nsaas_id = 'saas-1'\napi_key = {{file = '{tmp_path}/good'}}\n"
        f"secret_key = {{file = '{tmp_path}/bad'}}\n",
        encoding="utf-8",
    )
    if find_credential_flaw(value.rstrip("\r\n")) is None:  # the end of the last line is no part of what a file holds
        assert load_profiles(read_settings())["a"].secret_key == value.rstrip("\r\n")
        return
    with pytest.raises(SettingsError, match=r"profiles\.a\.secret_key: ") as caught:
        load_profiles(read_settings())
    assert "hush" not in str(caught.value)


def test_install_writes_no_placeholder_into_a_clients_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for each in NAMES:
        monkeypatch.setenv(each, "{{KEY}}")
    ran = run_command("install", "claude-desktop", "--file", str(tmp_path / "file"), "--write-secrets", "--yes")
    assert (ran.status, (tmp_path / "file").exists()) == (1, False)
    assert "SAASUS_SAAS_ID" in ran.err


@pytest.mark.parametrize("name", ["SAASUS_APIKEY", "SAASUS_API_KEYS", "SAAS_API_KEY", "saasus_apikey"])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_misspelt_credential_is_pointed_at_where_it_is_missing(
    name: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in {*NAMES} - {"SAASUS_API_KEY"}:
        monkeypatch.setenv(each, "good-1")
    monkeypatch.setenv(name, "hush")
    with pytest.raises(SettingsError) as caught:
        check_prerequisites(read_settings(lang=lang))
    assert "SAASUS_API_KEY" in str(caught.value.message)
    assert name in str(caught.value.hint)
    assert "hush" not in str(caught.value)


def test_a_client_secret_may_hold_spaces_and_nothing_around_it() -> None:
    assert find_credential_flaw("made-up client secret", spaces=True) is None
    assert find_credential_flaw("made-up client secret") == "characters"
    assert find_credential_flaw("made-up client secret ", spaces=True) == "space"
    assert find_credential_flaw("made-up\nclient secret", spaces=True) == "characters"
    assert find_credential_flaw("${CLIENT_SECRET}", spaces=True) == "reference"
