"""What servers that work as one have in common: their database, and the keys of what is sealed in it."""

from __future__ import annotations

import base64
import binascii
import errno
import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretBytes, SecretStr

KEY_BYTES = 32
MOST_KEYS = 10
LONGEST_FILE = 4096
"""Bytes of a file of keys."""
SCHEME = re.compile(r"postgres(ql)?://")


def _database(value: Any) -> Any:
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value).strip()
    if SCHEME.match(text) is None:
        raise ValueError("write postgresql://USER@HOST/DATABASE, with a password in a file: ?passfile=/absolute/path")
    return SecretStr(text)


def key_file(file: Path) -> str:
    """The sealing keys in a file, as text; its lines are keys, the newest first.

    Raises:
        ValueError: it cannot be read, or others than its owner can read or replace it.
    """
    if not file.is_absolute():
        raise ValueError("write an absolute path")
    try:
        opened = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        link = error.errno == errno.ELOOP
        why = "it is a link; name the file itself" if link else f"{os.strerror(error.errno or 0)}"
        raise ValueError(f"{file} cannot be read: {why}") from None
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{file} is not a file")
        if os.name == "posix" and (found.st_mode & 0o077 or found.st_uid not in (os.geteuid(), 0)):
            raise ValueError(f"others can read or change {file}; make it the server's own: chown it and chmod 0400")
        text = os.read(opened, LONGEST_FILE + 1)
    finally:
        os.close(opened)
    if len(text) > LONGEST_FILE or not (keys := text.decode("ascii", "replace").strip()):
        raise ValueError(
            f"{file} holds no keys; write what `openssl rand -base64 32` prints, a key a line, the newest first"
        )
    _keys(keys)
    return keys


def _keys(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    given = [part for part in re.split(r"[,\s]+", value) if part]
    keys = tuple(_key(part, place) for place, part in enumerate(given, 1))
    if len(set(keys)) != len(keys):
        raise ValueError("the same key is there twice")
    if len(keys) > MOST_KEYS:
        raise ValueError(f"at most {MOST_KEYS} keys; drop those that nothing is sealed with any more")
    return tuple(SecretBytes(key) for key in keys)


def _key(text: str, place: int) -> bytes:
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(
            f"key {place} is not {KEY_BYTES} bytes in base64; write what `openssl rand -base64 32` prints, the newest first, "
            "with commas between"
        )
    return key


DatabaseUrl = Annotated[SecretStr, BeforeValidator(_database)]
"""Of PostgreSQL, as libpq reads it. It may hold a password, and is never shown."""
SealingKeys = Annotated[tuple[SecretBytes, ...], BeforeValidator(_keys)]
"""Newest first: the first one seals, each of them opens."""
