"""`job_update_attributes`: change attributes of tenants, or of members of tenants, by a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.jobs.calls.recipe import HEADINGS, plan_rows, read_rows, required_text, run_calls, text_of
from saasus_mcp.jobs.calls.row_faults import FaultCollector
from saasus_mcp.jobs.calls.target_names import IdResolver, MemberFinder
from saasus_mcp.jobs.job_reader import ApiRecord, JobReader
from saasus_mcp.jobs.name_index import MAX_LISTED, TENANT
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.tables.cells import PARSERS, ColumnNames, explain_value
from saasus_mcp.jobs.tables.table_reader import TableRow
from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX

DEFINITIONS: Mapping[str, tuple[str, str]] = {
    "tenants": ("auth.GetTenantAttributes", "tenant_attributes"),
    "users": ("auth.GetUserAttributes", "user_attributes"),
}


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Plan one update for each row that differs. Empty cells and attributes without a column stay as they are."""
    of = args["of"]
    keys = ("tenant",) if of == "tenants" else ("tenant", "user")
    key, items = DEFINITIONS[of]
    defined = await reader.read(key, take=lambda answer: _definitions(answer, items))
    types = {name: kind for name, kind, _ in defined}
    headings = HEADINGS.with_titles(ATTRIBUTE_PREFIX, {name: title for name, _, title in defined})
    rows = await read_rows(reader, args, (*keys, ATTRIBUTE_PREFIX), headings=headings)
    names, members = IdResolver(reader), MemberFinder(reader)
    seen: dict[str, int] = {}

    async def make(row: TableRow) -> Sequence[Mapping[str, Any]]:
        faults = FaultCollector()
        changed = _values(row, types, headings, faults)
        if of == "users":
            with faults:
                member = await members.find(required_text(row, "user"), required_text(row, "tenant"))
            faults.raise_collected()
            place = {"tenant_id": member.tenant_id, "user_id": member.user_id}
            present: ApiRecord = member.attributes
            tool, others = "auth_update_tenant_user", place
        else:
            with faults:
                tenant_id = await names.find("tenant", TENANT, required_text(row, "tenant"))
            faults.raise_collected()
            tenant: ApiRecord = await reader.read("auth.GetTenant", {"tenant_id": tenant_id})
            present = tenant.get("attributes") or {}
            kept = {name: tenant.get(name) or "" for name in ("name", "back_office_staff_email")}
            tool, others = "auth_update_tenant", {"tenant_id": tenant_id, **kept}
        # A call sends all attributes, so a second one would put back what the first one changed.
        first = seen.setdefault(fold_name(f"{others['tenant_id']} {others.get('user_id', '')}"), row.number)
        if first != row.number:
            raise InvalidArguments((), message("jobs_calls.same_target", row=first))
        if all(present.get(name) == value for name, value in changed.items()):
            return []
        return [{"tool": tool, "arguments": {**others, "attributes": {**present, **changed}}}]

    return await plan_rows(reader, rows, make, headings)


run = run_calls


def _definitions(answer: ApiRecord, items: str) -> list[tuple[str, str, str]]:
    """Return name, type and title of each attribute."""
    fields = ("attribute_type", "display_name")
    return [
        (each["attribute_name"], *(str(each.get(field) or "") for field in fields)) for each in answer.get(items, [])
    ]


def _values(row: TableRow, types: Mapping[str, str], headings: ColumnNames, faults: FaultCollector) -> dict[str, Any]:
    """Return the new values of a row by attribute."""
    values: dict[str, Any] = {}
    for column in row.cells:
        if not column.startswith(ATTRIBUTE_PREFIX) or not text_of(row, column):
            continue
        with faults:
            name = column.removeprefix(ATTRIBUTE_PREFIX)
            if name not in types:
                known = tuple(headings.shown(ATTRIBUTE_PREFIX + each) for each in islice(types, MAX_LISTED))
                hint = message("jobs_calls.columns_hint", columns=known)
                raise InvalidArguments((column,), message("jobs_calls.other_column", column=Quoted(column)), hint)
            values[name] = _value(column, text_of(row, column), types[name])
    return values


def _value(column: str, text: str, kind: str) -> Any:
    try:
        return PARSERS.get(kind, str)(text)
    except ValueError:
        fault = explain_value(kind, text)
        raise InvalidArguments((column,), message("jobs.sentence", text=fault)) from None
