"""One line of a list of users: its cells, checked and resolved to the tenants, environments, roles and attributes that it can name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.jobs.calls.row_faults import FaultCollector
from saasus_mcp.jobs.name_index import NameIndex, UnknownName
from saasus_mcp.jobs.tables.cells import PARSERS, cell_text, explain_value, narrow
from saasus_mcp.jobs.tables.table_reader import TableRow

ATTRIBUTE_PREFIX = "attribute."
"""In column names, so that an attribute cannot be mistaken for a column of the list itself."""
MAX_CELL_LENGTH = 2_000
"""Characters of a cell or of a column's name."""
MAX_EMAIL_LENGTH = 254
"""Characters of an address (RFC 5321 allows a path 256, with the angle brackets)."""
EMAIL_PATTERN = re.compile(r"[^@\s<>,;:()]+@[^@\s.<>,;:()]+(?:\.[^@\s.<>,;:()]+)+")
SIGN_IN_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,50}")
K = TypeVar("K", str, int)


@dataclass(frozen=True, slots=True)
class DisplayName:
    """The technical name of an environment or role, and the name that people use."""

    name: str
    display_name: str = ""

    @property
    def label(self) -> str:
        """Both names, if they differ."""
        if self.display_name and self.display_name != self.name:
            return f"{self.display_name} ({self.name})"
        return self.name


@dataclass(frozen=True)
class ImportTargets:
    """What a list can name.

    Attributes:
        tenants: names, by id.
        envs: by id.
        roles: display names, by name.
        attributes: types of user attributes, by name.
        attribute_titles: what people call them, by name.
    """

    tenants: Mapping[str, str]
    envs: Mapping[int, DisplayName]
    roles: Mapping[str, str]
    attributes: Mapping[str, str]
    attribute_titles: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def tenant_index(self) -> NameIndex[str]:
        return NameIndex("tenant", {key: [name] for key, name in self.tenants.items()})

    @cached_property
    def env_index(self) -> NameIndex[int]:
        return NameIndex("environment", {key: [env.name, env.display_name] for key, env in self.envs.items()})

    @cached_property
    def role_index(self) -> NameIndex[str]:
        return NameIndex("role", {name: [name, display] for name, display in self.roles.items()})

    def role_label(self, role: str) -> str:
        return DisplayName(role, self.roles.get(role, "")).label


@dataclass(frozen=True, slots=True)
class UserLine:
    """A line without errors. `env_id` is None and `role_name` empty for a member without a role.

    Attributes:
        login_type: `email` or `sign_in_id`.
        tenant_id: empty for a user who is in no tenant.
    """

    number: int
    login_type: str
    login: str
    tenant_id: str
    env_id: int | None
    role_name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def login_key(self) -> str:
        return login_key(self.login_type, self.login)


@dataclass(frozen=True, slots=True)
class LineErrors:
    """All errors of one line."""

    number: int
    errors: tuple[SaasusMcpError, ...]

    def text(self, language: Language) -> str:
        return ("。" if language == "ja" else "; ").join(error.message.text(language) for error in self.errors)


def login_key(login_type: str, login: str) -> str:
    """Return one key for all spellings of a login. Only addresses are equal in upper and lower case."""
    return f"{login_type}:{login.casefold() if login_type == 'email' else login}"


def tenant_missing() -> InvalidArguments:
    return InvalidArguments(("tenant_id",), message("jobs_users.tenant_missing"))


def parse_user_line(row: TableRow, targets: ImportTargets) -> UserLine:
    """Return the line.

    Raises:
        FaultyRow: it has these errors.
    """
    faults = FaultCollector()
    with faults:
        _require_single_values(row)
    faults.raise_collected()
    cells = {name: cell_text(value) for name, value in row.cells.items()}
    tenant, tenant_name = narrow(cells.get("tenant_id", "")), cells.get("tenant_name", "")
    env, role = cells.get("env_id", ""), cells.get("role_name", "")
    with faults:
        login_type, login = _parse_login(narrow(cells.get("email", "")), narrow(cells.get("sign_in_id", "")))
    with faults:
        tenant_id = _parse_tenant(tenant, tenant_name, targets)
    with faults:
        if bool(env) != bool(role):
            raise InvalidArguments(("role_name" if env else "env_id",), message("jobs_users.env_and_role"))
    with faults:
        identifier = str(int(env)) if env.isdecimal() else env
        env_id = _resolve(targets.env_index, identifier, "env_id") if env and role else None
    with faults:
        role_name = _resolve(targets.role_index, role, "role_name") if env and role else ""
    attributes = _parse_attributes(cells, targets, faults)
    with faults:
        if not (tenant or tenant_name) and (env or role or attributes):
            raise tenant_missing()
    faults.raise_collected()
    return UserLine(row.number, login_type, login, tenant_id, env_id, role_name, attributes)


def _require_single_values(row: TableRow) -> None:
    if row.is_too_long:
        raise InvalidArguments((), message("jobs_users.too_many_cells"))
    for name, value in row.cells.items():
        if isinstance(value, dict | list):
            raise InvalidArguments((name,), message("jobs_users.not_one_value"))
        if isinstance(value, str) and len(value) > MAX_CELL_LENGTH:
            raise InvalidArguments((name,), message("jobs_users.cell_too_long", limit=MAX_CELL_LENGTH))


def _parse_login(email: str, sign_in_id: str) -> tuple[str, str]:
    if bool(email) == bool(sign_in_id):
        raise InvalidArguments(("email",), message("jobs_users.one_login"))
    if email and not (len(email) <= MAX_EMAIL_LENGTH and email.isprintable() and EMAIL_PATTERN.fullmatch(email)):
        raise InvalidArguments(("email",), message("jobs_users.invalid_email", value=Quoted(email)))
    if sign_in_id and not SIGN_IN_ID_PATTERN.fullmatch(sign_in_id):
        raise InvalidArguments(("sign_in_id",), message("jobs_users.invalid_sign_in_id"))
    return ("email", email) if email else ("sign_in_id", sign_in_id)


def _resolve(index: NameIndex[K], text: str, column: str) -> K:
    try:
        return index.resolve(text)
    except UnknownName as error:
        raise InvalidArguments((column,), error.problem, error.hint) from None


def _parse_tenant(identifier: str, name: str, targets: ImportTargets) -> str:
    """Return the id of the tenant; empty for a user who is in no tenant."""
    if not identifier:
        return _resolve(targets.tenant_index, name, "tenant_name") if name else ""
    tenant = _resolve(targets.tenant_index, identifier, "tenant_id")
    if name and fold_name(targets.tenants[tenant]) != fold_name(name):
        actual = Quoted(targets.tenants[tenant])
        raise InvalidArguments(("tenant_name",), message("jobs_users.other_tenant_name", name=actual))
    return tenant


def _parse_attributes(cells: Mapping[str, str], targets: ImportTargets, faults: FaultCollector) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for column, text in cells.items():
        if column.startswith(ATTRIBUTE_PREFIX) and text:
            name = column.removeprefix(ATTRIBUTE_PREFIX)
            with faults:
                values[name] = _parse_attribute(column, text, targets.attributes[name])
    return values


def _parse_attribute(column: str, text: str, kind: str) -> Any:
    try:
        return PARSERS.get(kind, str)(text)
    except ValueError:
        raise InvalidArguments((column,), explain_value(kind, text)) from None
