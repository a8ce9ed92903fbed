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
from saasus_mcp.permissions.policy.narrowing import EXCLUDE_ALL, NO_NARROWING, Narrowing
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.surface.narrowing import NarrowingError, ToolNames, parse_switch, parse_toolsets
from saasus_mcp.settings import SettingsError

NARROWING_KEY = "saasus_mcp.narrowing"
"""In the scope of a request: its own narrowing."""
TOOLSETS_HEADER, TOOLS_HEADER, EXCLUDE_HEADER, READ_ONLY_HEADER = (
    "X-MCP-Toolsets",
    "X-MCP-Tools",
    "X-MCP-Exclude-Tools",
    "X-MCP-Readonly",
)
NARROWING_HEADERS: Mapping[str, str] = {
    name.lower(): name for name in (TOOLSETS_HEADER, TOOLS_HEADER, EXCLUDE_HEADER, READ_ONLY_HEADER)
}
HEADER_PREFIXES = (b"x-mcp", b"x_mcp", b"xmcp")
MAX_NAME_LENGTH = 40
ENDPOINT_PATTERN = re.compile(rb"session_id=([0-9a-f]{32})")
"""The first event of an SSE connection: where its messages go."""
MIN_SIMILARITY = 0.8
"""Of 1: how alike a header's name must be to one of ours to be taken for a misspelling of it (difflib's ratio)."""
READ_ONLY_SEGMENT = "readonly"
RESERVED_SEGMENTS = frozenset({READ_ONLY_SEGMENT, "x"})
"""Segments of a narrowing path, which no profile that is served over HTTP can have as its name."""
PATH_SUFFIXES = ("/readonly", "/x/{toolsets}", "/x/{toolsets}/readonly")


def narrowed_paths(base: str) -> tuple[str, ...]:
    """Return the routes that narrow what is at a path."""
    return tuple(base + suffix for suffix in PATH_SUFFIXES)


def strip_narrowing(path: str) -> str:
    """Return the path of the same resource without a narrowing: what its clients' tokens are issued for."""
    path = path.removesuffix(f"/{READ_ONLY_SEGMENT}")
    head, _, last = path.rpartition("/")
    return head.removesuffix("/x") if head.endswith("/x") and last else path


def check_profile_names(profiles: Iterable[str]) -> None:
    """See that no narrowing path is the path of a profile, which would then be served without the narrowing.

    Raises:
        SettingsError: a profile has such a name.
    """
    taken = sorted(RESERVED_SEGMENTS.intersection(profiles))
    if taken:
        raise SettingsError(
            f"A profile served over HTTP cannot be named {taken[0]!r}: /mcp/readonly and /mcp/x/TOOLSET are reserved for narrowed connections.",
            "Rename the profile in config.toml.",
        )


class NarrowingReader:
    """Reads the narrowing of each request.

    Args:
        catalogues: of the profiles that are served; they are alike.
        under: the narrowing of the whole server.
    """

    def __init__(self, catalogues: Iterable[Catalogue], under: Narrowing) -> None:
        self._names = [ToolNames(catalogue) for catalogue in islice(catalogues, 1)]
        self._under = under

    def read(self, scope: Scope) -> Narrowing:
        """Return what the server, the headers and the path of a request leave together.

        Raises:
            NarrowingError: one of them cannot be read. Whoever asks for a narrowing never gets more for a mistake in it.
        """
        given = _headers(scope["headers"])
        asked = [_of_headers(given, names) for names in self._names] if given else []
        return reduce(and_, asked, self._under & _of_path(scope))


class SseNarrowings:
    """The narrowings of open SSE connections: what a message may do is bounded by the request that opened its connection."""

    def __init__(self) -> None:
        self._open: dict[str, Narrowing] = {}

    @contextmanager
    def track_connection(self, scope: Scope, send: Send) -> Iterator[Send]:
        """Remember the narrowing of a connection for as long as it is open.

        Gives the way of its answer to the client, on which the connection's id is told before any other can know it.
        """
        opened: list[str] = []

        async def noting(message: Message) -> None:
            told = ENDPOINT_PATTERN.search(message.get("body", b"")) if not opened else None
            if told:
                opened.append(told[1].decode())
                self._open[opened[0]] = scope[NARROWING_KEY]
            await send(message)

        try:
            yield noting
        finally:
            for identifier in opened:
                del self._open[identifier]

    def narrow_message(self, scope: Scope) -> Scope:
        """Return a message's request with its own narrowing and that of its connection; of an unknown one, nothing is left."""
        try:
            identifier = UUID(hex=QueryParams(scope["query_string"]).get("session_id", "")).hex
        except ValueError:
            identifier = ""
        return {**scope, NARROWING_KEY: self._open.get(identifier, EXCLUDE_ALL) & scope[NARROWING_KEY]}


def narrowing_of_context(context: Context) -> Narrowing:
    """Return the narrowing that holds for a request of MCP: its own and, where it belongs to a session, that of the session.

    A session's is that of its first request, `initialize`: it stays for as long as the session does.
    """
    scope: Scope = context.request.scope if context.request is not None else {}
    own: Narrowing = scope.get(NARROWING_KEY, EXCLUDE_ALL)
    state: dict[str, Any] = context.session._connection.state  # noqa: SLF001 - the SDK has no public way to it
    first: Narrowing = state.setdefault(NARROWING_KEY, own)
    return first & own


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return our headers by name.

    Raises:
        NarrowingError: one is given more than once, or one is nearly called like one of ours.
    """
    found: dict[str, str] = {}
    for field, value in raw:
        if not field.lower().startswith(HEADER_PREFIXES):
            continue
        given = field.decode("latin-1").lower()
        name = NARROWING_HEADERS.get(given)
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
    plain = {_plain(name): header for name, header in NARROWING_HEADERS.items()}
    near = get_close_matches(_plain(given)[:MAX_NAME_LENGTH], plain, 1, MIN_SIMILARITY)
    if near:
        raise NarrowingError(f"Unknown header {given[:MAX_NAME_LENGTH]!r}.", f"Nearest: {plain[near[0]]}.")


def _plain(name: str) -> str:
    """The part of a header's name by which it is compared."""
    return "".join(filter(str.isalnum, name)).removeprefix("xmcp")


def _of_headers(given: Mapping[str, str], names: ToolNames) -> Narrowing:
    return Narrowing(
        parse_toolsets(given[TOOLSETS_HEADER], TOOLSETS_HEADER) if TOOLSETS_HEADER in given else None,
        names.resolve(given[TOOLS_HEADER], TOOLS_HEADER) if TOOLS_HEADER in given else None,
        names.resolve(given[EXCLUDE_HEADER], EXCLUDE_HEADER) if EXCLUDE_HEADER in given else frozenset(),
        READ_ONLY_HEADER in given and parse_switch(given[READ_ONLY_HEADER], READ_ONLY_HEADER),
    )


def _of_path(scope: Scope) -> Narrowing:
    listed = scope["path_params"].get("toolsets")
    read_only = scope["path"].endswith(f"/{READ_ONLY_SEGMENT}")
    if listed is None and not read_only:
        return NO_NARROWING
    return Narrowing(None if listed is None else parse_toolsets(listed, "The path"), read_only=read_only)
