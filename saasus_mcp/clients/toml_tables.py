"""TOML tables of servers (`[mcp_servers.NAME]`), put in and taken out with everything else left as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class TomlEditError(ValueError):
    """The text is no TOML, or keeps its servers in a form that cannot be edited without loss."""


def parse_toml(text: str) -> dict[str, Any]:
    """What the text says.

    Raises:
        NotToml: it is none.
    """
    import tomllib  # noqa: PLC0415 - only where a client uses TOML

    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise TomlEditError(str(error)) from None
    except RecursionError:
        raise TomlEditError("it is nested too deeply") from None


def put_table(text: str, table: str, name: str, value: Mapping[str, Any]) -> str:
    """The text with `[table.name]`, in the place of what had that name or after the last of the others.

    Raises:
        NotToml: it is none, or `table` is an inline table.
    """
    import tomlkit  # noqa: PLC0415 - only where a client uses TOML

    there = parse_toml(text).get(table, {})
    if isinstance(there, dict) and there.get(name) == value:
        return text
    document, mark = _parsed(remove_table(text, table, name))
    servers = document.setdefault(table, tomlkit.table(is_super_table=True))
    if not hasattr(servers, "is_super_table") and type(servers).__name__ != "OutOfOrderTableProxy":
        raise TomlEditError(f"{table} is not in the form [{table}.NAME]")
    entry = tomlkit.table()
    for key, item in value.items():
        entry.add(key, item)
    servers[name] = entry
    return mark + _as_before(text, tomlkit.dumps(document))


def remove_table(text: str, table: str, name: str) -> str:
    """The text without `[table.name]`.

    Raises:
        NotToml: it is none.
    """
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


def _as_before(text: str, written: str) -> str:
    """What was written, with the ends of lines that the text has throughout."""
    if "\r\n" in text and "\n" not in text.replace("\r\n", ""):
        return written.replace("\r\n", "\n").replace("\n", "\r\n")
    return written
