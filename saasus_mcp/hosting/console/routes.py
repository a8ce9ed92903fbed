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

from saasus_mcp.common import timezones
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.hosting.console import audit_view, views
from saasus_mcp.hosting.console.rendering import (
    BASE_PATH,
    CONFLICT,
    CONSOLE_HEADERS,
    FORBIDDEN,
    NOT_FOUND,
    SERVICE_UNAVAILABLE,
    TOO_MANY_REQUESTS,
    UNPROCESSABLE,
    InvalidForm,
    check_csrf,
    is_cross_site,
    read_form,
    redirect_to,
    render_message,
    render_page,
    request_language,
    request_reader,
)
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.signin_routes import SigninRoutes
from saasus_mcp.hosting.console.signin_sessions import ConsoleSession
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from saasus_mcp.permissions.refusal import CallRefused

log = logging.getLogger(__name__)

STATIC_FOLDER = Path(__file__).parent
MAX_REASON_LENGTH = 500
MAX_TYPED_LENGTH = 400
FormAction = Callable[[ConsoleSession, Mapping[str, str]], str]
Endpoint = Callable[[Request], Awaitable[Response]]
"""Does what a form asks, in a thread; gives the path to go to."""


class NotSignedIn(Exception):
    """Nobody is signed in, or not any more."""


@dataclass(frozen=True)
class Console:
    """The console: what is done at the desk, by whoever came in through the doors."""

    service: ConsoleService
    signin: SigninRoutes
    language: Language
    zone: tzinfo | None = None

    def routes(self) -> list[Route]:
        """Everything below /console."""
        shown: dict[str, views.View] = {
            "": views.view_approvals,
            "/": views.view_approvals,
            "/approvals/{code}": views.view_approval,
            "/audit": audit_view.view_audit,
            "/tools": views.view_tools,
            "/policy": views.view_policy,
            "/limits": views.view_limits,
            "/secrets": views.view_secrets,
            "/session": views.view_account,
        }
        done: dict[str, FormAction] = {
            "/approve": self._approve,
            "/reject": self._reject,
            "/freeze": self._freeze,
            "/unfreeze": self._unfreeze,
        }
        every = [
            *(Route(BASE_PATH + path, partial(self._show, view), methods=["GET"]) for path, view in shown.items()),
            *(Route(BASE_PATH + path, partial(self._do, act), methods=["POST"]) for path, act in done.items()),
            Route(BASE_PATH + "/reveal", self._reveal, methods=["POST"]),
            Route(BASE_PATH + "/time-zone", self._choose_zone, methods=["POST"]),
            *self.signin.routes(),
            *(
                Route(f"{BASE_PATH}/{name}", partial(_file, name), methods=["GET"])
                for name in ("style.css", "icon.svg")
            ),
            Route(BASE_PATH + "/{path:path}", self._nowhere, methods=["GET", "POST"]),
        ]
        return [Route(one.path, partial(self._answered, one.endpoint), methods=one.methods) for one in every]

    async def _answered(self, endpoint: Endpoint, request: Request) -> Response:
        """What a page answers, or that it cannot: a store that is away is no blank page."""
        try:
            return await endpoint(request)
        except CapacityExceeded as none:
            lang = request_language(request, self.language)
            return render_message(
                "too_many_requests", lang, None, TOO_MANY_REQUESTS if none.limit else SERVICE_UNAVAILABLE
            )
        except (SaasusMcpError, OSError) as error:  # OSError: no more open files
            log.error("the console could not answer: %s", error)  # noqa: TRY400 - what failed has been said in words
            return render_message("unavailable", request_language(request, self.language), None, SERVICE_UNAVAILABLE)

    async def _show(self, view: views.View, request: Request) -> Response:
        lang = request_language(request, self.language)
        session = await self.signin.find_session(request)
        if session is None:
            return self._to_the_door(request, lang)
        shown = await run_sync(view, self.service, self._asked(request, session))
        return await run_sync(self._page, shown, session, request, lang)

    async def _do(self, act: FormAction, request: Request) -> Response:
        """What a form asks; where it is refused, the page of what it was about says why."""
        lang = request_language(request, self.language)
        try:
            session, fields = await self._sent(request)
            try:
                return redirect_to(await run_sync(act, session, fields))
            except CallRefused as refused:
                return await self._refused(refused, fields, session, request)
        except NotSignedIn:
            return redirect_to("/sign-in")
        except InvalidForm:
            return render_message("refused_form", lang, None, FORBIDDEN)

    async def _sent(self, request: Request) -> tuple[ConsoleSession, Mapping[str, str]]:
        """Who sent a form, and its fields.

        Raises:
            SignedOut: nobody who is signed in.
            BadForm: it is not one that this session was shown.
        """
        session = await self.signin.find_session(request)
        if session is None:
            raise NotSignedIn
        fields = await read_form(request)
        check_csrf(fields, session)
        return session, fields

    async def _refused(
        self, refused: CallRefused, fields: Mapping[str, str], session: ConsoleSession, request: Request
    ) -> Response:
        lang, status = (
            request_language(request, self.language),
            CONFLICT if refused.reason == "unknown" else UNPROCESSABLE,
        )
        word, code = f"refused_{refused.reason}", fields.get("code", "")
        if code:
            asked = replace(self._asked(request, session), query={}, path={"code": code})
            typed = fields.get("name", "")[:MAX_TYPED_LENGTH]
            shown = await run_sync(partial(views.view_approval, self.service, asked, error=word, typed=typed))
            if shown is not None:
                return await run_sync(self._page, shown, session, request, lang, status)
        return render_message(word, lang, session, status)

    def _approve(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.approve(session.approver, fields.get("code", ""), fields.get("name", ""))
        return _to_approval(fields)

    def _reject(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.reject(
            session.approver, fields.get("code", ""), fields.get("reason", "").strip()[:MAX_REASON_LENGTH]
        )
        return _to_approval(fields)

    def _freeze(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        reason = fields.get("reason", "").strip()[:MAX_REASON_LENGTH]
        self.service.freeze(session.approver, fields.get("profile", ""), reason)
        return "/limits"

    def _unfreeze(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.unfreeze(session.approver, fields.get("profile", ""), fields.get("of", ""))
        return "/limits"

    async def _reveal(self, request: Request) -> Response:
        """Not a redirect: what is shown once must not be asked for twice."""
        lang, secret, failed = request_language(request, self.language), None, ""
        try:
            session, fields = await self._sent(request)
            try:
                secret = await run_sync(self.service.reveal, session.approver, fields.get("handle", ""))
            except CallRefused:
                failed = "unknown_secret"
        except NotSignedIn:
            return redirect_to("/sign-in")
        except InvalidForm:
            return render_message("refused_form", lang, None, FORBIDDEN)
        shown = views.PageContent("secrets", {"secret": secret, "failed": failed, "here": "secrets"})
        return await run_sync(self._page, shown, session, request, lang, UNPROCESSABLE if failed else 200)

    async def _choose_zone(self, request: Request) -> Response:
        """Take another time zone for what this browser shows. Changes nothing else."""
        try:
            session, fields = await self._sent(request)
        except NotSignedIn:
            return redirect_to("/sign-in")
        except InvalidForm:
            return render_message("refused_form", request_language(request, self.language), None, FORBIDDEN)
        name = fields.get("zone", "").strip()
        if name and timezones.find_time_zone(name) is None:
            asked = self._asked(request, session)
            shown = views.view_account(self.service, asked, error="time_zone_wrong")
            return await run_sync(self._page, shown, session, request, asked.language, UNPROCESSABLE)
        answer = redirect_to("/session")
        self.signin.set_time_zone(answer, name)
        return answer

    async def _nowhere(self, request: Request) -> Response:
        return render_message(
            "not_found", request_language(request, self.language), await self.signin.find_session(request), NOT_FOUND
        )

    def _page(
        self,
        shown: views.PageContent | None,
        session: ConsoleSession,
        request: Request,
        lang: Language,
        status: int = 200,
    ) -> Response:
        """A page to someone who is signed in, which says above all whether anything real is touched."""
        if shown is None:
            return render_message("not_found", lang, session, NOT_FOUND)
        rooms = self.service.contexts_of(session.approver)
        sandbox = bool(rooms) and all(room.sandbox for room in rooms)
        back = request.url.path.removeprefix(BASE_PATH) if request.method == "GET" else ""
        return render_page(shown.template, lang, session, status=status, sandbox=sandbox, back=back, **shown.values)

    def _to_the_door(self, request: Request, lang: Language) -> Response:
        """To sign in; from another site's link, first once more from here: the cookie that proves it is then sent."""
        if is_cross_site(request):
            return render_page("onward", lang, None, refresh=f"0;url={request.url.path}", onward=request.url.path)
        return self.signin.redirect_to_signin(request)

    def _asked(self, request: Request, session: ConsoleSession) -> views.PageRequest:
        who = request_reader(request, self.language, self.zone)
        return views.PageRequest(dict(request.query_params), dict(request.path_params), session, who)


def _to_approval(fields: Mapping[str, str]) -> str:
    """Where what was decided is seen: the page says what the store says, and nobody's link can say it instead."""
    return f"/approvals/{''.join(each for each in fields.get('code', '').strip() if each.isalnum() or each == '-')}"


async def _file(name: str, _: Request) -> Response:
    """What every page needs: the same for everybody, so that a browser may keep it for a while."""
    return FileResponse(STATIC_FOLDER / name, headers={**CONSOLE_HEADERS, "Cache-Control": "max-age=600"})
