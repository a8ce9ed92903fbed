"""The console's pages and what their forms do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from saasus_mcp.catalog import Language
from saasus_mcp.hosting.console import views
from saasus_mcp.hosting.console.desk import Desk
from saasus_mcp.hosting.console.sessions import LIFETIME, Approver, Session, Sessions, Tickets
from saasus_mcp.hosting.console.web import (
    BASE,
    COOKIE,
    FORBIDDEN,
    HEADERS,
    LANGUAGE_COOKIE,
    NOT_FOUND,
    BadForm,
    check_csrf,
    form,
    language,
    page,
    redirect,
)
from saasus_mcp.permissions.refusal import Refused

STYLE = Path(__file__).with_name("style.css")
YEAR = 365 * 24 * 3600
SignIn = Callable[[str], Awaitable[Approver | None]]
"""Whom an approver token signs in; None where it does not."""
Act = Callable[[Session, Mapping[str, str]], str]
"""Does what a form asks, in a thread; gives the path to go to."""


@dataclass(frozen=True)
class Console:
    """The console.

    Attributes:
        secure: whether it is reached by https, so that its cookie never goes without.
        sign_in: judges approver tokens; None where only one-time links are used.
    """

    desk: Desk
    sessions: Sessions
    tickets: Tickets
    sign_in: SignIn | None
    language: Language
    secure: bool

    def routes(self) -> list[Route]:
        """Everything below /console."""
        shown = {
            "": views.approvals,
            "/approvals/{code}": views.approval,
            "/audit": views.audit,
            "/tools": views.tools,
            "/policy": views.policy,
            "/limits": views.limits,
            "/secrets": views.secrets,
        }
        done: dict[str, Act] = {
            "/approve": self._approve,
            "/reject": self._reject,
            "/freeze": self._freeze,
            "/unfreeze": self._unfreeze,
        }
        return [
            *(Route(BASE + path, partial(self._show, view), methods=["GET"]) for path, view in shown.items()),
            *(Route(BASE + path, partial(self._do, act), methods=["POST"]) for path, act in done.items()),
            Route(BASE + "/reveal", self._reveal, methods=["POST"]),
            Route(BASE + "/sign-in", self._sign_in_page, methods=["GET"]),
            Route(BASE + "/sign-in", self._sign_in, methods=["POST"]),
            Route(BASE + "/enter/{ticket}", self._enter_page, methods=["GET"]),
            Route(BASE + "/enter/{ticket}", self._enter, methods=["POST"]),
            Route(BASE + "/sign-out", self._sign_out, methods=["POST"]),
            Route(BASE + "/language", self._switch_language, methods=["POST"]),
            Route(BASE + "/style.css", _style, methods=["GET"]),
        ]

    # -- pages and deeds -------------------------------------------------------------------------------------------

    async def _show(self, view: views.View, request: Request) -> Response:
        lang, session = language(request, self.language), self._session(request)
        if session is None:
            return redirect("/sign-in")
        asked = views.Asked(dict(request.query_params), dict(request.path_params), session, lang)
        shown = await run_sync(view, self.desk, asked)
        if shown is None:
            return page("message", lang, session, status=NOT_FOUND, message="not_found")
        return page(shown.template, lang, session, **shown.values)

    async def _do(self, act: Act, request: Request) -> Response:
        lang, session = language(request, self.language), self._session(request)
        if session is None:
            return redirect("/sign-in")
        try:
            fields = await form(request)
            check_csrf(fields, session)
            return redirect(await run_sync(act, session, fields))
        except BadForm:
            return page("message", lang, session, status=FORBIDDEN, message="refused_form")
        except Refused as refused:
            return page("refused", lang, session, status=FORBIDDEN, refused=refused, back=fields.get("code", ""))

    def _approve(self, session: Session, fields: Mapping[str, str]) -> str:
        self.desk.approve(session.approver, fields.get("code", ""), fields.get("name", ""))
        return "?done=approved"

    def _reject(self, session: Session, fields: Mapping[str, str]) -> str:
        self.desk.reject(session.approver, fields.get("code", ""), fields.get("reason", "")[:500])
        return "?done=rejected"

    def _freeze(self, session: Session, fields: Mapping[str, str]) -> str:
        self.desk.freeze(session.approver, fields.get("reason", "")[:500])
        return "/limits?done=frozen"

    def _unfreeze(self, session: Session, _: Mapping[str, str]) -> str:
        self.desk.unfreeze(session.approver)
        return "/limits?done=unfrozen"

    async def _reveal(self, request: Request) -> Response:
        """Not a redirect: what is shown once must not be asked for twice."""
        lang, session = language(request, self.language), self._session(request)
        if session is None:
            return redirect("/sign-in")
        try:
            fields = await form(request)
            check_csrf(fields, session)
            secret = await run_sync(self.desk.reveal, session.approver, fields.get("handle", ""))
        except BadForm:
            return page("message", lang, session, status=FORBIDDEN, message="refused_form")
        except Refused as refused:
            return page("refused", lang, session, status=FORBIDDEN, refused=refused, back="")
        return page("secrets", lang, session, here="secrets", secret=secret)

    # -- signing in and out ----------------------------------------------------------------------------------------

    def _session(self, request: Request) -> Session | None:
        return self.sessions.find(request.cookies.get(COOKIE, ""), self.desk.clock())

    async def _sign_in_page(self, request: Request) -> Response:
        return page("sign_in", language(request, self.language), None, wrong=False, tokens=self.sign_in is not None)

    async def _sign_in(self, request: Request) -> Response:
        lang = language(request, self.language)
        try:
            fields = await form(request)
        except BadForm:
            return page("message", lang, None, status=FORBIDDEN, message="refused_form")
        approver = await self.sign_in(fields.get("token", "").strip()) if self.sign_in else None
        if approver is None:
            return page("sign_in", lang, None, status=FORBIDDEN, wrong=True, tokens=self.sign_in is not None)
        return self._signed_in(approver)

    async def _enter_page(self, request: Request) -> Response:
        """Asks before it uses the ticket up: a link may be fetched by more than the person who clicks it."""
        lang = language(request, self.language)
        return page("enter", lang, None, ticket=request.path_params["ticket"])

    async def _enter(self, request: Request) -> Response:
        lang = language(request, self.language)
        try:
            await form(request)
        except BadForm:
            return page("message", lang, None, status=FORBIDDEN, message="refused_form")
        approver = self.tickets.use(request.path_params["ticket"])
        if approver is None:
            return page("message", lang, None, status=FORBIDDEN, message="bad_ticket")
        return self._signed_in(approver)

    def _signed_in(self, approver: Approver) -> Response:
        answer = redirect("")
        cookie = self.sessions.open(approver, self.desk.clock())
        self._keep(answer, COOKIE, cookie, LIFETIME)
        return answer

    async def _sign_out(self, request: Request) -> Response:
        session = self._session(request)
        try:
            fields = await form(request)
            if session is not None:
                check_csrf(fields, session)
        except BadForm:
            lang = language(request, self.language)
            return page("message", lang, session, status=FORBIDDEN, message="refused_form")
        self.sessions.close(request.cookies.get(COOKIE, ""))
        answer = redirect("/sign-in")
        answer.delete_cookie(COOKIE, path=BASE)
        return answer

    async def _switch_language(self, request: Request) -> Response:
        answer = redirect("")
        other = "en" if language(request, self.language) == "ja" else "ja"
        self._keep(answer, LANGUAGE_COOKIE, other, YEAR)
        return answer

    def _keep(self, answer: Response, name: str, value: str, seconds: int) -> None:
        answer.set_cookie(name, value, seconds, path=BASE, secure=self.secure, httponly=True, samesite="strict")


async def _style(_: Request) -> Response:
    return FileResponse(STYLE, media_type="text/css", headers={**HEADERS, "Cache-Control": "max-age=3600"})
