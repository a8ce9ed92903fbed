"""Sealing: what left this process comes back unaltered, for the use it was sealed for, or not at all."""

from __future__ import annotations

import base64
import stat
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.permissions.secrets import encryption
from saasus_mcp.permissions.secrets.encryption import KEY_BYTES, Encryptor

VALUE = {"nonce": "n", "name": "株式会社", "expires": 1.5, "list": [None, True]}


def test_encrypted_text_is_decrypted() -> None:
    sealer = Encryptor.ephemeral()
    assert sealer.decrypt_token(sealer.encrypt_token(VALUE, "question"), "question") == VALUE
    assert sealer.decrypt(sealer.encrypt(VALUE, "secret"), "secret") == VALUE


def test_nothing_of_it_can_be_read_from_outside() -> None:
    sealed = Encryptor.ephemeral().encrypt({"password": "hush-hush"}, "secret")
    assert b"hush" not in sealed
    assert b"password" not in sealed


def test_the_same_value_never_looks_the_same_twice() -> None:
    sealer = Encryptor.ephemeral()
    assert len({sealer.encrypt_token(VALUE, "question") for _ in range(100)}) == 100


def test_each_bit_that_is_altered_is_noticed() -> None:
    sealer = Encryptor.ephemeral()
    sealed = sealer.encrypt(VALUE, "question")
    for index in range(len(sealed)):
        for bit in (1, 128):
            altered = bytearray(sealed)
            altered[index] ^= bit
            assert sealer.decrypt(bytes(altered), "question") is None, index


def test_a_truncated_or_extended_text_is_detected() -> None:
    sealer = Encryptor.ephemeral()
    sealed = sealer.encrypt(VALUE, "question")
    for length in range(len(sealed)):
        assert sealer.decrypt(sealed[:length], "question") is None
    assert sealer.decrypt(sealed + b"\0", "question") is None


def test_another_purpose_or_another_key_opens_nothing() -> None:
    sealer = Encryptor.ephemeral()
    token = sealer.encrypt_token(VALUE, "question")
    assert sealer.decrypt_token(token, "secret") is None
    assert sealer.decrypt_token(token, "questions") is None
    assert Encryptor.ephemeral().decrypt_token(token, "question") is None


@pytest.mark.parametrize("token", ["", "x", "====", "é", "\ud800", "A" * 10_000, "{}", "null", "a b c d", "\x00" * 40])
def test_a_text_that_is_no_token_opens_nothing(token: str) -> None:
    assert Encryptor.ephemeral().decrypt_token(token, "question") is None


def test_a_token_is_safe_in_a_url_and_a_header() -> None:
    token = Encryptor.ephemeral().encrypt_token(VALUE, "question")
    assert base64.urlsafe_b64decode(token)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")


def test_a_key_file_is_made_once_and_read_by_every_process(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "sealing.key"
    token = Encryptor.from_file(file).encrypt_token(VALUE, "question")
    assert Encryptor.from_file(file).decrypt_token(token, "question") == VALUE
    assert len(file.read_bytes()) == KEY_BYTES
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_key_that_another_process_is_about_to_write_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "sealing.key", Encryptor.from_file(tmp_path / "other.key")
    file.touch(0o600)
    monkeypatch.setattr(time, "sleep", lambda _: file.write_bytes((tmp_path / "other.key").read_bytes()))
    assert Encryptor.from_file(file).decrypt_token(other.encrypt_token(VALUE, "question"), "question") == VALUE


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits for other users")
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_other_users_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "sealing.key"
    Encryptor.from_file(file)
    file.chmod(mode)
    with pytest.raises(UnsafeFile) as caught:
        Encryptor.from_file(file)
    assert caught.value.flaw == "readable"


@pytest.mark.parametrize("content", [b"", b"short", b"x" * (KEY_BYTES + 1)])
def test_a_file_without_a_key_is_an_error_and_is_not_changed(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "CREATION_SECONDS", 0)
    file = tmp_path / "sealing.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(SaasusMcpError, match="is not a sealing key"):
        Encryptor.from_file(file)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_hold_a_key_is_an_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SaasusMcpError, match="is not a folder") as caught:
        Encryptor.from_file(tmp_path / "file" / "sealing.key")
    assert "SAASUS_MCP_STATE_DIR" in str(caught.value.hint)
    (tmp_path / "sealing.key").mkdir()
    with pytest.raises(SaasusMcpError, match="is not a regular file"):
        Encryptor.from_file(tmp_path / "sealing.key")


@given(
    keys=st.lists(st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES), min_size=1, max_size=3),
    purpose=st.text(st.characters(codec="utf-8")),
)
def test_keys_for_another_purpose_are_derived_as_rfc_5869_says(keys: list[bytes], purpose: str) -> None:
    info = purpose.encode()
    derived = [HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key) for key in keys]
    assert [*Encryptor(*keys).derive_keys(purpose)] == derived
