"""How people come into the console and leave it: approver tokens, single sign-on, and one-time links."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from saasus_mcp.common.language import Language
from saasus_mcp.hosting.console.oidc import OidcProvider, PendingSignIn, SignInFailed
from saasus_mcp.hosting.console.rendering import (
    BASE_PATH,
    CONSOLE_HEADERS,
    FORBIDDEN,
    LANGUAGE_COOKIE,
    SEE_OTHER,
    SERVICE_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    ZONE_COOKIE,
    InvalidForm,
    check_csrf,
    cookie_name,
    read_form,
    redirect_to,
    render_message,
    render_page,
    request_language,
    safe_path,
)
from saasus_mcp.hosting.console.signin_sessions import (
    SESSION_SECONDS,
    ConsoleSession,
    ConsoleSessions,
    OneTimeLinks,
    VerifiedApprover,
)
from saasus_mcp.hosting.console.throttle import WINDOW_SECONDS, GuessThrottle
from saasus_mcp.hosting.console.wording import WORDS
from saasus_mcp.hosting.limits.concurrency import assign_principal
from saasus_mcp.permissions.secrets.encryption import Encryptor

YEAR_SECONDS = 365 * 24 * 3600
SSO_COOKIE, RETURN_COOKIE = "saasus_sso", "saasus_return"
SSO_SECONDS = RETURN_SECONDS = 10 * 60
TokenSignIn = Callable[[str], Awaitable[VerifiedApprover | None]]
"""Whom an approver token signs in; None where it does not."""


@dataclass(frozen=True)
class SigninRoutes:
    """The ways in.

    Attributes:
        sign_in: judges approver tokens; None where none are accepted.
        provider: of single sign-on, where there is one.
        passphrase: judges the approver's passphrase that a one-time link asks for; None where none was set.
        secure: whether the console is reached by https, so that its cookies never go without.
        guesses: at passphrases and links, which are held off strictly. A good token is let in all the same: it cannot be
            guessed, and so nobody locks others out by guessing.
    """

    sessions: ConsoleSessions
    links: OneTimeLinks
    sealer: Encryptor
    clock: Callable[[], float]
    throttle: GuessThrottle
    language: Language
    secure: bool
    verify_token: TokenSignIn | None = None
    provider: OidcProvider | None = None
    passphrase_check: Callable[[], Callable[[str], bool] | None] = field(default=lambda: None)

    def routes(self) -> list[Route]:
        """Those of signing in and out, and of the language."""
        return [
            Route(BASE_PATH + "/sign-in", self._sign_in_page, methods=["GET"]),
            Route(BASE_PATH + "/sign-in", self._sign_in, methods=["POST"]),
            Route(BASE_PATH + "/sso", self._begin, methods=["GET"]),
            Route(BASE_PATH + "/sso/callback", self._finish, methods=["GET"]),
            Route(BASE_PATH + "/enter/{ticket}", self._enter_page, methods=["GET"]),
            Route(BASE_PATH + "/enter/{ticket}", self._enter, methods=["POST"]),
            Route(BASE_PATH + "/sign-out", self._sign_out, methods=["POST"]),
            Route(BASE_PATH + "/language", self._switch_language, methods=["POST"]),
        ]

    async def find_session(self, request: Request) -> ConsoleSession | None:
        """Who is signed in with this browser.

        Raises:
            StoreError: sessions cannot be read.
            NoPlace: this person has too many requests under way.
        """
        cookie = request.cookies.get(cookie_name(request, secure=self.secure), "")
        session = await run_sync(self.sessions.find, cookie, self.clock()) if cookie else None
        if session is not None:
            assign_principal(request.scope, session.approver.id)
        return session

    def redirect_to_signin(self, request: Request) -> Response:
        """To the sign-in page, from which one comes back to where one wanted to go."""
        answer = redirect_to("/sign-in")
        wanted = safe_path(request.url.path.removeprefix(BASE_PATH))
        if wanted:
            self._keep(answer, RETURN_COOKIE, wanted, RETURN_SECONDS, lax=True)
        return answer

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def _sign_in_page(self, request: Request) -> Response:
        return self._door(request, "", 200)

    async def _sign_in(self, request: Request) -> Response:
        try:
            fields = await read_form(request)
        except InvalidForm:
            return render_message("refused_form", request_language(request, self.language), None, FORBIDDEN)
        admitted = await self.verify_token(fields.get("token", "").strip()) if self.verify_token else None
        if admitted is not None:
            return await self._signed_in(request, admitted)
        if self.throttle.is_blocked:
            return _later(self._door(request, "too_many", TOO_MANY_REQUESTS))
        self.throttle.record_failure()
        return self._door(request, "wrong_token", FORBIDDEN)

    def _door(self, request: Request, failed: str, status: int, *, outage: str = "", **why: str) -> Response:
        """The sign-in page.

        Args:
            failed: the word for what was wrong with what the person gave.
            outage: the word for what is away, which is nobody's fault here.
        """
        lang = request_language(request, self.language)
        said = WORDS[lang][failed].format(**why) if failed else ""
        away = WORDS[lang][outage] if outage else ""
        ways = {"tokens": self.verify_token is not None, "sso": self.provider is not None}
        return render_page("sign_in", lang, None, status=status, failed=said, outage=away, back="/sign-in", **ways)

    # -- single sign-on --------------------------------------------------------------------------------------------

    async def _begin(self, request: Request) -> Response:
        """To the identity provider. What its answer must match goes into a cookie, sealed: any replica may get the answer."""
        if self.provider is None:
            return redirect_to("/sign-in")
        try:
            begun = await self.provider.begin_sign_in()
        except SignInFailed as failed:
            return self._not_let_in(request, failed)
        answer = RedirectResponse(begun.url, SEE_OTHER, headers=CONSOLE_HEADERS)
        kept = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "at": self.clock()}
        self._keep(answer, SSO_COOKIE, self.sealer.encrypt_token(kept, SSO_COOKIE), SSO_SECONDS, lax=True)
        return answer

    async def _finish(self, request: Request) -> Response:
        if self.provider is None:
            return redirect_to("/sign-in")
        kept = self.sealer.decrypt_token(request.cookies.get(SSO_COOKIE, ""), SSO_COOKIE)
        fresh = kept is not None and self.clock() - kept["at"] < SSO_SECONDS
        try:
            begun = PendingSignIn("", kept["state"], kept["nonce"], kept["verifier"]) if fresh else None
            admitted = await self.provider.finish_sign_in(dict(request.query_params), begun)
        except SignInFailed as failed:
            answer = self._not_let_in(request, failed)
        else:
            answer = await self._signed_in(request, admitted)
        answer.delete_cookie(SSO_COOKIE, path=BASE_PATH)
        return answer

    def _not_let_in(self, request: Request, failed: SignInFailed) -> Response:
        words = WORDS[request_language(request, self.language)]
        if failed.reason == "unavailable":
            return self._door(request, "", SERVICE_UNAVAILABLE, outage="sso_unavailable")
        why = words[f"sso_{failed.reason}"].format(group=failed.group)
        return self._door(request, "sso_refused", FORBIDDEN, why=why)

    # -- one-time links --------------------------------------------------------------------------------------------

    async def _enter_page(self, request: Request) -> Response:
        """Asks before it uses the ticket up: a link may be fetched by more than the person who clicks it."""
        return self._at_the_ticket(request, "", 200)

    async def _enter(self, request: Request) -> Response:
        lang, ticket = request_language(request, self.language), request.path_params["ticket"]
        try:
            fields = await read_form(request)
        except InvalidForm:
            return render_message("refused_form", lang, None, FORBIDDEN)
        if self.throttle.is_blocked:
            return _later(render_message("too_many", lang, None, TOO_MANY_REQUESTS))
        judge = self.passphrase_check()
        if self.links.is_valid(ticket) and judge and not await run_sync(judge, fields.get("passphrase", "")):
            self.throttle.record_failure()
            return self._at_the_ticket(request, "wrong_passphrase", FORBIDDEN)
        approver = self.links.redeem(ticket)
        if approver is None:
            self.throttle.record_failure()
            return render_message("bad_ticket", lang, None, FORBIDDEN)
        return await self._signed_in(request, VerifiedApprover(approver))

    def _at_the_ticket(self, request: Request, failed: str, status: int) -> Response:
        lang, asks = request_language(request, self.language), self.passphrase_check() is not None
        ticket = request.path_params["ticket"]
        return render_page(
            "enter", lang, None, status=status, ticket=ticket, asks=asks, failed=failed, back=f"/enter/{ticket}"
        )

    # -- in and out ------------------------------------------------------------------------------------------------

    async def _signed_in(self, request: Request, admitted: VerifiedApprover) -> Response:
        """Always under a new cookie: one that was there before may be somebody else's."""
        now = self.clock()
        cookie = await run_sync(self.sessions.open, admitted, now)
        answer = redirect_to(safe_path(request.cookies.get(RETURN_COOKIE, "")))
        seconds = int(min(SESSION_SECONDS, admitted.valid_until - now))
        self._keep(answer, cookie_name(request, secure=self.secure), cookie, seconds, path=self._path)
        answer.delete_cookie(RETURN_COOKIE, path=BASE_PATH)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        session = await self.find_session(request)
        try:
            fields = await read_form(request)
            if session is not None:
                check_csrf(fields, session)
        except InvalidForm:
            return render_message("refused_form", request_language(request, self.language), session, FORBIDDEN)
        name = cookie_name(request, secure=self.secure)
        if session is not None and fields.get("everywhere"):
            await run_sync(self.sessions.close_all, session.approver)
        await run_sync(self.sessions.close, request.cookies.get(name, ""))
        answer = redirect_to("/sign-in")
        answer.delete_cookie(name, path=self._path, secure=self.secure, httponly=True, samesite="strict")
        return answer

    async def _switch_language(self, request: Request) -> Response:
        """Back to where one was. Changes nothing but what one reads."""
        other = "en" if request_language(request, self.language) == "ja" else "ja"
        try:
            fields = await read_form(request)
        except InvalidForm:
            fields = {}
        answer = redirect_to(safe_path(urlsplit(fields.get("back", "")).path))
        self._keep(answer, LANGUAGE_COOKIE, other, YEAR_SECONDS)
        return answer

    def set_time_zone(self, answer: Response, name: str) -> None:
        """Keep the time zone that a person reads times in; empty for the server's."""
        self._keep(answer, ZONE_COOKIE, name, YEAR_SECONDS if name else 0)

    @property
    def _path(self) -> str:
        """Of the session's cookie: its prefix wants the whole host, where there is one."""
        return "/" if self.secure else BASE_PATH

    def _keep(
        self, answer: Response, name: str, value: str, seconds: int, *, path: str = BASE_PATH, lax: bool = False
    ) -> None:
        """Set a cookie. `lax`: it goes with links of other sites too, such as the provider's back to here."""
        site: Literal["lax", "strict"] = "lax" if lax else "strict"
        answer.set_cookie(name, value, seconds, path=path, secure=self.secure, httponly=True, samesite=site)


def _later(answer: Response) -> Response:
    """The answer to one guess too many, with the seconds to wait."""
    answer.headers["Retry-After"] = f"{WINDOW_SECONDS:g}"
    return answer
