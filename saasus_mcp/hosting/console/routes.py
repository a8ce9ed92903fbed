"""The routes of the console: its pages, and the actions of their forms."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from functools import cache, partial
from http import HTTPStatus
from mimetypes import guess_type

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from saasus_mcp.common import timezones
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.hosting.console import (
    approvals_view,
    audit_export,
    audit_view,
    changes_view,
    jobs_view,
    live,
    policy_view,
    tools_view,
    views,
)
from saasus_mcp.hosting.console.forms import (
    FormAction,
    FormActions,
    InvalidForm,
    approval_path,
    check_csrf,
    is_cross_site,
    read_form,
    read_reason,
)
from saasus_mcp.hosting.console.rendering import (
    BASE_PATH,
    CONSOLE_HEADERS,
    STATIC_FILES,
    STATIC_FOLDER,
    message_values,
    redirect_to,
    render_message,
    render_page,
    request_language,
    request_reader,
    requested_address,
)
from saasus_mcp.hosting.console.service import ConsoleService, freezes_version
from saasus_mcp.hosting.console.signin_routes import SigninRoutes
from saasus_mcp.hosting.limits.request_pool import CapacityExceeded
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import format_value
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.store.signin_sessions import ConsoleSession

log = logging.getLogger(__name__)

MAX_TYPED_LENGTH = 400
PAST_REASONS = frozenset({Reason.UNKNOWN, Reason.CHANGED})
Endpoint = Callable[[Request], Awaitable[Response]]


class NotSignedIn(Exception):
    """The browser has no valid session."""


@dataclass(frozen=True)
class Console:
    """The console: pages and actions for approvers who have signed in."""

    service: ConsoleService
    signin: SigninRoutes
    language: Language
    zone: tzinfo | None = None
    streams: live.LiveStreams = field(default_factory=live.LiveStreams)

    def routes(self) -> list[Route]:
        pages: dict[str, views.View] = {
            "": approvals_view.view_approvals,
            "/": approvals_view.view_approvals,
            "/approvals/{code}": approvals_view.view_approval,
            "/audit": audit_view.view_audit,
            "/jobs": jobs_view.view_jobs,
            "/jobs/{job}": jobs_view.view_job,
            "/changes": changes_view.view_changes,
            "/changes/{call}": changes_view.view_change,
            "/tools": tools_view.view_tools,
            "/tools/{tool}": tools_view.view_tool,
            "/policy": policy_view.view_policy,
            "/limits": views.view_limits,
            "/secrets": views.view_secrets,
            "/session": partial(views.view_access, self.signin.sessions),
        }
        actions = FormActions(self.service, self.signin.sessions).by_path()
        routes = [
            *(Route(BASE_PATH + path, partial(self._show, view), methods=["GET"]) for path, view in pages.items()),
            *(Route(BASE_PATH + path, partial(self._act, act), methods=["POST"]) for path, act in actions.items()),
            Route(BASE_PATH + "/reveal", self._reveal, methods=["POST"]),
            Route(BASE_PATH + "/undo", self._undo, methods=["POST"]),
            Route(BASE_PATH + "/jobs/{job}/{member}", self._download_job_file, methods=["GET"]),
            Route(BASE_PATH + "/time-zone", self._choose_time_zone, methods=["POST"]),
            Route(BASE_PATH + "/audit.{form:str}", self._export_audit, methods=["GET"]),
            Route(BASE_PATH + "/events", self._stream_events, methods=["GET"]),
            *self.signin.routes(),
            *(Route(f"{BASE_PATH}/{name}", partial(_send_file, name), methods=["GET"]) for name in STATIC_FILES),
            Route(BASE_PATH + "/{path:path}", self._not_found, methods=["GET", "POST"]),
        ]
        return [Route(each.path, partial(self._answer, each.endpoint), methods=each.methods) for each in routes]

    async def _answer(self, endpoint: Endpoint, request: Request) -> Response:
        """Call an endpoint, and answer its errors with a page."""
        try:
            return await endpoint(request)
        except NotSignedIn:
            return self.signin.refuse_form(request) if request.method == "POST" else self._redirect_to_signin(request)
        except InvalidForm:
            text, status = message("console.refused_form"), HTTPStatus.FORBIDDEN
        except CapacityExceeded as error:
            text = message("console.too_many_requests")
            status = HTTPStatus.TOO_MANY_REQUESTS if error.limit else HTTPStatus.SERVICE_UNAVAILABLE
        except (SaasusMcpError, OSError) as error:  # OSError: too many open files
            log.error("the console could not answer: %s", error)  # noqa: TRY400 - the message says what failed
            text, status = message("console.unavailable"), HTTPStatus.SERVICE_UNAVAILABLE
        return render_message(text, request_language(request, self.language), status)

    async def _require_session(self, request: Request) -> ConsoleSession:
        """Return the session of this browser. Raise NotSignedIn if it has none."""
        session = await self.signin.find_session(request)
        if session is None:
            raise NotSignedIn
        return session

    async def _show(self, view: views.View, request: Request) -> Response:
        session = await self._require_session(request)
        shown = await self._show_page(view, self._page_request(request, session), request)
        return shown or await self._render_missing(session, request)

    async def _show_page(
        self,
        view: views.View,
        page: views.PageRequest,
        request: Request,
        status: int = HTTPStatus.OK,
        address: str = "",
    ) -> Response | None:
        """Return a live page, under an address of its own if it answers a form; None if it does not exist."""
        # Before the content: a change in between then looks new to the page, and is not missed.
        state = await run_sync(live.read_live_state, self.service, page.approver, page.reader)
        content = await run_sync(view, page)
        if content is None:
            return None
        return await run_sync(
            partial(self._render, content, page.session, request, status, state=state, address=address)
        )

    async def _export_audit(self, request: Request) -> Response:
        """Answer with the filtered audit log as a file."""
        session = await self._require_session(request)
        known = audit_export.MEDIA_TYPES.get(request.path_params["form"])
        if known is None:
            return await self._render_missing(session, request)
        form, media_type = known
        find = self.signin.session_finder(request)
        page = self._page_request(request, session)
        if (fault := audit_view.find_filter_fault(page)) is not None:
            return await self._tell(fault, session, request, HTTPStatus.UNPROCESSABLE_ENTITY)
        content = audit_export.export_audit(page, form, lambda: find() is not None)
        headers = {**CONSOLE_HEADERS, "Content-Disposition": f'attachment; filename="audit.{form}"'}
        return StreamingResponse(content, media_type=media_type, headers=headers)

    async def _stream_events(self, request: Request) -> Response:
        """Answer with the stream of changes. Without a session or a place the browser must not come back by itself."""
        session = await self.signin.find_session(request)
        if session is None or is_cross_site(request):
            return Response(status_code=HTTPStatus.UNAUTHORIZED, headers=CONSOLE_HEADERS)
        if not self.streams.has_place(session):
            return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers=CONSOLE_HEADERS)
        reader, find = self._page_request(request, session).reader, self.signin.session_finder(request)
        asked_at = live.parse_time(request.query_params.get("at", ""))
        events = live.stream_events(self.service, self.streams, session, find, reader, asked_at=asked_at)
        headers = {**CONSOLE_HEADERS, "X-Accel-Buffering": "no"}
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _act(self, action: FormAction, request: Request) -> Response:
        """Perform the action of a form. If it is refused, the page it belongs to says why."""
        session, fields = await self._read_form(request)
        try:
            return redirect_to(await run_sync(action, session, fields))
        except CallRefused as refused:
            return await self._show_refusal(refused, fields, session, request)

    async def _read_form(self, request: Request) -> tuple[ConsoleSession, Mapping[str, str]]:
        """Return the session and the fields of a form.

        Raises:
            NotSignedIn: the browser has no session.
            InvalidForm: the form does not belong to the session.
        """
        session = await self._require_session(request)
        fields = await read_form(request)
        check_csrf(fields, session)
        return session, fields

    async def _show_refusal(
        self, refused: CallRefused, fields: Mapping[str, str], session: ConsoleSession, request: Request
    ) -> Response:
        """Answer with the page of the form, which says why it was refused and keeps what was typed."""
        status = HTTPStatus.CONFLICT if refused.reason in PAST_REASONS else HTTPStatus.UNPROCESSABLE_ENTITY
        is_freeze = request.url.path.endswith("freeze")
        code, job = "" if is_freeze else fields.get("code", ""), fields.get("job", "")
        error = one_of("console.refused", refused.reason) if code else refused.message
        page, shown = replace(self._page_request(request, session), query={}), None
        if code:
            typed = fields.get("name", "")[:MAX_TYPED_LENGTH]
            page = replace(page, path={"code": code}, query={"change": fields.get("change", "")})
            view = partial(approvals_view.view_approval, error=error, typed=typed, comment=read_reason(fields))
            shown = await self._show_page(view, page, request, status, approval_path(fields))
        elif job:
            page = replace(page, path={"job": job})
            shown = await self._show_page(
                partial(jobs_view.view_job, error=error), page, request, status, f"/jobs/{job}"
            )
        elif is_freeze:
            shown = await self._show_page(partial(views.view_limits, error=error), page, request, status, "/limits")
        return shown or await self._tell(error, session, request, status)

    async def _reveal(self, request: Request) -> Response:
        """Show a secret once. There is no redirect, because the page cannot be requested again."""
        session, fields = await self._read_form(request)
        secret: str | None = None
        error: Message | None = None
        handle = fields.get("handle", "")
        try:
            secret = await run_sync(self.service.reveal, session.approver, handle)
        except CallRefused:
            error = message("console.unknown_secret")
        content = views.PageContent(
            "secrets", {"secret": secret, "handle": handle if error else "", "error": error, "here": "secrets"}
        )
        status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
        return await run_sync(partial(self._render, content, session, request, status, address="/secrets"))

    async def _undo(self, request: Request) -> Response:
        """Undo a change, and return to its page; or ask the approver first, as the policy requires."""
        session, fields = await self._read_form(request)
        page = self._page_request(request, session)
        try:
            answer = await changes_view.answer_undo(page, fields)
        except CallRefused as refused:
            return await self._tell(refused.message, session, request, HTTPStatus.CONFLICT)
        if answer.view is None:
            return redirect_to(answer.path)
        page = replace(page, query={}, path={"call": fields.get("call", "")})
        shown = await self._show_page(answer.view, page, request, answer.status, answer.path)
        return shown or await self._render_missing(session, request)

    async def _download_job_file(self, request: Request) -> Response:
        """Answer with a file of a job, for the person who started it."""
        session = await self._require_session(request)
        job, member = request.path_params["job"], request.path_params["member"]
        try:
            file = await jobs_view.read_job_file(self.service, session.approver, job, member)
        except CallRefused as refused:
            return await self._tell(refused.message, session, request, HTTPStatus.FORBIDDEN)
        if file is None:
            return await self._render_missing(session, request)
        headers = {**CONSOLE_HEADERS, "Content-Disposition": f'attachment; filename="{file.name}"'}
        return Response(file.content, media_type=file.media_type, headers=headers)

    async def _choose_time_zone(self, request: Request) -> Response:
        """Set the time zone of this browser. Nothing else changes."""
        session, fields = await self._read_form(request)
        name = fields.get("zone", "").strip()
        if name and timezones.find_time_zone(name) is None:
            page = self._page_request(request, session)
            view = partial(views.view_access, error=message("console.time_zone_wrong"), typed=name)
            content = await run_sync(view, self.signin.sessions, page)
            status = HTTPStatus.UNPROCESSABLE_ENTITY
            return await run_sync(partial(self._render, content, session, request, status, address="/session"))
        response = redirect_to("/session")
        self.signin.set_time_zone(response, name)
        return response

    async def _not_found(self, request: Request) -> Response:
        return await self._render_missing(await self.signin.find_session(request), request)

    async def _render_missing(self, session: ConsoleSession | None, request: Request) -> Response:
        return await self._tell(message("console.not_found"), session, request, HTTPStatus.NOT_FOUND)

    async def _tell(self, text: Message, session: ConsoleSession | None, request: Request, status: int) -> Response:
        if session is None:
            return render_message(text, request_language(request, self.language), status)
        content = views.PageContent("message", message_values(text, status))
        return await run_sync(partial(self._render, content, session, request, status))

    def _render(
        self,
        content: views.PageContent,
        session: ConsoleSession,
        request: Request,
        status: int = HTTPStatus.OK,
        *,
        state: live.LiveView | None = None,
        address: str = "",
    ) -> Response:
        """Return a page, with its freezes, and marked if the approver sees nothing but the sandbox.

        Args:
            address: of the page that answers a form, below /console: under it the page reloads and is returned to.
        """
        page, contexts = self._page_request(request, session), self.service.contexts_of(session.approver)
        frozen = self.service.list_freezes(session.approver)
        values = {
            "sandbox": bool(contexts) and all(context.sandbox for context in contexts),
            "frozen": frozen,
            "freezes_version": freezes_version(frozen),
            "page": page,
            "back": requested_address(request) if request.method == "GET" else address,
            "address": address,
            "state": state,
            "when": lambda at: format_value(Timestamp(at), page.reader),
            **content.values,
        }
        return render_page(content.template, page.language, session, status=status, **values)

    def _redirect_to_signin(self, request: Request) -> Response:
        """Redirect to the sign-in page.

        After a link of another site, reload the page from this site first: the browser then sends the strict session cookie.
        """
        if is_cross_site(request):
            path, language = BASE_PATH + requested_address(request), request_language(request, self.language)
            return render_page("onward", language, None, refresh=f"0;url={path}", onward=path)
        return self.signin.redirect_to_signin(request)

    def _page_request(self, request: Request, session: ConsoleSession) -> views.PageRequest:
        reader = request_reader(request, self.language, self.zone)
        query, path = dict(request.query_params), dict(request.path_params)
        return views.PageRequest(self.service, query, path, session, reader)


async def _send_file(name: str, _: Request) -> Response:
    return _static_file(name)


@cache
def _static_file(name: str) -> Response:
    """Return a static file. It is the same for everybody, so browsers may cache it."""
    headers = {**CONSOLE_HEADERS, "Cache-Control": "max-age=600"}
    return Response((STATIC_FOLDER / name).read_bytes(), headers=headers, media_type=guess_type(name)[0])
