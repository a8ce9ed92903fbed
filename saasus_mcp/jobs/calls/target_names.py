"""Names in place of ids in the arguments of listed calls: tenants, plans, users, environments, roles, tax rates."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
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
CREATED_NAMES: Mapping[str, str] = {"auth.CreateRole": "role_name"}
"""Operations whose argument is a new name and not one to be found."""


class IdResolver:
    """Finds the ids of the names in arguments. Each list is read once, and only if a name occurs."""

    def __init__(self, reader: JobReader) -> None:
        self._reader = reader
        self._indexes: dict[str, NameIndex[Any] | None] = {}
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
        """
        if not isinstance(value, str) or not value or UUID_PATTERN.fullmatch(value):
            return value
        if value in created:
            return value
        if kind.kind == "environment" and value.strip().isdecimal():
            return value
        index = await self._index(kind)
        if index is None:
            return value
        try:
            return index.resolve(value)
        except UnknownName as error:
            raise error.of_argument(argument) from None

    async def _index(self, kind: NameKind) -> NameIndex[Any] | None:
        """Return the names of a kind, or None if its list cannot be read."""
        if kind.kind not in self._indexes:
            try:
                self._indexes[kind.kind] = NameIndex(kind.kind, await read_names(self._reader, kind))
            except ReadFailed:
                self._indexes[kind.kind] = None
        return self._indexes[kind.kind]

    async def exists(self, kind: NameKind, key: Any) -> bool:
        """Return whether a record has this id, or True if its list cannot be read."""
        index = await self._index(kind)
        return index is None or key in index

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
