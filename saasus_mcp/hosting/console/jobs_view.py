"""The pages of jobs: all that an approver may see, and one with its progress, rows and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from saasus_mcp.common.messages import Message, one_of
from saasus_mcp.hosting.console import job_actions, job_files
from saasus_mcp.hosting.console.job_actions import ListedJob
from saasus_mcp.hosting.console.people_view import PagePeople
from saasus_mcp.hosting.console.service import ConsoleService
from saasus_mcp.hosting.console.views import PageContent, PageRequest
from saasus_mcp.hosting.console.word_search import WordSearch
from saasus_mcp.jobs.job_report import shown_status
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.store.job_records import Job, RowOutcome

MAX_JOBS = 100
ROW_FIELDS = ("row", "target", "tool", "outcome", "why")
OUTCOMES = frozenset(get_args(RowOutcome))
FILES = ("result", "all_rows", "chart", "kept_secrets")
"""The members of a report that are URIs of stored results."""


def view_jobs(service: ConsoleService, page: PageRequest) -> PageContent:
    """Return the newest jobs, with words to search for the matching ones."""
    search, people = WordSearch(page.filter_text("q")), PagePeople()
    rows = [
        _job_row(service, each, page.reader, people)
        for each in job_actions.list_jobs(service, page.session.approver, MAX_JOBS)
        if search.matches(_searched_texts(service, each, people))
    ]
    values = {"rows": rows, "q": search.text, "reload_seconds": 30, "here": "jobs"}
    return PageContent("jobs", values)


def view_job(service: ConsoleService, page: PageRequest, error: Message | None = None) -> PageContent | None:
    """Return one job with its report.

    Args:
        error: why the last form was refused.
    """
    listed = job_actions.find_job(service, page.session.approver, page.path["job"])
    if listed is None:
        return None
    report = listed.job.report
    downloads = job_files.DOWNLOADS if job_files.may_download(page.session.approver, listed) else ()
    counts = report.get("counts") or listed.context.store().jobs.count_outcomes(listed.job.id)
    values = {
        "row": _job_row(service, listed, page.reader, PagePeople()),
        "counts": [(str(name), _outcome_text(str(name), page.reader), count) for name, count in counts.items()],
        "notes": [str(each) for each in report.get("notes", ())],
        "why": str(report.get("why", "")),
        "rows": [_report_row(each, page.reader) for each in report.get("rows", ())],
        "more_rows": "all_rows" in report,
        "files": [
            (name, one_of("console_jobs.file", name), str(report[name]), name in downloads)
            for name in FILES
            if report.get(name)
        ],
        "error": error,
        "reload_seconds": 10 if listed.job.status == "running" else 0,
        "here": "jobs",
    }
    return PageContent("job", values)


def _searched_texts(service: ConsoleService, listed: ListedJob, people: PagePeople) -> list[str]:
    job = listed.job
    involved = [str(people.view(listed.context, each)) for each in (job.principal, job.by)]
    return [*service.operation_names(job.name), job.id, *involved]


def _job_row(service: ConsoleService, listed: ListedJob, reader: Reader, people: PagePeople) -> dict[str, Any]:
    job, waiting = listed.job, str(listed.job.report.get("waiting", ""))
    status = _shown_status(job)
    return {
        "id": job.id,
        "title": service.operation_title(job.name, reader.language),
        "name": job.name,
        "who": people.view(listed.context, job.principal),
        "profile": job.profile,
        "saas_id": listed.context.saas_id,
        "sandbox": listed.context.sandbox,
        "status": status,
        "status_label": one_of("console_jobs.status", status),
        "running": job.status == "running",
        "paused": job.pause is not None,
        "cancelling": job.cancelling,
        "given": one_of("console_jobs.given", job.given or "none"),
        "by": people.view(listed.context, job.by),
        "at": format_value(Timestamp(job.at), reader),
        "ended_at": format_value(Timestamp(job.ended_at), reader) if job.ended_at else "",
        "done": job.done,
        "total": job.total,
        "waiting": waiting if job.status == "running" else "",
    }


def _shown_status(job: Job) -> str:
    if job.status != "running" or not (job.cancelling or job.pause):
        return job.status
    if job.cancelling:
        return "stopping"
    return "paused" if shown_status(job) == "paused" else "pausing"


def _outcome_text(outcome: str, reader: Reader) -> str:
    """Return the name of an outcome. A kind of job may have others, which are shown as they are."""
    return one_of("console_jobs.outcome", outcome).text(reader.language) if outcome in OUTCOMES else outcome


def _report_row(row: Mapping[str, Any], reader: Reader) -> dict[str, str]:
    """Return a row of the report. Fields beyond the usual ones belong to its kind of job, and are shown as text."""
    usual = {name: str(row.get(name, "")) for name in ROW_FIELDS}
    others = ", ".join(f"{name}: {value}" for name, value in row.items() if name not in ROW_FIELDS)
    return {**usual, "kind": usual["outcome"], "outcome": _outcome_text(usual["outcome"], reader), "others": others}
