"""What a job answers: its numbers, what became of its rows, and its product, each as far as it fits, all of it kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from saasus_mcp.catalog import Language
from saasus_mcp.catalog.jobs import JobSpec
from saasus_mcp.jobs.kind import Outcome
from saasus_mcp.saasus.answer import Figure, compact
from saasus_mcp.server.results import URI, Made, picture, pictured
from saasus_mcp.store.job_records import Job

FITS = 12 * 1024
"""Bytes of a product that is told with the answer; of a larger one where it is kept."""
MOST_ROWS = 20
"""Of what became of rows, told with the answer: those that went wrong first."""
Keep = Callable[[Any], str]
"""Keeps a value for whoever asked, for a day: its id, or nothing where it cannot be kept."""

GOES_ON = "It goes on by itself: do not start it again. job_status follows it, job_cancel stops it."
WAITS = (
    "It waits for a person and goes on by itself when they have decided: do not start it again. Tell them what it waits for; "
    "job_status with wait follows it, job_cancel stops it."
)
CALLS = "calls"
"""In a job's report, and told to nobody: the calls whose answers it is made of."""
OBJECT: dict[str, Any] = {"type": "object"}
ANSWER: dict[str, Any] = {
    "type": "object",
    "properties": {
        "job": {"type": "string"},
        "name": {"type": "string"},
        "status": {"type": "string", "enum": ["running", "done", "failed", "cancelled"]},
        "done": {"type": "integer"},
        "total": {"type": "integer"},
        "counts": OBJECT,
        "steps": OBJECT,
        "why": {"type": "string"},
        "waiting": {"type": "string"},
        "approval": {"type": "string"},
        "notes": {"type": "array", "items": {"type": "string"}},
        "rows": {"type": "array", "items": OBJECT},
        "all_rows": {"type": "string"},
        "csv": {"type": "string"},
        "records": {"type": "array", "items": OBJECT},
        "document": OBJECT,
        "result": {"type": "string"},
        "chart": {"type": "string"},
        "secrets": {"type": "integer"},
        "kept_secrets": {"type": "string"},
        "hint": {"type": "string"},
    },
}
"""The outputSchema of every job's tool."""


def report(outcome: Outcome, keep: Keep, language: Language = "en") -> dict[str, Any]:
    """What is kept of an outcome with the job, and told whenever it is asked for."""
    told: dict[str, Any] = {"counts": dict(outcome.counts)}
    if outcome.notes:
        told["notes"] = [note if isinstance(note, str) else note.get(language) for note in outcome.notes]
    if outcome.table is not None:
        told |= _product(outcome.table, keep)
    if outcome.figure is not None:
        told["chart"] = _kept(_shown(outcome.figure), keep)
    if outcome.secrets:
        told["secrets"] = len(outcome.secrets)
        told["kept_secrets"] = _kept(dict(outcome.secrets), keep)
    if outcome.rows:
        worst = sorted(outcome.rows, key=lambda row: row.get("outcome") in ("applied", "skipped"))
        told["rows"] = worst[:MOST_ROWS]
        if len(outcome.rows) > MOST_ROWS:
            told["all_rows"] = _kept(outcome.rows, keep)
    return told


def calls(job: Job, spec: JobSpec) -> tuple[Made, ...]:
    """The calls whose answers a job's report is made of; where it says none, any that such a job makes."""
    made = job.report.get(CALLS)
    if made is None:
        return tuple((key, None) for key in spec.reads)
    return tuple((key, arguments) for key, arguments in made)


def told(job: Job, steps: Mapping[str, int], forbidden: str = "") -> dict[str, Any]:
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
    return {**answer, **{name: value for name, value in job.report.items() if name != CALLS}}


def figure(kept: Any) -> Figure | None:
    """The chart that was kept with a job; None where there is none any more."""
    if isinstance(kept, dict):
        return Figure(png=picture(kept) or "")
    return Figure(text=kept) if isinstance(kept, str) else None


def _shown(figure: Figure) -> Any:
    """A chart as it is kept, so that its resource is the picture or the text."""
    return pictured(figure.png) if figure.png else figure.text


def _product(table: Any, keep: Keep) -> dict[str, Any]:
    name = "csv" if isinstance(table, str) else "document" if isinstance(table, dict) else "records"
    size = len(table.encode()) if isinstance(table, str) else len(compact(table).encode())
    where = {"result": _kept(table, keep)}
    return {**where, name: table} if size <= FITS else where


def _kept(value: Any, keep: Keep) -> str:
    """Where the whole can be read, or that it cannot."""
    identifier = keep(value)
    return f"{URI}{identifier}" if identifier else "It could not be kept: run the job again."
