"""Members of JSON objects that are sent twice. Parsers take one of the values and drop the other, each its own."""

from __future__ import annotations

import json
from typing import Any

MAX_SHOWN_NAME = 64
"""Characters of a member's name in an error."""


class RepeatedMember(ValueError):
    """An object has a member twice. `name`: of the member, shortened."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name[:MAX_SHOWN_NAME]


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, as `object_pairs_hook` of `json.loads`.

    Raises:
        RepeatedMember: a member is there twice.
    """
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    seen = set[str]()
    for name, _ in pairs:
        if name in seen:
            break
        seen.add(name)
    raise RepeatedMember(name)


def parse_members(text: bytes) -> Any:
    """Return the value of a JSON text, or None if it is not JSON.

    Raises:
        RepeatedMember: an object has a member twice.
    """
    try:
        return json.loads(text, object_pairs_hook=unique_members)
    except RepeatedMember:
        raise
    except (ValueError, RecursionError):
        return None
