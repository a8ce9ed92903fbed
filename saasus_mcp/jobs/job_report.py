"""The answer of a job: its numbers, the outcome of its rows, and its product. Everything is stored; what fits is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.common.json_bytes import compact_json
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.job_control import PAUSED_KEY
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.saasus.tool_answer import AnswerImage
from saasus_mcp.server.results.result_store import RESULTS_URI, SourceCall, png_of_result, result_of_png
from saasus_mcp.store.job_records import Job

INLINE_BYTES = 12 * 1024
"""The largest product that is part of the answer. Of a larger one, the answer has the URI."""
MAX_REPORTED_ROWS = 20
"""Rows in the answer. Rows that were not applied come first."""
SaveResult = Callable[[Any], str]
"""Stores a value for the caller for a day. Returns its id, or an empty string if it cannot be stored."""
RUNNING_HINT = "It continues by itself: do not start it again. job_status follows it, job_control pauses or cancels it."
WAITING_HINT = (
    "It waits for a person and continues by itself when they have decided: do not start it again. Tell them what it waits for; "
    "job_status with wait follows it, job_control cancels it."
)
WAITING_FOR_API_HINT = "It waits for the API and continues by itself: do not start it again. job_status with wait follows it, job_control cancels it."
PAUSING_HINT = "It pauses as soon as the rows in progress have ended. job_status with wait follows it."
PAUSED_HINT = "Do not start it again: job_control resumes it."
PAUSED_BY_PERSON_HINT = "Do not start it again. Only a person can resume it: on the console, or with `saasus-mcp job resume {job}` in a terminal."
READS_KEY = "calls"
"""In a stored report: the reads that it is based on. No answer shows it."""
APP_KEY = "app"
"""In a stored report: the chart as data, and the notes in both languages. Only an app gets them."""
OUTPUT_SCHEMA: dict[str, Any] = json.loads(Path(__file__).with_suffix(".schema.json").read_text(encoding="utf-8"))
"""The outputSchema of every job's tool."""


def build_report(result: JobResult, store_result: SaveResult, language: Language = "en") -> dict[str, Any]:
    """Return the part of a result that is stored with the job and shown in every answer about it."""
    report: dict[str, Any] = {"counts": dict(result.counts)}
    if result.notes:
        report["notes"] = [note.text(language) for note in result.notes]
    if result.product is not None:
        report |= _product(result.product, store_result)
    if result.chart is not None:
        report["chart"] = _uri(result_of_png(result.chart.png) if result.chart.png else result.chart.text, store_result)
    if result.secrets:
        report["secrets"] = len(result.secrets)
        report["kept_secrets"] = _uri(dict(result.secrets), store_result)
    if result.rows:
        report["rows"] = sorted(result.rows, key=lambda row: row.get("outcome") in ("applied", "skipped"))[
            :MAX_REPORTED_ROWS
        ]
        if len(result.rows) > MAX_REPORTED_ROWS:
            report["all_rows"] = _uri(result.rows, store_result)
    chart = {} if result.chart_data is None else {"chart": result.chart_data}
    notes = [{"en": note.text("en"), "ja": note.text("ja")} for note in result.notes]
    return {**report, APP_KEY: {**chart, "notes": notes}} if chart or notes else report


def report_reads(job: Job, spec: JobSpec) -> tuple[SourceCall, ...]:
    """Return the reads that a job's report is based on, or all reads of such a job if the report does not name them."""
    reads = job.report.get(READS_KEY)
    if reads is None:
        return tuple((key, None) for key in spec.reads)
    return tuple((key, arguments) for key, arguments in reads)


def describe_job(job: Job, steps: Mapping[str, int], forbidden: str = "") -> dict[str, Any]:
    """Return the answer about a job.

    Args:
        steps: the number of its steps by outcome.
        forbidden: a tool that its report is based on and that the principal may no longer call. The report is withheld.
    """
    answer: dict[str, Any] = {"job": job.id, "name": job.name, "status": shown_status(job), "done": job.done}
    if job.total is not None:
        answer["total"] = job.total
    if steps:
        answer["steps"] = dict(steps)
    if job.status == "running":
        answer["hint"] = _running_hint(job)
    if forbidden:
        return {**answer, "hint": str(message("jobs.withheld", tool=forbidden))}
    was_paused = PAUSED_KEY in job.report and shown_status(job) == "running"
    left_out = {READS_KEY, APP_KEY, *((PAUSED_KEY, "waiting") if was_paused else ())}
    return {**answer, **{name: value for name, value in job.report.items() if name not in left_out}}


def app_report(job: Job, spec: JobSpec, forbidden: str = "") -> dict[str, Any]:
    """Return what an app gets beside the answer about a job: its title, and what belongs to the report unless that is withheld."""
    title = {"title": {"en": spec.title.en, "ja": spec.title.ja}}
    return title if forbidden else {**title, **job.report.get(APP_KEY, {})}


def shown_status(job: Job) -> str:
    """Return the status of a job as a reader sees it: `paused` once no row is in progress."""
    is_paused = job.status == "running" and job.pause is not None and not job.cancelling and PAUSED_KEY in job.report
    return "paused" if is_paused else job.status


def _running_hint(job: Job) -> str:
    if job.pause is not None and not job.cancelling:
        if PAUSED_KEY not in job.report:
            return PAUSING_HINT
        return PAUSED_HINT if job.pause.side == "model" else PAUSED_BY_PERSON_HINT.format(job=job.id)
    if "until" in job.report:
        return WAITING_FOR_API_HINT
    return WAITING_HINT if job.report.get("waiting") else RUNNING_HINT


def load_chart(stored: Any) -> AnswerImage | None:
    """Return a stored chart, or None if it is no longer stored."""
    if isinstance(stored, dict):
        return AnswerImage(png=png_of_result(stored) or "")
    return AnswerImage(text=stored) if isinstance(stored, str) else None


def _product(product: Any, store_result: SaveResult) -> dict[str, Any]:
    name = "csv" if isinstance(product, str) else "document" if isinstance(product, dict) else "records"
    size = len((product if isinstance(product, str) else compact_json(product)).encode())
    uri = {"result": _uri(product, store_result)}
    return {**uri, name: product} if size <= INLINE_BYTES else uri


def _uri(value: Any, store_result: SaveResult) -> str:
    identifier = store_result(value)
    return f"{RESULTS_URI}{identifier}" if identifier else str(message("jobs.not_stored"))
