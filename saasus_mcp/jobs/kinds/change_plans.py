"""`job_change_plans`: change the pricing plans of tenants by a table, with old and new prices and one approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.jobs.calls.recipe import parse_moment, plan_rows, read_rows, required_text, run_calls
from saasus_mcp.jobs.calls.row_faults import FaultCollector
from saasus_mcp.jobs.calls.target_names import IdResolver
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import PLAN, TENANT
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.tables.table_reader import TableRow

AT_ONCE = frozenset({"now", "今すぐ", "すぐ", "即時"})


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan one change for each row. A row says when: a moment, or `now`."""
    rows = await read_rows(reader, args, ("tenant", "plan", "when"))
    names = IdResolver(reader)

    async def make(row: TableRow) -> Sequence[Mapping[str, Any]]:
        arguments: dict[str, Any] = {}
        faults = FaultCollector()
        with faults:
            arguments["tenant_id"] = await names.find("tenant", TENANT, required_text(row, "tenant"))
        with faults:
            arguments["next_plan_id"] = await names.find("plan", PLAN, required_text(row, "plan"))
        with faults:
            when = required_text(row, "when")
            if when.casefold() not in AT_ONCE:
                arguments["using_next_plan_from"] = parse_moment(when, args, "when")
        faults.raise_collected()
        return [{"tool": "auth_update_tenant_plan", "arguments": arguments}]

    return await plan_rows(reader, rows, make)


run = run_calls
