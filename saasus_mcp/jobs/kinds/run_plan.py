"""`job_run_plan`: any list of calls, planned as a whole, agreed to once, and reported row by row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.calls.call_planner import CallPlanner, ListOptions
from saasus_mcp.jobs.calls.entries import CallEntry, fill_template, read_call_table, read_calls
from saasus_mcp.jobs.calls.recipe import run_calls
from saasus_mcp.jobs.job_reader import JobReader, require_one_of
from saasus_mcp.jobs.plan import Plan


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Check every call, and plan those that change something."""
    options, entries = await _read_entries(reader, args)
    return await CallPlanner(reader, options).plan(entries)


run = run_calls


async def _read_entries(reader: JobReader, args: Mapping[str, Any]) -> tuple[ListOptions, list[CallEntry]]:
    require_one_of(args, "calls", "csv", "result")
    if ("template" in args) == ("calls" in args):
        raise InvalidArguments(("template",), message("jobs_calls.template_goes_with_table"))
    if "calls" in args:
        return ListOptions.of(args, "calls"), read_calls(args["calls"])
    argument, content = await reader.load_input(args, "csv", "result")
    table = await reader.run_in_thread(lambda: read_call_table(content, argument, encoding=reader.encoding))
    limit = reader.bulk_limits.max_calls
    entries = await reader.run_in_thread(lambda: fill_template(args["template"], table.rows, limit))
    return ListOptions.of(args, argument, table.reading), entries
