"""Authenticated encryption of data that leaves this process and comes back, or is in the store."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saasus_mcp.common import private_files
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import file_reason

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
CREATION_SECONDS = 1.0
"""How long another process may take between creating its key file and writing the key."""
NONCE_BYTES = 12
MAX_KEY_FILE_BYTES = 4096
"""Bytes that are read of a file in which a key should be."""


class Encryptor:
    """AES-256-GCM. `purpose` separates uses: data encrypted for one purpose cannot be decrypted for another.

    Args:
        key: encrypts and decrypts.
        older: decrypt data from before a change of keys.
    """

    def __init__(self, key: bytes, *older: bytes) -> None:
        self._keys = (key, *older)

    @classmethod
    def ephemeral(cls) -> Encryptor:
        """Return an encryptor with a random key, valid for this process."""
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_file(cls, file: Path) -> Encryptor:
        """Return an encryptor with the key in a private file, which is created if it is missing.

        Raises:
            SaasusMcpError: the file cannot be created or read, has other content, or is not private.
        """
        try:
            private_files.ensure_private_folder(file.parent)
            with suppress(FileExistsError):
                private_files.create_private_file(file, secrets.token_bytes(KEY_BYTES))
            key = _read_key(file)
        except OSError as error:
            raise SaasusMcpError(
                message("permissions.key_not_saved", why=file_reason(error)), message("permissions.state_folder_hint")
            ) from None
        if len(key) != KEY_BYTES:
            raise SaasusMcpError.of("permissions.not_a_key", file=str(file))
        return cls(key)

    def derive_keys(self, purpose: str) -> tuple[bytes, ...]:
        """Derive keys of 32 bytes for another purpose, such as the audit chain: one for each key, in order."""
        return tuple(_derive_key(key, purpose.encode()) for key in self._keys)

    @cached_property
    def _ciphers(self) -> list[AESGCM]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - 7 MiB, which a small read does not need

        return [AESGCM(each) for each in self._keys]

    def encrypt(self, value: Any, purpose: str) -> bytes:
        from saasus_mcp.common.json_bytes import encode_json  # noqa: PLC0415 - loads pydantic-core, which a start does not need

        return self.encrypt_json(encode_json(value), purpose)

    def encrypt_json(self, text: bytes, purpose: str) -> bytes:
        """Encrypt a JSON value that is already written as JSON."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, text, purpose.encode())

    def decrypt(self, sealed: bytes, purpose: str) -> Any:
        """Return the JSON value, or None if it was encrypted for another purpose or with another key, or was changed."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

        for cipher in self._ciphers:
            try:
                return json.loads(cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose.encode()))
            except (InvalidTag, ValueError):
                continue
        return None

    def encrypt_token(self, value: Any, purpose: str) -> str:
        """Encrypt a JSON value as text."""
        return base64.urlsafe_b64encode(self.encrypt(value, purpose)).decode()

    def decrypt_token(self, token: str, purpose: str) -> Any:
        """Return the JSON value of a token, or None if this server did not issue it."""
        try:
            return self.decrypt(base64.urlsafe_b64decode(token.encode()), purpose)
        except ValueError:
            return None


def _derive_key(key: bytes, info: bytes) -> bytes:
    """Derive 32 bytes by HKDF (RFC 5869) with SHA-256 and no salt, whose single block is one HMAC more than the extraction."""
    extracted = hmac.digest(bytes(KEY_BYTES), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def _read_key(file: Path) -> bytes:
    """Return the content of a key file. Wait a moment for another process that creates it: the file is empty at first."""
    deadline = time.monotonic() + CREATION_SECONDS
    while True:
        key = private_files.read_private_file(file, MAX_KEY_FILE_BYTES, secret=True)
        if key or time.monotonic() > deadline:
            return key
        time.sleep(0.01)
