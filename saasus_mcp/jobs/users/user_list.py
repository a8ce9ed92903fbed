"""The list of users as CSV or records: its columns, and a parser that reports every error at once."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Localized, message, one_of
from saasus_mcp.common.text import quote_text
from saasus_mcp.jobs.name_index import fold_name
from saasus_mcp.jobs.question_values import JoinedTexts
from saasus_mcp.jobs.tables.cells import is_filled
from saasus_mcp.jobs.users.import_targets import ImportTargets
from saasus_mcp.jobs.users.user_line import (
    ATTRIBUTE_PREFIX,
    CellError,
    LineErrors,
    Record,
    UserLine,
    collect_error,
    parse_line,
)

COLUMNS = ("email", "sign_in_id", "tenant_id", "tenant_name", "env_id", "role_name")
DISPLAY_COLUMNS = ("env_name", "role_display_name")
"""Columns of an export that people read. An import leaves them out."""
HEADINGS: Mapping[str, str] = {
    **{name: name for name in COLUMNS},
    **{fold_name(one_of("jobs_users.column", name).text("ja")): name for name in (*COLUMNS, *DISPLAY_COLUMNS)},
    "ログインid": "sign_in_id",
    "テナント": "tenant_name",
    "環境": "env_id",
    "env": "env_id",
    "役割": "role_name",
    "役割(ロール)": "role_name",
    "role": "role_name",
}
"""Columns by the headings that people write, folded."""
JAPANESE_ATTRIBUTE_PREFIX = "属性."
MAX_LINES = 5_000
MAX_CELLS = 100_000
MAX_REPORTED = 100
"""Lines with errors that the error lists."""


def parse_users(content: object, targets: ImportTargets, argument: str) -> tuple[list[UserLine], list[LineErrors]]:
    """Parse a list, which is a CSV text or a list of records. Skip blank lines.

    Args:
        argument: the argument that the list comes from, for errors.

    Returns:
        The lines without errors, and the errors of the others.

    Raises:
        InvalidArguments: it is not such a list.
    """
    lines, faulty, is_empty = list[UserLine](), list[LineErrors](), True
    seen: dict[tuple[Any, ...], int] = {}
    attributes: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
    for number, record in _records(content, targets, argument):
        if not any(is_filled(value) for value in record.values()):
            continue
        is_empty, errors = False, list[CellError]()
        line = parse_line(number, record, targets, errors)
        if line is not None:
            collect_error(partial(_require_new, line, seen), errors)
            collect_error(partial(_require_same_attributes, line, attributes), errors)
        if line is None or errors:
            faulty.append(LineErrors(number, tuple(errors)))
        else:
            lines.append(line)
    if is_empty:
        raise InvalidArguments(
            (argument,), message("jobs_users.empty"), message("jobs_users.columns_hint", columns=COLUMNS)
        )
    return lines, faulty


def invalid_list(faulty: Sequence[LineErrors], argument: str) -> InvalidArguments:
    """Return the error that lists the faulty lines."""
    texts: list[Localized] = [
        message("jobs_users.invalid_line", line=each.number, problems=each) for each in faulty[:MAX_REPORTED]
    ]
    if len(faulty) > MAX_REPORTED:
        texts.append(message("jobs_users.invalid_more", count=len(faulty) - MAX_REPORTED))
    texts += {str(error.hint): error.hint for each in faulty for error in each.errors if error.hint}.values()
    return InvalidArguments(
        (argument,),
        message("jobs_users.invalid", count=len(faulty), lines=JoinedTexts(tuple(texts))),
        message("jobs_users.invalid_hint"),
    )


def column_name(heading: str) -> str:
    """Return the column that a heading names."""
    heading = heading.strip()
    folded = fold_name(heading)
    for prefix in (ATTRIBUTE_PREFIX, JAPANESE_ATTRIBUTE_PREFIX):
        if folded.startswith(prefix):
            return ATTRIBUTE_PREFIX + heading[len(prefix) :].strip()
    return HEADINGS.get(folded, heading)


def _records(content: object, targets: ImportTargets, argument: str) -> Iterator[tuple[int, Record]]:
    """Yield the records with their line numbers, as a text editor counts them."""
    rows: Iterable[tuple[int, Record]]
    if isinstance(content, list) and all(isinstance(record, dict) for record in content):
        if len(content) > MAX_LINES:
            raise _too_long(argument)
        records = [{column_name(name): value for name, value in record.items()} for record in content]
        columns = list(dict.fromkeys(name for record in records for name in record))
        rows = enumerate(records, 1)
    elif isinstance(content, str):
        text = content.removeprefix("\ufeff")
        reader = csv.DictReader(
            io.StringIO(text, newline=""), strict=True, restkey="", restval="", delimiter=_delimiter(text)
        )
        columns = [column_name(name) for name in _read_header(reader, argument)]
        reader.fieldnames = columns
        rows = _numbered_rows(reader, argument)
    else:
        raise InvalidArguments((argument,), message("jobs_users.not_a_list"), message("jobs_users.not_a_list_hint"))
    _require_columns(columns, targets, argument)
    for count, (number, record) in enumerate(rows):
        if count >= MAX_LINES or count * len(columns) > MAX_CELLS:
            raise _too_long(argument)
        yield number, record


def _delimiter(text: str) -> str:
    """Return the delimiter of the header: a comma, or the tab or semicolon of some spreadsheets."""
    first = text.partition("\n")[0]
    return next((mark for mark in (",", "\t", ";") if mark in first), ",")


def _too_long(argument: str) -> InvalidArguments:
    return InvalidArguments(
        (argument,),
        message("jobs_users.too_long", lines=MAX_LINES, cells=MAX_CELLS),
        message("jobs_users.too_long_hint"),
    )


def _read_header(reader: csv.DictReader[str], argument: str) -> Sequence[str]:
    try:
        return reader.fieldnames or ()
    except csv.Error as error:
        raise InvalidArguments((argument,), message("jobs_users.not_csv", error=str(error))) from None


def _numbered_rows(reader: csv.DictReader[str], argument: str) -> Iterator[tuple[int, Record]]:
    try:
        for record in reader:
            yield reader.line_num, record
    except csv.Error as error:
        problem = message("jobs_users.line_not_csv", line=reader.line_num, error=str(error))
        raise InvalidArguments((argument,), problem) from None


def _require_columns(columns: Sequence[str], targets: ImportTargets, argument: str) -> None:
    if "password" in columns:
        raise InvalidArguments((argument,), message("jobs_users.passwords"), message("jobs_users.passwords_hint"))
    for name in columns:
        attribute = name.removeprefix(ATTRIBUTE_PREFIX)
        if name not in (*COLUMNS, *DISPLAY_COLUMNS) and (attribute == name or attribute not in targets.attributes):
            known = (*COLUMNS, *(ATTRIBUTE_PREFIX + each for each in targets.attributes))
            raise InvalidArguments(
                (argument,),
                message("jobs_users.unknown_column", column=quote_text(name)),
                message("jobs_users.columns_hint", columns=known),
            )
    if not {"email", "sign_in_id"} & set(columns) or not {"tenant_id", "tenant_name"} & set(columns):
        raise InvalidArguments(
            (argument,), message("jobs_users.columns_missing"), message("jobs_users.columns_hint", columns=COLUMNS)
        )


def _require_new(line: UserLine, seen: dict[tuple[Any, ...], int]) -> None:
    key = (line.login_key, line.tenant_id, line.env_id, line.role_name)
    if key in seen:
        raise CellError("line", message("jobs_users.duplicate_line", line=seen[key]))
    seen[key] = line.number


def _require_same_attributes(line: UserLine, known: dict[tuple[str, str], tuple[int, Mapping[str, Any]]]) -> None:
    first, attributes = known.setdefault((line.login_key, line.tenant_id), (line.number, line.attributes))
    if attributes != line.attributes:
        raise CellError("attributes", message("jobs_users.other_attributes", line=first))
