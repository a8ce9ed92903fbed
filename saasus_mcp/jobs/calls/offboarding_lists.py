"""The off-boarding of several tenants or users: one approval for all deletions, or for the ends of all contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.jobs.calls.call_report import run_calls
from saasus_mcp.jobs.calls.call_table import CallTable
from saasus_mcp.jobs.calls.recipe import plan_rows
from saasus_mcp.jobs.calls.target_names import IdResolver
from saasus_mcp.jobs.checklist import run_checklist
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import TENANT, UUID_PATTERN
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.price_list import read_plans
from saasus_mcp.jobs.tables.table_reader import TableRow
from saasus_mcp.jobs.users.existing_users import read_memberships

Record = Mapping[str, Any]


def list_table(argument: str, values: Sequence[str]) -> CallTable:
    """Return a list of names or ids as a table."""
    return CallTable(argument, tuple(TableRow(number, {argument: value}) for number, value in enumerate(values, 1)))


async def run_offboarding(work: JobContext, plan: Plan) -> JobResult:
    """Run the checklist of one tenant or user, or the calls of a list of them."""
    return await (run_calls(work, plan) if "rows" in plan.data else run_checklist(work, plan))


async def plan_tenants(reader: JobReader, args: Mapping[str, Any], contract_end: Any) -> Plan:
    """Plan to end the contracts of the tenants, or to delete those whose contract costs nothing.

    Args:
        contract_end: returns when the contract of a tenant can end.
    """
    names = IdResolver(reader)
    plans = await read_plans(reader)
    deletes = args.get("delete") == "at_once"

    async def make(row: TableRow) -> Sequence[Record]:
        tenant_id = await names.find("tenants", TENANT, str(row.cells["tenants"]))
        tenant: Record = await reader.read("auth.GetTenant", {"tenant_id": tenant_id})
        plan = plans.get(str(tenant.get("plan_id") or ""))
        if deletes or not tenant.get("plan_id"):
            is_free = plan is None or (all(unit.get("type") == "fixed" for unit in plan.units) and not plan.fixed_price)
            if tenant.get("plan_id") and not is_free:
                fault = message("jobs_calls.contract_runs")
                raise InvalidArguments(("tenants",), fault, message("jobs_calls.contract_runs_hint"))
            return [{"tool": "auth_delete_tenant", "arguments": {"tenant_id": tenant_id}}]
        end = {"tenant_id": tenant_id, "next_plan_id": "", "using_next_plan_from": contract_end(tenant)}
        scheduled = tenant.get("using_next_plan_from") and not tenant.get("next_plan_id")
        return [] if scheduled else [{"tool": "auth_update_tenant_plan", "arguments": end}]

    return await plan_rows(reader, args, list_table("tenants", args["tenants"]), make)


async def plan_users(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan to remove the users from all of their tenants, and to delete their accounts unless these are kept."""
    names = IdResolver(reader)
    keeps = bool(args.get("keep_account"))

    async def make(row: TableRow) -> Sequence[Record]:
        text = str(row.cells["users"])
        user_id = text if UUID_PATTERN.fullmatch(text) else await names.find_user(text)
        leaves = [
            {"tool": "auth_delete_tenant_user", "arguments": {"tenant_id": str(each["tenant_id"]), "user_id": user_id}}
            for each in await read_memberships(reader, user_id)
        ]
        account = {"tool": "auth_delete_saas_user", "arguments": {"user_id": user_id}}
        return leaves if keeps else [*leaves, account]

    return await plan_rows(reader, args, list_table("users", args["users"]), make)
