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

from saasus_mcp.catalog import Language
from saasus_mcp.hosting.console.oidc import Begun, Provider, SignInFailed
from saasus_mcp.hosting.console.sessions import LIFETIME, Admitted, Session, Sessions, Tickets
from saasus_mcp.hosting.console.throttle import SECONDS, Throttle
from saasus_mcp.hosting.console.web import (
    BASE,
    FORBIDDEN,
    HEADERS,
    LANGUAGE_COOKIE,
    SEE_OTHER,
    TOO_MANY,
    UNAVAILABLE,
    ZONE_COOKIE,
    BadForm,
    check_csrf,
    cookie_name,
    form,
    language,
    message,
    page,
    place,
    redirect,
)
from saasus_mcp.hosting.console.wording import WORDS
from saasus_mcp.hosting.traffic import admit
from saasus_mcp.permissions.seal import Sealer

YEAR = 365 * 24 * 3600
BEGUN_COOKIE, RETURN_COOKIE = "saasus_sso", "saasus_return"
BEGUN_SECONDS = RETURN_SECONDS = 10 * 60
SignIn = Callable[[str], Awaitable[Admitted | None]]
"""Whom an approver token signs in; None where it does not."""


@dataclass(frozen=True)
class Doors:
    """The ways in.

    Attributes:
        sign_in: judges approver tokens; None where none are accepted.
        provider: of single sign-on, where there is one.
        passphrase: judges the approver's passphrase that a one-time link asks for; None where none was set.
        secure: whether the console is reached by https, so that its cookies never go without.
        guesses: at passphrases and links, which are held off strictly. A good token is let in all the same: it cannot be
            guessed, and so nobody locks others out by guessing.
    """

    sessions: Sessions
    tickets: Tickets
    sealer: Sealer
    clock: Callable[[], float]
    guesses: Throttle
    language: Language
    secure: bool
    sign_in: SignIn | None = None
    provider: Provider | None = None
    passphrase: Callable[[], Callable[[str], bool] | None] = field(default=lambda: None)

    def routes(self) -> list[Route]:
        """Those of signing in and out, and of the language."""
        return [
            Route(BASE + "/sign-in", self._sign_in_page, methods=["GET"]),
            Route(BASE + "/sign-in", self._sign_in, methods=["POST"]),
            Route(BASE + "/sso", self._begin, methods=["GET"]),
            Route(BASE + "/sso/callback", self._finish, methods=["GET"]),
            Route(BASE + "/enter/{ticket}", self._enter_page, methods=["GET"]),
            Route(BASE + "/enter/{ticket}", self._enter, methods=["POST"]),
            Route(BASE + "/sign-out", self._sign_out, methods=["POST"]),
            Route(BASE + "/language", self._switch_language, methods=["POST"]),
        ]

    async def session(self, request: Request) -> Session | None:
        """Who is signed in with this browser.

        Raises:
            StoreError: sessions cannot be read.
            NoPlace: this person has too many requests under way.
        """
        cookie = request.cookies.get(cookie_name(request, secure=self.secure), "")
        session = await run_sync(self.sessions.find, cookie, self.clock()) if cookie else None
        if session is not None:
            admit(request.scope, session.approver.id)
        return session

    def closed(self, request: Request) -> Response:
        """To the sign-in page, from which one comes back to where one wanted to go."""
        answer = redirect("/sign-in")
        wanted = place(request.url.path.removeprefix(BASE))
        if wanted:
            self._keep(answer, RETURN_COOKIE, wanted, RETURN_SECONDS, lax=True)
        return answer

    # -- tokens ----------------------------------------------------------------------------------------------------

    async def _sign_in_page(self, request: Request) -> Response:
        return self._door(request, "", 200)

    async def _sign_in(self, request: Request) -> Response:
        try:
            fields = await form(request)
        except BadForm:
            return message("refused_form", language(request, self.language), None, FORBIDDEN)
        admitted = await self.sign_in(fields.get("token", "").strip()) if self.sign_in else None
        if admitted is not None:
            return await self._signed_in(request, admitted)
        if self.guesses.holds:
            return _later(self._door(request, "too_many", TOO_MANY))
        self.guesses.fail()
        return self._door(request, "wrong_token", FORBIDDEN)

    def _door(self, request: Request, failed: str, status: int, *, outage: str = "", **why: str) -> Response:
        """The sign-in page.

        Args:
            failed: the word for what was wrong with what the person gave.
            outage: the word for what is away, which is nobody's fault here.
        """
        lang = language(request, self.language)
        said = WORDS[lang][failed].format(**why) if failed else ""
        away = WORDS[lang][outage] if outage else ""
        ways = {"tokens": self.sign_in is not None, "sso": self.provider is not None}
        return page("sign_in", lang, None, status=status, failed=said, outage=away, back="/sign-in", **ways)

    # -- single sign-on --------------------------------------------------------------------------------------------

    async def _begin(self, request: Request) -> Response:
        """To the identity provider. What its answer must match goes into a cookie, sealed: any replica may get the answer."""
        if self.provider is None:
            return redirect("/sign-in")
        try:
            begun = await self.provider.begin()
        except SignInFailed as failed:
            return self._not_let_in(request, failed)
        answer = RedirectResponse(begun.url, SEE_OTHER, headers=HEADERS)
        kept = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "at": self.clock()}
        self._keep(answer, BEGUN_COOKIE, self.sealer.token(kept, BEGUN_COOKIE), BEGUN_SECONDS, lax=True)
        return answer

    async def _finish(self, request: Request) -> Response:
        if self.provider is None:
            return redirect("/sign-in")
        kept = self.sealer.read(request.cookies.get(BEGUN_COOKIE, ""), BEGUN_COOKIE)
        fresh = kept is not None and self.clock() - kept["at"] < BEGUN_SECONDS
        try:
            begun = Begun("", kept["state"], kept["nonce"], kept["verifier"]) if fresh else None
            admitted = await self.provider.finish(dict(request.query_params), begun)
        except SignInFailed as failed:
            answer = self._not_let_in(request, failed)
        else:
            answer = await self._signed_in(request, admitted)
        answer.delete_cookie(BEGUN_COOKIE, path=BASE)
        return answer

    def _not_let_in(self, request: Request, failed: SignInFailed) -> Response:
        words = WORDS[language(request, self.language)]
        if failed.why == "unavailable":
            return self._door(request, "", UNAVAILABLE, outage="sso_unavailable")
        why = words[f"sso_{failed.why}"].format(group=failed.group)
        return self._door(request, "sso_refused", FORBIDDEN, why=why)

    # -- one-time links --------------------------------------------------------------------------------------------

    async def _enter_page(self, request: Request) -> Response:
        """Asks before it uses the ticket up: a link may be fetched by more than the person who clicks it."""
        return self._at_the_ticket(request, "", 200)

    async def _enter(self, request: Request) -> Response:
        lang, ticket = language(request, self.language), request.path_params["ticket"]
        try:
            fields = await form(request)
        except BadForm:
            return message("refused_form", lang, None, FORBIDDEN)
        if self.guesses.holds:
            return _later(message("too_many", lang, None, TOO_MANY))
        judge = self.passphrase()
        if self.tickets.good(ticket) and judge and not await run_sync(judge, fields.get("passphrase", "")):
            self.guesses.fail()
            return self._at_the_ticket(request, "wrong_passphrase", FORBIDDEN)
        approver = self.tickets.use(ticket)
        if approver is None:
            self.guesses.fail()
            return message("bad_ticket", lang, None, FORBIDDEN)
        return await self._signed_in(request, Admitted(approver))

    def _at_the_ticket(self, request: Request, failed: str, status: int) -> Response:
        lang, asks = language(request, self.language), self.passphrase() is not None
        ticket = request.path_params["ticket"]
        return page(
            "enter", lang, None, status=status, ticket=ticket, asks=asks, failed=failed, back=f"/enter/{ticket}"
        )

    # -- in and out ------------------------------------------------------------------------------------------------

    async def _signed_in(self, request: Request, admitted: Admitted) -> Response:
        """Always under a new cookie: one that was there before may be somebody else's."""
        now = self.clock()
        cookie = await run_sync(self.sessions.open, admitted, now)
        answer = redirect(place(request.cookies.get(RETURN_COOKIE, "")))
        seconds = int(min(LIFETIME, admitted.until - now))
        self._keep(answer, cookie_name(request, secure=self.secure), cookie, seconds, path=self._path)
        answer.delete_cookie(RETURN_COOKIE, path=BASE)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        session = await self.session(request)
        try:
            fields = await form(request)
            if session is not None:
                check_csrf(fields, session)
        except BadForm:
            return message("refused_form", language(request, self.language), session, FORBIDDEN)
        name = cookie_name(request, secure=self.secure)
        if session is not None and fields.get("everywhere"):
            await run_sync(self.sessions.close_all, session.approver)
        await run_sync(self.sessions.close, request.cookies.get(name, ""))
        answer = redirect("/sign-in")
        answer.delete_cookie(name, path=self._path, secure=self.secure, httponly=True, samesite="strict")
        return answer

    async def _switch_language(self, request: Request) -> Response:
        """Back to where one was. Changes nothing but what one reads."""
        other = "en" if language(request, self.language) == "ja" else "ja"
        try:
            fields = await form(request)
        except BadForm:
            fields = {}
        answer = redirect(place(urlsplit(fields.get("back", "")).path))
        self._keep(answer, LANGUAGE_COOKIE, other, YEAR)
        return answer

    def keep_zone(self, answer: Response, name: str) -> None:
        """Keep the time zone that a person reads times in; empty for the server's."""
        self._keep(answer, ZONE_COOKIE, name, YEAR if name else 0)

    @property
    def _path(self) -> str:
        """Of the session's cookie: its prefix wants the whole host, where there is one."""
        return "/" if self.secure else BASE

    def _keep(
        self, answer: Response, name: str, value: str, seconds: int, *, path: str = BASE, lax: bool = False
    ) -> None:
        """Set a cookie. `lax`: it goes with links of other sites too, such as the provider's back to here."""
        site: Literal["lax", "strict"] = "lax" if lax else "strict"
        answer.set_cookie(name, value, seconds, path=path, secure=self.secure, httponly=True, samesite=site)


def _later(answer: Response) -> Response:
    """The answer to one guess too many, with the seconds to wait."""
    answer.headers["Retry-After"] = f"{SECONDS:g}"
    return answer
