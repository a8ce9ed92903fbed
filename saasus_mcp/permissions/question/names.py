"""The names by which people call the things that ids stand for, read from the API once for a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from saasus_mcp.catalog.confirmations import Kind
from saasus_mcp.catalog.expressions import value
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.impact import DEADLINE, LATE
from saasus_mcp.permissions.question.model import Named, Unresolved, Value
from saasus_mcp.permissions.target import Read, plain_name

MOST_NAMES = 24
"""Things of one question whose names are read; of more, the others are shown by their ids."""
TOO_MANY = "too many to look up"
NO_NAME = "not found"


class Names:
    """What is known of names. It remembers which were wanted and are not known yet."""

    def __init__(self, kinds: Mapping[str, Kind], args: Mapping[str, Any]) -> None:
        self._kinds = kinds
        self._args = args
        self._known: dict[str, Value] = {}
        self.wanted: dict[str, tuple[str, Any]] = {}

    def of(self, kind: str, id_: Any) -> Value:
        """The name of a thing, or its id as long as the name is not known."""
        key = f"{kind} {id_!r}"
        if key not in self._known:
            self.wanted[key] = kind, id_
            return Unresolved(str(id_))
        return self._known[key]

    def know(self, kind: str, id_: Any, name: str) -> None:
        """Take a name that was read anyway, as the target's is."""
        said = plain_name(name)
        if said:
            self._known[f"{kind} {id_!r}"] = Named(said, str(id_))

    async def read(self, read: Read) -> None:
        """Read the names that were wanted, all at the same time and within the deadline."""
        wanted = list(self.wanted.items())
        for key, (_, id_) in wanted:
            self._known[key] = Unresolved(str(id_), LATE.why_not)
        for key, (_, id_) in wanted[MOST_NAMES:]:
            self._known[key] = Unresolved(str(id_), TOO_MANY)
        with anyio.move_on_after(DEADLINE):
            async with anyio.create_task_group() as group:
                for key, (kind, id_) in wanted[:MOST_NAMES]:
                    group.start_soon(self._read, key, self._kinds[kind], id_, read)
        self.wanted.clear()

    async def _read(self, key: str, kind: Kind, id_: Any, read: Read) -> None:
        args = {name: value(text, {"args": dict(self._args), "id": id_}) for name, text in kind.args.items()}
        try:
            seen = await read(kind.read, args)
        except SaasusMcpError as error:
            self._known[key] = Unresolved(str(id_), error.message)
            return
        why = NO_NAME if seen.status == 404 else seen.why_not  # noqa: PLR2004 - HTTP
        if why:
            self._known[key] = Unresolved(str(id_), why)
            return
        name = value(kind.name, {"args": dict(self._args), "id": id_, "result": seen.answer})
        said = plain_name(name)
        self._known[key] = Named(said, str(id_)) if said else Unresolved(str(id_), NO_NAME)
