"""What an approver can see and do with jobs on the console, independent of HTTP."""

from __future__ import annotations

from saasus_mcp.hosting.console.service import ConsoleService, Listed
from saasus_mcp.hosting.console.signin_sessions import Approver
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.store.job_records import Job


def list_jobs(service: ConsoleService, approver: Approver, most: int) -> list[Listed[Job]]:
    """Return the newest jobs that the approver may see."""
    listed = [
        Listed(context, each)
        for context in service.contexts_of(approver)
        for each in context.store().jobs.list_recent(context.profile, most)
    ]
    return sorted(listed, key=lambda each: each.record.at, reverse=True)[:most]


def find_visible_job(service: ConsoleService, approver: Approver, identifier: str) -> Listed[Job] | None:
    """Return a job that the approver may see."""
    return service.find_record(approver, lambda store: store.jobs.get(identifier))


def pause_job(service: ConsoleService, approver: Approver, identifier: str) -> None:
    """Ask a job to pause between rows.

    Raises:
        CallRefused: there is no such job for this approver, or it is not running.
    """
    listed = _running_job(service, approver, identifier)
    job_control.pause_job(listed.context.store(), listed.record, _controller(approver, listed), service.clock())


def resume_job(service: ConsoleService, approver: Approver, identifier: str) -> None:
    """Let a paused job go on. Each of its calls is decided on again.

    Raises:
        CallRefused: there is no such job for this approver, it is not running, writes are frozen, or the consent is too old.
    """
    listed = _running_job(service, approver, identifier)
    job_control.resume_job(listed.context.store(), listed.record, _controller(approver, listed), service.clock())


def cancel_job(service: ConsoleService, approver: Approver, identifier: str) -> None:
    """Ask a job to stop after the row that it is at. The record comes first.

    Raises:
        CallRefused: there is no such job for this approver, or it is not running.
    """
    listed = _running_job(service, approver, identifier)
    context, job = listed.context, listed.record
    details = {"profile": job.profile, "operation": job.name, "from_call": identifier}
    service.record(context, approver, ActionKind.JOB_CANCEL, **details)
    context.store().jobs.request_cancellation(identifier)


def _running_job(service: ConsoleService, approver: Approver, identifier: str) -> Listed[Job]:
    listed = find_visible_job(service, approver, identifier)
    if listed is None or listed.record.status != "running":
        raise CallRefused.because(Reason.UNKNOWN, "hosting.unknown_job")
    return listed


def _controller(approver: Approver, listed: Listed[Job]) -> Controller:
    return Controller(approver.id, "person", "console", listed.context.saas_id, approver.person)
