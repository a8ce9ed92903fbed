"""Messages for people: an id with named parameters, rendered in the reader's language.

The texts are in `tool_specs/messages/`, one file an area, and are compiled into one JSON file a language. `make check` holds that
every id exists, is used, has both languages, and gets the parameters that its texts name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeGuard, runtime_checkable

from saasus_mcp.common.language import Language, Text

FOLDER = Path(__file__).parent
_SEPARATORS: Mapping[Language, str] = {"en": ", ", "ja": "、"}


@runtime_checkable
class Localized(Protocol):
    """A value with a text in each language, such as a message or a title of the catalogue."""

    def text(self, language: Language) -> str: ...


Parameter: TypeAlias = "str | int | float | Localized | tuple[str | int | float | Localized, ...]"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its id in the catalogue and its parameters."""

    id: str
    params: Mapping[str, Parameter]

    def text(self, language: Language) -> str:
        """Return the message in `language`, with its parameters in place."""
        template = _templates(language, _area_of(self.id))[self.id]
        if isinstance(template, list):
            singular, plural = template
            template = singular if self.params.get("count") == 1 else plural
        return template.format_map({name: _rendered(value, language) for name, value in self.params.items()})

    def both(self) -> Text:
        """Return the message in both languages, for data that is stored and rendered later."""
        return Text(self.text("en"), self.text("ja"))

    def as_json(self) -> dict[str, Any]:
        """Return the id and the parameters as JSON values, for the audit log."""
        return {"id": self.id, "params": {name: _as_json(value) for name, value in self.params.items()}}

    def __str__(self) -> str:
        return self.text("en")


@dataclass(frozen=True, slots=True)
class Lines:
    """Values on a line each, as one parameter of a message."""

    items: tuple[Localized, ...]

    def text(self, language: Language) -> str:
        return "\n".join(item.text(language) for item in self.items)


@dataclass(frozen=True, slots=True)
class Sentences:
    """Sentences after each other, as one message."""

    items: tuple[Localized, ...]

    def text(self, language: Language) -> str:
        return join_sentences([item.text(language) for item in self.items], language)

    def both(self) -> Text:
        return Text(self.text("en"), self.text("ja"))


def join_sentences(texts: Sequence[str], language: Language) -> str:
    """Return texts after each other. A Japanese one that ends with a name, as in `項目: 表示名`, gets a full stop before the next."""
    *before, last = texts or ("",)
    return "".join(text + _stop(text, language) for text in before) + last


def _stop(text: str, language: Language) -> str:
    """Return what comes between a text and the next."""
    if language == "en":
        return "" if text.endswith("\n") else " "
    return "。" if text and (text[-1].isalnum() or text[-1] in "」)") else ""


def message(id: str, /, **params: Parameter) -> Message:
    """Return the message `id`, such as `cli.unknown_tool`."""
    return Message(id, params)


def one_of(group: str, value: str, /, **params: Parameter) -> Message:
    """Return the message for one value of a closed set: `one_of("approval.status", "pending")` is `approval.status.pending`."""
    return Message(f"{group}.{value}", params)


def templates_of(group: str, language: Language) -> dict[str, str | list[str]]:
    """Return the texts of every message whose id begins with `group`, with their placeholders, for a page that fills them in itself.

    Args:
        group: an area with its dot, such as `apps.`, or a part of one.
    """
    return {key: text for key, text in _templates(language, _area_of(group)).items() if key.startswith(group)}


def _area_of(id: str) -> str:
    return id.partition(".")[0]


@cache
def _templates(language: Language, area: str) -> Mapping[str, str | list[str]]:
    """Return the texts of one area, or nothing if there is no such area. All of them would take 1.5 MiB, and few are used.

    The compiled file has a message a line, and the messages of an area one after another.
    """
    file, first = (FOLDER / f"messages.{language}.json").read_bytes(), f'\n"{area}.'.encode()
    begin, last = file.find(first), file.rfind(first)
    lines = file[begin : file.index(b"\n", last + 1)] if last >= 0 else b""
    texts: dict[str, str | list[str]] = json.loads(b"{" + lines.rstrip(b",") + b"}")
    return texts


def load_all() -> None:
    """Read the texts of every area, so that no message needs a file later: open files can run out, and an update replace the file."""
    for language in _SEPARATORS:
        lines = (FOLDER / f"messages.{language}.json").read_text(encoding="utf-8").splitlines()
        for area in {_area_of(line.removeprefix('"')) for line in lines if "." in line}:
            _templates(language, area)


def _is_plain(value: Parameter) -> TypeGuard[str | int | float]:
    """Return whether the value has no text of its own. Asked first, because the check of a protocol is many times as slow."""
    return isinstance(value, (str, int, float))


def _rendered(value: Parameter, language: Language) -> str | int | float:
    if isinstance(value, tuple):
        return _SEPARATORS[language].join(str(_rendered(item, language)) for item in value)
    if _is_plain(value):
        return value
    return value.text(language) if isinstance(value, Localized) else value


def _as_json(value: Parameter) -> Any:
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    if isinstance(value, Message):
        return value.as_json()
    if _is_plain(value):
        return value
    return value.text("en") if isinstance(value, Localized) else value
