"""The pages of one list of the API. The next page is on its way while the last one is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import anyio

from saasus_mcp.common.language import Text

PageAnswer = tuple[Any, Text | None]
"""The API's answer, or None and the reason."""
PAGING_ARGUMENTS = frozenset({"cursor", "limit"})
PAGE_SIZE = 100
"""The largest page of the API's lists."""
PAGES_PER_CHECKPOINT = 10
"""A checkpoint takes about as long as a page. After a crash, only so many pages are read again."""
MAX_PAGES = 10_000
"""Of one list: a million items. Stops an API that keeps returning new cursors."""


class _RequestedPage:
    """The read of a page, in a task of its own. Its scope is cancelled, not its task, so that it still records its end."""

    def __init__(self, cursor: str, read: Awaitable[PageAnswer]) -> None:
        self.cursor = cursor
        self._scope = anyio.CancelScope()
        self._task = asyncio.create_task(self._run(read))
        # Its error is retrieved, also if nobody waits.
        self._task.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _run(self, read: Awaitable[PageAnswer]) -> PageAnswer:
        with self._scope:
            return await read
        return None, None  # cancelled, and nobody waits

    async def answer(self) -> PageAnswer:
        await asyncio.wait([self._task])
        return self._task.result()

    async def cancel(self) -> None:
        """Cancel the read, and wait for its end."""
        self._scope.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([self._task])


class PagedList:
    """Reads the pages of one list, each once.

    Args:
        fetch: reads a page by its arguments.
        query: the arguments of every page.
    """

    def __init__(self, fetch: Callable[[Mapping[str, Any]], Awaitable[PageAnswer]], query: Mapping[str, Any]) -> None:
        self._fetch = fetch
        self._query = {**query, "limit": PAGE_SIZE}
        self._begun = set[str]()
        self._next: _RequestedPage | None = None

    async def read_some(self, cursor: str, take: Callable[[Any], Any], count: int) -> list[list[Any]]:
        """Return for each page what `take` makes of it, the next cursor, and the reason if it cannot be read.

        It ends at the end of the list, at an error, at a cursor that came before, or after `count` pages.
        """
        pages: list[list[Any]] = []
        asked = set[str]()
        while len(pages) < count and cursor not in asked and (cursor or not pages):
            asked.add(cursor)
            answer, reason = await self._read(cursor)
            cursor = "" if reason else answer.get("cursor") or ""
            await self._begin(cursor)
            pages.append([None if reason else take(answer), cursor, asdict(reason) if reason else None])
        return pages

    async def close(self) -> None:
        """Cancel the read of a page that nobody waits for."""
        if self._next is not None:
            await self._next.cancel()

    async def _read(self, cursor: str) -> PageAnswer:
        if self._next is not None and self._next.cursor == cursor:
            answer = await self._next.answer()
            self._next = None
            return answer
        self._begun.add(cursor)
        return await self._page(cursor)

    async def _begin(self, cursor: str) -> None:
        """Send the request for the next page, if the list has one that was not read before."""
        if not cursor or cursor in self._begun or len(self._begun) == MAX_PAGES:
            return
        self._begun.add(cursor)
        self._next = _RequestedPage(cursor, self._page(cursor))
        await asyncio.sleep(0)

    async def _page(self, cursor: str) -> PageAnswer:
        return await self._fetch({**self._query, "cursor": cursor} if cursor else self._query)
