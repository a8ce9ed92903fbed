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

from saasus_mcp.hosting.answers import FORBIDDEN, UNAUTHORIZED, no_place, refusal, unavailable
from saasus_mcp.hosting.challenge import Challenge
from saasus_mcp.hosting.identity import Authenticator, Caller, Unavailable
from saasus_mcp.hosting.shares import NoPlace
from saasus_mcp.hosting.traffic import LIFE, admit
from saasus_mcp.server.asking import Context

CALLER = "saasus_mcp.caller"
BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9._~+/=-]{1,8192}) *")
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

WRONG_ROLE = {
    "approver": "This is an approver token: it is valid for the console and the metrics, not for MCP.",
    "caller": "This page is for approvers: use a token created with `saasus-mcp token new NAME --role approver`.",
}


class Guard:
    """Lets through who is known, and notes who it is in the request's scope.

    Args:
        known: says whom a token names; or, where no token is asked for, who everybody is.
        roles: that have business here.
    """

    def __init__(
        self,
        app: ASGIApp,
        known: Authenticator | Caller,
        challenge: Challenge,
        roles: tuple[str, ...] = ("caller",),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._known = known
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
            admit(scope, caller.principal.id)
        except NoPlace as none:
            await no_place(none)(scope, receive, send)
            return
        if scope["method"] == "GET" and caller.expires_at is not None:
            # A stream ends with the token that opened it; a call under way is let finish.
            scope[LIFE].deadline = anyio.current_time() + caller.expires_at - self._clock()
        async with scope[LIFE].turn(caller.principal.id):
            await self._app(_known_as(scope, caller), receive, send)

    async def _named(self, scope: Scope, known: Authenticator) -> Caller | Response:
        """Whom the bearer token names."""
        given = Headers(scope=scope).getlist("authorization")
        if not given:
            return self._unauthorized(scope, "", "Authentication is required.")
        bearer = BEARER.fullmatch(given[0]) if len(given) == 1 else None
        try:
            caller = await known.authenticate(bearer[1]) if bearer else None
        except Unavailable as error:
            # No challenge: a client that reads one throws its valid token away.
            return unavailable(str(error))
        if caller is None:
            return self._unauthorized(
                scope, "invalid_token", "The token is malformed, expired or not intended for this server."
            )
        if caller.role not in self._roles:
            return refusal(FORBIDDEN, WRONG_ROLE[caller.role])
        if caller.lacks:
            said = f"The token is missing the scope {' '.join(caller.lacks)}."
            header = self._challenge.header(scope["path"], "insufficient_scope", said)
            return refusal(FORBIDDEN, said, {"WWW-Authenticate": header})
        return caller

    def _unauthorized(self, scope: Scope, error: str, description: str) -> Response:
        header = self._challenge.header(scope["path"], error, description if error else "")
        body = {"error": error or "invalid_token", "error_description": description}
        return JSONResponse(body, UNAUTHORIZED, {"WWW-Authenticate": header})


def _owner(scope: Scope, owner: Caller) -> Caller | Response:
    """Whoever reaches a private port, unless they came through something that others can reach."""
    headers = Headers(scope=scope)
    if any(name in headers for name in FORWARDED):
        said = "This server accepts requests from its own machine only, and this one came through a proxy. "
        return refusal(FORBIDDEN, said + "Set SAASUS_MCP_PUBLIC_URL and create tokens (docs/hosting.md).")
    return owner


def _known_as(scope: Scope, caller: Caller) -> Scope:
    """The scope as everything behind the door sees it: with the caller, and without the token.

    `user` is by what the SDK keeps sessions apart.
    """
    headers = [(name, value) for name, value in scope["headers"] if name != b"authorization"]
    known: Scope = {**scope, "headers": headers, CALLER: caller}
    if not caller.everywhere:
        claims = {"iss": caller.issuer} if caller.issuer else {}
        token = AccessToken(token="", client_id=caller.client_id, scopes=[], subject=caller.principal.id, claims=claims)
        known["user"] = AuthenticatedUser(token)
    return known


def caller_of(context: Context) -> Caller:
    """Who made the request that a handler of MCP works on.

    Raises:
        KeyError: nobody let it in.
    """
    scope: Scope = context.request.scope if context.request is not None else {}
    caller: Caller = scope[CALLER]
    return caller
