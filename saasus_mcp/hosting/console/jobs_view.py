"""The pages of jobs: all that an approver may see, and one with its progress, rows and files.

The caller who started a job may download its files, while the policy lets them read the content.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, get_args

from anyio.to_thread import run_sync

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, one_of, templates_of
from saasus_mcp.common.word_search import WordSearch
from saasus_mcp.hosting.console.service import ConsoleService, Listed
from saasus_mcp.hosting.console.views import PageContent, PageRequest, PersonView
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_report import shown_status
from saasus_mcp.jobs.tables.table_file import encode_table_file
from saasus_mcp.permissions.approval.action_records import ActionKind, action_of
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.results.jmespath_query import format_csv
from saasus_mcp.server.results.result_store import PNG_TYPE, png_of_result
from saasus_mcp.store.job_records import Job, RowOutcome
from saasus_mcp.store.signin_sessions import Approver

DOWNLOADS = ("result", "all_rows", "chart")
"""The members of a report that can be downloaded. Hidden secrets cannot: each is revealed on its own."""
MAX_JOBS = 100
ROW_FIELDS = ("row", "target", "tool", "outcome", "why")
OUTCOMES = frozenset(get_args(RowOutcome))
FAILURES = ("failed", "refused", "unknown", "not_applied", "not_begun", "unread")
"""The outcomes of rows after which a job was not carried out as a whole."""
FILES = ("result", "all_rows", "chart", "kept_secrets")
"""The members of a report that are URIs of stored results."""


@dataclass(frozen=True, slots=True)
class JobFile:
    """The content of a file, and its name and type for a browser."""

    name: str
    media_type: str
    content: bytes


async def read_job_file(service: ConsoleService, approver: Approver, job: str, member: str) -> JobFile | None:
    """Return a file of a job; None if it does not exist, has expired, or is not this person's.

    Raises:
        CallRefused: the policy denies this person a call that the file was made from.
    """
    listed = await run_sync(service.find_job, approver, job)
    if listed is None or member not in DOWNLOADS:
        return None
    principal, pipeline = _owner(approver, listed), listed.context.pipeline
    uri = str(listed.record.report.get(member, ""))
    if principal is None or pipeline is None or not uri:
        return None
    found = await pipeline.results.read(uri, principal)
    return await run_sync(_encode, f"{listed.record.name}-{member}", found.value) if found is not None else None


def _owner(approver: Approver, listed: Listed[Job]) -> Principal | None:
    """Return the approver as the caller who started a job; None if they did not, or are no caller."""
    is_own = listed.context.pipeline is not None and listed.record.principal == approver.id
    return listed.context.find_caller(approver) if is_own else None


def _encode(name: str, value: Any) -> JobFile:
    """Return a stored value as a picture, a table, or JSON."""
    if (png := png_of_result(value)) is not None:
        return JobFile(f"{name}.png", PNG_TYPE, base64.b64decode(png))
    if isinstance(value, str) and name.endswith("-chart"):
        return JobFile(f"{name}.txt", "text/plain", value.encode())
    if isinstance(value, list):
        with suppress(InvalidArguments):  # too many cells for a table
            value = format_csv(value)
    if isinstance(value, str):
        return JobFile(f"{name}.csv", "text/csv", encode_table_file(value, ".csv"))
    return JobFile(f"{name}.json", "application/json", json.dumps(value, ensure_ascii=False, indent=2).encode())


def view_jobs(page: PageRequest) -> PageContent:
    """Return the newest jobs, with words to search for the matching ones."""
    search, listed = WordSearch(page.filter_text("q")), page.service.list_jobs(page.approver, MAX_JOBS)
    rows = [_job_row(page, each) for each in listed if search.matches(_searched_texts(page, each))]
    return PageContent("jobs", {"rows": rows, "q": search.text, "reload_seconds": 30, "here": "jobs"})


def view_job(page: PageRequest, error: Message | None = None) -> PageContent | None:
    """Return one job with its report. `error`: why the last form was refused."""
    listed = page.service.find_job(page.approver, page.path["job"])
    if listed is None:
        return None
    report = listed.record.report
    downloads = DOWNLOADS if _owner(page.approver, listed) is not None else ()
    counts = report.get("counts") or listed.context.store().jobs.count_outcomes(listed.record.id)
    values = {
        "row": {**_job_row(page, listed), "counts": _count_rows(counts, page.reader)},
        "cancelled_by": _cancelled_by(page, listed),
        "halted": job_control.find_freeze(listed.context.store(), listed.record) is not None,
        "notes": [str(each) for each in report.get("notes", ())],
        "why": str(report.get("why", "")),
        "rows": [_report_row(each, page.reader) for each in report.get("rows", ())],
        "more_rows": "all_rows" in report,
        "files": [(name, str(report[name]), name in downloads) for name in FILES if report.get(name)],
        "error": error,
        "reload_seconds": 10 if listed.record.status == "running" else 0,
        "here": "jobs",
    }
    return PageContent("job", values)


def _cancelled_by(page: PageRequest, listed: Listed[Job]) -> PersonView:
    """Return the person who cancelled a job; nobody if it goes on, or ended by itself or by its caller's wish."""
    job, context = listed.record, listed.context
    ended = job.cancelling or job.status == "cancelled"
    records = context.store().audit_log.find_actions(job.id, job.at) if ended else []
    found = [str(each["principal"]) for each in records if action_of(each) == ActionKind.JOB_CANCEL]
    return page.person(context, found[0] if found else "")


def _searched_texts(page: PageRequest, listed: Listed[Job]) -> list[str]:
    job = listed.record
    involved = [str(page.person(listed.context, each)) for each in (job.principal, job.by)]
    status = one_of("console_jobs.status", _shown_status(job))
    return [*page.service.operation_names(job.name), job.id, *involved, status.text("en"), status.text("ja")]


def _job_row(page: PageRequest, listed: Listed[Job]) -> dict[str, Any]:
    job, waiting = listed.record, str(listed.record.report.get("waiting", ""))
    status = _shown_status(job)
    return {
        "job": job,
        "title": page.service.operation_title(job.name, page.language),
        "who": page.person(listed.context, job.principal),
        "profile": job.profile,
        "saas_id": listed.context.saas_id,
        "sandbox": listed.context.sandbox,
        "status": status,
        "paused_by": page.person(listed.context, job.pause.by if job.pause else ""),
        "by": page.person(listed.context, job.by),
        "duration": duration_text((job.ended_at or page.service.clock()) - job.at),
        "counts": _count_rows(job.report.get("counts") or {}, page.reader),
        "waiting": waiting if job.status == "running" else "",
    }


def duration_text(seconds: float) -> Message:
    """Return a duration in its two largest units."""
    whole = max(0, round(seconds))
    minutes, hours = whole // 60, whole // 3600
    unit = "hours" if hours else "minutes" if minutes else "seconds"
    return one_of("console_jobs.duration_value", unit, hours=hours, minutes=minutes % 60, seconds=whole % 60)


def _count_rows(counts: Mapping[str, int], reader: Reader) -> list[tuple[str, str, int]]:
    """Return the outcomes of the rows of a job, or what a report counts, with their names and numbers."""
    names = templates_of("apps.count", reader.language)
    return [
        (str(name), str(names.get(f"apps.count.{name}") or _outcome_text(str(name), reader)), count)
        for name, count in counts.items()
    ]


def _shown_status(job: Job) -> str:
    if job.status == "done" and has_failures(job):
        return "partly"
    if job.status != "running" or not (job.cancelling or job.pause):
        return job.status
    if job.cancelling:
        return "stopping"
    return "paused" if shown_status(job) == "paused" else "pausing"


def has_failures(job: Job) -> bool:
    """Return True if some rows of an ended job were not carried out."""
    counts = job.report.get("counts") or {}
    return any(counts.get(each) for each in FAILURES)


def _outcome_text(outcome: str, reader: Reader) -> str:
    """Return the name of an outcome. A kind of job may have others, which are shown as they are."""
    return one_of("console_jobs.outcome", outcome).text(reader.language) if outcome in OUTCOMES else outcome


def _report_row(row: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    """Return a row of the report. Fields beyond the usual ones belong to its kind of job, and are shown as text."""
    usual = {name: str(row.get(name, "")) for name in ROW_FIELDS}
    others = ", ".join(f"{name}: {value}" for name, value in row.items() if name not in ROW_FIELDS)
    return {**usual, "kind": usual["outcome"], "outcome": _outcome_text(usual["outcome"], reader), "others": others}
