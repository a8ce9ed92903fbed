"""Authentication middleware. The app behind it sees the caller of a request, and no bearer token."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache, partial
from http import HTTPStatus

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.hosting.auth.authentication import Authenticator, AuthUnavailable, Caller
from saasus_mcp.hosting.auth.protected_resource import ProtectedResource
from saasus_mcp.hosting.http_errors import capacity_response, error_response, unavailable_response
from saasus_mcp.hosting.limits.concurrency import LIFETIME_KEY, assign_principal
from saasus_mcp.hosting.limits.connections import AUTHENTICATED_KEY
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from saasus_mcp.hosting.raw_headers import has_header, header_values
from saasus_mcp.server.elicitation import Context
from saasus_mcp.store.errors import StoreError

CALLER_KEY = "saasus_mcp.caller"
BEARER_PATTERN = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/=-]{1,8192}) *")
MAX_USERS = 1_000
"""Callers that are remembered in the form that the SDK reads."""
FORWARDED_HEADERS = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})


@dataclass(frozen=True, eq=False, slots=True)
class AuthMiddleware:
    """Authenticates requests and stores the caller in their scope.

    Attributes:
        authenticator: authenticates bearer tokens; or the caller of every request if no token is required.
        roles: the roles that may use the app.
    """

    app: ASGIApp
    authenticator: Authenticator | Caller
    resource: ProtectedResource
    _: KW_ONLY
    roles: tuple[str, ...] = ("caller",)
    clock: Callable[[], float] = time.time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        known = self.authenticator
        caller = _local_owner(scope, known) if isinstance(known, Caller) else await self._authenticate(scope, known)
        if isinstance(caller, Response):
            await caller(scope, receive, send)
            return
        try:
            assign_principal(scope, caller.principal.id)
        except CapacityExceeded as error:
            await capacity_response(error)(scope, receive, send)
            return
        if scope["method"] == "GET" and caller.expires_at is not None:
            # A stream ends when its token expires, or soon after it was revoked. A running call may finish.
            scope[LIFETIME_KEY].deadline = anyio.current_time() + caller.expires_at - self.clock()
            scope[LIFETIME_KEY].is_revoked = partial(self._is_revoked, caller)
        async with scope[LIFETIME_KEY].take_turn(caller.principal.id):
            await self.app(_with_caller(scope, caller), receive, send)

    async def _authenticate(self, scope: Scope, authenticator: Authenticator) -> Caller | Response:
        """Return the caller, or the response that rejects the request."""
        headers = header_values(scope, b"authorization")
        if not headers:
            return self._unauthorized(scope, "", message("hosting.auth_required"))
        bearer = BEARER_PATTERN.fullmatch(headers[0]) if len(headers) == 1 else None
        try:
            caller = await authenticator.authenticate(bearer[1]) if bearer else None
        except AuthUnavailable as error:
            # Without a challenge: a client that reads one discards its valid token.
            return unavailable_response(error)
        if caller is None:
            return self._unauthorized(scope, "invalid_token", message("hosting.token_invalid"))
        scope.get("state", {})[AUTHENTICATED_KEY] = True
        if caller.role not in self.roles:
            return error_response(HTTPStatus.FORBIDDEN, one_of("hosting.wrong_role", caller.role))
        if caller.missing_scopes:
            text = message("hosting.scope_missing", scopes=" ".join(caller.missing_scopes))
            challenge = self.resource.challenge_header(scope["path"], "insufficient_scope", str(text))
            return error_response(HTTPStatus.FORBIDDEN, text, {"WWW-Authenticate": challenge})
        return caller

    async def _is_revoked(self, caller: Caller) -> bool:
        check = getattr(self.authenticator, "is_revoked", None)
        try:
            return check is not None and await check(caller.principal)
        except StoreError:  # an outage ends no stream, which can only receive: every request has its token checked
            return False

    def _unauthorized(self, scope: Scope, error: str, text: Message) -> Response:
        challenge = self.resource.challenge_header(scope["path"], error, str(text) if error else "")
        body = {"error": error or "invalid_token", "error_description": str(text)}
        return JSONResponse(body, HTTPStatus.UNAUTHORIZED, {"WWW-Authenticate": challenge})


def _local_owner(scope: Scope, owner: Caller) -> Caller | Response:
    """Return the owner of the machine, or reject a request that came through a proxy, which others may be able to reach."""
    if has_header(scope, FORWARDED_HEADERS):
        return error_response(HTTPStatus.FORBIDDEN, message("hosting.proxied_request"))
    return owner


def _with_caller(scope: Scope, caller: Caller) -> Scope:
    """Return the scope with the caller and without the token. The SDK keeps sessions apart by `user`."""
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    authenticated: Scope = {**scope, "headers": headers, CALLER_KEY: caller}
    if not caller.is_owner:
        authenticated["user"] = _user(caller.client_id, caller.principal.id, caller.issuer)
    return authenticated


@lru_cache(MAX_USERS)
def _user(client_id: str, subject: str, issuer: str) -> AuthenticatedUser:
    claims = {"iss": issuer} if issuer else {}
    return AuthenticatedUser(AccessToken(token="", client_id=client_id, scopes=[], subject=subject, claims=claims))


def caller_of_context(context: Context) -> Caller:
    """Return the caller of the request that an MCP handler works on.

    Raises:
        KeyError: the request did not pass this middleware.
    """
    scope: Scope = context.request.scope if context.request is not None else {}
    caller: Caller = scope[CALLER_KEY]
    return caller
