"""Load the compiled catalogue and find operations in it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from saasus_mcp.catalog.model import (
    DifferenceRecipe,
    Effects,
    ImpactMetric,
    ListSelector,
    Operation,
    Requirement,
    Target,
    UndoRecipe,
    VerificationRecipe,
)
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import MAX_SHOWN_NAME

if TYPE_CHECKING:
    from saasus_mcp.catalog.search import SearchIndex

FILE = Path(__file__).with_name("catalogue.json")
FACTS = FILE.with_name("facts.json")
MAX_SUGGESTIONS = 5
LISTS = (
    *("path_parameters", "query_parameters", "ambiguous", "statuses"),
    *("secret_inputs", "secret_outputs", "scrubbed_outputs"),
)
Row = dict[str, Any]
HEAD = re.compile(rb'\{"key":"([^"]+)","module":"[^"]+","operation_id":"[^"]+","tool":"([^"]+)",')
"""The beginning of a row of the compiled file, with the key and the tool."""


class UnknownTool(SaasusMcpError):
    """No operation has this name. `nearest` contains the most similar names, best first."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        shown = name if len(name) <= MAX_SHOWN_NAME else name[:MAX_SHOWN_NAME] + "…"
        hint = message("catalog.nearest_hint", names=nearest) if nearest else message("catalog.list_tools_hint")
        super().__init__(message("catalog.unknown_tool", name=repr(shown)), hint)
        self.nearest = nearest


class Catalogue:
    """All operations, by tool name, former tool name and key.

    A compiled row becomes an `Operation` when it is first needed: all of them take 3 MiB, and a small read needs one.

    Attributes:
        version: the SHA-256 of the compiled file.
    """

    def __init__(self, operations: Iterable[Operation], aliases: Mapping[str, str], version: str) -> None:
        self.version = version
        self._aliases = dict(aliases)
        self._rows: dict[str, Operation | bytes] = {operation.key: operation for operation in operations}
        self._keys = {operation.tool: operation.key for operation in self}
        self._lock = threading.Lock()

    @classmethod
    def compiled(cls, raw: bytes) -> Self:
        """Return the catalogue of a compiled file, which has an operation a line between its first and its last line.

        Raises:
            ValueError: the content is no such file.
        """
        first, *rows, last = raw.splitlines()
        catalogue = cls((), json.loads(first + last)["aliases"], hashlib.sha256(raw).hexdigest())
        for row in rows:
            head = HEAD.match(row)
            if head is None:
                raise ValueError(f"no operation: {row[:80]!r}")
            key, tool = head[1].decode(), head[2].decode()
            catalogue._rows[key], catalogue._keys[tool] = row.removesuffix(b","), key
        return catalogue

    def __iter__(self) -> Iterator[Operation]:
        return (self._operation(key) for key in self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def decode_all(self) -> None:
        """Decode every operation, for a process that will need all of them: then its start takes the time, and not a call."""
        for key in self._rows:
            self._operation(key)

    def _operation(self, key: str) -> Operation:
        row = self._rows[key]
        if isinstance(row, bytes):
            with self._lock:  # operations are compared by identity, so two threads must get the same one
                row = self._rows[key]
                if isinstance(row, bytes):
                    row = self._rows[key] = _operation(json.loads(row))
        return row

    def find(self, name: str) -> Operation:
        """Return the operation with this tool name, former tool name or key (`auth.DeleteTenant`).

        Raises:
            UnknownTool: no operation has this name.
        """
        found = self.get(name)
        if found is None:
            raise UnknownTool(name, tuple(near.tool for near in self.index.nearest(name, MAX_SUGGESTIONS)))
        return found

    def get(self, name: str) -> Operation | None:
        """Return the operation as `find` does, or None if no operation has this name. It costs no search for similar names."""
        key = self._keys.get(self._aliases.get(name, name), name)
        return self._operation(key) if key in self._rows else None

    def present_name(self, name: str) -> str | None:
        """Return the current name of a tool, if `name` is a former one."""
        return self._aliases.get(name)

    @property
    def former_names(self) -> Mapping[str, str]:
        """Return the current names of tools, by former name."""
        return self._aliases

    @cached_property
    def index(self) -> SearchIndex:
        """Load the search index over these operations at its first use."""
        from saasus_mcp.catalog import search  # noqa: PLC0415 - not on the way to the list of tools

        return search.SearchIndex(self, json.loads(search.FILE.read_bytes()))


@cache
def load_catalogue() -> Catalogue:
    """Load the catalogue of this version, once for a process. Reads neither OpenAPI documents nor YAML."""
    return Catalogue.compiled(FILE.read_bytes())


def _operation(row: dict[str, Any]) -> Operation:
    variants = row["variants"]
    return Operation(
        **{
            **row,
            **{name: tuple(row[name]) for name in LISTS},
            "title": Text(**row["title"]),
            "description": Text(**row["description"]),
            "variants": (variants[0], variants[1]) if variants else None,
            "exactly_one": tuple(tuple(names) for names in row["exactly_one"]),
            "effects": parse_effects(row["effects"]),
        }
    )


def parse_effects(row: Row) -> Effects:
    """Return the record of one compiled row."""
    lists = {key: tuple(row.get(key, ())) for key in ("blast", "outside", "bind")}
    recipes = {
        "target": Target(**_with_pick(row["target"])) if "target" in row else None,
        "requires": tuple(Requirement(**{**each, "text": Text(**each["text"])}) for each in row.get("requires", ())),
        "impact": tuple(
            ImpactMetric(name, **{**metric, "label": Text(**metric["label"])})
            for name, metric in row.get("impact", {}).items()
        ),
        "diff": DifferenceRecipe(**_with_pick(row["diff"])) if "diff" in row else None,
        "verify": VerificationRecipe(**_with_pick(row["verify"])) if "verify" in row else None,
        "undo": _undo(row["undo"]) if "undo" in row else None,
        "preconditions": tuple(Text(**each) for each in row.get("preconditions", ())),
    }
    texts: Row = {key: Text(**row[key]) for key in ("why", "say", "user_token") if key in row}
    return Effects(**{**row, **lists, **recipes, **texts})


def _with_pick(row: Row) -> Row:
    pick = row.get("pick")
    return {**row, "pick": ListSelector(source=pick["from"], where=pick["where"]) if pick else None}


def _undo(row: Row) -> UndoRecipe:
    note = Text(**row["note"]) if "note" in row else None
    rest = {key: value for key, value in row.items() if key != "class"}
    lists: Row = {key: tuple(row.get(key, ())) for key in ("needs", "supply")}
    also = tuple(_undo({"class": row["class"], **each}) for each in row.get("also", ()))
    return UndoRecipe(row["class"], **{**rest, **lists, "also": also, "note": note})
