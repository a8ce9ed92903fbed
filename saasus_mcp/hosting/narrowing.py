"""How a request narrows what it may list and call: by its headers and by its path. Nothing in it ever allows more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import reduce
from itertools import islice
from operator import and_
from typing import Any
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.types import Message, Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.narrowing import EVERYTHING, NOTHING, Narrowing
from saasus_mcp.server.asking import Context
from saasus_mcp.server.narrowing import NarrowingError, ToolNames, switch, toolsets
from saasus_mcp.settings import SettingsError

NARROWING = "saasus_mcp.narrowing"
"""In the scope of a request: its own narrowing."""
TOOLSETS, TOOLS, EXCLUDE, READ_ONLY = "X-MCP-Toolsets", "X-MCP-Tools", "X-MCP-Exclude-Tools", "X-MCP-Readonly"
HEADERS: Mapping[str, str] = {name.lower(): name for name in (TOOLSETS, TOOLS, EXCLUDE, READ_ONLY)}
PREFIXES = (b"x-mcp", b"x_mcp", b"xmcp")
LONGEST_NAME = 40
ENDPOINT = re.compile(rb"session_id=([0-9a-f]{32})")
"""The first event of an SSE connection: where its messages go."""
SIMILAR = 0.8
"""Of 1: how alike a header's name must be to one of ours to be taken for a misspelling of it (difflib's ratio)."""
SEGMENT = "readonly"
RESERVED = frozenset({SEGMENT, "x"})
"""Segments of a narrowing path, which no profile that is served over HTTP can have as its name."""
SUFFIXES = ("/readonly", "/x/{toolsets}", "/x/{toolsets}/readonly")


def paths(base: str) -> tuple[str, ...]:
    """Return the routes that narrow what is at a path."""
    return tuple(base + suffix for suffix in SUFFIXES)


def unnarrowed(path: str) -> str:
    """Return the path of the same resource without a narrowing: what its clients' tokens are issued for."""
    path = path.removesuffix(f"/{SEGMENT}")
    head, _, last = path.rpartition("/")
    return head.removesuffix("/x") if head.endswith("/x") and last else path


def require_unreserved(profiles: Iterable[str]) -> None:
    """See that no narrowing path is the path of a profile, which would then be served without the narrowing.

    Raises:
        SettingsError: a profile has such a name.
    """
    taken = sorted(RESERVED.intersection(profiles))
    if taken:
        raise SettingsError(
            f"A profile served over HTTP cannot be named {taken[0]!r}: /mcp/readonly and /mcp/x/TOOLSET are reserved for narrowed connections.",
            "Rename the profile in config.toml.",
        )


class Requests:
    """Reads the narrowing of each request.

    Args:
        catalogues: of the profiles that are served; they are alike.
        under: the narrowing of the whole server.
    """

    def __init__(self, catalogues: Iterable[Catalogue], under: Narrowing) -> None:
        self._names = [ToolNames(catalogue) for catalogue in islice(catalogues, 1)]
        self._under = under

    def of(self, scope: Scope) -> Narrowing:
        """Return what the server, the headers and the path of a request leave together.

        Raises:
            NarrowingError: one of them cannot be read. Whoever asks for a narrowing never gets more for a mistake in it.
        """
        given = _headers(scope["headers"])
        asked = [_of_headers(given, names) for names in self._names] if given else []
        return reduce(and_, asked, self._under & _of_path(scope))


class Connected:
    """The narrowings of open SSE connections: what a message may do is bounded by the request that opened its connection."""

    def __init__(self) -> None:
        self._open: dict[str, Narrowing] = {}

    @contextmanager
    def opening(self, scope: Scope, send: Send) -> Iterator[Send]:
        """Remember the narrowing of a connection for as long as it is open.

        Gives the way of its answer to the client, on which the connection's id is told before any other can know it.
        """
        opened: list[str] = []

        async def noting(message: Message) -> None:
            told = ENDPOINT.search(message.get("body", b"")) if not opened else None
            if told:
                opened.append(told[1].decode())
                self._open[opened[0]] = scope[NARROWING]
            await send(message)

        try:
            yield noting
        finally:
            for identifier in opened:
                del self._open[identifier]

    def message(self, scope: Scope) -> Scope:
        """Return a message's request with its own narrowing and that of its connection; of an unknown one, nothing is left."""
        try:
            identifier = UUID(hex=QueryParams(scope["query_string"]).get("session_id", "")).hex
        except ValueError:
            identifier = ""
        return {**scope, NARROWING: self._open.get(identifier, NOTHING) & scope[NARROWING]}


def of_context(context: Context) -> Narrowing:
    """Return the narrowing that holds for a request of MCP: its own and, where it belongs to a session, that of the session.

    A session's is that of its first request, `initialize`: it stays for as long as the session does.
    """
    scope: Scope = context.request.scope if context.request is not None else {}
    own: Narrowing = scope.get(NARROWING, NOTHING)
    state: dict[str, Any] = context.session._connection.state  # noqa: SLF001 - the SDK has no public way to it
    first: Narrowing = state.setdefault(NARROWING, own)
    return first & own


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return our headers by name.

    Raises:
        NarrowingError: one is given more than once, or one is nearly called like one of ours.
    """
    found: dict[str, str] = {}
    for field, value in raw:
        if not field.lower().startswith(PREFIXES):
            continue
        given = field.decode("latin-1").lower()
        name = HEADERS.get(given)
        if name is None:
            _refuse_misspelled(given)
            continue
        if name in found:
            raise NarrowingError(
                f"The header {name} occurs more than once.", "Send one header with comma-separated names."
            )
        found[name] = value.decode("latin-1")
    return found


def _refuse_misspelled(given: str) -> None:
    plain = {_plain(name): header for name, header in HEADERS.items()}
    near = get_close_matches(_plain(given)[:LONGEST_NAME], plain, 1, SIMILAR)
    if near:
        raise NarrowingError(f"Unknown header {given[:LONGEST_NAME]!r}.", f"Nearest: {plain[near[0]]}.")


def _plain(name: str) -> str:
    """The part of a header's name by which it is compared."""
    return "".join(filter(str.isalnum, name)).removeprefix("xmcp")


def _of_headers(given: Mapping[str, str], names: ToolNames) -> Narrowing:
    return Narrowing(
        toolsets(given[TOOLSETS], TOOLSETS) if TOOLSETS in given else None,
        names.named(given[TOOLS], TOOLS) if TOOLS in given else None,
        names.named(given[EXCLUDE], EXCLUDE) if EXCLUDE in given else frozenset(),
        READ_ONLY in given and switch(given[READ_ONLY], READ_ONLY),
    )


def _of_path(scope: Scope) -> Narrowing:
    listed = scope["path_params"].get("toolsets")
    read_only = scope["path"].endswith(f"/{SEGMENT}")
    if listed is None and not read_only:
        return EVERYTHING
    return Narrowing(None if listed is None else toolsets(listed, "The path"), read_only=read_only)
