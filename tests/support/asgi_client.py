"""A request to an app as the HTTP server makes it: the body in one part."""

from __future__ import annotations

from collections.abc import Iterable

import anyio
from starlette.types import ASGIApp, Message, Scope


async def post(app: ASGIApp, headers: Iterable[tuple[str, str]], content: bytes) -> list[Message]:
    """Send a request to `/mcp`, and return the parts of its response."""
    given, sent, never = [content], list[Message](), anyio.Event()

    async def receive() -> Message:
        if not given:
            await never.wait()
        return {"type": "http.request", "body": given.pop(), "more_body": False}

    async def send(part: Message) -> None:
        sent.append(part)

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "root_path": "",
        "state": {},
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
    }
    await app(scope, receive, send)
    return sent
