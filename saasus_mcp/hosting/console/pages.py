"""The console's pages and what their forms do."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import partial
from pathlib import Path

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from saasus_mcp import zones
from saasus_mcp.catalog import Language
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.hosting.console import audit, views
from saasus_mcp.hosting.console.desk import Desk
from saasus_mcp.hosting.console.doors import Doors
from saasus_mcp.hosting.console.sessions import Session
from saasus_mcp.hosting.console.web import (
    BASE,
    CONFLICT,
    FORBIDDEN,
    HEADERS,
    NOT_FOUND,
    TOO_MANY,
    UNAVAILABLE,
    UNPROCESSABLE,
    BadForm,
    check_csrf,
    crossed,
    form,
    language,
    message,
    page,
    reader,
    redirect,
)
from saasus_mcp.hosting.shares import NoPlace
from saasus_mcp.permissions.refusal import Refused

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
LONGEST_REASON = 500
LONGEST_TYPED = 400
Act = Callable[[Session, Mapping[str, str]], str]
Endpoint = Callable[[Request], Awaitable[Response]]
"""Does what a form asks, in a thread; gives the path to go to."""


class SignedOut(Exception):
    """Nobody is signed in, or not any more."""


@dataclass(frozen=True)
class Console:
    """The console: what is done at the desk, by whoever came in through the doors."""

    desk: Desk
    doors: Doors
    language: Language
    zone: tzinfo | None = None

    def routes(self) -> list[Route]:
        """Everything below /console."""
        shown: dict[str, views.View] = {
            "": views.approvals,
            "/": views.approvals,
            "/approvals/{code}": views.approval,
            "/audit": audit.audit,
            "/tools": views.tools,
            "/policy": views.policy,
            "/limits": views.limits,
            "/secrets": views.secrets,
            "/session": views.account,
        }
        done: dict[str, Act] = {
            "/approve": self._approve,
            "/reject": self._reject,
            "/freeze": self._freeze,
            "/unfreeze": self._unfreeze,
        }
        every = [
            *(Route(BASE + path, partial(self._show, view), methods=["GET"]) for path, view in shown.items()),
            *(Route(BASE + path, partial(self._do, act), methods=["POST"]) for path, act in done.items()),
            Route(BASE + "/reveal", self._reveal, methods=["POST"]),
            Route(BASE + "/time-zone", self._choose_zone, methods=["POST"]),
            *self.doors.routes(),
            *(Route(f"{BASE}/{name}", partial(_file, name), methods=["GET"]) for name in ("style.css", "icon.svg")),
            Route(BASE + "/{path:path}", self._nowhere, methods=["GET", "POST"]),
        ]
        return [Route(one.path, partial(self._answered, one.endpoint), methods=one.methods) for one in every]

    async def _answered(self, endpoint: Endpoint, request: Request) -> Response:
        """What a page answers, or that it cannot: a store that is away is no blank page."""
        try:
            return await endpoint(request)
        except NoPlace as none:
            lang = language(request, self.language)
            return message("too_many_requests", lang, None, TOO_MANY if none.limit else UNAVAILABLE)
        except (SaasusMcpError, OSError) as error:  # OSError: no more open files
            log.error("the console could not answer: %s", error)  # noqa: TRY400 - what failed has been said in words
            return message("unavailable", language(request, self.language), None, UNAVAILABLE)

    async def _show(self, view: views.View, request: Request) -> Response:
        lang = language(request, self.language)
        session = await self.doors.session(request)
        if session is None:
            return self._to_the_door(request, lang)
        shown = await run_sync(view, self.desk, self._asked(request, session))
        return await run_sync(self._page, shown, session, request, lang)

    async def _do(self, act: Act, request: Request) -> Response:
        """What a form asks; where it is refused, the page of what it was about says why."""
        lang = language(request, self.language)
        try:
            session, fields = await self._sent(request)
            try:
                return redirect(await run_sync(act, session, fields))
            except Refused as refused:
                return await self._refused(refused, fields, session, request)
        except SignedOut:
            return redirect("/sign-in")
        except BadForm:
            return message("refused_form", lang, None, FORBIDDEN)

    async def _sent(self, request: Request) -> tuple[Session, Mapping[str, str]]:
        """Who sent a form, and its fields.

        Raises:
            SignedOut: nobody who is signed in.
            BadForm: it is not one that this session was shown.
        """
        session = await self.doors.session(request)
        if session is None:
            raise SignedOut
        fields = await form(request)
        check_csrf(fields, session)
        return session, fields

    async def _refused(
        self, refused: Refused, fields: Mapping[str, str], session: Session, request: Request
    ) -> Response:
        lang, status = language(request, self.language), CONFLICT if refused.why == "unknown" else UNPROCESSABLE
        word, code = f"refused_{refused.why}", fields.get("code", "")
        if code:
            asked = replace(self._asked(request, session), query={}, path={"code": code})
            typed = fields.get("name", "")[:LONGEST_TYPED]
            shown = await run_sync(partial(views.approval, self.desk, asked, failed=word, typed=typed))
            if shown is not None:
                return await run_sync(self._page, shown, session, request, lang, status)
        return message(word, lang, session, status)

    def _approve(self, session: Session, fields: Mapping[str, str]) -> str:
        self.desk.approve(session.approver, fields.get("code", ""), fields.get("name", ""))
        return _to_approval(fields)

    def _reject(self, session: Session, fields: Mapping[str, str]) -> str:
        self.desk.reject(session.approver, fields.get("code", ""), fields.get("reason", "").strip()[:LONGEST_REASON])
        return _to_approval(fields)

    def _freeze(self, session: Session, fields: Mapping[str, str]) -> str:
        reason = fields.get("reason", "").strip()[:LONGEST_REASON]
        self.desk.freeze(session.approver, fields.get("profile", ""), reason)
        return "/limits"

    def _unfreeze(self, session: Session, fields: Mapping[str, str]) -> str:
        self.desk.unfreeze(session.approver, fields.get("profile", ""), fields.get("of", ""))
        return "/limits"

    async def _reveal(self, request: Request) -> Response:
        """Not a redirect: what is shown once must not be asked for twice."""
        lang, secret, failed = language(request, self.language), None, ""
        try:
            session, fields = await self._sent(request)
            try:
                secret = await run_sync(self.desk.reveal, session.approver, fields.get("handle", ""))
            except Refused:
                failed = "unknown_secret"
        except SignedOut:
            return redirect("/sign-in")
        except BadForm:
            return message("refused_form", lang, None, FORBIDDEN)
        shown = views.Shown("secrets", {"secret": secret, "failed": failed, "here": "secrets"})
        return await run_sync(self._page, shown, session, request, lang, UNPROCESSABLE if failed else 200)

    async def _choose_zone(self, request: Request) -> Response:
        """Take another time zone for what this browser shows. Changes nothing else."""
        try:
            session, fields = await self._sent(request)
        except SignedOut:
            return redirect("/sign-in")
        except BadForm:
            return message("refused_form", language(request, self.language), None, FORBIDDEN)
        name = fields.get("zone", "").strip()
        if name and zones.find(name) is None:
            asked = self._asked(request, session)
            shown = views.account(self.desk, asked, failed="time_zone_wrong")
            return await run_sync(self._page, shown, session, request, asked.lang, UNPROCESSABLE)
        answer = redirect("/session")
        self.doors.keep_zone(answer, name)
        return answer

    async def _nowhere(self, request: Request) -> Response:
        return message("not_found", language(request, self.language), await self.doors.session(request), NOT_FOUND)

    def _page(
        self, shown: views.Shown | None, session: Session, request: Request, lang: Language, status: int = 200
    ) -> Response:
        """A page to someone who is signed in, which says above all whether anything real is touched."""
        if shown is None:
            return message("not_found", lang, session, NOT_FOUND)
        rooms = self.desk.mine(session.approver)
        sandbox = bool(rooms) and all(room.sandbox for room in rooms)
        back = request.url.path.removeprefix(BASE) if request.method == "GET" else ""
        return page(shown.template, lang, session, status=status, sandbox=sandbox, back=back, **shown.values)

    def _to_the_door(self, request: Request, lang: Language) -> Response:
        """To sign in; from another site's link, first once more from here: the cookie that proves it is then sent."""
        if crossed(request):
            return page("onward", lang, None, refresh=f"0;url={request.url.path}", onward=request.url.path)
        return self.doors.closed(request)

    def _asked(self, request: Request, session: Session) -> views.Asked:
        who = reader(request, self.language, self.zone)
        return views.Asked(dict(request.query_params), dict(request.path_params), session, who)


def _to_approval(fields: Mapping[str, str]) -> str:
    """Where what was decided is seen: the page says what the store says, and nobody's link can say it instead."""
    return f"/approvals/{''.join(each for each in fields.get('code', '').strip() if each.isalnum() or each == '-')}"


async def _file(name: str, _: Request) -> Response:
    """What every page needs: the same for everybody, so that a browser may keep it for a while."""
    return FileResponse(HERE / name, headers={**HEADERS, "Cache-Control": "max-age=600"})
