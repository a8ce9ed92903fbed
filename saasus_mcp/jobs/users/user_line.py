"""One line of a list of users: its cells, checked and resolved to the tenants, environments, roles and attributes that it can name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, TypeVar

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.jobs.name_index import NameIndex, UnknownName
from saasus_mcp.jobs.tables.cells import PARSERS, cell_text, narrow

ATTRIBUTE_PREFIX = "attribute."
"""In column names, so that an attribute cannot be mistaken for a column of the list itself."""
MAX_CELL_LENGTH = 2_000
"""Characters of a cell or of a column's name."""
MAX_EMAIL_LENGTH = 254
"""Characters of an address (RFC 5321 allows a path 256, with the angle brackets)."""
EMAIL_PATTERN = re.compile(r"[^@\s<>,;:()]+@[^@\s.<>,;:()]+(?:\.[^@\s.<>,;:()]+)+")
SIGN_IN_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,50}")
Record = Mapping[str, Any]
T = TypeVar("T")


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


class CellError(Exception):
    """An error in one cell. `hint`: what would be right. It is listed once for all lines."""

    def __init__(self, column: str, problem: Message, hint: Message | None = None) -> None:
        self.text = message("jobs_users.cell", column=column, problem=problem) if column else problem
        super().__init__(self.text)
        self.hint = hint


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
    errors: tuple[CellError, ...]

    def text(self, language: Language) -> str:
        return ("。" if language == "ja" else "; ").join(error.text.text(language) for error in self.errors)


def login_key(login_type: str, login: str) -> str:
    """Return one key for all spellings of a login. Only addresses are equal in upper and lower case."""
    return f"{login_type}:{login.casefold() if login_type == 'email' else login}"


TENANT_MISSING = CellError("tenant_id", message("jobs_users.tenant_missing"))


def collect_error(make: Callable[[], T], errors: list[CellError]) -> T | None:
    """Return the result; or None after a CellError, which is added to the errors."""
    try:
        return make()
    except CellError as error:
        errors.append(error)
        return None


def parse_user_line(number: int, record: Record, targets: ImportTargets, errors: list[CellError]) -> UserLine | None:
    """Return the line, or None if it has errors, which are added to `errors`."""
    if not collect_error(lambda: _require_single_values(record), errors):
        return None
    cells = {name: cell_text(value) for name, value in record.items()}
    email, sign_in_id = narrow(cells.get("email", "")), narrow(cells.get("sign_in_id", ""))
    login = collect_error(lambda: _parse_login(email, sign_in_id), errors)
    tenant = collect_error(
        lambda: _parse_tenant(narrow(cells.get("tenant_id", "")), cells.get("tenant_name", ""), targets), errors
    )
    grant = collect_error(
        lambda: _parse_grant(cells.get("env_id", ""), cells.get("role_name", ""), targets, errors), errors
    )
    attributes = _parse_attributes(cells, targets, errors)
    if tenant == "" and (grant != (None, "") or attributes):
        errors.append(TENANT_MISSING)
    if login is None or tenant is None or grant is None or errors:
        return None
    return UserLine(number, *login, tenant, *grant, attributes)


def _require_single_values(record: Record) -> bool:
    for name, value in record.items():
        if isinstance(value, dict | list):
            raise CellError(name, message("jobs_users.not_one_value"))
        if isinstance(value, str) and len(value) > MAX_CELL_LENGTH:
            raise CellError(name, message("jobs_users.cell_too_long", limit=MAX_CELL_LENGTH))
    return True


def _parse_login(email: str, sign_in_id: str) -> tuple[str, str]:
    if bool(email) == bool(sign_in_id):
        raise CellError("email", message("jobs_users.one_login"))
    if email and not (len(email) <= MAX_EMAIL_LENGTH and email.isprintable() and EMAIL_PATTERN.fullmatch(email)):
        raise CellError("email", message("jobs_users.invalid_email", value=Quoted(email)))
    if sign_in_id and not SIGN_IN_ID_PATTERN.fullmatch(sign_in_id):
        raise CellError("sign_in_id", message("jobs_users.invalid_sign_in_id"))
    return ("email", email) if email else ("sign_in_id", sign_in_id)


def _resolve(resolve: Callable[[str], T], text: str, column: str) -> T:
    try:
        return resolve(text)
    except UnknownName as error:
        raise CellError(column, error.problem, error.hint) from None


def _parse_tenant(identifier: str, name: str, targets: ImportTargets) -> str:
    """Return the id of the tenant; empty for a user who is in no tenant."""
    if not identifier:
        return _resolve(targets.tenant_index.resolve, name, "tenant_name") if name else ""
    tenant = _resolve(targets.tenant_index.resolve, identifier, "tenant_id")
    if name and fold_name(targets.tenants[tenant]) != fold_name(name):
        actual = Quoted(targets.tenants[tenant])
        raise CellError("tenant_name", message("jobs_users.other_tenant_name", name=actual))
    return tenant


def _parse_grant(env: str, role: str, targets: ImportTargets, errors: list[CellError]) -> tuple[int | None, str] | None:
    if not env and not role:
        return None, ""
    if not env or not role:
        raise CellError("role_name" if env else "env_id", message("jobs_users.env_and_role"))
    identifier = str(int(env)) if env.isdecimal() else env
    env_id = collect_error(lambda: _resolve(targets.env_index.resolve, identifier, "env_id"), errors)
    name = collect_error(lambda: _resolve(targets.role_index.resolve, role, "role_name"), errors)
    return None if env_id is None or name is None else (env_id, name)


def _parse_attributes(cells: Mapping[str, str], targets: ImportTargets, errors: list[CellError]) -> dict[str, Any]:
    given = {
        name.removeprefix(ATTRIBUTE_PREFIX): text
        for name, text in cells.items()
        if name.startswith(ATTRIBUTE_PREFIX) and text
    }
    values = {
        name: collect_error(partial(_parse_attribute, name, text, targets.attributes[name]), errors)
        for name, text in given.items()
    }
    return {name: value for name, value in values.items() if value is not None}


def _parse_attribute(name: str, text: str, kind: str) -> Any:
    try:
        return PARSERS.get(kind, str)(text)
    except ValueError:
        problem = one_of("jobs_users.not_a", kind, value=Quoted(text))
        raise CellError(ATTRIBUTE_PREFIX + name, problem) from None
