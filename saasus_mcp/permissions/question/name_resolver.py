"""The names of items behind ids, read from the API once for a question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio

from saasus_mcp.catalog.question_texts import NameSource
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.inspection.impact import READ_DEADLINE, READ_TIMED_OUT
from saasus_mcp.permissions.inspection.target import ApiReader, ReadFailure, clean_name
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.content import NamedItem, UnresolvedId, Value

MAX_NAMES = 24
"""Things of one question whose names are read; of more, the others are shown by their ids."""


class NameResolver:
    """Known names by id, and the ids whose names are wanted.

    Args:
        names: those that are known already, by kind and id (`known_names`).
    """

    def __init__(
        self, kinds: Mapping[str, NameSource], call: OperationCall, names: Mapping[str, str] | None = None
    ) -> None:
        self._kinds = kinds
        self._call = call
        self._names: Mapping[str, str] = names or {}
        self._known: dict[str, Value] = {}
        self._wanted: set[str] = set()
        self.unresolved: dict[str, tuple[str, Any]] = {}

    @property
    def known_names(self) -> dict[str, str]:
        """The names that are wanted and known, by kind and id."""
        items = ((key, self._find(key)) for key in self._wanted)
        return {key: item.name for key, item in items if isinstance(item, NamedItem)}

    def name_of(self, kind: str, id_: Any) -> Value:
        """Return the name of an item, or its id while the name is unknown."""
        key = f"{kind} {id_}"
        self._wanted.add(key)
        known = self._find(key)
        if known is None:
            self.unresolved[key] = kind, id_
            return UnresolvedId(str(id_))
        return known

    def remember(self, kind: str, id_: Any, name: str) -> None:
        """Store a name that was read anyway, such as the target's. Without a name, a target is called by its id."""
        said = clean_name(name)
        if said and said != str(id_):
            self._known[f"{kind} {id_}"] = NamedItem(said, str(id_))

    def _find(self, key: str) -> Value | None:
        """Return what was found by a key. The names given are looked up one by one: a job knows those of all its calls."""
        if key not in self._known and key in self._names:
            return NamedItem(self._names[key], key.partition(" ")[2])
        return self._known.get(key)

    async def resolve(self, read: ApiReader) -> None:
        """Read the wanted names, in parallel and within the deadline."""
        wanted = list(self.unresolved.items())
        for key, (_, id_) in wanted:
            self._known[key] = UnresolvedId(str(id_), READ_TIMED_OUT.read_error)
        for key, (_, id_) in wanted[MAX_NAMES:]:
            self._known[key] = UnresolvedId(str(id_), ReadFailure.TOO_MANY)
        with anyio.move_on_after(READ_DEADLINE):
            async with anyio.create_task_group() as group:
                for key, (kind, id_) in wanted[:MAX_NAMES]:
                    group.start_soon(self._read, key, self._kinds[kind], id_, read)
        self.unresolved.clear()

    async def _read(self, key: str, kind: NameSource, id_: Any, read: ApiReader) -> None:
        try:
            seen = await read(kind.read, self._call.evaluate_each(kind.args, id=id_))
        except SaasusMcpError as error:
            self._known[key] = UnresolvedId(str(id_), error.message.both())
            return
        why = ReadFailure.NOT_FOUND if seen.status == 404 else seen.read_error  # noqa: PLR2004 - HTTP
        if why:
            self._known[key] = UnresolvedId(str(id_), why)
            return
        said = clean_name(self._call.evaluate(kind.name, id=id_, result=seen.answer))
        self._known[key] = NamedItem(said, str(id_)) if said else UnresolvedId(str(id_), ReadFailure.NOT_FOUND)
