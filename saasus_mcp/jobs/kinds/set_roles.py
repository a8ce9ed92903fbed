"""`job_set_roles`: grant and revoke roles until every person has exactly the roles that a table states."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.calls.recipe import plan_rows, read_rows, required_text, run_calls, text_of
from saasus_mcp.jobs.calls.row_faults import FaultCollector
from saasus_mcp.jobs.calls.target_names import IdResolver, MemberFinder
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import ENVIRONMENT, ROLE
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.tables.table_reader import TableRow

SEPARATORS = re.compile(r"[;\uff1b\n]")
COMMAS = re.compile(r"[,、\uff0c]")
"""Both with the full-width form."""


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Compare each row with the present roles. Roles of other people, tenants and environments stay."""
    rows = await read_rows(reader, args, ("user", "tenant", "env", "roles"))
    names, members = IdResolver(reader), MemberFinder(reader)
    seen: dict[tuple[str, str, int], int] = {}

    async def make(row: TableRow) -> Sequence[Mapping[str, Any]]:
        faults = FaultCollector()
        with faults:
            member = await members.find(required_text(row, "user"), required_text(row, "tenant"))
        with faults:
            env_id = int(await names.find("env", ENVIRONMENT, required_text(row, "env")))
        with faults:
            if row.cells.get("roles") is None:  # an empty text takes every role, so a missing one must not
                raise InvalidArguments(
                    ("roles",), message("jobs_calls.empty_cell"), message("jobs_calls.no_roles_hint")
                )
        wanted: dict[str, str] = {}
        for text in await _split_roles(text_of(row, "roles"), names):
            with faults:
                role = str(await names.find("roles", ROLE, text))
                if not await names.exists(ROLE, role):
                    raise InvalidArguments(("roles",), message("jobs_calls.unknown_role", role=Quoted(role)))
                wanted[role] = text
        faults.raise_collected()
        key = (member.user_id, member.tenant_id, env_id)
        if key in seen:
            raise InvalidArguments((), message("jobs_calls.same_target", row=seen[key]))
        seen[key] = row.number
        present = member.roles(env_id)
        place = {"tenant_id": member.tenant_id, "user_id": member.user_id, "env_id": env_id}
        missing = [role for role in wanted if role not in present]
        grants = [{"tool": "auth_create_tenant_user_roles", "arguments": {**place, "role_names": missing}}]
        revokes = [
            {"tool": "auth_delete_tenant_user_role", "arguments": {**place, "role_name": role}}
            for role in present
            if role not in wanted
        ]
        return [*(grants if missing else []), *revokes]

    return await plan_rows(reader, rows, make)


run = run_calls


async def _split_roles(text: str, names: IdResolver) -> list[str]:
    """Return the roles in a cell. A comma separates them too, unless it is part of the name of a role."""
    found: list[str] = []
    for part in SEPARATORS.split(text):
        found += [part] if await names.knows(ROLE, part.strip()) else COMMAS.split(part)
    return [role.strip() for role in found if role.strip()]
