"""The door: who a request comes from, or why it goes no further. Behind it there is no bearer token any more."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from saasus_mcp.hosting.auth.authentication import Authenticator, AuthUnavailable, Caller
from saasus_mcp.hosting.auth.protected_resource import ProtectedResource
from saasus_mcp.hosting.http_errors import (
    FORBIDDEN,
    UNAUTHORIZED,
    capacity_response,
    error_response,
    unavailable_response,
)
from saasus_mcp.hosting.limits.concurrency import LIFETIME_KEY, assign_principal
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from saasus_mcp.server.elicitation import Context

CALLER_KEY = "saasus_mcp.caller"
BEARER_PATTERN = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/=-]{1,8192}) *")
FORWARDED_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

WRONG_ROLE = {
    "approver": "This is an approver token: it is valid for the console and the metrics, not for MCP.",
    "caller": "This page is for approvers: use a token created with `saasus-mcp token new NAME --role approver`.",
}


class AuthMiddleware:
    """Lets through who is known, and notes who it is in the request's scope.

    Args:
        known: says whom a token names; or, where no token is asked for, who everybody is.
        roles: that have business here.
    """

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator | Caller,
        challenge: ProtectedResource,
        roles: tuple[str, ...] = ("caller",),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._known = authenticator
        self._challenge = challenge
        self._roles = roles
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = self._known
        caller = _owner(scope, known) if isinstance(known, Caller) else await self._named(scope, known)
        if isinstance(caller, Response):
            await caller(scope, receive, send)
            return
        try:
            assign_principal(scope, caller.principal.id)
        except CapacityExceeded as none:
            await capacity_response(none)(scope, receive, send)
            return
        if scope["method"] == "GET" and caller.expires_at is not None:
            # A stream ends with the token that opened it; a call under way is let finish.
            scope[LIFETIME_KEY].deadline = anyio.current_time() + caller.expires_at - self._clock()
        async with scope[LIFETIME_KEY].turn(caller.principal.id):
            await self._app(_known_as(scope, caller), receive, send)

    async def _named(self, scope: Scope, known: Authenticator) -> Caller | Response:
        """Whom the bearer token names."""
        given = Headers(scope=scope).getlist("authorization")
        if not given:
            return self._unauthorized(scope, "", "Authentication is required.")
        bearer = BEARER_PATTERN.fullmatch(given[0]) if len(given) == 1 else None
        try:
            caller = await known.authenticate(bearer[1]) if bearer else None
        except AuthUnavailable as error:
            # No challenge: a client that reads one throws its valid token away.
            return unavailable_response(str(error))
        if caller is None:
            return self._unauthorized(
                scope, "invalid_token", "The token is malformed, expired or not intended for this server."
            )
        if caller.role not in self._roles:
            return error_response(FORBIDDEN, WRONG_ROLE[caller.role])
        if caller.missing_scopes:
            said = f"The token is missing the scope {' '.join(caller.missing_scopes)}."
            header = self._challenge.challenge_header(scope["path"], "insufficient_scope", said)
            return error_response(FORBIDDEN, said, {"WWW-Authenticate": header})
        return caller

    def _unauthorized(self, scope: Scope, error: str, description: str) -> Response:
        header = self._challenge.challenge_header(scope["path"], error, description if error else "")
        body = {"error": error or "invalid_token", "error_description": description}
        return JSONResponse(body, UNAUTHORIZED, {"WWW-Authenticate": header})


def _owner(scope: Scope, owner: Caller) -> Caller | Response:
    """Whoever reaches a private port, unless they came through something that others can reach."""
    headers = Headers(scope=scope)
    if any(name in headers for name in FORWARDED_HEADERS):
        said = "This server accepts requests from its own machine only, and this one came through a proxy. "
        return error_response(FORBIDDEN, said + "Set SAASUS_MCP_PUBLIC_URL and create tokens (docs/hosting.md).")
    return owner


def _known_as(scope: Scope, caller: Caller) -> Scope:
    """The scope as everything behind the door sees it: with the caller, and without the token.

    `user` is by what the SDK keeps sessions apart.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    known: Scope = {**scope, "headers": headers, CALLER_KEY: caller}
    if not caller.is_owner:
        claims = {"iss": caller.issuer} if caller.issuer else {}
        token = AccessToken(token="", client_id=caller.client_id, scopes=[], subject=caller.principal.id, claims=claims)
        known["user"] = AuthenticatedUser(token)
    return known


def caller_of_context(context: Context) -> Caller:
    """Who made the request that a handler of MCP works on.

    Raises:
        KeyError: nobody let it in.
    """
    scope: Scope = context.request.scope if context.request is not None else {}
    caller: Caller = scope[CALLER_KEY]
    return caller
