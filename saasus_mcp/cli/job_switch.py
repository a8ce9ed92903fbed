"""`saasus-mcp job pause` and `job resume`: hold a job of any server that uses these stores back, and let it go on."""

from __future__ import annotations

import time
from collections.abc import Sequence

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.output import print_outcome
from saasus_mcp.cli.terminal import require_approver
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import visible_text
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.settings import Settings
from saasus_mcp.store.job_records import Job
from saasus_mcp.store.store import Store

ACTIONS = ("pause", "resume")
MAX_LISTED = 20


def switch_job(settings: Settings, action: str, job_id: str) -> None:
    """Pause a job, or resume it. A pause needs no terminal, because it is safe; a resumption needs a person at one.

    Raises:
        SaasusMcpError: there is no such job, or it cannot be paused or resumed now.
    """
    if action == "resume":
        require_approver("job resume", settings.state_folder)
    user, now = composition.local_user(), time.time()
    who = Controller(user.id, "person", "terminal", person=user.person)
    with state.open_stores(settings) as stores:
        for store in stores:
            job = store.jobs.get(job_id)
            if job is None:
                continue
            if action == "pause":
                job_control.pause_job(store, job, who, now)
                print_outcome({"job": job.id, "status": "paused"}, message("cli_job.pausing", job=job.id))
                return
            job_control.resume_job(store, job, who, now)
            print_outcome({"job": job.id, "status": "running"}, message("cli_job.resumed", job=job.id))
            return
        raise _unknown_job(stores)


def _unknown_job(stores: Sequence[Store]) -> SaasusMcpError:
    active = [_active_job(store, job) for store in stores for job in store.jobs.list_active()]
    if not active:
        return SaasusMcpError(message("cli_job.no_active_job"))
    return SaasusMcpError(
        message("cli_job.job_id_needed"), message("cli_job.active_jobs", jobs=tuple(active[:MAX_LISTED]))
    )


def _active_job(store: Store, job: Job) -> Message:
    """Return a job with who started it: name and e-mail address, if they are known, beside the id."""
    id_ = visible_text(job.principal)
    known = store.audit_log.people.get(job.principal).label
    person = message("question.person", name=visible_text(known), id=id_) if known else id_
    return message("cli_job.active_job", job=job.id, name=job.name, person=person)
