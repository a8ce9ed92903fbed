"""Sign in to the console and out of it: approver tokens, single sign-on, and one-time links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.hosting.console.forms import InvalidForm, check_csrf, read_form, split_address
from saasus_mcp.hosting.console.oidc import OidcProvider, PendingSignIn, SignInFailed
from saasus_mcp.hosting.console.rendering import (
    BASE_PATH,
    CONSOLE_HEADERS,
    LANGUAGE_COOKIE,
    ZONE_COOKIE,
    redirect_to,
    render_message,
    render_page,
    request_language,
    requested_address,
    return_path,
    safe_return,
)
from saasus_mcp.hosting.console.signin_sessions import (
    USE_RESOLUTION_SECONDS,
    WINDOW_SECONDS,
    ConsoleSessions,
    GuessThrottle,
    OneTimeLinks,
    browser_name,
)
from saasus_mcp.hosting.limits.concurrency import assign_principal
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.signin_sessions import SESSION_SECONDS, ConsoleSession, VerifiedApprover

DAY_SECONDS = 24 * 3600
YEAR_SECONDS = 365 * DAY_SECONDS
SESSION_COOKIE, SSO_COOKIE, RETURN_COOKIE = "saasus_console", "saasus_sso", "saasus_return"
SSO_SECONDS = RETURN_SECONDS = 10 * 60
SIGN_IN_NOTICES = {"ended": message("console_live.session_ended"), "form": message("console_live.not_decided")}
"""Why a person is asked to sign in, by the query parameter `why`."""
TokenSignIn = Callable[[str], Awaitable[VerifiedApprover | None]]
"""Returns the approver of a token, or None."""


@dataclass(frozen=True, kw_only=True)
class SigninRoutes:
    """The routes for signing in and out, and for the language. `Console` answers their InvalidForm.

    Attributes:
        verify_token: checks approver tokens; None if they are not accepted.
        provider: the provider of single sign-on, if there is one.
        passphrase_check: returns the check of the approver passphrase for one-time links; None if no passphrase is set.
        secure: whether the console is reached by https, so that cookies are sent over https only.
        throttle: limits wrong tokens and links. Valid ones are always accepted, so nobody can lock others out by trying.
        passphrase_throttle: limits guesses of the passphrase, for which a valid link is needed.
    """

    sessions: ConsoleSessions
    links: OneTimeLinks
    encryptor: Encryptor
    clock: Callable[[], float]
    throttle: GuessThrottle
    passphrase_throttle: GuessThrottle
    language: Language
    secure: bool
    verify_token: TokenSignIn | None = None
    provider: OidcProvider | None = None
    passphrase_check: Callable[[], Callable[[str], bool] | None] = field(default=lambda: None)

    def routes(self) -> list[Route]:
        return [
            Route(BASE_PATH + "/sign-in", self._show_sign_in, methods=["GET"]),
            Route(BASE_PATH + "/sign-in", self._sign_in_with_token, methods=["POST"]),
            Route(BASE_PATH + "/sso", self._begin_sso, methods=["GET"]),
            Route(BASE_PATH + "/sso/callback", self._finish_sso, methods=["GET"]),
            Route(BASE_PATH + "/enter/{ticket}", self._show_link, methods=["GET"]),
            Route(BASE_PATH + "/enter/{ticket}", self._sign_in_with_link, methods=["POST"]),
            Route(BASE_PATH + "/sign-out", self._sign_out, methods=["POST"]),
            Route(BASE_PATH + "/language", self._switch_language, methods=["POST"]),
        ]

    async def find_session(self, request: Request) -> ConsoleSession | None:
        """Return the session of this browser.

        Raises:
            StoreError: sessions cannot be read.
            CapacityExceeded: the approver has too many running requests.
        """
        cookie = request.cookies.get(self._cookie_name(request), "")
        now = self.clock()
        session = await run_sync(self.sessions.find, cookie, now) if cookie else None
        if session is not None:
            assign_principal(request.scope, session.approver.id)
            if now - session.used_at >= USE_RESOLUTION_SECONDS:
                await run_sync(self.sessions.save_use, cookie, now)
        return session

    def session_finder(self, request: Request) -> Callable[[], ConsoleSession | None]:
        """Return a function that finds the session of this browser as it is at each call."""
        cookie = request.cookies.get(self._cookie_name(request), "")
        return lambda: self.sessions.find(cookie, self.clock())

    def redirect_to_signin(self, request: Request) -> Response:
        """Return a redirect to the sign-in page, which leads back to the requested page."""
        return self._redirect_back(requested_address(request), "ended" if self._has_cookie(request) else "")

    def refuse_form(self, request: Request) -> Response:
        """Return a redirect to the sign-in page for a form without a session. It leads back to the page of the form."""
        page = split_address(request.headers.get("referer", ""))
        same_site = page.netloc == request.headers.get("host", "") and page.path.startswith(BASE_PATH)
        wanted = return_path(page.path.removeprefix(BASE_PATH), page.query) if same_site else ""
        return self._redirect_back(wanted, "form" if self._has_cookie(request) else "")

    def _redirect_back(self, wanted: str, why: str) -> Response:
        response = redirect_to(f"/sign-in?why={why}" if why else "/sign-in")
        if wanted:
            self._set_cookie(response, RETURN_COOKIE, wanted, RETURN_SECONDS, same_site="lax")
        return response

    def _has_cookie(self, request: Request) -> bool:
        """Return True if this browser was signed in before: the cookie stays longer than its session."""
        return self._cookie_name(request) in request.cookies

    def set_time_zone(self, response: Response, name: str) -> None:
        """Store the person's time zone in a cookie; with an empty name, return to the server's."""
        self._set_cookie(response, ZONE_COOKIE, name, YEAR_SECONDS if name else 0)

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def _show_sign_in(self, request: Request) -> Response:
        return self._sign_in_page(request, HTTPStatus.OK)

    async def _sign_in_with_token(self, request: Request) -> Response:
        fields = await read_form(request)
        verified = await self.verify_token(fields.get("token", "").strip()) if self.verify_token else None
        if verified is not None:
            return await self._open_session(request, verified)
        if self.throttle.is_blocked:
            error = message("console.too_many")
            return _with_retry_after(self._sign_in_page(request, HTTPStatus.TOO_MANY_REQUESTS, error))
        self.throttle.record_failure()
        return self._sign_in_page(request, HTTPStatus.FORBIDDEN, message("console.wrong_token"))

    def _sign_in_page(
        self, request: Request, status: int, error: Message | None = None, alert: Message | None = None
    ) -> Response:
        """Return the sign-in page.

        Args:
            error: what was wrong with the token that the person entered.
            alert: why the sign-in failed otherwise.
        """
        return render_page(
            "sign_in",
            request_language(request, self.language),
            None,
            status=status,
            error=error,
            alert=alert,
            notice=SIGN_IN_NOTICES.get(request.query_params.get("why", "")) if status == HTTPStatus.OK else None,
            back="/sign-in",
            tokens=self.verify_token is not None,
            sso=self.provider is not None,
        )

    # -- single sign-on --------------------------------------------------------------------------------------------

    async def _begin_sso(self, request: Request) -> Response:
        """Redirect to the identity provider.

        What its answer must match goes into an encrypted cookie, because another replica may get the answer.
        """
        if self.provider is None:
            return redirect_to("/sign-in")
        try:
            pending = await self.provider.begin_sign_in()
        except SignInFailed as failed:
            return self._sso_failed(request, failed)
        response = RedirectResponse(pending.url, HTTPStatus.SEE_OTHER, headers=CONSOLE_HEADERS)
        content = {"state": pending.state, "nonce": pending.nonce, "verifier": pending.verifier, "at": self.clock()}
        cookie = self.encryptor.encrypt_token(content, SSO_COOKIE)
        self._set_cookie(response, SSO_COOKIE, cookie, SSO_SECONDS, same_site="lax")
        return response

    async def _finish_sso(self, request: Request) -> Response:
        if self.provider is None:
            return redirect_to("/sign-in")
        content = self.encryptor.decrypt_token(request.cookies.get(SSO_COOKIE, ""), SSO_COOKIE)
        pending = None
        try:
            if content is not None and self.clock() - content["at"] < SSO_SECONDS:
                pending = PendingSignIn("", content["state"], content["nonce"], content["verifier"])
            verified = await self.provider.finish_sign_in(dict(request.query_params), pending)
        except SignInFailed as failed:
            response = self._sso_failed(request, failed)
        else:
            response = await self._open_session(request, verified)
        response.delete_cookie(SSO_COOKIE, path=BASE_PATH)
        return response

    def _sso_failed(self, request: Request, failed: SignInFailed) -> Response:
        if failed.reason == "unavailable":
            alert = message("console.sso_unavailable")
            return self._sign_in_page(request, HTTPStatus.SERVICE_UNAVAILABLE, alert=alert)
        why = one_of("console.sso", failed.reason, group=failed.group)
        return self._sign_in_page(request, HTTPStatus.FORBIDDEN, alert=message("console.sso_refused", why=why))

    # -- one-time links --------------------------------------------------------------------------------------------

    async def _show_link(self, request: Request) -> Response:
        """Ask before the ticket is used: a preview may fetch the link before the person clicks it."""
        if not self.links.is_valid(request.path_params["ticket"]):
            return self._refuse_link(request)
        return self._link_page(request, HTTPStatus.OK)

    async def _sign_in_with_link(self, request: Request) -> Response:
        language, ticket = request_language(request, self.language), request.path_params["ticket"]
        fields = await read_form(request)
        if self.links.is_valid(ticket) and (check := self.passphrase_check()):
            if self.passphrase_throttle.is_blocked:
                return _too_many(language)
            if not await run_sync(check, fields.get("passphrase", "")):
                self.passphrase_throttle.record_failure()
                return self._link_page(request, HTTPStatus.FORBIDDEN, message("console.wrong_passphrase"))
        approver = self.links.redeem(ticket)
        if approver is None and self.throttle.is_blocked:
            return _too_many(language)
        if approver is None:
            self.throttle.record_failure()
            return self._refuse_link(request)
        return await self._open_session(request, VerifiedApprover(approver))

    def _refuse_link(self, request: Request) -> Response:
        language = request_language(request, self.language)
        return render_message(message("console.bad_ticket"), language, HTTPStatus.FORBIDDEN)

    def _link_page(self, request: Request, status: int, error: Message | None = None) -> Response:
        ticket = request.path_params["ticket"]
        return render_page(
            "enter",
            request_language(request, self.language),
            None,
            status=status,
            ticket=ticket,
            asks=self.passphrase_check() is not None,
            error=error,
            back=f"/enter/{ticket}",
        )

    # -- sessions and cookies --------------------------------------------------------------------------------------

    async def _open_session(self, request: Request, verified: VerifiedApprover) -> Response:
        """Open a session under a new cookie: a cookie that the browser already has may be somebody else's."""
        now = self.clock()
        browser = browser_name(request.headers.get("user-agent", ""))
        cookie = await run_sync(self.sessions.open, verified, now, browser)
        response = redirect_to(safe_return(request.cookies.get(RETURN_COOKIE, "")))
        # The cookie stays a day longer than the session, so that the sign-in page can say that the session has ended.
        seconds = int(min(SESSION_SECONDS, verified.valid_until - now)) + DAY_SECONDS
        self._set_cookie(response, self._cookie_name(request), cookie, seconds, path=self._session_path)
        response.delete_cookie(RETURN_COOKIE, path=BASE_PATH)
        return response

    async def _sign_out(self, request: Request) -> Response:
        session = await self.find_session(request)
        fields = await read_form(request)
        if session is not None:
            check_csrf(fields, session)
        name = self._cookie_name(request)
        if session is not None and fields.get("everywhere"):
            await run_sync(self.sessions.close_all, session.approver)
        await run_sync(self.sessions.close, request.cookies.get(name, ""))
        response = redirect_to("/sign-in")
        response.delete_cookie(name, path=self._session_path, secure=self.secure, httponly=True, samesite="strict")
        return response

    async def _switch_language(self, request: Request) -> Response:
        """Switch the language and return to the page. No CSRF token is needed, because nothing else changes."""
        other = "en" if request_language(request, self.language) == "ja" else "ja"
        try:
            fields = await read_form(request)
        except InvalidForm:
            fields = {}
        response = redirect_to(safe_return(fields.get("back", "")))
        self._set_cookie(response, LANGUAGE_COOKIE, other, YEAR_SECONDS)
        return response

    def _cookie_name(self, request: Request) -> str:
        """Return the name of the session cookie.

        With https, the prefix binds it to this host, so that a neighbouring host cannot set it. On loopback, the port keeps
        several consoles apart, because browsers ignore the port of cookies.
        """
        return f"__Host-{SESSION_COOKIE}" if self.secure else f"{SESSION_COOKIE}_{request.url.port or 80}"

    @property
    def _session_path(self) -> str:
        """Return the path of the session cookie. The prefix `__Host-` requires the whole host."""
        return "/" if self.secure else BASE_PATH

    def _set_cookie(
        self,
        response: Response,
        name: str,
        value: str,
        seconds: int,
        *,
        path: str = BASE_PATH,
        same_site: Literal["lax", "strict"] = "strict",
    ) -> None:
        """Set a cookie. `lax` cookies are also sent after a link of another site, such as the provider's redirect."""
        response.set_cookie(name, value, seconds, path=path, secure=self.secure, httponly=True, samesite=same_site)


def _too_many(language: Language) -> Response:
    return _with_retry_after(render_message(message("console.too_many"), language, HTTPStatus.TOO_MANY_REQUESTS))


def _with_retry_after(response: Response) -> Response:
    response.headers["Retry-After"] = f"{WINDOW_SECONDS:g}"
    return response
