"""The one app: what is served at which path, and what a request passes on its way there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from mcp.server.lowlevel import Server
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from saasus_mcp.hosting import narrowing
from saasus_mcp.hosting.challenge import Challenge
from saasus_mcp.hosting.frontier import LOOPBACK_ORIGIN, Allowed, Frontier
from saasus_mcp.hosting.guard import Guard, caller_of
from saasus_mcp.hosting.health import Health
from saasus_mcp.hosting.identity import Authenticator, Caller, checks_of
from saasus_mcp.hosting.metrics import Metrics
from saasus_mcp.hosting.profiles import Served
from saasus_mcp.hosting.sessions import Sessions
from saasus_mcp.hosting.shares import Limits
from saasus_mcp.hosting.sockets import Sockets, sockets_for
from saasus_mcp.hosting.traffic import Traffic
from saasus_mcp.hosting.transports import Entrance, Kind, Transports
from saasus_mcp.permissions.narrowing import EVERYTHING, Narrowing
from saasus_mcp.permissions.policy import Principal
from saasus_mcp.server.asking import Context
from saasus_mcp.server.mcp import Who
from saasus_mcp.settings import Http

Serve = Callable[[Served, Who], Server[Any]]
EXPOSED = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After")
"""Headers of answers that a page in a browser may read."""


@dataclass(frozen=True, slots=True)
class Hosted:
    """The app, its traffic, which is drained before it stops, and the sockets that it may have open."""

    app: ASGIApp
    traffic: Traffic
    sockets: Sockets


def build(
    http: Http,
    served: Mapping[str, Served],
    serve: Serve,
    known: Authenticator | Caller,
    metrics: Metrics,
    *,
    narrowed_to: Narrowing = EVERYTHING,
    policy_sound: Callable[[], bool] = lambda: True,
    extra: Sequence[BaseRoute] = (),
) -> Hosted:
    """The app for these profiles.

    Args:
        serve: makes the MCP server of a profile.
        known: says whom a token names; or, where none is asked for, who everybody is.
        narrowed_to: the narrowing of every connection; its own comes on top.
        policy_sound: whether the policy in force is what its file says now.
        extra: further routes, which look after their own visitors: the console.

    Raises:
        SettingsError: a profile has a name that is a part of a narrowing path.
    """
    narrowing.require_unreserved(served)
    limits = Limits.of(http.table, shared=http.authenticated)
    sessions = Sessions(http.table.sessions_per_caller)
    transports = {
        name: Transports(serve(each, _principal), name, http.table.body_limit, sessions)
        for name, each in served.items()
    }
    jwt = http.jwt
    challenge = Challenge(http.public_url, jwt.issuer, jwt.scopes) if jwt else Challenge(http.public_url)
    allowed = Allowed.of(http.public_url, http.table.allowed_hosts, http.table.allowed_origins)
    health = Health(
        served,
        metrics,
        checks=checks_of(known),
        policy_sound=policy_sound,
        draining=lambda: traffic.draining,
        capacity=lambda: not traffic.exhausted and not sessions.full,
    )

    requests = narrowing.Requests((each.pipeline.catalogue for each in served.values()), narrowed_to)

    def entrance(kind: Kind) -> ASGIApp:
        return _for_pages(Guard(Entrance(kind, served, transports, requests), known, challenge), allowed)

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as until_the_end:
            for each in transports.values():
                await until_the_end.enter_async_context(each.run())
            yield

    routes: list[BaseRoute] = [
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        _metrics_route(http, health, known, challenge),
        *(Route(each.path, _for_pages(each.app, allowed)) for each in challenge.routes()),
        *_routes(entrance),
        *extra,
    ]
    inner = Starlette(routes=routes, lifespan=running)
    inner.router.redirect_slashes = False  # a redirect would name the address that a proxy sees
    traffic = Traffic(inner, limits, metrics)
    secure = http.public_url.startswith("https:")
    return Hosted(
        Frontier(traffic, allowed, lambda status: metrics.responses.count(str(status)), secure=secure),
        traffic,
        Sockets(sockets_for(limits)),
    )


def alone(http: Http, routes: Sequence[BaseRoute]) -> Hosted:
    """An app of these routes and nothing else, behind the same frontier: the console of a laptop."""
    inner = Starlette(routes=list(routes))
    inner.router.redirect_slashes = False
    limits = Limits.of(http.table, shared=False)
    traffic = Traffic(inner, limits, Metrics())
    allowed = Allowed.of(http.public_url, frozenset(), frozenset())
    return Hosted(Frontier(traffic, allowed, lambda _: None, secure=False), traffic, Sockets(sockets_for(limits)))


def _routes(entrance: Callable[[Kind], ASGIApp]) -> list[Route]:
    """The paths of MCP. Without a profile they go to the only one that the caller may use. Narrowing ones come first."""
    streamable, sse, messages = entrance("streamable"), entrance("sse"), entrance("messages")
    paths = {
        "/mcp": streamable,
        "/mcp/": streamable,
        **dict.fromkeys(narrowing.paths("/mcp"), streamable),
        "/mcp/{profile}": streamable,
        **dict.fromkeys(narrowing.paths("/mcp/{profile}"), streamable),
        "/sse": sse,
        **dict.fromkeys(narrowing.paths("/sse"), sse),
        "/sse/{profile}": sse,
        **dict.fromkeys(narrowing.paths("/sse/{profile}"), sse),
        "/messages/{profile}/": messages,
    }
    return [Route(path, endpoint) for path, endpoint in paths.items()]


def _metrics_route(http: Http, health: Health, known: Authenticator | Caller, challenge: Challenge) -> Route:
    """Where the numbers are: for approvers, of the profiles that they may decide on, or for anybody where that is set."""
    if http.table.metrics:
        return Route("/metrics", health.metrics)
    return Route("/metrics", Guard(Route("/metrics", health.metrics_of).app, known, challenge, ("approver",)))


def _for_pages(app: ASGIApp, allowed: Allowed) -> ASGIApp:
    """For browsers: pages of the allowed origins may read the answers. They never send cookies."""
    return CORSMiddleware(
        app,
        allow_origins=sorted(allowed.origins),
        allow_origin_regex=LOOPBACK_ORIGIN,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),
        expose_headers=EXPOSED,
    )


def _principal(context: Context) -> Principal:
    """Return who a request comes from, narrowed as the request and its session ask for."""
    principal, narrowed = caller_of(context).principal, narrowing.of_context(context)
    return principal if narrowed == EVERYTHING else replace(principal, narrowing=narrowed)
