"""What a job answers: its numbers, what became of its rows, and its product, each as far as it fits, all of it kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.common.language import Language
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.saasus.tool_answer import AnswerImage, compact_json
from saasus_mcp.server.results.result_store import RESULTS_URI, SourceCall, png_of_result, result_of_png
from saasus_mcp.store.job_records import Job

INLINE_BYTES = 12 * 1024
"""Bytes of a product that is told with the answer; of a larger one where it is kept."""
MAX_ROWS = 20
"""Of what became of rows, told with the answer: those that went wrong first."""
SaveResult = Callable[[Any], str]
"""Keeps a value for whoever asked, for a day: its id, or nothing where it cannot be kept."""

GOES_ON = "It goes on by itself: do not start it again. job_status follows it, job_cancel stops it."
WAITS = (
    "It waits for a person and goes on by itself when they have decided: do not start it again. Tell them what it waits for; "
    "job_status with wait follows it, job_cancel stops it."
)
READS_KEY = "calls"
"""In a job's report, and told to nobody: the calls whose answers it is made of."""
OBJECT_SCHEMA: dict[str, Any] = {"type": "object"}
OUTPUT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "job": {"type": "string"},
        "name": {"type": "string"},
        "status": {"type": "string", "enum": ["running", "done", "failed", "cancelled"]},
        "done": {"type": "integer"},
        "total": {"type": "integer"},
        "counts": OBJECT_SCHEMA,
        "steps": OBJECT_SCHEMA,
        "why": {"type": "string"},
        "waiting": {"type": "string"},
        "approval": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": OBJECT_SCHEMA},
        "all_rows": {"type": "string"},
        "csv": {"type": "string"},
        "records": {"type": "array", "items": OBJECT_SCHEMA},
        "document": OBJECT_SCHEMA,
        "result": {"type": "string"},
        "chart": {"type": "string"},
        "secrets": {"type": "integer"},
        "kept_secrets": {"type": "string"},
        "hint": {"type": "string"},
    },
}
"""The outputSchema of every job's tool."""


def build_report(outcome: JobResult, keep: SaveResult, language: Language = "en") -> dict[str, Any]:
    """What is kept of an outcome with the job, and told whenever it is asked for."""
    told: dict[str, Any] = {"counts": dict(outcome.counts)}
    if outcome.notes:
        told["notes"] = [note if isinstance(note, str) else note.text(language) for note in outcome.notes]
    if outcome.product is not None:
        told |= _product(outcome.product, keep)
    if outcome.chart is not None:
        told["chart"] = _kept(_shown(outcome.chart), keep)
    if outcome.secrets:
        told["secrets"] = len(outcome.secrets)
        told["kept_secrets"] = _kept(dict(outcome.secrets), keep)
    if outcome.rows:
        worst = sorted(outcome.rows, key=lambda row: row.get("outcome") in ("applied", "skipped"))
        told["rows"] = worst[:MAX_ROWS]
        if len(outcome.rows) > MAX_ROWS:
            told["all_rows"] = _kept(outcome.rows, keep)
    return told


def report_reads(job: Job, spec: JobSpec) -> tuple[SourceCall, ...]:
    """The calls whose answers a job's report is made of; where it says none, any that such a job makes."""
    made = job.report.get(READS_KEY)
    if made is None:
        return tuple((key, None) for key in spec.reads)
    return tuple((key, arguments) for key, arguments in made)


def describe_job(job: Job, steps: Mapping[str, int], forbidden: str = "") -> dict[str, Any]:
    """A job as it is now.

    Args:
        steps: how many of its steps came to each outcome.
        forbidden: a tool that it read by and its principal may no longer call: then nothing of what it read is told.
    """
    answer: dict[str, Any] = {"job": job.id, "name": job.name, "status": job.status, "done": job.done}
    if job.total is not None:
        answer["total"] = job.total
    if steps:
        answer["steps"] = dict(steps)
    if job.status == "running":
        answer["hint"] = WAITS if job.report.get("waiting") else GOES_ON
    if forbidden:
        return {
            **answer,
            "hint": f"Its report is withheld: it was made of answers of {forbidden} that you are no longer allowed to make.",
        }
    return {**answer, **{name: value for name, value in job.report.items() if name != READS_KEY}}


def load_chart(kept: Any) -> AnswerImage | None:
    """The chart that was kept with a job; None where there is none any more."""
    if isinstance(kept, dict):
        return AnswerImage(png=png_of_result(kept) or "")
    return AnswerImage(text=kept) if isinstance(kept, str) else None


def _shown(figure: AnswerImage) -> Any:
    """A chart as it is kept, so that its resource is the picture or the text."""
    return result_of_png(figure.png) if figure.png else figure.text


def _product(table: Any, keep: SaveResult) -> dict[str, Any]:
    name = "csv" if isinstance(table, str) else "document" if isinstance(table, dict) else "records"
    size = len(table.encode()) if isinstance(table, str) else len(compact_json(table).encode())
    where = {"result": _kept(table, keep)}
    return {**where, name: table} if size <= INLINE_BYTES else where


def _kept(value: Any, keep: SaveResult) -> str:
    """Where the whole can be read, or that it cannot."""
    identifier = keep(value)
    return f"{RESULTS_URI}{identifier}" if identifier else "It could not be kept: run the job again."
