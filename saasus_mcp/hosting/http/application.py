"""The ASGI app: the routes, and the middleware that a request passes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from mcp.server.lowlevel import Server
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from saasus_mcp.hosting import request_narrowing
from saasus_mcp.hosting.auth.auth_middleware import AuthMiddleware, caller_of_context
from saasus_mcp.hosting.auth.authentication import Authenticator, Caller, health_checks_of
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.auth.protected_resource import ProtectedResource
from saasus_mcp.hosting.http.health import HealthEndpoints
from saasus_mcp.hosting.http.mcp_transports import ProfileRouter, ProfileTransports, TransportKind
from saasus_mcp.hosting.http.security_middleware import LOOPBACK_ORIGIN_PATTERN, Allowlist, SecurityMiddleware
from saasus_mcp.hosting.limits.answer_pacing import AnswerPacer, AnswerPacingMiddleware
from saasus_mcp.hosting.limits.concurrency import LIVENESS_PATH, READINESS_PATH, ConcurrencyLimiter
from saasus_mcp.hosting.limits.connections import ConnectionTracker, connections_needed
from saasus_mcp.hosting.limits.head_queue import HeadQueue
from saasus_mcp.hosting.limits.request_pool import PoolLimits
from saasus_mcp.hosting.metrics import Metrics
from saasus_mcp.hosting.raw_headers import has_header
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.policy.narrowing import NO_NARROWING, Narrowing
from saasus_mcp.server.elicitation import Context
from saasus_mcp.server.offer_handlers import ResolvePrincipal
from saasus_mcp.settings.hosting import HttpSettings

ServerFactory = Callable[[ServedProfile, ResolvePrincipal], Server[Any]]
_ORIGIN = frozenset({b"origin"})
EXPOSED_HEADERS = ("Mcp-Session-Id", "WWW-Authenticate", "Retry-After")
"""Response headers that a page in a browser may read."""


@dataclass(frozen=True, slots=True)
class HostedApp:
    """The app, the limiter that drains it before it stops, the tracker of its connections, the pacer of its answers, and the queue of its requests."""

    app: ASGIApp
    limiter: ConcurrencyLimiter
    connections: ConnectionTracker
    pacer: AnswerPacer
    heads: HeadQueue | None


def build_app(
    http: HttpSettings,
    profiles: Mapping[str, ServedProfile],
    create_server: ServerFactory,
    authenticator: Authenticator | Caller,
    *,
    metrics: Metrics,
    narrowing: Narrowing = NO_NARROWING,
    is_policy_current: Callable[[], bool] = lambda: True,
    extra_routes: Sequence[BaseRoute] = (),
) -> HostedApp:
    """Return the app for some profiles.

    Args:
        authenticator: authenticates bearer tokens; or the caller of every request if no token is required.
        narrowing: the narrowing of every connection, in addition to the connection's own.
        is_policy_current: whether the policy in force is the content of its file.
        extra_routes: routes with their own authentication: the console.

    Raises:
        SettingsError: the name of a profile is reserved for narrowed paths.
    """
    request_narrowing.check_profile_names(profiles)
    jwt = http.jwt
    resource = ProtectedResource(http.public_url, jwt.issuer, jwt.scopes) if jwt else ProtectedResource(http.public_url)
    allowed = Allowlist.from_settings(http.public_url, http.table.allowed_hosts, http.table.allowed_origins)
    transports = {
        name: ProfileTransports(
            create_server(each, _resolve_principal), each, http.table.body_limit, workers=http.workers
        )
        for name, each in profiles.items()
    }
    health = HealthEndpoints(
        profiles,
        metrics,
        checks=health_checks_of(authenticator),
        is_policy_current=is_policy_current,
        is_draining=lambda: hosted.limiter.leaving or hosted.limiter.draining,
        has_capacity=lambda: not hosted.limiter.exhausted,
    )
    narrowings = request_narrowing.NarrowingReader((each.pipeline.catalogue for each in profiles.values()), narrowing)

    def endpoint(kind: TransportKind) -> ASGIApp:
        router = ProfileRouter(kind, profiles, transports, narrowings)
        return _PageAccess(AuthMiddleware(router, authenticator, resource), allowed)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for each in transports.values():
                await stack.enter_async_context(each.run())
            yield

    routes: list[BaseRoute] = [
        *_mcp_routes(endpoint),  # first, because routes are compared in turn
        Route(LIVENESS_PATH, health.liveness),
        Route(READINESS_PATH, health.readiness),
        _metrics_route(http, health, authenticator, resource),
        *(Route(each.path, _PageAccess(each.app, allowed)) for each in resource.routes()),
        *extra_routes,
    ]
    limits = PoolLimits.from_settings(http.table, multiple_principals=http.authenticated)
    app = Starlette(routes=routes, lifespan=lifespan)
    hosted = _with_middleware(app, http.public_url, limits=limits, metrics=metrics, allowed=allowed)
    hosted.limiter.before_close = [each.end_questions for each in transports.values()]
    return hosted


def build_console_app(http: HttpSettings, routes: Sequence[BaseRoute]) -> HostedApp:
    """Return an app with the console alone, for `saasus-mcp console`."""
    limits = PoolLimits.from_settings(http.table, multiple_principals=False)
    allowed = Allowlist.from_settings(http.public_url, frozenset(), frozenset())
    app = Starlette(routes=list(routes))
    return _with_middleware(app, http.public_url, limits=limits, metrics=Metrics(), allowed=allowed)


def _with_middleware(
    app: Starlette, public_url: str, *, limits: PoolLimits, metrics: Metrics, allowed: Allowlist
) -> HostedApp:
    app.router.redirect_slashes = False  # a redirect would contain the address that a proxy sees
    limiter = ConcurrencyLimiter(app, limits, metrics)
    pacer = AnswerPacer()
    limiter.on_drain = [pacer.stop]
    secured = SecurityMiddleware(limiter, allowed, metrics.count_response, secure=public_url.startswith("https:"))
    tracker = ConnectionTracker(connections_needed(limits))
    heads = HeadQueue(limiter.recent, limits.total) if limits.multiple_principals else None
    return HostedApp(AnswerPacingMiddleware(secured, pacer), limiter, tracker, pacer, heads)


def _mcp_routes(endpoint: Callable[[TransportKind], ASGIApp]) -> list[Route]:
    """Return the routes of MCP. A path without a profile leads to the only one that the caller may use."""
    streamable, sse, messages = endpoint("streamable"), endpoint("sse"), endpoint("messages")
    narrowed = request_narrowing.narrowed_paths
    paths = {  # narrowed paths first: /mcp/readonly is not a profile
        "/mcp": streamable,
        "/mcp/": streamable,
        **dict.fromkeys(narrowed("/mcp"), streamable),
        "/mcp/{profile}": streamable,
        **dict.fromkeys(narrowed("/mcp/{profile}"), streamable),
        "/sse": sse,
        **dict.fromkeys(narrowed("/sse"), sse),
        "/sse/{profile}": sse,
        **dict.fromkeys(narrowed("/sse/{profile}"), sse),
        "/messages/{profile}/": messages,
    }
    return [Route(path, app) for path, app in paths.items()]


def _metrics_route(
    http: HttpSettings, health: HealthEndpoints, authenticator: Authenticator | Caller, resource: ProtectedResource
) -> Route:
    """Return the route of the metrics: for everybody if so configured, otherwise for approvers and their profiles."""
    if http.table.metrics:
        return Route("/metrics", health.all_metrics)
    inner = Route("/metrics", health.metrics_for_approver).app
    return Route("/metrics", AuthMiddleware(inner, authenticator, resource, roles=("approver",)))


class _PageAccess:
    """Lets pages of the allowed origins read the responses in a browser. Cookies are never sent. Other programs send no origin."""

    def __init__(self, app: ASGIApp, allowed: Allowlist) -> None:
        self._app = app
        self._for_pages = CORSMiddleware(
            app,
            allow_origins=sorted(allowed.origins),
            allow_origin_regex=LOOPBACK_ORIGIN_PATTERN,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("*",),
            expose_headers=EXPOSED_HEADERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._for_pages if has_header(scope, _ORIGIN) else self._app)(scope, receive, send)


def _resolve_principal(context: Context) -> Principal:
    """Return the principal of a request, with the narrowing of the request and its session."""
    principal, narrowed = caller_of_context(context).principal, request_narrowing.narrowing_of_context(context)
    return principal if narrowed == NO_NARROWING else replace(principal, narrowing=narrowed)
