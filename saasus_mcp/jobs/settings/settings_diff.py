"""What is different between two states of one kind of settings: as records, and in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.settings.settings_document import SETTINGS_KINDS
from saasus_mcp.saasus.tool_answer import compact_json

ONLY_SAVED, ONLY_LATER, DIFFERS = "only_saved", "only_later", "differs"
Record = dict[str, Any]


def find_differences(kind: str, saved: Any, later: Any) -> Iterator[Record]:
    """A record for each field that differs, and one for each item that only one side has."""
    if not SETTINGS_KINDS[kind].items:
        yield from _fields(kind, "", saved, later)
        return
    key = SETTINGS_KINDS[kind].key
    before, after = ({str(item[key]): item for item in items} for items in (saved, later))
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield {"kind": kind, "name": name, "change": ONLY_SAVED}
        elif name not in before:
            yield {"kind": kind, "name": name, "change": ONLY_LATER}
        else:
            yield from _fields(kind, name, before[name], after[name])


def changed_settings(kind: str, saved: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """The fields of a saved item that are not so now."""
    inner = SETTINGS_KINDS[kind].named_lists.values()
    return [name for name, value in saved.items() if not _same(value, live.get(name), unordered=name in inner)]


def describe_difference(record: Record) -> str:
    """One difference on one line."""
    what = record["kind"] + (f" {quote_text(record['name'])}" if record["name"] else "")
    if record["change"] == ONLY_SAVED:
        return f"{what}: only in the saved document"
    if record["change"] == ONLY_LATER:
        return f"{what}: not in the saved document"
    return f"{what}: {record['field']}: {_short(record['saved'])} -> {_short(record['later'])}"


def _fields(kind: str, name: str, saved: Any, later: Any) -> Iterator[Record]:
    inner = SETTINGS_KINDS[kind].named_lists.values()
    before, after = dict(_leaves(saved)), dict(_leaves(later))
    for field in sorted(before.keys() | after.keys()):
        if not _same(before.get(field), after.get(field), unordered=field in inner):
            found = {"saved": before.get(field), "later": after.get(field)}
            yield {"kind": kind, "name": name, "change": DIFFERS, "field": field, **found}


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no object, by its place; lists whole."""
    if not isinstance(value, Mapping):
        yield place, value
        return
    for name, each in value.items():
        yield from _leaves(each, f"{place}.{name}" if place else name)


def _same(one: Any, other: Any, *, unordered: bool) -> bool:
    """Whether two values say the same: what is empty and what is not there do."""
    if unordered and isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return bool(one == other) or (one in _EMPTY and other in _EMPTY)


_EMPTY: tuple[Any, ...] = (None, "", [])


def _short(value: Any) -> str:
    return "nothing" if value in _EMPTY else quote_text(value if isinstance(value, str) else compact_json(value))
