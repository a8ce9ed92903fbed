"""Settings that replicas share: the database, and the keys that encrypt and authenticate its content."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import parse_qs, urlsplit

from saasus_mcp.common import private_files
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.settings.credentials import is_placeholder
from saasus_mcp.settings.paths import require_absolute
from saasus_mcp.settings.validation import InvalidValue, SettingsError
from saasus_mcp.settings.values import Secret

KEY_BYTES = 32
MAX_KEYS = 10
MAX_KEY_FILE_BYTES = 4096
FILE_PARAMETERS = frozenset({"passfile", "servicefile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir"})
"""Parameters of libpq that name files. libpq resolves a relative path in the working directory."""
NO_FILE = frozenset({"", "system"})
SCHEME = re.compile(r"postgres(ql)?://")


def parse_database_url(value: Any) -> Secret[str]:
    """Return a PostgreSQL URL as libpq reads it. It may contain a password and is never shown."""
    text = str(value).strip()
    if is_placeholder(text):
        raise InvalidValue(message("settings.database_placeholder"))
    if SCHEME.match(text) is None:
        raise InvalidValue(message("settings.database_form"))
    for name, paths in parse_qs(urlsplit(text).query).items():
        if name in FILE_PARAMETERS and not all(path in NO_FILE or PurePath(path).is_absolute() for path in paths):
            raise InvalidValue(message("settings.database_relative_path", parameter=name))
    return Secret(text)


def read_key_file(file: Path, setting: str) -> str:
    """Return the text of a key file: one sealing key a line, the newest first.

    Args:
        setting: the name of the setting, for errors.

    Raises:
        SettingsError: the file is a link, or other users can read or change it.
        InvalidValue: the file cannot be read or contains no valid keys.
    """
    try:
        text = private_files.read_private_file(require_absolute(file), MAX_KEY_FILE_BYTES, secret=True)
    except private_files.UnsafeFile as error:
        problem = message("settings.prefixed", setting=setting, problem=error.message)
        raise SettingsError(problem, error.hint) from None
    except OSError as error:
        reason = os_reason(error)
        raise InvalidValue(message("settings.key_file_unreadable", file=str(file), reason=reason)) from None
    if not (keys := text.decode("ascii", "replace").strip()):
        raise InvalidValue(message("settings.key_file_empty", file=str(file)))
    parse_sealing_keys(keys)
    return keys


def parse_sealing_keys(value: Any) -> tuple[Secret[bytes], ...]:
    """Return the keys, newest first. The first key encrypts; every key decrypts."""
    parts = [part for part in re.split(r"[,\s]+", str(value)) if part]
    keys = tuple(_parse_key(part, position) for position, part in enumerate(parts, 1))
    if len(set(keys)) != len(keys):
        raise InvalidValue(message("settings.duplicate_key"))
    if len(keys) > MAX_KEYS:
        raise InvalidValue(message("settings.too_many_keys", limit=MAX_KEYS))
    return tuple(Secret(key) for key in keys)


def _parse_key(text: str, position: int) -> bytes:
    try:
        key = base64.b64decode(text.translate(str.maketrans("-_", "+/")), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise InvalidValue(message("settings.bad_key", position=position, bytes=KEY_BYTES))
    return key
