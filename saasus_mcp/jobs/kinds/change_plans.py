"""`job_change_plans`: change the pricing plans of tenants by a table, with old and new prices and one approval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.calls.recipe import plan_rows, read_rows, required_text, run_calls, text_of
from saasus_mcp.jobs.calls.row_faults import FaultCollector
from saasus_mcp.jobs.calls.target_names import WHOLE_NUMBER, IdResolver
from saasus_mcp.jobs.invoices.contract import present_tax_rate
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import PLAN, TAX_RATE, TENANT
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.period import parse_zone
from saasus_mcp.jobs.reports.price_list import read_tenants
from saasus_mcp.jobs.tables.cells import COMPACT_DATE, date_of_serial, explain_value, narrow, parse_moment
from saasus_mcp.jobs.tables.table_reader import TableRow

AT_ONCE = frozenset({"now", "今すぐ", "すぐ", "即時"})


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan one change for each row. A row says when: a moment, or `now`. Without a tax rate, the tenant keeps its present one."""
    zone = parse_zone(args)
    options, rows = await read_rows(reader, args, ("tenant", "plan", "when"), ("tax",))
    if options.reading is not None and any(_depends_on_zone(text_of(row, "when")) for row in rows):
        options = replace(options, reading=replace(options.reading, zone=args.get("zone", "UTC")))
    names = IdResolver(reader)
    present = {each["id"]: present_tax_rate(each) for each in await read_tenants(reader, ("id", "plan_histories"))}

    async def make(row: TableRow) -> Sequence[Mapping[str, Any]]:
        arguments: dict[str, Any] = {}
        faults = FaultCollector()
        with faults:
            arguments["tenant_id"] = await names.find("tenant", TENANT, required_text(row, "tenant"))
        with faults:
            if not text_of(row, "plan"):
                raise InvalidArguments(("plan",), message("jobs_calls.empty_cell"), message("jobs_calls.no_plan_hint"))
            arguments["next_plan_id"] = await names.find("plan", PLAN, text_of(row, "plan"))
        with faults:
            when = required_text(row, "when")
            if when.casefold() not in AT_ONCE:
                arguments["using_next_plan_from"] = _epoch(when, zone)
        with faults:
            tax = await names.find("tax", TAX_RATE, text_of(row, "tax")) or present.get(arguments.get("tenant_id"), "")
            if tax:
                arguments["next_plan_tax_rate_id"] = tax
        faults.raise_collected()
        return [{"tool": "auth_update_tenant_plan", "arguments": arguments}]

    return await plan_rows(reader, (options, rows), make)


run = run_calls


def _epoch(text: str, zone: tzinfo) -> int:
    """Return epoch seconds: as given, or of the date or time. Raise InvalidArguments if it is no moment."""
    number = narrow(text)
    if date_of_serial(text) is not None:
        raise InvalidArguments(("when",), message("jobs.sentence", text=explain_value("date", text)))
    if WHOLE_NUMBER.fullmatch(number) and not COMPACT_DATE.fullmatch(number):
        return int(number)
    try:
        return parse_moment(text, zone)[0]
    except ValueError:
        raise InvalidArguments(("when",), message("jobs_calls.no_moment", text=Quoted(text))) from None


def _depends_on_zone(text: str) -> bool:
    try:
        return parse_moment(text, UTC)[1]
    except ValueError:
        return False
