"""`job_undo_job`: undo the changes of a job, newest first, with one question. People start it from a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.calls.call_planner import CallPlanner, ListOptions
from saasus_mcp.jobs.calls.entries import CallEntry
from saasus_mcp.jobs.calls.recipe import run_calls
from saasus_mcp.jobs.calls.row_faults import RowFault
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.permissions.refusal import CallRefused, Reason


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan the inverse calls of all changes that are not undone yet. What cannot come back is a row of the report."""
    planner = CallPlanner(reader, ListOptions(argument="job", skip_faulty=True))
    entries: list[CallEntry] = []
    limit = reader.bulk_limits.max_calls
    undo_entries = await reader.undo_entries(args["of"])
    for row, entry in enumerate(undo_entries, 1):
        try:
            found = reader.plan_undo(entry, is_approver=bool(args.get("is_approver")))
        except SaasusMcpError as error:
            if isinstance(error, CallRefused) and error.reason not in (Reason.UNDONE, Reason.UNDO_NONE):
                raise
            if not isinstance(error, CallRefused) or error.reason == Reason.UNDO_NONE:
                planner.add_fault(RowFault(row, entry.operation, error))
            continue
        steps = [step for step in found.steps if not step.is_done]
        if any(step.missing_paths for step in steps):
            fault = message("jobs_calls.undo_needs_value", call=entry.call[:8])
            planner.add_fault(RowFault(row, entry.operation, fault))
            continue
        if len(entries) + len(steps) > limit:
            planner.add_fault(RowFault(row, entry.operation, message("jobs_calls.undo_later")))
            continue
        entries += [
            CallEntry(row, row, "", step.operation.tool, step.args, undoes=(entry.call, step.number)) for step in steps
        ]
    return await planner.plan(entries)


run = run_calls
