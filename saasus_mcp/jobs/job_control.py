"""Who may pause and resume a job. The tool of the model, the command of the terminal and the console ask here alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from saasus_mcp.catalog.jobs import writes_at_all
from saasus_mcp.common.messages import message, one_of
from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.common.text import Quoted
from saasus_mcp.common.timezones import format_instant
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord, DecidedVia
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.store.job_records import GRANT_SECONDS, Job, JobPause, PauseSide
from saasus_mcp.store.write_freeze import unfreeze_command

if TYPE_CHECKING:
    from saasus_mcp.store.records import Freeze
    from saasus_mcp.store.store import Store
PAUSED_KEY = "paused"
"""In the stored report of a job: the pause that is in effect. No row is in progress then."""


@dataclass(frozen=True, slots=True)
class Controller:
    """Who controls a job: a person in a terminal or on the console, or the model for its caller."""

    principal: str
    side: PauseSide
    via: DecidedVia
    saas_id: str = ""
    person: Person = NOBODY


def pause_job(store: Store, job: Job, who: Controller, now: float) -> None:
    """Ask a job to pause between rows. A paused job stays paused, by a person if one of them asks.

    Raises:
        CallRefused: it has ended, or is being cancelled.
    """
    _require_active(job)
    record = _record(ActionKind.PAUSE, job, who)
    if store.pause_job(job.id, JobPause(now, who.principal, who.side), record) == "ended":
        _require_active(store.jobs.get(job.id) or job)


def resume_job(store: Store, job: Job, who: Controller, now: float) -> None:
    """Let a paused job go on. Nothing happens to one that is not paused. Each of its calls is decided on again.

    Raises:
        CallRefused: it has ended or is being cancelled, writes are frozen, the consent is too old, or a person paused it and
            the model wants to resume it.
    """
    _require_active(job)
    if job.pause is None:
        return
    if job.pause.side != "model" and who.side != "person":
        by, since = Quoted(job.pause.by, bare=True), format_instant(job.pause.at, UTC)
        refused = one_of("jobs.resume_refused", job.pause.side, by=by, since=since)
        raise CallRefused(Reason.DENIED, refused, message("jobs.resume_refused_hint", job=job.id))
    if (freeze := find_freeze(store, job)) is not None:
        frozen = message("jobs.resume_frozen", by=Quoted(freeze.by, bare=True))
        raise CallRefused(Reason.DENIED, frozen, message("jobs.resume_frozen_hint", command=unfreeze_command(freeze)))
    if now > job.at + GRANT_SECONDS:
        over = message("jobs.resume_too_late", hours=GRANT_SECONDS // 3600)
        raise CallRefused(Reason.EXPIRED, over, message("jobs.resume_too_late_hint"))
    if not store.resume_job(job.id, who.side, _record(ActionKind.RESUME, job, who), now):
        found = store.jobs.get(job.id) or job  # a person has paused it, or it ended, at the same moment
        if found.pause is not None or found.status != "running":
            resume_job(store, found, who, now)


def find_freeze(store: Store, job: Job) -> Freeze | None:
    """Return the freeze that keeps a job from going on. It keeps no job that only reads."""
    return store.active_freeze(job.profile) if writes_at_all(job.name) else None


def claim_pauses(store: Store, now: float) -> None:
    """Make pauses of the model those of the freeze that is about to be lifted. So a person resumes every frozen job."""
    for job in store.jobs.list_active():
        if job.pause is not None and job.pause.side == "model" and writes_at_all(job.name):
            pause_for_freeze(store, job.id, now=now)


def pause_for_freeze(store: Store, job: str, *, now: float) -> None:
    """Pause a job because writes are frozen, unless the freeze is over."""
    found = store.jobs.get(job)
    freeze = None if found is None else store.active_freeze(found.profile)
    if found is not None and freeze is not None:
        record = _record(ActionKind.PAUSE, found, Controller(freeze.by, "freeze", "server"))
        store.pause_job(job, JobPause(now, freeze.by, "freeze"), record)


def _require_active(job: Job) -> None:
    """Raise CallRefused if a job has ended or is being cancelled."""
    if job.status != "running":
        raise CallRefused(Reason.UNKNOWN, one_of("jobs.has_ended", job.status), message("jobs.has_ended_hint"))
    if job.cancelling:
        raise CallRefused.because(Reason.UNKNOWN, "jobs.is_cancelling")


def _record(kind: ActionKind, job: Job, who: Controller) -> dict[str, object]:
    action = ActionRecord(
        kind,
        who.principal,
        who.via,
        profile=job.profile,
        saas_id=who.saas_id,
        operation=job.name,
        from_call=job.id,
        person=who.person,
    )
    return action.to_audit()
