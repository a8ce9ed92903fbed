"""Who granted a role, and when, where the audit log of this server knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from saasus_mcp.jobs.job_reader import JobReader

GRANT_OPERATION = "auth.CreateTenantUserRoles"
GrantKey = tuple[str, str, int, str]
"""Tenant, user, environment and role."""


@dataclass(frozen=True, slots=True)
class GrantRecord:
    """One grant.

    Attributes:
        approved_by: who consented; empty if the policy asked nobody.
    """

    at: int
    granted_by: str
    approved_by: str


async def read_grants(reader: JobReader) -> dict[GrantKey, GrantRecord]:
    """Return the latest grant of each role that was made through this server."""
    found: dict[GrantKey, GrantRecord] = {}
    for tenant, user, env, roles, *record in await reader.read_applied_calls(GRANT_OPERATION, _extract_grant):
        for role in roles:
            found.setdefault((tenant, user, env, role), GrantRecord(*record))
    return found


def _extract_grant(record: Mapping[str, Any]) -> list[Any]:
    args = record.get("arguments")
    args = args if isinstance(args, dict) else {}
    roles = args.get("role_names")
    return [
        args.get("tenant_id", ""),
        args.get("user_id", ""),
        args.get("env_id", 0),
        roles if isinstance(roles, list) else [],
        int(record["at"]),
        record.get("principal", ""),
        record.get("by") or "",
    ]
