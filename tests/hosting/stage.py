"""A hosted server for tests: profiles before a stub of the API, asked in memory or on a port of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx2
from anyio.abc import SocketStream
from mcp import Client as McpClient
from mcp import types
from mcp.client.context import ClientRequestContext
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Scope

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting import serving
from saasus_mcp.hosting.app import Hosted, build
from saasus_mcp.hosting.identity import Authenticator, Caller
from saasus_mcp.hosting.metrics import Counting, Metrics
from saasus_mcp.hosting.profiles import Served
from saasus_mcp.permissions.policy import PRESETS, CasePolicy, Principal
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.saasus.client import Client
from saasus_mcp.server import mcp
from saasus_mcp.server.fair_queue import FairQueue
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.settings import Http, JwtTable
from saasus_mcp.settings.hosting import AuthTable, HttpTable, settled
from saasus_mcp.store import Store
from tests.cli.running import PATIENCE
from tests.hosting.provider import ISSUER
from tests.support import CREDENTIALS, ERAS, Answering, StubApi

if TYPE_CHECKING:
    import socket

    import uvicorn

PUBLIC = "https://mcp.example.com"
MCP = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
Way = Literal["legacy", "2026-07-28", "sse"]
WAYS: tuple[Way, ...] = (*ERAS, "sse")
OWNER = Caller(Principal("local:owner"), "caller", everywhere=True)


def caller(name: str, *groups: str, **given: Any) -> Caller:
    return Caller(Principal(f"token:{name}", frozenset(groups)), **{"role": "caller", "client_id": name, **given})


@dataclass
class Known:
    """Believes the tokens that a test says, and whom they name."""

    callers: dict[str, Caller] = field(default_factory=lambda: {"alice-token": caller("alice", "support")})

    async def authenticate(self, token: str) -> Caller | None:
        return self.callers.get(token)


@dataclass
class Stage:
    """A hosted server and what it stands before."""

    http: Http
    hosted: Hosted
    metrics: Metrics
    apis: Mapping[str, StubApi]
    served: Mapping[str, Served]

    @property
    def app(self) -> ASGIApp:
        return self.hosted.app

    @asynccontextmanager
    async def asked(
        self,
        token: str | None = "alice-token",  # noqa: S107 - made up
        **headers: str,
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A client that asks in memory; every answer is read whole."""
        given = {**MCP, **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        async with (
            _started(self.app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=PUBLIC, headers=given) as client,
        ):
            yield client

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        """On a port of this machine, until the end; gives its URL."""
        with serving.listening("127.0.0.1", 0) as listener:
            server = serving.server(self.hosted)
            async with running(server, listener) as url:
                yield url


@asynccontextmanager
async def running(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[str]:
    """A server until the end; gives its URL."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True


def stage(
    catalogue: Catalogue,
    profiles: Mapping[str, Iterable[str]] = {"default": "*"},
    known: Authenticator | Caller | None = None,
    policy: CasePolicy = PRESETS["guarded"],
    jwt: JwtTable | None = None,
    extra: Iterable[BaseRoute] = (),
    through: Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport] = lambda transport: transport,
    **table: Any,
) -> Stage:
    """A server for these profiles and their groups. It believes `known`, or else Alice.

    Args:
        through: what stands between it and the stub.
    """
    http = settled(HttpTable.model_validate(table), AuthTable(jwt=jwt), None, None, PUBLIC)
    metrics, apis, served = Metrics(), {}, {}
    for name, groups in profiles.items():
        apis[name] = StubApi(catalogue)
        transport = through(apis[name].transport())
        served[name] = Served(_pipeline(apis[name], transport, name, policy, metrics, http), frozenset(groups))
    hosted = build(
        http,
        served,
        lambda one, who: mcp.build(one.pipeline, who, "en"),
        known or Known(),
        metrics,
        extra=tuple(extra),
    )
    return Stage(http, hosted, metrics, apis, served)


def provider_table(**given: Any) -> JwtTable:
    return JwtTable(issuer=ISSUER, jwks_url=f"{ISSUER}/keys", **given)


def _pipeline(
    api: StubApi,
    transport: httpx2.AsyncBaseTransport,
    profile: str,
    policy: CasePolicy,
    metrics: Metrics,
    http: Http,
) -> Pipeline:
    store = Store.in_memory()
    return Pipeline(
        catalogue=api.catalogue,
        policy=policy,
        client=Client(CREDENTIALS, transport=transport),
        store=lambda: store,
        sealer=Sealer.ephemeral(),
        place=Place(profile, CREDENTIALS.saas_id),
        watch=Counting(metrics, profile, api.catalogue),
        calls=FairQueue(each=http.table.calls_per_caller),
    )


@asynccontextmanager
async def _started(app: ASGIApp) -> AsyncIterator[None]:
    """The app's lifespan, as a server runs it."""
    to_app, from_test = anyio.create_memory_object_stream[Any](2)
    to_test, from_app = anyio.create_memory_object_stream[Any](2)
    async with to_app, from_test, to_test, from_app, anyio.create_task_group() as running:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0"}}

        async def live() -> None:
            await app(scope, from_test.receive, to_test.send)

        running.start_soon(live)
        await to_app.send({"type": "lifespan.startup"})
        assert (await from_app.receive())["type"] == "lifespan.startup.complete"
        yield
        await to_app.send({"type": "lifespan.shutdown"})
        assert (await from_app.receive())["type"] == "lifespan.shutdown.complete"


@asynccontextmanager
async def connected(
    url: str,
    way: Way,
    token: str | None = "alice-token",  # noqa: S107 - made up
    answering: Answering | None = None,
    path: str = "",
    narrowing: Mapping[str, str] = {},
) -> AsyncIterator[McpClient]:
    """The SDK's own client at a hosted server; `path` names a profile, `narrowing` has further headers."""

    async def elicited(context: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:  # noqa: ARG001
        assert answering is not None
        assert isinstance(params, types.ElicitRequestFormParams)
        return answering(params)

    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **narrowing}
    async with AsyncExitStack() as until:
        if way == "sse":
            transport: Any = sse_client(f"{url}/sse{path}", headers)
        else:
            http = await until.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=PATIENCE))
            transport = streamable_http_client(f"{url}/mcp{path}", http_client=http)
        callback = elicited if answering else None
        mode = "legacy" if way == "sse" else way
        yield await until.enter_async_context(McpClient(transport, mode=mode, elicitation_callback=callback))


def said(answer: httpx2.Response) -> str:
    """The words of a refusal."""
    return str(answer.json()["error"]["message"])


async def dialled(url: str) -> SocketStream:
    """A bare connection."""
    return await anyio.connect_tcp("127.0.0.1", int(url.rsplit(":", 1)[1]))
