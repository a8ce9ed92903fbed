"""Requests to an identity provider, bounded in time and size, without redirects."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import httpx2

from saasus_mcp.common.fetch import read_limited

MAX_DOCUMENT_BYTES = 256 * 1024


class InvalidProviderDocument(ValueError):
    """The provider's answer is not the expected document."""


async def request_document(
    url: str,
    seconds: float,
    transport: httpx2.AsyncBaseTransport | None = None,
    *,
    form: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
) -> bytes:
    """Return the document at a URL, or the answer to a form that is posted there.

    Args:
        seconds: the time limit of the whole request.
        transport: replaces the network in tests.
        auth: user and password for basic authentication.

    Raises:
        httpx2.HTTPError: the provider does not answer, or not with success.
        TimeoutError: the request takes too long.
        ResponseTooLarge: the document is larger than `MAX_DOCUMENT_BYTES`.
    """
    method = "GET" if form is None else "POST"
    with anyio.fail_after(seconds):
        async with (
            httpx2.AsyncClient(transport=transport, timeout=seconds, follow_redirects=False, auth=auth) as http,
            http.stream(method, url, headers={"Accept": "application/json"}, data=form) as answer,
        ):
            answer.raise_for_status()
            return await read_limited(answer, MAX_DOCUMENT_BYTES)
