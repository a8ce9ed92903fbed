"""The list of users that is exported and imported: its columns, and reading it so that every mistake is told at once."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from math import isfinite
from typing import Any, TypeVar

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.name_index import CellError, ImportTargets, fold_name
from saasus_mcp.server.results.jmespath_query import FORMULA_PREFIXES

COLUMNS = ("email", "sign_in_id", "tenant_id", "tenant_name", "env_id", "role_name")
ATTRIBUTE_PREFIX = "attribute."
"""Before the name of an attribute, in the name of its column: no attribute can be taken for a column of ours."""
HEADINGS: Mapping[str, str] = {
    **{name: name for name in COLUMNS},
    "メールアドレス": "email",
    "ログインid": "sign_in_id",
    "サインインid": "sign_in_id",
    "テナントid": "tenant_id",
    "テナント名": "tenant_name",
    "テナント": "tenant_name",
    "環境id": "env_id",
    "環境": "env_id",
    "env": "env_id",
    "ロール": "role_name",
    "役割": "role_name",
    "役割(ロール)": "role_name",
    "role": "role_name",
}
"""Columns by the headings that people give them, folded (there.folded)."""
MAX_LINES = 5_000
MAX_REPORTED = 100
MAX_CELLS = 100_000
MAX_CELL_LENGTH = 2_000
"""Characters of one cell or of a column's name."""
MAX_EMAIL_LENGTH = 254
"""Characters of an address (RFC 5321 gives a path 256, with the angle brackets)."""
EMAIL_PATTERN = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")
SIGN_IN_ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,50}")
DATE_PATTERN = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?")
"""A date that begins with the year: as we write it, as Excel does in Japan, and in words."""
FORMS = {"date": "; write it as 2026-04-01 or 2026/4/1", "bool": "; write true or false"}
TRUE_WORDS, FALSE_WORDS = ("true", "1", "yes"), ("false", "0", "no")
Record = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UserLine:
    """One line that is sound by itself. `env` and `role` are None and empty for a member without a role.

    Attributes:
        by: `email` or `sign_in_id`.
        tenant: its id; empty for somebody who is in none.
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
        """Who it is about: the same however an address is written."""
        return login_key(self.login_type, self.login)


def login_key(by: str, login: str) -> str:
    """One text for one login, however an address is written."""
    return f"{by}:{login.casefold() if by == 'email' else login}"


TENANT_MISSING = CellError("tenant_id", "the tenant is missing")


@dataclass(frozen=True, slots=True)
class LineErrors:
    """What is wrong with one line, all of it."""

    number: int
    errors: tuple[CellError, ...]

    @property
    def summary(self) -> str:
        """All of it in a line."""
        return "; ".join(str(fault) for fault in self.errors)


def parse_users(given: object, there: ImportTargets, argument: str) -> tuple[list[UserLine], list[LineErrors]]:
    """The lines of a list, a CSV as text or records, that are sound, and the mistakes of the others. Blank lines are left out.

    Raises:
        InvalidArguments: it is no such list.
    """
    found, mistakes, blank = list[UserLine](), list[LineErrors](), True
    seen: dict[tuple[Any, ...], int] = {}
    attributes: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    for number, record in _records(given, there, argument):
        if not any(_filled(value) for value in record.values()):
            continue
        blank, faults = False, list[CellError]()
        line = _line(number, record, there, faults)
        if line is not None:
            _tried(partial(_require_new, line, seen), faults)
            _tried(partial(_require_alike, line, attributes), faults)
        if line is None or faults:
            mistakes.append(LineErrors(number, tuple(faults)))
        else:
            found.append(line)
    if blank:
        raise InvalidArguments(
            (argument,), "it holds no line.", f"The first line names the columns: {', '.join(COLUMNS)}."
        )
    return found, mistakes


def invalid_list(mistakes: Sequence[LineErrors], argument: str) -> InvalidArguments:
    """The error that tells them all."""
    told = "\n".join(f"line {each.number}, {each.summary}" for each in mistakes[:MAX_REPORTED])
    more = f"\nand {len(mistakes) - MAX_REPORTED} more" if len(mistakes) > MAX_REPORTED else ""
    hints = dict.fromkeys(fault.hint for each in mistakes for fault in each.errors if fault.hint)
    wrong = "1 line is wrong" if len(mistakes) == 1 else f"{len(mistakes)} lines are wrong"
    return InvalidArguments(
        (argument,),
        "\n".join([f"{wrong}:", f"{told}{more}", *hints, ""]),
        "Correct the lines, or leave them out with on_mistake=skip.",
    )


def _tried(make: Callable[[], T], faults: list[CellError]) -> T | None:
    """What is made; None where it cannot be, with why among the faults."""
    try:
        return make()
    except CellError as fault:
        faults.append(fault)
        return None


def _filled(value: Any) -> bool:
    if isinstance(value, list):
        return any(_filled(each) for each in value)
    return value is not None and str(value).strip() != ""


def _records(given: object, there: ImportTargets, argument: str) -> Iterator[tuple[int, Record]]:
    """The records with their line numbers, as an editor counts them."""
    if isinstance(given, list) and all(isinstance(record, dict) for record in given):
        if len(given) > MAX_LINES:
            raise _too_long(argument)
        found = [{column_name(name): value for name, value in record.items()} for record in given]
        names = list(dict.fromkeys(name for record in found for name in record))
        rows: Iterable[tuple[int, Record]] = enumerate(found, 1)
    elif isinstance(given, str):
        text = given.removeprefix("\ufeff")
        reader = csv.DictReader(
            io.StringIO(text, newline=""), strict=True, restkey="", restval="", delimiter=_delimiter(text)
        )
        reader.fieldnames = [column_name(name) for name in _header(reader, argument)]
        names = list(reader.fieldnames)
        rows = _numbered(reader, argument)
    else:
        raise InvalidArguments((argument,), "it is no list of users.", "Give the CSV of job_export_users.")
    _require_columns(names, there, argument)
    for count, (number, record) in enumerate(rows):
        if count >= MAX_LINES or count * len(names) > MAX_CELLS:
            raise _too_long(argument)
        yield number, record


def column_name(name: str) -> str:
    """The column that a heading names, however it is written."""
    heading = name.strip()
    return heading if heading.startswith(ATTRIBUTE_PREFIX) else HEADINGS.get(fold_name(heading), heading)


def _delimiter(text: str) -> str:
    """What stands between the headings: a comma, or what spreadsheets write elsewhere and as Unicode text."""
    first = text.partition("\n")[0]
    return next((mark for mark in (",", "\t", ";") if mark in first), ",")


def _too_long(argument: str) -> InvalidArguments:
    said = f"it has more than {MAX_LINES:,} lines or {MAX_CELLS:,} cells."
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


def _require_columns(names: Sequence[str], there: ImportTargets, argument: str) -> None:
    if "password" in names:
        raise InvalidArguments(
            (argument,),
            "passwords do not belong in it.",
            "Leave them out: they are generated or mailed, and no model sees them.",
        )
    for name in names:
        attribute = name.removeprefix(ATTRIBUTE_PREFIX)
        if name not in COLUMNS and (attribute == name or attribute not in there.attributes):
            known = ", ".join((*COLUMNS, *(ATTRIBUTE_PREFIX + each for each in there.attributes)))
            raise InvalidArguments((argument,), f"there is no column {quote_text(name)}.", f"Columns: {known}.")
    if not {"email", "sign_in_id"} & set(names) or not {"tenant_id", "tenant_name"} & set(names):
        raise InvalidArguments(
            (argument,), "a column for the login or the tenant is missing.", f"Columns: {', '.join(COLUMNS)}."
        )


def _line(number: int, record: Record, there: ImportTargets, faults: list[CellError]) -> UserLine | None:
    if not _tried(lambda: _require_cells(record), faults):
        return None
    cells = {name: _plain(value) for name, value in record.items() if name}
    login = _tried(lambda: _login(cells.get("email", ""), cells.get("sign_in_id", "")), faults)
    tenant = _tried(lambda: _tenant(cells.get("tenant_id", ""), cells.get("tenant_name", ""), there), faults)
    grant = _tried(lambda: _grant(cells.get("env_id", ""), cells.get("role_name", ""), there, faults), faults)
    attributes = _attributes(cells, there, faults)
    if tenant == "" and (grant != (None, "") or attributes):
        faults.append(TENANT_MISSING)
    if login is None or tenant is None or grant is None or faults:
        return None
    return UserLine(number, *login, tenant, *grant, attributes)


def _require_cells(record: Record) -> bool:
    if _filled(record.get("")):
        raise CellError("line", "it has more cells than there are columns")
    for name, value in record.items():
        if isinstance(value, dict | list) and name:
            raise CellError(name, "it is a list or an object, not one value")
        if isinstance(value, str) and len(value) > MAX_CELL_LENGTH:
            raise CellError(name, f"it has more than {MAX_CELL_LENGTH:,} characters")
    return True


def _login(email: str, sign_in_id: str) -> tuple[str, str]:
    if bool(email) == bool(sign_in_id):
        raise CellError("email", "exactly one of email and sign_in_id is given")
    if email and (len(email) > MAX_EMAIL_LENGTH or not EMAIL_PATTERN.fullmatch(email)):
        raise CellError("email", f"{quote_text(email)} is not a valid e-mail address")
    if sign_in_id and not SIGN_IN_ID_PATTERN.fullmatch(sign_in_id):
        raise CellError("sign_in_id", "it is 1 to 50 of A-Z, a-z, 0-9, _ and -")
    return ("email", email) if email else ("sign_in_id", sign_in_id)


def _plain(value: Any) -> str:
    """A cell as it was before it was guarded against spreadsheets (server.selecting)."""
    text = "" if value is None else str(value).strip() if not isinstance(value, bool) else str(value).lower()
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA_PREFIXES) else text


def _tenant(identifier: str, name: str, there: ImportTargets) -> str:
    """Id of the tenant; empty for somebody who is in none."""
    if not identifier:
        return there.tenant_index.resolve(name, "tenant_name") if name else ""
    found = there.tenant_index.resolve(identifier, "tenant_id")
    if name and fold_name(there.tenants[found]) != fold_name(name):
        raise CellError("tenant_name", f"the tenant of this id is called {quote_text(there.tenants[found])}")
    return found


def _grant(env: str, role: str, there: ImportTargets, faults: list[CellError]) -> tuple[int | None, str] | None:
    if not env and not role:
        return None, ""
    if not env or not role:
        raise CellError("role_name" if env else "env_id", "environment and role go together")
    id_ = str(int(env)) if env.isdecimal() else env
    number = _tried(lambda: there.env_index.resolve(id_, "env_id"), faults)
    name = _tried(lambda: there.role_index.resolve(role, "role_name"), faults)
    return None if number is None or name is None else (number, name)


def _attributes(cells: Mapping[str, str], there: ImportTargets, faults: list[CellError]) -> dict[str, Any]:
    given = {
        name.removeprefix(ATTRIBUTE_PREFIX): text
        for name, text in cells.items()
        if name.startswith(ATTRIBUTE_PREFIX) and text
    }
    found = {name: _tried(partial(_value, name, text, there.attributes[name]), faults) for name, text in given.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(name: str, text: str, kind: str) -> Any:
    try:
        return _READ.get(kind, str)(text)
    except ValueError:
        raise CellError(ATTRIBUTE_PREFIX + name, f"{quote_text(text)} is no {kind}{FORMS.get(kind, '')}") from None


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return number


def _truth(text: str) -> bool:
    if text.lower() not in (*TRUE_WORDS, *FALSE_WORDS):
        raise ValueError(text)
    return text.lower() in TRUE_WORDS


def _day(text: str) -> str:
    found = DATE_PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return date(*(int(part) for part in found.groups())).isoformat()


_READ: Mapping[str, Callable[[str], Any]] = {"number": _number, "bool": _truth, "date": _day}


def _require_new(line: UserLine, seen: dict[tuple[Any, ...], int]) -> None:
    key = (line.login_key, line.tenant_id, line.env_id, line.role_name)
    if key in seen:
        raise CellError("line", f"it says the same as line {seen[key]}")
    seen[key] = line.number


def _require_alike(line: UserLine, known: dict[tuple[str, str], tuple[int, Mapping[str, Any]]]) -> None:
    first, attributes = known.setdefault((line.login_key, line.tenant_id), (line.number, line.attributes))
    if attributes != line.attributes:
        raise CellError("attributes", f"they differ from those of the same user and tenant in line {first}")
