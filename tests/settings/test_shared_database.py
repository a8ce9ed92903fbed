"""The database and the keys that several servers share: what is accepted, and what is said of what is not."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.settings.environment import read_settings
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.errors import StoreError
from tests.support.databases import create_database, open_stores

URL = "postgresql://saasus:hush-hush@database.internal/saasus"
ONE, TWO = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture(autouse=True)
def _both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", URL)
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", ONE)


@pytest.mark.parametrize("between", [",", ", ", "\n", " "])
def test_keys_are_read_newest_first(monkeypatch: pytest.MonkeyPatch, between: str) -> None:
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", f"{TWO}{between}{ONE}\n")
    assert [key.get_secret_value()[0] for key in read_settings().sealing_keys] == [2, 1]


def test_a_key_may_be_written_for_urls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", base64.urlsafe_b64encode(b"\xfb\xff" * 16).decode())
    assert read_settings().sealing_keys[0].get_secret_value() == b"\xfb\xff" * 16


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "SAASUS_MCP_SEALING_KEYS: required with SAASUS_MCP_DATABASE_URL"),
        (" , ", "SAASUS_MCP_SEALING_KEYS: required with SAASUS_MCP_DATABASE_URL"),
        (f"{ONE},c2hvcnQ=", "SAASUS_MCP_SEALING_KEYS: key 2 is not 32 bytes in base64"),
        ("hush-hush-not-base64!", "SAASUS_MCP_SEALING_KEYS: key 1 is not 32 bytes in base64"),
        (ONE[:-4], "key 1 is not 32 bytes in base64"),
        (f"{ONE},{TWO},{ONE}", "the same key is listed twice"),
    ],
)
def test_keys_that_are_missing_or_malformed_stop_everything(
    monkeypatch: pytest.MonkeyPatch, keys: str, said: str
) -> None:
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS", keys)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)
    assert ONE not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mysql://hush-hush@h/d", "database.internal", "sqlite:///hush-hush", "postgresql:/hush-hush"]
)
def test_a_database_of_another_kind_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SAASUS_MCP_DATABASE_URL", url)
    with pytest.raises(SettingsError, match="SAASUS_MCP_DATABASE_URL: write postgresql://USER@HOST/DATABASE") as caught:
        read_settings()
    assert "hush" not in str(caught.value)


def test_neither_the_keys_nor_the_address_are_shown() -> None:
    shown = f"{read_settings()!r} {read_settings()}"
    assert "hush" not in shown
    assert ONE not in shown
    assert repr(b"\x01" * 32)[2:-1] not in shown


def test_an_address_that_cannot_be_read_is_an_error_that_does_not_show_it() -> None:
    with pytest.raises(StoreError, match="SAASUS_MCP_DATABASE_URL cannot be read") as caught:
        open_stores(f"{URL}?hush_hush=1")
    assert "hush" not in str(caught.value)


@pytest.mark.postgresql
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "EUC_JP"])
def test_a_database_that_cannot_store_every_text_is_refused(encoding: str) -> None:
    with create_database(encoding) as where, closing(open_stores(where)) as stores, pytest.raises(StoreError) as caught:
        stores.open_saas("saas-1")
    assert caught.value.message.id == "store.database_encoding"


@pytest.mark.postgresql
def test_the_encoding_of_other_programs_on_this_computer_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with create_database() as where:
        monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
        with closing(open_stores(where)) as stores, closing(stores.open_saas("saas-1")) as store:
            assert store.list_approvals(0) == []
            monkeypatch.delenv("PGCLIENTENCODING")


def test_where_the_extra_is_missing_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saasus_mcp.store.shared_stores.find_spec", lambda _: None)
    with pytest.raises(StoreError, match=r"Install saasus-mcp\[hosted\]"):
        open_stores(URL)


def test_where_nobody_answers_the_password_is_not_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with closing(open_stores("postgresql://saasus:hush-hush@127.0.0.1:1/saasus")) as shared:
        with pytest.raises(StoreError, match="its database failed or did not answer"):
            shared.open_saas("saas")
        assert "hush" not in caplog.text
        assert "connection" in caplog.text


# -- a change of the key -----------------------------------------------------------------------------------------------


def test_text_encrypted_with_an_old_key_is_decrypted_while_the_key_is_kept() -> None:
    old, new = b"o" * 32, b"n" * 32
    token = Encryptor(old).encrypt_token({"a": 1}, "question")
    assert Encryptor(new, old).decrypt_token(token, "question") == {"a": 1}
    assert Encryptor(new).decrypt_token(token, "question") is None
    assert Encryptor(new, old).decrypt_token(token, "secret") is None


def test_only_the_newest_key_seals() -> None:
    old, new = b"o" * 32, b"n" * 32
    token = Encryptor(new, old).encrypt_token({"a": 1}, "question")
    assert Encryptor(new).decrypt_token(token, "question") == {"a": 1}
    assert Encryptor(old).decrypt_token(token, "question") is None
    assert Encryptor(new, old).derive_keys("audit") == (
        *Encryptor(new).derive_keys("audit"),
        *Encryptor(old).derive_keys("audit"),
    )


def test_keys_that_are_set_are_used_for_a_folder_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from saasus_mcp.cli import state  # noqa: PLC0415 - composes everything

    monkeypatch.delenv("SAASUS_MCP_DATABASE_URL")
    assert state.load_encryptor(read_settings()).derive_keys("audit") == Encryptor(bytes([1]) * 32).derive_keys("audit")
    with state.open_state(read_settings()) as kept, closing(kept.open_saas("saas")):
        assert not (tmp_path / "state" / state.KEY_FILE).exists()


def test_keys_are_kept_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = private(tmp_path / "keys", f"{TWO}\n{ONE}\n")
    monkeypatch.delenv("SAASUS_MCP_SEALING_KEYS")
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS_FILE", str(file))
    assert [key.get_secret_value()[0] for key in read_settings().sealing_keys] == [2, 1]


def private(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text, encoding="ascii")
    file.chmod(mode)
    return file


def test_a_file_and_keys_beside_it_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS_FILE", str(private(tmp_path / "keys", ONE)))
    with pytest.raises(SettingsError, match="SAASUS_MCP_SEALING_KEYS and SAASUS_MCP_SEALING_KEYS_FILE: set only one"):
        read_settings()


def piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps others out by other means")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "cannot be read: No such file"),
        (lambda file: file.chmod(0o640), "Other users of this computer can read"),
        (lambda file: file.chmod(0o602), "Other users of this computer can write to"),
        (lambda file: file.write_text(""), "contains no keys"),
        (lambda file: file.write_text("hush-hush"), "key 1 is not 32 bytes in base64"),
        (lambda file: file.write_text(f"{ONE}\n{ONE}"), "the same key is listed twice"),
        (lambda file: file.write_text("A" * 5000), "is larger than 4096 bytes"),
        (lambda file: (file.rename(file.with_name("real")), file.symlink_to("real")), "is a symbolic link"),
        (lambda file: (file.unlink(), file.mkdir()), "is not a regular file"),
        (piped, "is not a regular file"),
    ],
    ids=["missing", "readable", "writable", "empty", "no key", "twice", "too long", "a link", "a folder", "a pipe"],
)
def test_a_file_of_keys_that_cannot_be_trusted_or_read_stops_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    file = private(tmp_path / "keys", ONE)
    spoil(file)
    monkeypatch.delenv("SAASUS_MCP_SEALING_KEYS")
    monkeypatch.setenv("SAASUS_MCP_SEALING_KEYS_FILE", str(file))
    with pytest.raises(SettingsError, match="SAASUS_MCP_SEALING_KEYS_FILE") as caught:
        read_settings()
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)
    assert ONE not in str(caught.value)
