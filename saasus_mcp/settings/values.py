"""Values of settings: secrets that are not shown, and functions that read one value or say what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from saasus_mcp.common import timezones
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import read_switch
from saasus_mcp.settings.paths import require_absolute
from saasus_mcp.settings.validation import InvalidValue

Content = TypeVar("Content", str, bytes)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


class Secret(Generic[Content]):
    """A secret that no text of this object shows."""

    __slots__ = ("_content",)

    def __init__(self, content: Content) -> None:
        self._content: Content = content

    def get_secret_value(self) -> Content:
        """Return the secret itself."""
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
