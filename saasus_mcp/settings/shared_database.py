"""What servers that work as one have in common: their database, and the keys of what is sealed in it."""

from __future__ import annotations

import base64
import binascii
import os
import re
from pathlib import Path, PurePath
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

from pydantic import BeforeValidator, SecretBytes, SecretStr

from saasus_mcp.common import private_files
from saasus_mcp.settings.credentials import is_placeholder
from saasus_mcp.settings.paths import require_absolute

KEY_BYTES = 32
MAX_KEYS = 10
MAX_KEY_FILE_BYTES = 4096
"""Bytes of a file of keys."""
FILE_PARAMETERS = frozenset({"passfile", "servicefile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir"})
"""Parameters of libpq that name files; it looks for a relative one in the working directory."""
NO_FILE = frozenset({"", "system"})
SCHEME = re.compile(r"postgres(ql)?://")


def _database(value: Any) -> Any:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value).strip()
    if is_placeholder(text):
        raise ValueError(
            "it contains a placeholder that was not replaced; set that variable in the server's environment"
        )
    if SCHEME.match(text) is None:
        raise ValueError("write postgresql://USER@HOST/DATABASE, with a password in a file: ?passfile=/absolute/path")
    for name, places in parse_qs(urlsplit(text).query).items():
        if name in FILE_PARAMETERS and not all(place in NO_FILE or PurePath(place).is_absolute() for place in places):
            raise ValueError(f"{name}: write an absolute path")
    return SecretStr(text)


def read_key_file(file: Path) -> str:
    """The sealing keys in a file, as text; its lines are keys, the newest first.

    Raises:
        ValueError: it cannot be read, is a link, or others can read or change it.
    """
    try:
        text = private_files.read_private_file(require_absolute(file), MAX_KEY_FILE_BYTES, secret=True)
    except private_files.UnsafeFile as unsafe:
        raise ValueError(f"{unsafe.message} {unsafe.hint}".rstrip(".")) from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {os.strerror(error.errno or 0)}") from None
    if not (keys := text.decode("ascii", "replace").strip()):
        raise ValueError(
            f"{file} contains no keys; write the output of `openssl rand -base64 32`, one key per line, newest first"
        )
    _keys(keys)
    return keys


def _keys(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    given = [part for part in re.split(r"[,\s]+", value) if part]
    keys = tuple(_key(part, place) for place, part in enumerate(given, 1))
    if len(set(keys)) != len(keys):
        raise ValueError("the same key is listed twice")
    if len(keys) > MAX_KEYS:
        raise ValueError(f"at most {MAX_KEYS} keys; remove keys that are no longer used")
    return tuple(SecretBytes(key) for key in keys)


def _key(text: str, place: int) -> bytes:
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"key {place} is not {KEY_BYTES} bytes in base64; use the output of `openssl rand -base64 32`; separate keys with "
            "commas, newest first"
        )
    return key


DatabaseUrl = Annotated[SecretStr, BeforeValidator(_database)]
"""Of PostgreSQL, as libpq reads it. It may hold a password, and is never shown."""
SealingKeys = Annotated[tuple[SecretBytes, ...], BeforeValidator(_keys)]
"""Newest first: the first one seals, each of them opens."""
