"""Invalid settings are explained in both languages, and never in pydantic's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.messages import Message
from saasus_mcp.settings.config import load_config
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.validation import SettingsError

INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "a choice": ({"lang": "fr"}, "choice"),
    "no number": ({"port": "x"}, "whole_number"),
    "too small": ({"port": -1}, "at_least"),
    "not greater": ({"timeout": 0}, "greater_than"),
    "too large": ({"timeout": 601}, "at_most"),
    "no decimal": ({"timeout": "soon"}, "number"),
    "a pattern": ({"profile": "a/b"}, "pattern"),
    "no switch": ({"sandbox": "perhaps"}, "boolean"),
}
INVALID_FILES = {
    "version = 2": "settings.value.choice",
    "": "settings.version_missing",
    "[notices.slack.a]\nurl = {env = 'A'}": "settings.version_missing",
    "version = 1\n[console]\noidc = {issuer = 'https://a'}": "settings.value.missing",
    "version = 1\nhttp = 1": "settings.value.table",
    "version = 1\n[http]\nhost = 'a b'": "settings.host_name",
    "version = 1\n[http]\nallowed_hosts = 1": "settings.value.list",
    "version = 1\n[http]\nmetrics = 'perhaps'": "settings.value.boolean",
    "version = 1\n[http]\nprot = 1": "settings.similar_key",
    "version = 1\n[console]\noidc = {issuer = 'https://a', client_id = '', approver_group = 'g'}": "settings.value.min_characters",
    "version = 1\n[profiles.a]\nsaas_id = 'x'": "settings.incomplete_profile",
    "version = 1\n[profiles.a]\napi_key = 'x'": "settings.literal_secret",
    "version = 1\n[auth.jwt]\nissuer = 'https://a'\njwks_url = 'https://a'\nalgorithms = []": "settings.value.min_entries",
}


def problem_of(error: SettingsError) -> Message:
    """Return what is wrong with the value."""
    problem = error.message.params["problem"]
    assert isinstance(problem, Message)
    return problem


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_option_is_explained_in_both_languages(case: str) -> None:
    options, kind = INVALID[case]
    with pytest.raises(SettingsError) as caught:
        read_settings(**options)
    assert caught.value.message.id == "settings.invalid"
    assert problem_of(caught.value).id == f"settings.value.{kind}"
    assert caught.value.text("en").isascii()
    assert "この値を直してください。" in caught.value.text("ja")
    assert caught.value.hint is not None
    assert "started" not in caught.value.hint.text("en"), "a reload and doctor tell of it too, and start nothing"


@pytest.mark.parametrize("text", INVALID_FILES)
def test_an_invalid_value_of_the_file_is_explained_in_both_languages(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        load_config(file)
    assert problem_of(caught.value).id == INVALID_FILES[text]
    assert not caught.value.text("ja").isascii()


def test_a_configuration_file_that_cannot_be_read_gets_the_advice_for_its_cause(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes("版 = 1".encode("cp932"))
    file.chmod(0o600)
    cases = {file / "x": "settings.file_unreadable", file: "settings.file_not_text", tmp_path: "files.unsafe.no_file"}
    for path, id_ in cases.items():
        with pytest.raises(SettingsError) as caught:
            load_config(path)
        assert caught.value.message.id == id_
        assert caught.value.hint is not None
        assert ("UTF-8" in caught.value.hint.text("en")) is (path == file)
