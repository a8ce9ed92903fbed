"""Compile `tool_specs/messages/*.yaml` into one JSON text a language."""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import LANGUAGES
from scripts.catalogue.spec_file import SpecError, mapping_of, read_yaml

_FORMS = {"one", "other"}
_FORM = {**mapping_of({"type": "object"}), "type": ["object", "null"]}


@dataclass(frozen=True, slots=True)
class MessageTexts:
    """The texts of one message.

    Attributes:
        texts: by language, the text; or a singular and a plural, chosen by the parameter `count`.
        params: the names of its parameters.
    """

    texts: Mapping[str, str | tuple[str, str]]
    params: frozenset[str]


def read_messages(folder: Path) -> dict[str, MessageTexts]:
    """Return every message of a folder by id, `<file>.<key>` or `<file>.<group>.<value>`.

    Raises:
        SpecError: a message lacks a language, is empty, or names other parameters in one language than in the other.
    """
    messages: dict[str, MessageTexts] = {}
    for file in sorted(folder.glob("*.yaml")):
        entries: dict[object, Any] = read_yaml(file, _FORM) or {}
        for key, node in _leaves(entries, file.name):
            messages[f"{file.stem}.{key}"] = _message(node, f"{file.name}: {key}")
    return messages


def compile_messages(folder: Path) -> dict[str, str]:
    """Return the JSON text of each language, one message a line."""
    messages = read_messages(folder)
    return {
        language: "{\n"
        + ",\n".join(f"{json.dumps(key)}:{compact_json(each.texts[language])}" for key, each in messages.items())
        + "\n}\n"
        for language in LANGUAGES
    }


def _leaves(node: Mapping[object, Any], where: str, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in node.items():
        if not isinstance(key, str) or not isinstance(value, dict):
            raise SpecError(f"{where}: {prefix}{key}: a message is a mapping with the keys en and ja")
        if set(value) & set(LANGUAGES):
            yield f"{prefix}{key}", value
        elif prefix.count(".") == 0:
            yield from _leaves(value, where, f"{prefix}{key}.")
        else:
            raise SpecError(f"{where}: {prefix}{key}: messages are nested at most one level")


def _message(node: Mapping[str, Any], where: str) -> MessageTexts:
    if set(node) != set(LANGUAGES):
        raise SpecError(f"{where}: write en and ja, and nothing else")
    texts: dict[str, str | tuple[str, str]] = {language: _forms(node[language], where) for language in LANGUAGES}
    params = {language: _params(text, where) for language, text in texts.items()}
    if params["en"] != params["ja"]:
        raise SpecError(f"{where}: parameters differ: en {sorted(params['en'])}, ja {sorted(params['ja'])}")
    return MessageTexts(texts, params["en"])


def _forms(node: object, where: str) -> str | tuple[str, str]:
    if isinstance(node, dict) and set(node) == _FORMS and all(isinstance(form, str) and form for form in node.values()):
        return node["one"], node["other"]
    if isinstance(node, str) and node:
        return node
    raise SpecError(f"{where}: a text is a string, or a mapping with the keys one and other")


def _params(text: str | tuple[str, str], where: str) -> frozenset[str]:
    names = set() if isinstance(text, str) else {"count"}
    for form in [text] if isinstance(text, str) else text:
        try:
            fields = [name for _, name, _, _ in string.Formatter().parse(form) if name is not None]
        except ValueError as error:
            raise SpecError(f"{where}: {error}") from None
        if unusable := [name for name in fields if not name.isidentifier()]:
            raise SpecError(f"{where}: {{{unusable[0]}}}: a parameter is a name")
        names |= set(fields)
    return frozenset(names)
