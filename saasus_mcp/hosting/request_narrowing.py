"""Narrow what a request may list and call, by its headers and its path. A narrowing never allows more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from itertools import islice
from operator import and_
from uuid import UUID

from starlette.datastructures import QueryParams
from starlette.types import Message as AsgiMessage
from starlette.types import Scope, Send

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import nearest_names
from saasus_mcp.permissions.policy.narrowing import EXCLUDE_ALL, NO_NARROWING, Narrowing
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.surface.narrowing import NarrowingError, ToolNames, parse_switch, parse_toolsets
from saasus_mcp.settings.validation import SettingsError

NARROWING_KEY = "saasus_mcp.narrowing"
"""The key of a request's own narrowing in its scope."""
TOOLSETS_HEADER = "X-MCP-Toolsets"
TOOLS_HEADER = "X-MCP-Tools"
EXCLUDE_HEADER = "X-MCP-Exclude-Tools"
READ_ONLY_HEADER = "X-MCP-Readonly"
NARROWING_HEADERS: Mapping[str, str] = {
    name.lower(): name for name in (TOOLSETS_HEADER, TOOLS_HEADER, EXCLUDE_HEADER, READ_ONLY_HEADER)
}
HEADER_PREFIXES = (b"x-mcp", b"x_mcp", b"xmcp")
MAX_NAME_LENGTH = 40
ENDPOINT_PATTERN = re.compile(rb"session_id=([0-9a-f]{32})")
"""The id of an SSE connection, in its first event."""
MIN_SIMILARITY = 0.8
"""The similarity (difflib's ratio) above which an unknown header counts as a misspelling."""
READ_ONLY_SEGMENT = "readonly"
RESERVED_SEGMENTS = frozenset({READ_ONLY_SEGMENT, "x"})
"""Segments of a narrowed path. A profile that is served over HTTP cannot have such a name."""
PATH_SUFFIXES = ("/readonly", "/x/{toolsets}", "/x/{toolsets}/readonly")


def narrowed_paths(base: str) -> tuple[str, ...]:
    """Return the narrowed variants of a path."""
    return tuple(base + suffix for suffix in PATH_SUFFIXES)


def strip_narrowing(path: str) -> str:
    """Return the path without its narrowing: the resource that tokens are issued for."""
    path = path.removesuffix(f"/{READ_ONLY_SEGMENT}")
    head, _, last = path.rpartition("/")
    return head.removesuffix("/x") if head.endswith("/x") and last else path


def check_profile_names(profiles: Iterable[str]) -> None:
    """Check that no profile has the name of a narrowed path, at which it would be served without the narrowing.

    Raises:
        SettingsError: a profile has such a name.
    """
    taken = sorted(RESERVED_SEGMENTS.intersection(profiles))
    if taken:
        raise SettingsError.of("hosting.reserved_profile_name", name=repr(taken[0]))


class NarrowingReader:
    """Reads the narrowing of each request.

    Args:
        catalogues: the catalogues of the profiles, which are all alike.
        server_narrowing: the narrowing of the whole server.
    """

    def __init__(self, catalogues: Iterable[Catalogue], server_narrowing: Narrowing) -> None:
        self._tool_names = [ToolNames(catalogue) for catalogue in islice(catalogues, 1)]
        self._server_narrowing = server_narrowing

    def read(self, scope: Scope) -> Narrowing:
        """Return the intersection of the narrowings of the server, the headers and the path.

        Raises:
            NarrowingError: a narrowing is invalid. A mistake never leaves the client with more than it asked for.
        """
        headers = _read_headers(scope["headers"])
        by_headers = [_narrowing_of_headers(headers, names) for names in self._tool_names] if headers else []
        return reduce(and_, by_headers, self._server_narrowing & _narrowing_of_path(scope))


class SseNarrowings:
    """The narrowings of open SSE connections. The request that opened a connection limits what its messages may do."""

    def __init__(self) -> None:
        self._open: dict[str, Narrowing] = {}

    @contextmanager
    def track_connection(self, scope: Scope, send: Send) -> Iterator[Send]:
        """Remember the narrowing of a connection while it is open.

        Yields a `send` that reads the connection's id from the response, before any client can know the id.
        """
        opened: list[str] = []

        async def tracked_send(part: AsgiMessage) -> None:
            found = ENDPOINT_PATTERN.search(part.get("body", b"")) if not opened else None
            if found:
                opened.append(found[1].decode())
                self._open[opened[0]] = scope[NARROWING_KEY]
            await send(part)

        try:
            yield tracked_send
        finally:
            for identifier in opened:
                del self._open[identifier]

    def narrow_message(self, scope: Scope) -> Scope:
        """Return the scope of a message, narrowed like its connection. For an unknown connection nothing is left."""
        try:
            identifier = UUID(hex=QueryParams(scope["query_string"]).get("session_id", "")).hex
        except ValueError:
            identifier = ""
        return {**scope, NARROWING_KEY: self._open.get(identifier, EXCLUDE_ALL) & scope[NARROWING_KEY]}


def narrowing_of_context(context: Context) -> Narrowing:
    """Return the narrowing of an MCP request, which includes that of its session or connection."""
    scope: Scope = context.request.scope if context.request is not None else {}
    narrowing: Narrowing = scope.get(NARROWING_KEY, EXCLUDE_ALL)
    return narrowing


def _read_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the narrowing headers by name.

    Raises:
        NarrowingError: a header occurs more than once, or is probably misspelled.
    """
    headers: dict[str, str] = {}
    for field, value in raw:
        if not field.lower().startswith(HEADER_PREFIXES):
            continue
        given = field.decode("latin-1").lower()
        name = NARROWING_HEADERS.get(given)
        if name is None:
            _reject_misspelled(given)
            continue
        if name in headers:
            raise NarrowingError.of("hosting.repeated_header", name=name)
        headers[name] = value.decode("latin-1")
    return headers


def _reject_misspelled(given: str) -> None:
    names = {_normalize(name): header for name, header in NARROWING_HEADERS.items()}
    near = nearest_names(_normalize(given), names, 1, MIN_SIMILARITY)
    if near:
        raise NarrowingError(
            message("hosting.unknown_header", name=repr(given[:MAX_NAME_LENGTH])),
            message("hosting.nearest_header", name=names[near[0]]),
        )


def _normalize(name: str) -> str:
    return "".join(filter(str.isalnum, name)).removeprefix("xmcp")


def _narrowing_of_headers(headers: Mapping[str, str], names: ToolNames) -> Narrowing:
    toolsets, tools, excluded, read_only = (headers.get(name) for name in NARROWING_HEADERS.values())
    return Narrowing(
        None if toolsets is None else parse_toolsets(toolsets, TOOLSETS_HEADER),
        None if tools is None else names.resolve(tools, TOOLS_HEADER),
        frozenset() if excluded is None else names.resolve(excluded, EXCLUDE_HEADER),
        read_only is not None and parse_switch(read_only, READ_ONLY_HEADER),
    )


def _narrowing_of_path(scope: Scope) -> Narrowing:
    toolsets = scope["path_params"].get("toolsets")
    read_only = scope["path"].endswith(f"/{READ_ONLY_SEGMENT}")
    if toolsets is None and not read_only:
        return NO_NARROWING
    return Narrowing(None if toolsets is None else parse_toolsets(toolsets, "The path"), read_only=read_only)
