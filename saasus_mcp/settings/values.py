"""Values of settings: secrets that are not shown, and functions that read one value or say what is wrong with it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit

from saasus_mcp.common import private_files, timezones
from saasus_mcp.common.messages import message
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.common.text import read_switch
from saasus_mcp.settings.credentials import is_placeholder
from saasus_mcp.settings.validation import InvalidValue, SettingsError, require_absolute

Content = TypeVar("Content", str, bytes)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
KEY_BYTES = 32
MAX_KEYS = 10
MAX_KEY_FILE_BYTES = 4096
FILE_PARAMETERS = frozenset({"passfile", "servicefile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir"})
"""Parameters of libpq that name files. libpq resolves a relative path in the working directory."""
NO_FILE = frozenset({"", "system"})
SCHEME = re.compile(r"postgres(ql)?://")


class Secret(Generic[Content]):
    """A secret that no text of this object shows."""

    __slots__ = ("_content",)

    def __init__(self, content: Content) -> None:
        self._content: Content = content

    def get_secret_value(self) -> Content:
        return self._content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __bool__(self) -> bool:
        return bool(self._content)

    def __repr__(self) -> str:
        return "Secret('**********')"

    __str__ = __repr__


def parse_secret(value: Any) -> Secret[str]:
    """Return a secret exactly as it was given."""
    return Secret(str(value))


def parse_switch(value: Any) -> bool:
    """Return the value of a switch: 1, true, yes, on or their opposites, in any letter case. An empty text is off."""
    text = str(value).strip()
    switch = read_switch(text) if text else False
    if switch is None:
        raise InvalidValue(message("settings.value.boolean"))
    return switch


def parse_time_zone(value: Any) -> str:
    """Return the name of a known time zone."""
    name = str(value).strip()
    if timezones.find_time_zone(name) is None:
        raise InvalidValue(message("settings.time_zone"))
    return name


def parse_path(value: Any) -> Path:
    """Return an absolute path."""
    return require_absolute(Path(value))


def choice_of(*choices: str) -> Callable[[Any], str]:
    """Return a parser of a word that must be one of these."""

    def parse(value: Any) -> str:
        if value not in choices:
            raise InvalidValue(message("settings.value.choice", expected=choices))
        return str(value)

    return parse


def text_like(pattern: str) -> Callable[[Any], str]:
    """Return a parser of a text that must match a pattern."""

    def parse(value: Any) -> str:
        text = str(value)
        if re.fullmatch(pattern, text) is None:
            raise InvalidValue(message("settings.value.pattern", pattern=pattern))
        return text

    return parse


def whole_number(least: int, most: int) -> Callable[[Any], int]:
    """Return a parser of a whole number between two numbers."""

    def parse(value: Any) -> int:
        text = str(value).strip()
        if _INTEGER.fullmatch(text) is None:
            raise InvalidValue(message("settings.value.whole_number"))
        number = int(text)
        _require_between(number, least, most)
        return number

    return parse


def seconds(most: int, *, least: int = 0) -> Callable[[Any], float]:
    """Return a parser of a time above 0 and from `least` to `most`."""

    def parse(value: Any) -> float:
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise InvalidValue(message("settings.value.number")) from None
        if not number > 0:  # also what is not a number
            raise InvalidValue(message("settings.value.greater_than", gt=0))
        _require_between(number, least, most)
        return number

    return parse


def _require_between(number: float, least: int, most: int) -> None:
    if number < least:
        raise InvalidValue(message("settings.value.at_least", ge=least))
    if number > most:
        raise InvalidValue(message("settings.value.at_most", le=most))


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
