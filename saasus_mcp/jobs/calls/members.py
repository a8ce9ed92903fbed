"""Members of tenants by what people call them: the person by login or id, the tenant by name or id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.calls.target_names import IdResolver
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import TENANT, UUID_PATTERN
from saasus_mcp.jobs.users.accounts import grants_of, read_members

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a tenant, as the API shows them."""

    tenant_id: str
    user_id: str
    record: Record

    def roles(self, env_id: int) -> tuple[str, ...]:
        return tuple(role for env, role in grants_of(self.record) if env == env_id)

    @property
    def attributes(self) -> Record:
        return self.record.get("attributes") or {}


class Members:
    """Finds members. The list of each tenant is read once."""

    def __init__(self, reader: JobReader) -> None:
        self._reader = reader
        self._names = IdResolver(reader)
        self._by_tenant: dict[str, list[Record]] = {}

    async def find(self, user: str, tenant: str) -> Member:
        """Return a member.

        Raises:
            InvalidArguments: the tenant does not exist, or no such person or several belong to it.
        """
        tenant_id = str(await self._names.find("tenant", TENANT, tenant))
        key = "id" if UUID_PATTERN.fullmatch(user) else "email" if "@" in user else "sign_in_id"
        wanted = user.casefold()
        found = [each for each in await self._members(tenant_id) if str(each.get(key) or "").casefold() == wanted]
        exact = [each for each in found if each.get(key) == user] or found
        if len(exact) != 1:
            fault = message("jobs_calls.no_member", user=Quoted(user), tenant=Quoted(tenant))
            raise InvalidArguments(("user",), fault, message("jobs_calls.no_member_hint"))
        return Member(tenant_id, str(exact[0]["id"]), exact[0])

    async def _members(self, tenant_id: str) -> Sequence[Record]:
        if tenant_id not in self._by_tenant:
            self._by_tenant[tenant_id] = await read_members(self._reader, {"tenant_id": tenant_id})
        return self._by_tenant[tenant_id]
