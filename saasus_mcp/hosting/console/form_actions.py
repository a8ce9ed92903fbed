"""The actions of the console's forms, and the page that each of them leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from saasus_mcp.hosting.console import freeze_actions, job_actions
from saasus_mcp.hosting.console.forms import read_reason
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.signin_sessions import Approver, ConsoleSession, ConsoleSessions

FormAction = Callable[[ConsoleSession, Mapping[str, str]], str]
"""Performs the action of a form, in a thread, and returns the path to go to."""
FreezeAction = Callable[[ConsoleService, Approver, Mapping[str, str]], None]
"""Freezes writes or lifts a freeze, as a form says."""
JobAction = Callable[[ConsoleService, Approver, str], None]
"""Pauses, resumes or cancels the job with this id."""


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
            "/freeze": partial(self._change_freeze, freeze_actions.freeze_writes),
            "/unfreeze": partial(self._change_freeze, freeze_actions.lift_freeze),
            "/pause-job": partial(self._control_job, job_actions.pause_job),
            "/resume-job": partial(self._control_job, job_actions.resume_job),
            "/cancel-job": partial(self._control_job, job_actions.cancel_job),
            "/end-session": self._end_session,
        }

    def _approve(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.approve(session.approver, fields.get("code", ""), fields.get("name", ""), read_reason(fields))
        return approval_path(fields)

    def _reject(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        self.service.reject(session.approver, fields.get("code", ""), read_reason(fields))
        return approval_path(fields)

    def _change_freeze(self, change: FreezeAction, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        change(self.service, session.approver, fields)
        return "/limits"

    def _control_job(self, control: JobAction, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        job = fields.get("job", "")
        control(self.service, session.approver, job)
        return f"/jobs/{job}"

    def _end_session(self, session: ConsoleSession, fields: Mapping[str, str]) -> str:
        """End another session of the same person. One that has ended already is as good."""
        self.sessions.close_one(session.approver, fields.get("session", ""))
        return "/session"


def approval_path(fields: Mapping[str, str]) -> str:
    """Return the path of the approval page, which shows the result as it is in the store."""
    code, change = (_path_part(fields.get(each, "")) for each in ("code", "change"))
    return f"/approvals/{code}?change={change}" if change else f"/approvals/{code}"


def _path_part(text: str) -> str:
    return "".join(each for each in text.strip() if each.isalnum() or each == "-")
