"""The amounts that another system charged: a CSV from Stripe or an accounting system, by tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Lines, Message, message
from saasus_mcp.common.text import Quoted, fold_name
from saasus_mcp.jobs.tables.cells import ColumnNames, cell_text, narrow
from saasus_mcp.jobs.tables.table_reader import read_table, require_rows
from saasus_mcp.jobs.tables.table_reading import TableReading

MAX_REPORTED = 50
MAX_CELL = 2_000
HEADINGS = ColumnNames(
    {
        "tenant": (
            *("tenant id", "テナントID", "customer id", "顧客ID", "tenant name", "テナント名", "tenant", "テナント"),
            *("customer", "customer name", "顧客名", "取引先名", "取引先", "請求先名", "請求先"),
        ),
        "amount": (
            *("total", "合計", "合計金額", "請求金額", "請求額", "税込金額", "税込合計", "amount"),
            *("amount due", "amount paid", "金額"),
        ),
        "currency": ("currency", "通貨"),
    }
)
"""Headings that are recognised. The first one that the list has is taken."""
FIELDS = ("tenant", "amount", "currency")
CURRENCIES = {"jpy": "JPY", "円": "JPY", "\N{YEN SIGN}": "JPY", "usd": "USD", "$": "USD", "ドル": "USD"}
AMOUNT = re.compile(r"(?:\d{1,3}(?:,\d{3}){1,6}|\d{1,18})(?:\.\d{1,6})?")
NEGATIVE_SIGNS = "-\N{MINUS SIGN}\N{WHITE UP-POINTING TRIANGLE}\N{BLACK UP-POINTING TRIANGLE}"


@dataclass(frozen=True, slots=True)
class ListedAmount:
    """One line of the list.

    Attributes:
        tenant: as written: an id, a name, or a customer id of Stripe.
        currency: empty if the list does not say it.
    """

    line: int
    tenant: str
    amount: Decimal
    currency: str = ""


def parse_listed_amounts(
    content: object, columns: Mapping[str, str], argument: str, encoding: str = ""
) -> tuple[list[ListedAmount], TableReading]:
    """Return the lines of a CSV text or of a list of records that are not blank, and how the list was read.

    Args:
        columns: the headings of `tenant`, `amount` and `currency`, where they are not recognised.
        argument: the argument that the list comes from, for errors.
        encoding: of the file that the list was read from, for the reading.

    Raises:
        InvalidArguments: it is not such a list. All faulty lines are named.
    """
    table = read_table(content, argument, encoding=encoding)
    require_rows(table, argument)
    found = {field: _column(field, table.columns, columns, argument) for field in FIELDS}
    listed, problems = list[ListedAmount](), list[Message]()
    for row in table.rows:
        line, cells = row.number, {field: _cell(row.cells.get(name)) for field, name in found.items()}
        amount = _parse_amount(cells["amount"])
        currency = CURRENCIES.get(fold_name(cells["currency"]), "")
        if row.is_too_long:
            problems.append(message("jobs_invoices.list_too_many_cells", line=line))
        elif not cells["tenant"]:
            problems.append(message("jobs_invoices.list_no_tenant", line=line))
        elif amount is None:
            problems.append(message("jobs_invoices.list_no_amount", line=line, text=Quoted(cells["amount"][:40])))
        elif cells["currency"] and not currency:
            text = Quoted(cells["currency"][:40])
            problems.append(message("jobs_invoices.list_no_currency", line=line, text=text))
        else:
            listed.append(ListedAmount(line, cells["tenant"], amount, currency))
    if problems:
        shown = Lines(tuple(problems[:MAX_REPORTED]))
        raise InvalidArguments.at((argument,), "jobs_invoices.list_invalid", count=len(problems), problems=shown)
    told = {field: name for field, name in found.items() if name}
    return listed, replace(table.reading, columns=told)


def _column(field: str, headings: Sequence[str], columns: Mapping[str, str], argument: str) -> str:
    """Return the heading of a field; empty for a currency that the list does not have."""
    if field in columns:
        if columns[field] in headings:
            return columns[field]
        problem = message("jobs_invoices.list_no_column", name=Quoted(columns[field][:80]))
        hint = message("jobs_invoices.list_known_columns", names=_quoted(headings))
        raise InvalidArguments(("columns", field), problem, hint)
    found = HEADINGS.first(field, headings)
    if found is not None or field == "currency":
        return found or ""
    problem = message("jobs_invoices.list_needs_column", field=field)
    raise InvalidArguments((argument,), problem, message("jobs_invoices.list_columns_hint", names=_quoted(headings)))


def _quoted(headings: Sequence[str]) -> tuple[Quoted, ...]:
    return tuple(Quoted(name[:80]) for name in headings[:30])


def _cell(value: object) -> str:
    return "" if isinstance(value, list | dict) else cell_text(value)[:MAX_CELL]


def _parse_amount(text: str) -> Decimal | None:
    """Return an amount as people write it: `¥12,345`, `12345.60`, `(1,200)`, `▲1,200`, `1,200円`; or None."""
    bare = re.sub(r"[\s¥円$]|JPY|USD", "", narrow(text), flags=re.IGNORECASE)
    negative = bare.startswith(tuple(NEGATIVE_SIGNS)) or (bare.startswith("(") and bare.endswith(")"))
    bare = bare.strip("()" + NEGATIVE_SIGNS) if negative else bare
    if AMOUNT.fullmatch(bare) is None:
        return None
    amount = Decimal(bare.replace(",", ""))
    return amount.copy_negate() if negative else amount
