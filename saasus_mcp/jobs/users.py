"""The list of users that is exported and imported: its columns, and reading it so that every mistake is told at once."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from math import isfinite
from typing import Any

from saasus_mcp.saasus.places import InvalidArguments
from saasus_mcp.saasus.words import quoted
from saasus_mcp.server.selecting import FORMULA

COLUMNS = ("email", "sign_in_id", "tenant_id", "tenant_name", "env_id", "role_name")
ATTRIBUTE = "attribute."
"""Before the name of an attribute, in the name of its column: no attribute can be taken for a column of ours."""
MOST_LINES = 5_000
MOST_TOLD = 20
MOST_CELLS = 100_000
LONGEST_CELL = 2_000
"""Characters of one cell or of a column's name."""
LONGEST_EMAIL = 254
"""Characters of an address (RFC 5321 gives a path 256, with the angle brackets)."""
EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
SIGN_IN_ID = re.compile(r"[A-Za-z0-9_-]{1,50}")
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")
Record = Mapping[str, Any]


@dataclass(frozen=True)
class There:
    """What a list can refer to: tenants by id, environments, roles, and the types of user attributes by name."""

    tenants: Mapping[str, str]
    envs: frozenset[int]
    roles: frozenset[str]
    attributes: Mapping[str, str]

    @cached_property
    def tenants_by_name(self) -> Mapping[str, Sequence[str]]:
        """Ids of tenants by their name."""
        found: dict[str, list[str]] = defaultdict(list)
        for key, called in self.tenants.items():
            found[called.strip()].append(key)
        return found


@dataclass(frozen=True, slots=True)
class Line:
    """One line that is sound by itself. `env` and `role` are None and empty for a member without a role.

    Attributes:
        by: `email` or `sign_in_id`.
    """

    number: int
    by: str
    login: str
    tenant: str
    env: int | None
    role: str
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def person(self) -> str:
        """Who it is about: the same however an address is written."""
        return person(self.by, self.login)


def person(by: str, login: str) -> str:
    """One text for one login, however an address is written."""
    return f"{by}:{login.casefold() if by == 'email' else login}"


class _Fault(Exception):
    """What is wrong with one line: in which column, and why."""

    def __init__(self, column: str, why: str) -> None:
        super().__init__(f"{column}: {why}")


def lines(given: object, there: There, argument: str) -> list[Line]:
    """The lines of a list: a CSV as text, or records.

    Raises:
        InvalidArguments: something in it is wrong: every line that is, and why.
    """
    found, faults = list[Line](), list[str]()
    seen: dict[tuple[Any, ...], int] = {}
    attributes: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    for number, record in _records(given, there, argument):
        try:
            line = _line(number, record, there)
            _require_new(line, seen)
            _require_alike(line, attributes)
        except _Fault as fault:
            faults.append(f"line {number}, {fault}")
        else:
            found.append(line)
    if faults:
        more = f"; and {len(faults) - MOST_TOLD} more" if len(faults) > MOST_TOLD else ""
        told = "; ".join(faults[:MOST_TOLD])
        raise InvalidArguments(
            (argument,), f"{len(faults)} lines are wrong: {told}{more}.", "Mend them all; nothing was changed."
        )
    if not found:
        raise InvalidArguments(
            (argument,), "it holds no line.", f"The first line names the columns: {', '.join(COLUMNS)}."
        )
    return found


def _records(given: object, there: There, argument: str) -> Iterator[tuple[int, Record]]:
    """The records with their line numbers, as an editor counts them."""
    if isinstance(given, list) and all(isinstance(record, dict) for record in given):
        if len(given) > MOST_LINES:
            raise _too_long(argument)
        names = list(dict.fromkeys(name for record in given for name in record))
        rows: Iterable[tuple[int, Record]] = enumerate(given, 1)
    elif isinstance(given, str):
        reader = csv.DictReader(
            io.StringIO(given.removeprefix("\ufeff"), newline=""), strict=True, restkey="", restval=""
        )
        names = list(dict.fromkeys(_header(reader, argument)))
        rows = _numbered(reader, argument)
    else:
        raise InvalidArguments((argument,), "it is no list of users.", "Give the CSV of job_export_users.")
    _require_columns(names, there, argument)
    for count, (number, record) in enumerate(rows):
        if count >= MOST_LINES or count * len(names) > MOST_CELLS:
            raise _too_long(argument)
        yield number, record


def _too_long(argument: str) -> InvalidArguments:
    said = f"it has more than {MOST_LINES:,} lines or {MOST_CELLS:,} cells."
    return InvalidArguments((argument,), said, "Import it in parts.")


def _header(reader: csv.DictReader[str], argument: str) -> Sequence[str]:
    try:
        return reader.fieldnames or ()
    except csv.Error as error:
        raise InvalidArguments((argument,), f"it is no CSV: {error}.") from None


def _numbered(reader: csv.DictReader[str], argument: str) -> Iterator[tuple[int, Record]]:
    try:
        for record in reader:
            yield reader.line_num, record
    except csv.Error as error:
        raise InvalidArguments((argument,), f"line {reader.line_num} is no CSV: {error}.") from None


def _require_columns(names: Sequence[str], there: There, argument: str) -> None:
    if "password" in names:
        raise InvalidArguments(
            (argument,),
            "passwords do not belong in it.",
            "Leave them out: they are generated or mailed, and no model sees them.",
        )
    for name in names:
        attribute = name.removeprefix(ATTRIBUTE)
        if name not in COLUMNS and (attribute == name or attribute not in there.attributes):
            known = ", ".join((*COLUMNS, *(ATTRIBUTE + each for each in there.attributes)))
            raise InvalidArguments((argument,), f"there is no column {quoted(name)}.", f"Columns: {known}.")
    if not {"email", "sign_in_id"} & set(names) or not {"tenant_id", "tenant_name"} & set(names):
        raise InvalidArguments(
            (argument,), "a column for the login or the tenant is missing.", f"Columns: {', '.join(COLUMNS)}."
        )


def _line(number: int, record: Record, there: There) -> Line:
    if "" in record:
        raise _Fault("line", "it has more cells than there are columns")
    for name, value in record.items():
        if isinstance(value, dict | list):
            raise _Fault(name, "it is a list or an object, not one value")
        if isinstance(value, str) and len(value) > LONGEST_CELL:
            raise _Fault(name, f"it has more than {LONGEST_CELL:,} characters")
    cells = {name: _plain(value) for name, value in record.items()}
    email, sign_in_id = cells.get("email", ""), cells.get("sign_in_id", "")
    if bool(email) == bool(sign_in_id):
        raise _Fault("email", "exactly one of email and sign_in_id is given")
    if email and (len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email)):
        raise _Fault("email", f"{quoted(email)} is no address")
    if sign_in_id and not SIGN_IN_ID.fullmatch(sign_in_id):
        raise _Fault("sign_in_id", "it is 1 to 50 of A-Z, a-z, 0-9, _ and -")
    tenant = _tenant(cells.get("tenant_id", ""), cells.get("tenant_name", ""), there)
    env, role = _grant(cells.get("env_id", ""), cells.get("role_name", ""), there)
    by = "email" if email else "sign_in_id"
    return Line(number, by, email or sign_in_id, tenant, env, role, _attributes(cells, there))


def _plain(value: Any) -> str:
    """A cell as it was before it was guarded against spreadsheets (server.selecting)."""
    text = "" if value is None else str(value).strip() if not isinstance(value, bool) else str(value).lower()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


def _tenant(identifier: str, name: str, there: There) -> str:
    if identifier:
        if identifier not in there.tenants:
            raise _Fault("tenant_id", f"there is no tenant {quoted(identifier)}")
        if name and there.tenants[identifier].strip() != name:
            raise _Fault("tenant_name", f"the tenant of this id is called {quoted(there.tenants[identifier])}")
        return identifier
    if not name:
        raise _Fault("tenant_id", "the tenant is missing")
    fitting = there.tenants_by_name.get(name, ())
    if len(fitting) != 1:
        said = "there is no tenant" if not fitting else f"there are {len(fitting)} tenants"
        raise _Fault("tenant_name", f"{said} called {quoted(name)}" + ("; give its id" if fitting else ""))
    return fitting[0]


def _grant(env: str, role: str, there: There) -> tuple[int | None, str]:
    if not env and not role:
        return None, ""
    if not env or not role:
        raise _Fault("role_name" if env else "env_id", "environment and role go together")
    if not env.isdecimal() or int(env) not in there.envs:
        raise _Fault("env_id", f"there is no environment {quoted(env)}")
    if role not in there.roles:
        raise _Fault("role_name", f"there is no role {quoted(role)}")
    return int(env), role


def _attributes(cells: Mapping[str, str], there: There) -> dict[str, Any]:
    given = {name.removeprefix(ATTRIBUTE): text for name, text in cells.items() if name.startswith(ATTRIBUTE) and text}
    return {name: _value(name, text, there.attributes[name]) for name, text in given.items()}


def _value(name: str, text: str, kind: str) -> Any:
    try:
        return _READ.get(kind, str)(text)
    except ValueError:
        raise _Fault(ATTRIBUTE + name, f"{quoted(text)} is no {kind}") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _truth(text: str) -> bool:
    if text.lower() not in (*TRUE, *FALSE):
        raise ValueError(text)
    return text.lower() in TRUE


def _day(text: str) -> str:
    return date.fromisoformat(text).isoformat()


_READ: Mapping[str, Callable[[str], Any]] = {"number": _number, "bool": _truth, "date": _day}


def _require_new(line: Line, seen: dict[tuple[Any, ...], int]) -> None:
    key = (line.person, line.tenant, line.env, line.role)
    if key in seen:
        raise _Fault("line", f"it says the same as line {seen[key]}")
    seen[key] = line.number


def _require_alike(line: Line, known: dict[tuple[str, str], tuple[int, Mapping[str, Any]]]) -> None:
    first, attributes = known.setdefault((line.person, line.tenant), (line.number, line.attributes))
    if attributes != line.attributes:
        raise _Fault("attributes", f"they differ from those of the same user and tenant in line {first}")
