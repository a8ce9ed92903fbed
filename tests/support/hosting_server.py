"""A hosted server: profiles before a stub of the API, called in memory or on a port of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import anyio
import httpx2
from anyio.abc import SocketStream
from mcp import Client as McpClient
from mcp.client import advertise
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Scope

from saasus_mcp.catalog import Catalogue
from saasus_mcp.hosting.auth.authentication import Authenticator, Caller
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.http import uvicorn_server
from saasus_mcp.hosting.http.application import HostedApp, build_app
from saasus_mcp.hosting.metrics import Metrics, MetricsObserver
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.server import mcp_server
from saasus_mcp.server.apps.extension import APP_MIME_TYPE, EXTENSION_ID
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.scheduling.fair_queue import FairQueue
from saasus_mcp.settings.hosting import AuthTable, HttpSettings, HttpTable, JwtTable, resolve_http_settings
from saasus_mcp.store.store import Store
from tests.support.jwt_issuer import ISSUER
from tests.support.pipeline import CREDENTIALS, ERAS, Responder, StubApi, elicitation_callback
from tests.support.processes import TIMEOUT

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
Transport = Literal["legacy", "2026-07-28", "sse"]
TRANSPORTS: tuple[Transport, ...] = (*ERAS, "sse")
OWNER_ROLE = Caller(Principal("local:owner"), "caller", is_owner=True)


def build_caller(name: str, *groups: str, **given: Any) -> Caller:
    return Caller(Principal(f"token:{name}", frozenset(groups)), **{"role": "caller", "client_id": name, **given})


@dataclass
class StaticAuthenticator:
    """Accepts the tokens of the test."""

    callers: dict[str, Caller] = field(default_factory=lambda: {"alice-token": build_caller("alice", "support")})

    async def authenticate(self, token: str) -> Caller | None:
        return self.callers.get(token)


@dataclass
class HostingServer:
    """A hosted server with its stubs of the API."""

    http: HttpSettings
    hosted: HostedApp
    metrics: Metrics
    apis: Mapping[str, StubApi]
    served: Mapping[str, ServedProfile]

    @property
    def app(self) -> ASGIApp:
        return self.hosted.app

    @asynccontextmanager
    async def client(
        self,
        token: str | None = "alice-token",  # noqa: S107 - made up
        **headers: str,
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """Open a client that calls the server in memory and reads every answer to its end."""
        given = {**MCP, **({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        async with (
            _started(self.app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=PUBLIC, headers=given) as client,
        ):
            yield client

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[str]:
        """Serve on a port of this machine until the block ends. Return the URL."""
        with uvicorn_server.open_listener("127.0.0.1", 0) as listener:
            server = uvicorn_server.create_server(self.hosted)
            async with run_server(server, listener) as url:
                yield url


@asynccontextmanager
async def run_server(server: uvicorn.Server, listener: socket.socket) -> AsyncIterator[str]:
    """Run a server until the block ends. Return the URL."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True


def build_server(
    catalogue: Catalogue,
    profiles: Mapping[str, Iterable[str]] = {"default": "*"},
    known: Authenticator | Caller | None = None,
    policy: Policy = PRESETS["guarded"],
    jwt: JwtTable | None = None,
    extra: Iterable[BaseRoute] = (),
    through: Callable[[httpx2.AsyncBaseTransport], httpx2.AsyncBaseTransport] = lambda transport: transport,
    replica_of: HostingServer | None = None,
    **table: Any,
) -> HostingServer:
    """Build a server for these profiles and their groups. By default it knows the token of alice only.

    Args:
        through: wraps the transport to the stub.
        replica_of: a server whose stubs, stores and key this one shares.
    """
    http = resolve_http_settings(HttpTable.model_validate(table), AuthTable(jwt=jwt), public_url=PUBLIC)
    metrics, apis, served = Metrics(), {}, {}
    for name, groups in profiles.items():
        twin = replica_of.served[name].pipeline if replica_of else None
        apis[name] = replica_of.apis[name] if replica_of else StubApi(catalogue)
        transport = through(apis[name].transport())
        pipeline = _pipeline(apis[name], transport, name, policy, metrics, http, twin)
        served[name] = ServedProfile(pipeline, frozenset(groups))
    hosted = build_app(
        http,
        served,
        lambda one, who: mcp_server.build_server(one.pipeline, who, "en"),
        known or StaticAuthenticator(),
        metrics=metrics,
        extra_routes=tuple(extra),
    )
    return HostingServer(http, hosted, metrics, apis, served)


def provider_table(**given: Any) -> JwtTable:
    return JwtTable(issuer=ISSUER, jwks_url=f"{ISSUER}/keys", **given)


def _pipeline(
    api: StubApi,
    transport: httpx2.AsyncBaseTransport,
    profile: str,
    policy: Policy,
    metrics: Metrics,
    http: HttpSettings,
    twin: Pipeline | None,
) -> Pipeline:
    store = twin.store if twin else Store.in_memory()
    return Pipeline(
        catalogue=api.catalogue,
        policy=policy,
        client=ApiClient(CREDENTIALS, transport=transport),
        open_store=lambda: store,
        encryptor=twin.encryptor if twin else Encryptor.ephemeral(),
        destination=Destination(profile, CREDENTIALS.saas_id),
        observer=MetricsObserver(metrics, profile, api.catalogue),
        call_queue=FairQueue(per_principal=http.table.calls_per_caller),
    )


@asynccontextmanager
async def _started(app: ASGIApp) -> AsyncIterator[None]:
    """Run the lifespan of the app, as a server does."""
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
async def connect_client(
    url: str,
    way: Transport,
    token: str | None = "alice-token",  # noqa: S107 - made up
    answering: Responder | None = None,
    path: str = "",
    narrowing: Mapping[str, str] = {},
    *,
    apps: bool = False,
) -> AsyncIterator[McpClient]:
    """Connect the SDK's client to a hosted server.

    Args:
        path: names a profile.
        narrowing: headers that narrow the connection.
        apps: whether the client declares that it shows apps.
    """
    headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **narrowing}
    async with AsyncExitStack() as until:
        if way == "sse":
            transport: Any = sse_client(f"{url}/sse{path}", headers)
        else:
            http = await until.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=TIMEOUT))
            transport = streamable_http_client(f"{url}/mcp{path}", http_client=http)
        callback = elicitation_callback(answering) if answering else None
        mode = "legacy" if way == "sse" else way
        extensions = [advertise(EXTENSION_ID, {"mimeTypes": [APP_MIME_TYPE]})] if apps else None
        client = McpClient(transport, mode=mode, elicitation_callback=callback, extensions=extensions)
        yield await until.enter_async_context(client)


def error_message(answer: httpx2.Response) -> str:
    """Return the message of a refusal."""
    return str(answer.json()["error"]["message"])


async def open_socket(url: str) -> SocketStream:
    """Open a bare connection."""
    return await anyio.connect_tcp("127.0.0.1", int(url.rsplit(":", 1)[1]))
