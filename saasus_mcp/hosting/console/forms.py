"""Read the console's forms, reject forms of other sites (CSRF), and do what they say: each action leads to a page."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import SplitResult, parse_qs, urlsplit

from starlette.requests import Request

from saasus_mcp.common.messages import message
from saasus_mcp.hosting.console.service import ConsoleService, Listed, freeze_mark
from saasus_mcp.hosting.console.signin_sessions import ConsoleSessions
from saasus_mcp.jobs import job_control
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.store.job_records import Job
from saasus_mcp.store.signin_sessions import Approver, ConsoleSession
from saasus_mcp.store.store import Store

MAX_FORM_BYTES = 64 * 1024
"""The longest field is the encrypted state of a question, with the target as it was read."""
MAX_FIELDS = 20
MAX_REASON_LENGTH = 500
FormAction = Callable[[ConsoleSession, Mapping[str, str]], str]
"""Performs the action of a form, in a thread, and returns the path to go to. Raises CallRefused."""
SwitchJob = Callable[[Store, Job, job_control.Controller, float], None]
"""Pauses or resumes a job."""


class InvalidForm(Exception):
    """The form is too large, has no valid token, or was sent from another site."""


def is_cross_site(request: Request) -> bool:
    """Return True if a link of another site led here. The browser then leaves out the strict session cookie."""
    return request.headers.get("sec-fetch-site") == "cross-site"


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form of this site. Raise InvalidForm if the form is too large, or another site sent it."""
    if not _is_same_origin(request):
        raise InvalidForm
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise InvalidForm
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise InvalidForm from None
    return {name: values[0] for name, values in fields.items()}


def check_csrf(fields: Mapping[str, str], session: ConsoleSession) -> None:
    """Raise InvalidForm unless the form has the CSRF token of the session."""
    if not session.csrf or not hmac.compare_digest(fields.get("csrf", "").encode(), session.csrf.encode()):
        raise InvalidForm


def read_reason(fields: Mapping[str, str]) -> str:
    """Return the reason that a person gave, shortened to what is stored; empty without one."""
    return fields.get("reason", "").strip()[:MAX_REASON_LENGTH]


def _is_same_origin(request: Request) -> bool:
    """Return True if the browser says that this site sent the form. A request that says nothing is not from a browser."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is not None and split_address(origin).netloc == request.headers.get("host", "")


def split_address(address: str) -> SplitResult:
    """Return the parts of an address that a browser sent, all empty if it is not valid."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


@dataclass(frozen=True)
class FormActions:
    """The actions of the forms that show no secret and ask no further question."""

    service: ConsoleService
    sessions: ConsoleSessions

    def by_path(self) -> dict[str, FormAction]:
        """Return the actions by their paths below /console."""
        return {
            "/approve": self._approve,
            "/reject": self._reject,
            "/freeze": self._freeze,
            "/unfreeze": self._lift_freeze,
            "/pause-job": partial(self._switch_job, job_control.pause_job),
            "/resume-job": partial(self._switch_job, job_control.resume_job),
            "/cancel-job": self._cancel_job,
            "/end-session": self._end_session,
        }

    def _approve(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.approve(session.approver, fields.get("code", ""), fields.get("name", ""), read_reason(fields))
        return approval_path(fields)

    def _reject(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.reject(session.approver, fields.get("code", ""), read_reason(fields))
        return approval_path(fields)

    def _freeze(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.freeze(session.approver, fields.get("profile", ""), read_reason(fields))
        return "/limits"

    def _lift_freeze(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        """Lift the freeze that the approver saw, and not one that another person has begun meanwhile."""
        name, profile = fields.get("profile", ""), fields.get("of", "")
        if fields.get("sure") != "yes":
            raise CallRefused(Reason.DECLINED, message("console.unfreeze_not_sure"))
        if fields.get("seen", "") != self._current_freeze(session.approver, name, profile):
            raise CallRefused(Reason.CHANGED, message("console.freeze_changed"))
        self.service.unfreeze(session.approver, name, profile)
        return "/limits"

    def _current_freeze(self, approver: Approver, name: str, profile: str) -> str:
        """Return the mark of the freeze that a form would lift now; empty without one."""
        if not name and self.service.may_freeze_all(approver):
            stores = [each.store() for each in self.service.contexts_of(approver)]
            return freeze_mark(each for store in stores for each in store.active_freezes() if not each.profile)
        context = self.service.find_context(approver, name)
        lifted = profile if context.profile is None else context.profile
        return freeze_mark(each for each in context.store().active_freezes(lifted) if each.profile == lifted)

    def _switch_job(self, switch: SwitchJob, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        listed, approver = self._running_job(session, fields), session.approver
        saas_id = listed.context.saas_id
        who = job_control.Controller(approver.id, "person", "console", saas_id, approver.person)
        switch(listed.context.store(), listed.record, who, self.service.clock())
        return f"/jobs/{listed.record.id}"

    def _cancel_job(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        """Ask a job to stop after the row that it is at. The record comes first."""
        listed = self._running_job(session, fields)
        context, job = listed.context, listed.record
        details = {"profile": job.profile, "operation": job.name, "from_call": job.id}
        self.service.record(context, session.approver, ActionKind.JOB_CANCEL, **details)
        context.store().jobs.request_cancellation(job.id)
        return f"/jobs/{job.id}"

    def _running_job(self, session: ConsoleSession, fields: Mapping[str, str]) -> Listed[Job]:
        listed = self.service.find_job(session.approver, fields.get("job", ""))
        if listed is None or listed.record.status != "running":
            raise CallRefused.because(Reason.UNKNOWN, "hosting.unknown_job")
        return listed

    def _end_session(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        """End another session of the same person. One that has ended already is as good."""
        self.sessions.close_one(session.approver, fields.get("session", ""))
        return "/session"


def approval_path(fields: Mapping[str, str]) -> str:
    """Return the path of the approval page, which shows the result as it is in the store."""
    given = (fields.get(each, "").strip() for each in ("code", "change"))
    code, change = ("".join(letter for letter in text if letter.isalnum() or letter == "-") for text in given)
    return f"/approvals/{code}?change={change}" if change else f"/approvals/{code}"
