"""The list of users: its columns, and a parser that reports every error at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Lines, Localized, Sentences, message, one_of
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.jobs.calls.row_faults import FaultCollector, FaultyRow
from saasus_mcp.jobs.tables.cells import ColumnNames
from saasus_mcp.jobs.tables.table_reader import read_table, require_rows
from saasus_mcp.jobs.tables.table_reading import TableReading
from saasus_mcp.jobs.users.user_line import ATTRIBUTE_PREFIX, ImportTargets, LineErrors, UserLine, parse_user_line

COLUMNS = ("email", "sign_in_id", "tenant_id", "tenant_name", "env_id", "role_name")
REQUIRED_COLUMNS = (("email", "sign_in_id"), ("tenant_id", "tenant_name"))
"""Columns of each of which a list has at least one."""
TOGETHER = ("env_id", "role_name")
"""Columns of which a list has both or none."""
DISPLAY_COLUMNS = ("env_name", "role_display_name")
"""Columns of an export that people read. An import ignores them."""
OTHER_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "email": ("mail", "mail address", "email address", "メール", "Eメール"),
    "sign_in_id": ("サインインID",),
    "tenant_name": ("tenant", "テナント"),
    "env_id": ("env", "environment", "環境"),
    "role_name": ("role", "役割", "役割(ロール)"),
}
HEADINGS = ColumnNames(
    {
        name: (one_of("jobs_users.column", name).text("ja"), *OTHER_HEADINGS.get(name, ()))
        for name in (*COLUMNS, *DISPLAY_COLUMNS)
    },
    {ATTRIBUTE_PREFIX: ("属性.",)},
)
PASSWORD = "password"  # noqa: S105 - a heading
MAX_REPORTED = 100
"""Different errors that the error lists."""
MAX_RANGES = 20
"""Lines, or ranges of lines, that are named with one error."""
MAX_UNKNOWN = 10
"""Unknown columns that the error lists."""


def parse_users(
    content: object, targets: ImportTargets, argument: str, encoding: str = ""
) -> tuple[list[UserLine], list[LineErrors], TableReading]:
    """Parse a list, which is a CSV text or a list of records. Skip blank lines.

    Args:
        argument: the argument that the list comes from, for errors.
        encoding: of the file that the list was read from, for the reading.

    Returns:
        The lines without errors, the errors of the others, and how the list was read.

    Raises:
        InvalidArguments: it is not such a list.
    """
    headings = HEADINGS.with_titles(ATTRIBUTE_PREFIX, targets.attribute_titles)
    table = read_table(content, argument, headings.find, encoding)
    if PASSWORD in map(fold_name, table.reading.columns.values()):
        raise InvalidArguments.at((argument,), "jobs_users.passwords")
    _require_columns(table.columns, targets, argument, headings)
    require_rows(table, argument)
    lines, faulty = list[UserLine](), list[LineErrors]()
    seen: dict[tuple[Any, ...], int] = {}
    attributes: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    for row in table.rows:
        faults = FaultCollector()
        try:
            line = parse_user_line(row, targets)
            with faults:
                _require_same_attributes(line, attributes)
                _require_new(line, seen)
            faults.raise_collected()
        except FaultyRow as error:
            faulty.append(LineErrors(row.number, tuple(each.with_field(headings.shown) for each in error.errors)))
        else:
            lines.append(line)
    return lines, faulty, table.reading


def invalid_list(faulty: Sequence[LineErrors], argument: str) -> InvalidArguments:
    """Return the error that lists the faulty lines."""
    alike: dict[str, list[LineErrors]] = {}
    for each in faulty:
        alike.setdefault(each.text("en"), []).append(each)
    reported = list(alike.values())[:MAX_REPORTED]
    texts: list[Localized] = [
        message(
            "jobs_users.invalid_line",
            count=len(group),
            lines=make_ranges([each.number for each in group], MAX_RANGES),
            problems=group[0],
        )
        for group in reported
    ]
    more = len(faulty) - sum(map(len, reported))
    if more:
        texts.append(message("jobs_users.invalid_more", count=more))
    texts += {str(error.hint): error.hint for each in faulty for error in each.errors if error.hint}.values()
    return InvalidArguments.at((argument,), "jobs_users.invalid", count=len(faulty), lines=Lines(tuple(texts)))


def make_ranges(numbers: Sequence[int], most: int) -> tuple[str, ...]:
    """Return ascending numbers as texts, those in succession as one: `3`, `5-9`. After `most` of them follows `…`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    texts = tuple("-".join(map(str, each)) for each in ranges[:most])
    return texts if len(ranges) <= most else (*texts, "…")


def _require_columns(columns: Sequence[str], targets: ImportTargets, argument: str, headings: ColumnNames) -> None:
    known = (*COLUMNS, *(ATTRIBUTE_PREFIX + each for each in targets.attributes))
    unknown = [name for name in columns if name not in (*known, *DISPLAY_COLUMNS)]
    if unknown:
        near = {name: headings.nearest(name, known) for name in unknown}
        problems = tuple(
            message("jobs_users.unknown_column", column=Quoted(name))
            if near[name] is None
            else message("jobs_users.unknown_column_near", column=Quoted(name), near=headings.shown(near[name] or ""))
            for name in unknown[:MAX_UNKNOWN]
        )
        raise InvalidArguments(
            (argument,),
            message("jobs_users.unknown_columns", problems=Sentences(problems)),
            message("jobs_users.columns_hint", columns=tuple(map(headings.shown, known))),
        )
    missing: list[Localized | str] = [
        message("jobs_users.either_column", first=first, second=second)
        for first, second in REQUIRED_COLUMNS
        if not {first, second} & set(columns)
    ]
    given = [name for name in TOGETHER if name in columns]
    if len(given) == 1:
        missing += [name for name in TOGETHER if name not in given]
    if missing:
        raise InvalidArguments(
            (argument,),
            message("jobs_calls.missing_columns", columns=tuple(missing)),
            message("jobs_users.columns_hint", columns=tuple(map(headings.shown, COLUMNS))),
        )


def _require_new(line: UserLine, seen: dict[tuple[Any, ...], int]) -> None:
    key = (line.login_key, line.tenant_id, line.env_id, line.role_name)
    if key in seen:
        raise InvalidArguments((), message("jobs_users.duplicate_line", line=seen[key]))
    seen[key] = line.number


def _require_same_attributes(line: UserLine, known: dict[tuple[str, str], tuple[int, Mapping[str, Any]]]) -> None:
    first, attributes = known.setdefault((line.login_key, line.tenant_id), (line.number, line.attributes))
    if attributes != line.attributes:
        raise InvalidArguments(("attributes",), message("jobs_users.other_attributes", line=first))
