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

from saasus_mcp.hosting import request_narrowing
from saasus_mcp.hosting.auth.auth_middleware import AuthMiddleware, caller_of_context
from saasus_mcp.hosting.auth.authentication import Authenticator, Caller, health_checks_of
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.auth.protected_resource import ProtectedResource
from saasus_mcp.hosting.http.health import HealthEndpoints
from saasus_mcp.hosting.http.mcp_transports import ProfileRouter, ProfileTransports, TransportKind
from saasus_mcp.hosting.http.security_middleware import LOOPBACK_ORIGIN_PATTERN, Allowlist, SecurityMiddleware
from saasus_mcp.hosting.limits.concurrency import ConcurrencyLimiter
from saasus_mcp.hosting.limits.connections import ConnectionTracker, connections_needed
from saasus_mcp.hosting.limits.request_pool import PoolLimits
from saasus_mcp.hosting.limits.session_limit import SessionLimiter
from saasus_mcp.hosting.metrics import Metrics
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.permissions.policy.presets import Principal
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.mcp_server import ResolvePrincipal
from saasus_mcp.settings import HttpSettings

ServerFactory = Callable[[ServedProfile, ResolvePrincipal], Server[Any]]
EXPOSED_HEADERS = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After")
"""Headers of answers that a page in a browser may read."""


@dataclass(frozen=True, slots=True)
class HostedApp:
    """The app, its traffic, which is drained before it stops, and the sockets that it may have open."""

    app: ASGIApp
    limiter: ConcurrencyLimiter
    connections: ConnectionTracker


def build_app(
    http: HttpSettings,
    profiles: Mapping[str, ServedProfile],
    create_server: ServerFactory,
    authenticator: Authenticator | Caller,
    metrics: Metrics,
    *,
    narrowing: Narrowing = NO_NARROWING,
    is_policy_current: Callable[[], bool] = lambda: True,
    extra_routes: Sequence[BaseRoute] = (),
) -> HostedApp:
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
    request_narrowing.check_profile_names(profiles)
    limits = PoolLimits.from_settings(http.table, shared=http.authenticated)
    sessions = SessionLimiter(http.table.sessions_per_caller)
    transports = {
        name: ProfileTransports(create_server(each, _principal), name, http.table.body_limit, sessions)
        for name, each in profiles.items()
    }
    jwt = http.jwt
    challenge = (
        ProtectedResource(http.public_url, jwt.issuer, jwt.scopes) if jwt else ProtectedResource(http.public_url)
    )
    allowed = Allowlist.from_settings(http.public_url, http.table.allowed_hosts, http.table.allowed_origins)
    health = HealthEndpoints(
        profiles,
        metrics,
        checks=health_checks_of(authenticator),
        is_policy_current=is_policy_current,
        is_draining=lambda: traffic.draining,
        has_capacity=lambda: not traffic.exhausted and not sessions.full,
    )

    requests = request_narrowing.NarrowingReader((each.pipeline.catalogue for each in profiles.values()), narrowing)

    def entrance(kind: TransportKind) -> ASGIApp:
        return _for_pages(
            AuthMiddleware(ProfileRouter(kind, profiles, transports, requests), authenticator, challenge), allowed
        )

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as until_the_end:
            for each in transports.values():
                await until_the_end.enter_async_context(each.run())
            yield

    routes: list[BaseRoute] = [
        Route("/healthz", health.liveness),
        Route("/readyz", health.readiness),
        _metrics_route(http, health, authenticator, challenge),
        *(Route(each.path, _for_pages(each.app, allowed)) for each in challenge.routes()),
        *_routes(entrance),
        *extra_routes,
    ]
    inner = Starlette(routes=routes, lifespan=running)
    inner.router.redirect_slashes = False  # a redirect would name the address that a proxy sees
    traffic = ConcurrencyLimiter(inner, limits, metrics)
    secure = http.public_url.startswith("https:")
    return HostedApp(
        SecurityMiddleware(traffic, allowed, lambda status: metrics.responses.count(str(status)), secure=secure),
        traffic,
        ConnectionTracker(connections_needed(limits)),
    )


def build_console_app(http: HttpSettings, routes: Sequence[BaseRoute]) -> HostedApp:
    """An app of these routes and nothing else, behind the same frontier: the console of a laptop."""
    inner = Starlette(routes=list(routes))
    inner.router.redirect_slashes = False
    limits = PoolLimits.from_settings(http.table, shared=False)
    traffic = ConcurrencyLimiter(inner, limits, Metrics())
    allowed = Allowlist.from_settings(http.public_url, frozenset(), frozenset())
    return HostedApp(
        SecurityMiddleware(traffic, allowed, lambda _: None, secure=False),
        traffic,
        ConnectionTracker(connections_needed(limits)),
    )


def _routes(entrance: Callable[[TransportKind], ASGIApp]) -> list[Route]:
    """The paths of MCP. Without a profile they go to the only one that the caller may use. Narrowing ones come first."""
    streamable, sse, messages = entrance("streamable"), entrance("sse"), entrance("messages")
    paths = {
        "/mcp": streamable,
        "/mcp/": streamable,
        **dict.fromkeys(request_narrowing.narrowed_paths("/mcp"), streamable),
        "/mcp/{profile}": streamable,
        **dict.fromkeys(request_narrowing.narrowed_paths("/mcp/{profile}"), streamable),
        "/sse": sse,
        **dict.fromkeys(request_narrowing.narrowed_paths("/sse"), sse),
        "/sse/{profile}": sse,
        **dict.fromkeys(request_narrowing.narrowed_paths("/sse/{profile}"), sse),
        "/messages/{profile}/": messages,
    }
    return [Route(path, endpoint) for path, endpoint in paths.items()]


def _metrics_route(
    http: HttpSettings, health: HealthEndpoints, known: Authenticator | Caller, challenge: ProtectedResource
) -> Route:
    """Where the numbers are: for approvers, of the profiles that they may decide on, or for anybody where that is set."""
    if http.table.metrics:
        return Route("/metrics", health.all_metrics)
    return Route(
        "/metrics", AuthMiddleware(Route("/metrics", health.metrics_for_approver).app, known, challenge, ("approver",))
    )


def _for_pages(app: ASGIApp, allowed: Allowlist) -> ASGIApp:
    """For browsers: pages of the allowed origins may read the answers. They never send cookies."""
    return CORSMiddleware(
        app,
        allow_origins=sorted(allowed.origins),
        allow_origin_regex=LOOPBACK_ORIGIN_PATTERN,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),
        expose_headers=EXPOSED_HEADERS,
    )


def _principal(context: Context) -> Principal:
    """Return who a request comes from, narrowed as the request and its session ask for."""
    principal, narrowed = caller_of_context(context).principal, request_narrowing.narrowing_of_context(context)
    return principal if narrowed == NO_NARROWING else replace(principal, narrowing=narrowed)
