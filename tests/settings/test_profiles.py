"""Profiles: credentials by name from a file that holds none, and an error that says where for every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.profiles import load_profile, load_profiles
from saasus_mcp.settings.validation import SettingsError

HUSH = "hush-hush-of-a-profile"
PRODUCTION = """
version = 1

[profiles.production]
saas_id = "saas-of-production"
api_key = { env = "PRODUCTION_API_KEY" }
secret_key = { file = "%s" }
groups = ["operators"]

[profiles.production.secrets]
STRIPE = { env = "STRIPE_KEY" }

[profiles.staging]
groups = ["*"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def two(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Return a file with two profiles: one with credentials of its own, one with the environment's."""
    secret = tmp_path / "secret-key"
    secret.write_text(HUSH + "\n", encoding="utf-8")
    config.write_text(PRODUCTION % secret.as_posix(), encoding="utf-8")
    for name, value in {
        "PRODUCTION_API_KEY": HUSH,
        "SAASUS_SAAS_ID": "saas-of-staging",
        "SAASUS_API_KEY": "key",
        "SAASUS_SECRET_KEY": "secret",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("two")
def test_a_profile_finds_its_credentials_where_the_file_says_they_are() -> None:
    chosen = load_profile(read_settings(profile="production"))
    assert (chosen.saas_id, chosen.api_key, chosen.secret_key) == ("saas-of-production", HUSH, HUSH)
    assert chosen.groups == {"operators"}


@pytest.mark.usefixtures("two")
def test_a_profile_without_credentials_has_those_of_the_environment() -> None:
    assert load_profile(read_settings(profile="staging")).saas_id == "saas-of-staging"
    assert set(load_profiles(read_settings())) == {"production", "staging"}


@pytest.mark.usefixtures("two")
def test_a_profile_that_the_file_does_not_have_is_named_with_those_it_has() -> None:
    with pytest.raises(SettingsError, match=r"no profile 'prod'.* production, staging"):
        load_profile(read_settings(profile="prod"))


@pytest.mark.usefixtures("two")
def test_of_a_file_with_one_profile_no_other_name_means_the_environments(config: Path) -> None:
    config.write_text("version = 1\n[profiles.staging]\n", encoding="utf-8")
    assert load_profile(read_settings(profile="staging")).saas_id == "saas-of-staging"
    with pytest.raises(SettingsError, match="no profile 'production'"):
        load_profile(read_settings(profile="production"))


@pytest.mark.usefixtures("two")
def test_a_file_that_cannot_be_read_is_not_taken_for_none(config: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_profiles(read_settings(config=config / "below-a-file.toml"))


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("left", ["${SAASUS_SECRET_KEY}", "${env:SAASUS_SECRET_KEY}", "$SAASUS_SECRET_KEY"])
def test_a_reference_that_the_client_left_as_it_was_is_no_secret_key(
    monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    monkeypatch.setenv("SAASUS_SECRET_KEY", left)
    with pytest.raises(SettingsError, match="SAASUS_SECRET_KEY: the client passed a reference"):
        load_profile(read_settings(profile="staging"))


@pytest.mark.usefixtures("two")
def test_a_profile_does_not_show_its_secrets() -> None:
    assert HUSH not in repr(load_profile(read_settings(profile="production")))


@pytest.mark.usefixtures("two")
def test_only_a_listed_secret_is_read_again_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = load_profile(read_settings(profile="production"))
    with pytest.raises(SettingsError, match="environment variable STRIPE_KEY is missing or empty"):
        chosen.read_secret("STRIPE")
    monkeypatch.setenv("STRIPE_KEY", HUSH)
    assert chosen.read_secret("STRIPE") == HUSH
    assert chosen.read_secret("SAASUS_SECRET_KEY") is None


def test_without_a_file_the_profile_is_the_environments_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SAASUS_SAAS_ID", "SAASUS_API_KEY", "SAASUS_SECRET_KEY"):
        monkeypatch.setenv(name, "given")
    assert load_profile(read_settings(profile="staging")).name == "staging"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 2", "version"),
        ("profiles = 1\nversion = 1", "profiles"),
        ("version = 1\nprofile = {}", "profile: unknown key (did you mean profiles?)."),
        ("version = 1\n[profiles.a]\nsaas_id = 's'", "profiles.a: set all of"),
        (f"version = 1\n[profiles.a]\nsaas_id = 's'\napi_key = '{HUSH}'\nsecret_key = '{HUSH}'", "profiles.a.api_key"),
        (f"version = 1\n[profiles.a.secrets]\nSTRIPE = '{HUSH}'", "profiles.a.secrets.STRIPE"),
        ("version = 1\n[profiles.a.secrets]\nSTRIPE = {env = 'A', file = '/b'}", "write {env"),
        ("version = 1\n[profiles.a.secrets]\nSTRIPE = {file = 'b'}", "absolute path"),
        ("version = 1\n[profiles.a.secrets]\n'r/0' = {env = 'A'}", "profiles.a.secrets"),
        ("version = 1\n[profiles.'a b']", "profiles.a b"),
        ("version = 1\n[profiles.a]\napi_url_base = 'http://example.com'", "only https"),
        ("version: 1", "is not TOML"),
    ],
)
def test_a_file_with_a_fault_stops_the_server_and_says_where(config: Path, text: str, said: str) -> None:
    config.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_profiles(read_settings())
    assert said in str(caught.value.message)
    assert str(config) in str(caught.value.message)
    assert HUSH not in str(caught.value)


def test_a_file_by_a_relative_path_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_CONFIG", "config.toml")
    with pytest.raises(SettingsError, match="SAASUS_MCP_CONFIG: write an absolute path"):
        read_settings()
