"""The snapshot of a target at the time of a question, to find out whether and how the target changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.inspection.difference import FieldChange, differing_parts

MAX_STORED_LENGTH = 400
"""Characters of a text, or of a value's JSON; of a longer one the beginning is kept, and a digest of the whole."""


def encode_snapshot(fields: Mapping[str, Any], *, seen: bool) -> str:
    """Return the bound fields as a text that is equal if and only if nothing changed."""
    return json.dumps({"fields": {name: _short(value) for name, value in fields.items()}, "seen": seen}, sort_keys=True)


def was_readable(bound: str) -> bool:
    """Return whether the target could be read."""
    return bool(json.loads(bound)["seen"])


def snapshot_changes(before: str, after: str) -> list[FieldChange]:
    """Return the difference between two snapshots, field by field."""
    was, now = (json.loads(text)["fields"] for text in (before, after))
    return [
        _change(name, was.get(name, [None]), now.get(name, [None]))
        for name in {**was, **now}
        if was.get(name) != now.get(name)
    ]


def _change(name: str, was: list[Any], now: list[Any]) -> FieldChange:
    before, after = differing_parts(was[0], now[0])
    return FieldChange(name.removeprefix("target."), before, after, "change" if before != after else "unshown")


def _short(value: Any) -> list[Any]:
    # Sorted, since what an expression makes has its keys in any order.
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return [value] if len(text) <= MAX_STORED_LENGTH else [text[:MAX_STORED_LENGTH], json_digest(value)]
