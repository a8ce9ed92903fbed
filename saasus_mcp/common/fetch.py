"""Read HTTP responses within a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2


class ResponseTooLarge(ValueError):
    """The body of a response is larger than the limit."""


async def read_limited(response: httpx2.Response, limit: int) -> bytes:
    """Return the body of a streamed response.

    Raises:
        ResponseTooLarge: the body has more than `limit` bytes. The rest was not read.
    """
    # httpx2's own iterator takes fifty function calls, for bytes that are not encoded too.
    is_encoded = "Content-Encoding" in response.headers
    chunks: Any = response.aiter_bytes() if is_encoded else response.stream
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > limit:
            raise ResponseTooLarge
    return bytes(body)
