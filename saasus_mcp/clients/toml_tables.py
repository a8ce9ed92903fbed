"""Edits of TOML tables of servers (`[mcp_servers.NAME]`) that keep the rest of the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.system_reasons import toml_reason


class TomlEditError(ValueError):
    """The text is not TOML, or its servers cannot be edited without loss."""

    def __init__(self, reason: Message | str) -> None:
        super().__init__(str(reason))
        self.reason = reason


def parse_toml(text: str) -> dict[str, Any]:
    """Return the content of a TOML text. Raise TomlEditError if the text is not TOML."""
    import tomllib  # noqa: PLC0415 - only where a client uses TOML

    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise TomlEditError(toml_reason(error)) from None
    except RecursionError:
        raise TomlEditError(message("clients.nested_too_deeply")) from None


def put_table(text: str, table: str, name: str, value: Mapping[str, Any]) -> str:
    """Return the text with `[table.name]`, in place of the table with that name or after the others.

    Raises:
        TomlEditError: the text is not TOML, or `table` is an inline table.
    """
    import tomlkit  # noqa: PLC0415 - only where a client uses TOML

    current = parse_toml(text).get(table, {})
    if isinstance(current, dict) and current.get(name) == value:
        return text
    document, mark = _parsed(remove_table(text, table, name))
    servers = document.setdefault(table, tomlkit.table(is_super_table=True))
    if not hasattr(servers, "is_super_table") and type(servers).__name__ != "OutOfOrderTableProxy":
        raise TomlEditError(message("clients.toml_table_form", table=table))
    entry = tomlkit.table()
    for key, item in value.items():
        entry.add(key, item)
    servers[name] = entry
    return mark + _with_line_ends(text, tomlkit.dumps(document))


def remove_table(text: str, table: str, name: str) -> str:
    """Return the text without `[table.name]`. Raise TomlEditError if the text is not TOML."""
    import tomlkit  # noqa: PLC0415 - only where a client uses TOML

    if name not in parse_toml(text).get(table, {}):
        return text
    document, mark = _parsed(text)
    servers = document[table]
    del servers[name]
    if not servers:
        del document[table]
    return mark + tomlkit.dumps(document)


def _parsed(text: str) -> tuple[Any, str]:
    import tomlkit  # noqa: PLC0415 - only where a client uses TOML

    mark = "\ufeff" if text.startswith("\ufeff") else ""
    return tomlkit.parse(text.removeprefix(mark)), mark


def _with_line_ends(text: str, new: str) -> str:
    """Return the new text with CRLF line ends if the old text has only those."""
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        return new.replace("\r\n", "\n").replace("\n", "\r\n")
    return new
