"""The differences between two states of one kind of settings, as records and as sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.settings.settings_kinds import SETTINGS_KINDS

ONLY_SAVED, ONLY_LATER, DIFFERS = "only_saved", "only_later", "differs"
Record = dict[str, Any]

_EMPTY: tuple[Any, ...] = (None, "", [])


def find_differences(kind: str, saved: Any, later: Any) -> Iterator[Record]:
    """Yield a record for each field that differs, and for each item that only one side has."""
    if not SETTINGS_KINDS[kind].items:
        yield from _field_differences(kind, "", saved, later)
        return
    key = SETTINGS_KINDS[kind].key
    before, after = ({str(item[key]): item for item in items} for items in (saved, later))
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            yield {"kind": kind, "name": name, "change": ONLY_SAVED}
        elif name not in before:
            yield {"kind": kind, "name": name, "change": ONLY_LATER}
        else:
            yield from _field_differences(kind, name, before[name], after[name])


def changed_settings(kind: str, saved: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Return the fields of a saved item whose current value differs."""
    unordered = SETTINGS_KINDS[kind].named_lists.values()
    return [name for name, value in saved.items() if not _is_equal(value, live.get(name), unordered=name in unordered)]


def describe_difference(record: Record) -> Message:
    """Return a difference on one line."""
    item: Message | str = record["kind"]
    if record["name"]:
        item = message("jobs_settings.named_item", kind=record["kind"], name=Quoted(record["name"]))
    if record["change"] == ONLY_SAVED:
        return message("jobs_settings.only_saved", item=item)
    if record["change"] == ONLY_LATER:
        return message("jobs_settings.only_later", item=item)
    return message(
        "jobs_settings.differs",
        item=item,
        field=record["field"],
        saved=_short_value(record["saved"]),
        later=_short_value(record["later"]),
    )


def _field_differences(kind: str, name: str, saved: Any, later: Any) -> Iterator[Record]:
    unordered = SETTINGS_KINDS[kind].named_lists.values()
    before, after = dict(_leaves(saved)), dict(_leaves(later))
    for field in sorted(before.keys() | after.keys()):
        if not _is_equal(before.get(field), after.get(field), unordered=field in unordered):
            values = {"saved": before.get(field), "later": after.get(field)}
            yield {"kind": kind, "name": name, "change": DIFFERS, "field": field, **values}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that is not an object, with its path. A list is one value."""
    if not isinstance(value, Mapping):
        yield path, value
        return
    for name, each in value.items():
        yield from _leaves(each, f"{path}.{name}" if path else name)


def _is_equal(one: Any, other: Any, *, unordered: bool) -> bool:
    """Compare two values. An empty value equals a missing one."""
    if unordered and isinstance(one, list) and isinstance(other, list):
        return sorted(map(str, one)) == sorted(map(str, other))
    return bool(one == other) or (one in _EMPTY and other in _EMPTY)


def _short_value(value: Any) -> Message | Quoted:
    if value in _EMPTY:
        return message("jobs_settings.no_value")
    return Quoted(value if isinstance(value, str) else compact_json(value))
