"""What an identity provider publishes, fetched within limits: it may be slow, huge, or send us elsewhere."""

from __future__ import annotations

import anyio
import httpx2

from saasus_mcp.common.fetch import ResponseTooLarge, read_limited

LARGEST = 256 * 1024


class Unreadable(ValueError):
    """What the provider answered is not what was asked for."""


async def fetched(url: str, seconds: float, transport: httpx2.AsyncBaseTransport | None = None) -> bytes:
    """The document at this address, which nothing leads elsewhere.

    Args:
        seconds: for all of it.
        transport: in place of the network.

    Raises:
        httpx2.HTTPError: there is no answer, or one that is no document.
        TimeoutError: it takes longer.
        Unreadable: it has more than `LARGEST` bytes.
    """
    with anyio.fail_after(seconds):
        async with (
            httpx2.AsyncClient(transport=transport, timeout=seconds, follow_redirects=False) as http,
            http.stream("GET", url, headers={"Accept": "application/json"}) as answer,
        ):
            answer.raise_for_status()
            try:
                return await read_limited(answer, LARGEST)
            except ResponseTooLarge:
                raise Unreadable from None
