"""The approver's passphrase, which a terminal asks for before an approval, if one is set.

It separates the person from others who use the same account without knowing it. A program that can delete files of the account is
stronger: on a laptop the boundary is the operating system's user.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.normal_forms import normalize
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.common.system_reasons import file_reason

PASSPHRASE_FILE = "approver.json"  # noqa: S105 - a name, not a secret
MIN_LENGTH = 8
SALT_BYTES, HASH_BYTES = 16, 32
COST = {"n": 2**15, "r": 8, "p": 1}
"""About a tenth of a second and 32 MiB a guess. Kept beside each hash, so that it can be raised later."""
MAX_COST = 32 * COST["n"] * COST["r"] * COST["p"]
"""The largest cost that a file may set: a gibibyte, and a few seconds."""
MAX_FILE_BYTES = 4096
"""Bytes of the file."""


class PassphraseError(SaasusMcpError):
    """The passphrase cannot be stored or read. Then every attempt fails."""


def is_passphrase_set(folder: Path) -> bool:
    """Return whether this state folder has a passphrase. A damaged or unreadable file counts."""
    return os.path.lexists(folder / PASSPHRASE_FILE)


def is_too_short(passphrase: str) -> bool:
    """Return whether the passphrase has too few characters."""
    return len(normalize("NFC", passphrase)) < MIN_LENGTH


def save_passphrase(folder: Path, passphrase: str) -> None:
    """Store the hash of a passphrase in a private file, replacing an earlier one.

    Raises:
        PassphraseError: it is too short, or the file cannot be written.
    """
    if is_too_short(passphrase):
        raise PassphraseError.of("permissions.passphrase_too_short", least=MIN_LENGTH)
    salt = secrets.token_bytes(SALT_BYTES)
    derived = Scrypt(salt=salt, length=HASH_BYTES, **COST).derive(_bytes(passphrase))
    kept = {"kdf": "scrypt", **COST, "salt": _text(salt), "hash": _text(derived)}
    try:
        private_files.ensure_private_folder(folder)
        private_files.replace_file(folder / PASSPHRASE_FILE, json.dumps(kept).encode())
    except UnsafeFile as error:
        raise PassphraseError(error.message, error.hint) from error
    except OSError as error:
        raise PassphraseError(
            message("permissions.passphrase_not_saved", why=file_reason(error)),
            message("permissions.state_folder_hint"),
        ) from None


def verify_passphrase(folder: Path, passphrase: str) -> bool:
    """Return whether this is the stored passphrase, in constant time. Raise PassphraseError if the stored hash cannot be read."""
    file = folder / PASSPHRASE_FILE
    try:
        kept: Any = json.loads(private_files.read_private_file(file, MAX_FILE_BYTES, secret=True))
        derivation = Scrypt(salt=base64.b64decode(kept["salt"]), length=HASH_BYTES, **_cost(kept))
        expected = base64.b64decode(kept["hash"])
    except UnsafeFile as error:
        raise PassphraseError(error.message, error.hint) from error
    except (OSError, ValueError, KeyError, TypeError):
        raise PassphraseError.of("permissions.passphrase_unreadable", file=str(file)) from None
    try:
        derivation.verify(_bytes(passphrase), expected)
    except InvalidKey:
        return False
    return True


def clear_passphrase(folder: Path) -> None:
    """Delete the passphrase. Raise PassphraseError if the file cannot be deleted."""
    try:
        (folder / PASSPHRASE_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise PassphraseError.of("permissions.passphrase_not_removed", why=file_reason(error)) from None


def _cost(kept: dict[str, Any]) -> dict[str, int]:
    cost = {name: int(kept[name]) for name in COST}
    if cost["n"] * cost["r"] * cost["p"] > MAX_COST:
        raise ValueError(cost)
    return cost


def _bytes(passphrase: str) -> bytes:
    """Return the passphrase in NFC, so that another keyboard gives the same bytes. Any terminal input can be hashed."""
    return normalize("NFC", passphrase).encode("utf-8", "surrogatepass")


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
