"""Names in place of ids in the arguments of listed calls: tenants, plans, users, environments, roles, tax rates; and members of tenants."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.text import Quoted
from saasus_mcp.jobs.job_reader import ApiRecord, JobReader, ReadFailed
from saasus_mcp.jobs.name_index import (
    ENVIRONMENT,
    PLAN,
    ROLE,
    TAX_RATE,
    TENANT,
    UUID_PATTERN,
    NameIndex,
    NameKind,
    UnknownName,
    read_names,
)
from saasus_mcp.jobs.tables.cells import narrow
from saasus_mcp.jobs.users.accounts import grants_of, read_members
from saasus_mcp.jobs.users.existing_users import find_account

ARGUMENTS: Mapping[str, NameKind] = {
    "tenant_id": TENANT,
    "plan_id": PLAN,
    "plan_ids": PLAN,
    "next_plan_id": PLAN,
    "env_id": ENVIRONMENT,
    "role_name": ROLE,
    "role_names": ROLE,
    "next_plan_tax_rate_id": TAX_RATE,
    "tax_rate_id": TAX_RATE,
}
WHOLE_NUMBER = re.compile(r"[0-9]{1,18}")
"""An id of an environment, or epoch seconds. A longer number fits no argument."""
CREATED_NAMES: Mapping[str, str] = {"auth.CreateRole": "role_name"}
"""Operations whose argument is a new name and not one to be found."""


class IdResolver:
    """Finds the ids of the names in arguments. Each list is read once, and only if a name occurs."""

    def __init__(self, reader: JobReader) -> None:
        self._reader = reader
        self._indexes: dict[str, NameIndex[Any] | ReadFailed] = {}
        self._users: dict[str, str] = {}

    async def resolve(
        self, operation: Operation, arguments: Mapping[str, Any], created: set[str]
    ) -> tuple[dict[str, Any], list[InvalidArguments]]:
        """Return the arguments with ids, and a fault for each name that no record, or several, have.

        Args:
            created: names that earlier calls of the list create, and placeholders for their ids.
        """
        resolved, faults = dict(arguments), list[InvalidArguments]()
        for name, value in arguments.items():
            if CREATED_NAMES.get(operation.key) == name:
                continue
            found: list[Any] = []
            for item in value if isinstance(value, list) else [value]:
                try:
                    if name in ARGUMENTS:
                        found.append(await self.find(name, ARGUMENTS[name], item, created))
                    elif name == "user_id" and isinstance(item, str) and "@" in item:
                        found.append(await self.find_user(item))
                    else:
                        found.append(item)
                except InvalidArguments as fault:
                    faults.append(fault)
                    found.append(item)
            resolved[name] = found if isinstance(value, list) else found[0]
        return resolved, faults

    async def find(self, argument: str, kind: NameKind, value: Any, created: Container[str] = ()) -> Any:
        """Return the id of a record. A value that is an id already, is no text, or is not known yet stays as it is.

        Raises:
            InvalidArguments: no record, or several, have the name.
            ReadFailed: the environments cannot be read. Their ids are numbers, so a name can be no id.
        """
        if not isinstance(value, str) or not value or UUID_PATTERN.fullmatch(value):
            return value
        if value in created or (kind.kind == "environment" and WHOLE_NUMBER.fullmatch(value.strip())):
            return value
        index = await self._index(kind)
        if isinstance(index, ReadFailed):
            if kind is ENVIRONMENT:
                raise index
            return value
        try:
            return index.resolve(value)
        except UnknownName as error:
            raise error.of_argument(argument) from None

    async def _index(self, kind: NameKind) -> NameIndex[Any] | ReadFailed:
        """Return the names of a kind, or why its list cannot be read."""
        if kind.kind not in self._indexes:
            try:
                self._indexes[kind.kind] = NameIndex(kind.kind, await read_names(self._reader, kind))
            except ReadFailed as error:
                self._indexes[kind.kind] = error
        return self._indexes[kind.kind]

    async def exists(self, kind: NameKind, key: Any) -> bool:
        """Return whether a record has this id, or True if its list cannot be read."""
        index = await self._index(kind)
        return isinstance(index, ReadFailed) or key in index

    async def knows(self, kind: NameKind, text: str) -> bool:
        """Return whether one record or several have this id or name. False if their list cannot be read."""
        index = await self._index(kind)
        return not isinstance(index, ReadFailed) and index.knows(text)

    async def find_user(self, email: str) -> str:
        """Return the id of the account with an e-mail address or a sign-in id.

        Raises:
            InvalidArguments: no account, or several, have it.
        """
        if email not in self._users:
            login_type = "email" if "@" in email else "sign_in_id"
            account = await find_account(self._reader, login_type, email, argument="user_id")
            self._users[email] = str(account["id"])
        return self._users[email]


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a tenant, as the API shows them."""

    tenant_id: str
    user_id: str
    record: ApiRecord

    def roles(self, env_id: int) -> tuple[str, ...]:
        return tuple(role for env, role in grants_of(self.record) if env == env_id)

    @property
    def attributes(self) -> ApiRecord:
        return self.record.get("attributes") or {}


class MemberFinder:
    """Finds members. The list of each tenant is read once."""

    def __init__(self, reader: JobReader) -> None:
        self._reader = reader
        self._names = IdResolver(reader)
        self._by_tenant: dict[str, list[ApiRecord]] = {}

    async def find(self, user: str, tenant: str) -> Member:
        """Return a member. Raise InvalidArguments if the tenant does not exist, or no such person or several belong to it."""
        tenant_id = str(await self._names.find("tenant", TENANT, tenant))
        given, user = user, narrow(user)
        key = "id" if UUID_PATTERN.fullmatch(user) else "email" if "@" in user else "sign_in_id"
        wanted = user.casefold()
        found = [each for each in await self._members(tenant_id) if str(each.get(key) or "").casefold() == wanted]
        exact = [each for each in found if each.get(key) == user] or found
        names = {"user": Quoted(given), "tenant": Quoted(tenant)}
        if not exact:
            raise InvalidArguments.at(("user",), "jobs_calls.no_member", **names)
        if len(exact) > 1:
            raise InvalidArguments.at(("user",), "jobs_calls.several_members", **names)
        return Member(tenant_id, str(exact[0]["id"]), exact[0])

    async def _members(self, tenant_id: str) -> Sequence[ApiRecord]:
        if tenant_id not in self._by_tenant:
            self._by_tenant[tenant_id] = await read_members(self._reader, {"tenant_id": tenant_id})
        return self._by_tenant[tenant_id]
