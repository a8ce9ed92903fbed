"""The approver's passphrase: stored as a hash, compared, replaced, removed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.permissions.secrets.passphrase import PASSPHRASE_FILE, PassphraseError


def test_only_the_passphrase_that_was_kept_is_right(tmp_path: Path) -> None:
    passphrase.save_passphrase(tmp_path, "correct horse")
    assert passphrase.is_passphrase_set(tmp_path)
    assert passphrase.verify_passphrase(tmp_path, "correct horse")
    assert not passphrase.verify_passphrase(tmp_path, "correct horse ")
    assert not passphrase.verify_passphrase(tmp_path, "")


def test_the_same_words_from_another_keyboard_are_the_same(tmp_path: Path) -> None:
    passphrase.save_passphrase(tmp_path, "パスワード・ガギ")
    assert passphrase.verify_passphrase(tmp_path, "ハ\u309aスワート\u3099・カ\u3099キ\u3099")


@pytest.mark.usefixtures("whole_cost")
def test_only_a_hash_with_its_own_salt_is_kept_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    passphrase.save_passphrase(folder, "correct horse")
    first = json.loads((folder / PASSPHRASE_FILE).read_text(encoding="utf-8"))
    passphrase.save_passphrase(folder, "correct horse")
    second = json.loads((folder / PASSPHRASE_FILE).read_text(encoding="utf-8"))
    assert (first["kdf"], first["n"], first["r"], first["p"]) == ("scrypt", 2**15, 8, 1)
    assert first["salt"] != second["salt"]
    assert first["hash"] != second["hash"]
    assert "horse" not in json.dumps(first)
    assert [file.name for file in folder.iterdir()] == [PASSPHRASE_FILE]
    if os.name == "posix":
        assert (folder / PASSPHRASE_FILE).stat().st_mode & 0o777 == 0o600


def test_a_new_one_takes_the_place_of_the_old(tmp_path: Path) -> None:
    passphrase.save_passphrase(tmp_path, "correct horse")
    passphrase.save_passphrase(tmp_path, "battery staple")
    assert not passphrase.verify_passphrase(tmp_path, "correct horse")
    assert passphrase.verify_passphrase(tmp_path, "battery staple")


@pytest.mark.parametrize("short", ["", "1234567", "カ\u3099" * 7])
def test_a_short_one_is_not_kept(tmp_path: Path, short: str) -> None:
    with pytest.raises(PassphraseError, match="at least 8"):
        passphrase.save_passphrase(tmp_path, short)
    assert not passphrase.is_passphrase_set(tmp_path)


@pytest.mark.parametrize("damage", ["", "{}", "null", '{"kdf":"scrypt","n":3,"r":8,"p":1,"salt":"AA==","hash":"AA=="}'])
def test_a_damaged_one_lets_nobody_through(tmp_path: Path, damage: str) -> None:
    (tmp_path / PASSPHRASE_FILE).write_text(damage, encoding="utf-8")
    (tmp_path / PASSPHRASE_FILE).chmod(0o600)
    assert passphrase.is_passphrase_set(tmp_path)
    with pytest.raises(PassphraseError, match="cannot be read"):
        passphrase.verify_passphrase(tmp_path, "correct horse")


def test_a_cleared_one_is_forgotten(tmp_path: Path) -> None:
    passphrase.save_passphrase(tmp_path, "correct horse")
    passphrase.clear_passphrase(tmp_path)
    passphrase.clear_passphrase(tmp_path)
    assert not passphrase.is_passphrase_set(tmp_path)


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(PassphraseError, match="cannot be saved"):
        passphrase.save_passphrase(tmp_path / "file" / "folder", "correct horse")


def test_an_object_that_cannot_be_deleted_is_reported(tmp_path: Path) -> None:
    (tmp_path / PASSPHRASE_FILE).mkdir()
    with pytest.raises(PassphraseError, match="cannot be removed"):
        passphrase.clear_passphrase(tmp_path)
