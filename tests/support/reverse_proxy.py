"""A reverse proxy: it sends each request to the next server, whichever session it belongs to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from tests.support.processes import TIMEOUT
from tests.support.replicas import Replica, serve_app

HOP_BY_HOP = frozenset({"host", "connection", "transfer-encoding", "keep-alive", "content-length"})
BAD_GATEWAY = 502


@dataclass
class RoundRobin:
    """Forwards each request once. A request that breaks off before its answer begins is answered with 502.

    Like nginx, it reads no `/readyz`, and tries the next server where a connection is refused.
    """

    replicas: list[Replica]
    http: httpx2.AsyncClient
    turn: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
        self.turn += 1
        first = self.turn % len(self.replicas)
        for replica in (*self.replicas[first:], *self.replicas[:first]):
            outgoing = self.http.build_request(
                request.method, f"{replica.url}{request.url.path}", headers=headers, content=body
            )
            try:
                answer = await self.http.send(outgoing, stream=True)
            except httpx2.ConnectError:  # nothing was sent: another may take it
                continue
            except httpx2.TransportError:
                break
            return await self._pass_on(answer, send)
        await send({"type": "http.response.start", "status": BAD_GATEWAY, "headers": []})
        await send({"type": "http.response.body"})
        return None

    async def _pass_on(self, answer: httpx2.Response, send: Send) -> None:
        headers = [(name, value) for name, value in answer.headers.raw if name.decode().lower() not in HOP_BY_HOP]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        try:
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        except httpx2.TransportError:
            return None  # the client sees it break off
        finally:
            await answer.aclose()
        return await send({"type": "http.response.body"})


@asynccontextmanager
async def start_proxy(replicas: list[Replica]) -> AsyncIterator[str]:
    """Start a proxy before these servers. Return its URL."""
    limits = httpx2.Limits(max_connections=None)
    async with (
        httpx2.AsyncClient(timeout=TIMEOUT, limits=limits, follow_redirects=False) as http,
        serve_app(RoundRobin(replicas, http)) as url,
    ):
        yield url
