"""The entries of an audit log, newest first: a call with its end, a refusal, or a decision."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from saasus_mcp.store.audit.reader import AuditReader, RecordPosition
from saasus_mcp.store.job_records import JobStatus

BATCH_SIZE = 500
"""How many records are read at once."""
END_SECONDS = 24 * 3600.0
"""How long after its begin the end of a call is looked for, if it was not passed on the way."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A record of the audit log, and of a call the record of its end."""

    position: RecordPosition
    record: Mapping[str, Any]
    end: Mapping[str, Any] | None = None


def iterate_entries(
    log: AuditReader, since: float, until: float = math.inf, before: RecordPosition | None = None
) -> Iterator[AuditEntry]:
    """Yield the entries between two times, newest first, with a batch of records in memory at a time.

    An end whose beginning is missing is left out: its call began before the records.

    Args:
        since, until: the time of the begin, in epoch seconds.
        before: yield only the entries before this position.
    """
    ends: dict[str, Mapping[str, Any]] = {}
    if before is None and until < math.inf:
        before = RecordPosition(until, "", 0)
    while True:
        batch = log.newest_records(BATCH_SIZE, before)
        ends |= {record["call"]: record for _, record in batch if record["event"] == "ended"}
        begun = [record for _, record in batch if record["event"] == "begun" and record["call"] not in ends]
        if begun:
            ends |= log.find_ends([record["call"] for record in begun], begun[-1]["at"], END_SECONDS)
        for position, record in batch:
            if record["at"] < since:
                return
            if record["event"] != "ended":
                yield AuditEntry(position, record, ends.pop(record["call"], None))
        if len(batch) < BATCH_SIZE:
            return
        before = batch[-1][0]


def end_outcome(end: Mapping[str, Any]) -> str:
    """Return what became of a call. The record of a job has the outcomes of its steps."""
    if "applied" in end or end.get("status") not in get_args(JobStatus):
        return str(end.get("applied") or "unknown")
    steps = end.get("steps")
    if not isinstance(steps, Mapping):  # the engine gave the job up, and nobody counted what became of its calls
        return "unknown"
    return next((each for each in ("unknown", "applied") if steps.get(each)), "not_applied")


def tool_of(record: Mapping[str, Any]) -> str:
    """Return the operation, job or tool of a record, as it names it."""
    return str(record.get("operation") or record.get("tool", ""))
