"""Read HTTP responses within a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


class ResponseTooLarge(ValueError):
    """The body of a response is larger than the limit."""


async def read_limited(response: httpx2.Response, limit: int) -> bytes:
    """Return the body of a streamed response.

    Raises:
        ResponseTooLarge: the body has more than `limit` bytes. The rest was not read.
    """
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise ResponseTooLarge
    return bytes(body)
