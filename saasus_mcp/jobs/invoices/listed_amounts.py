"""The amounts that another system charged: a CSV from Stripe or an accounting system, by tenant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Lines, Message, message
from saasus_mcp.common.text import fold_name, quote_text
from saasus_mcp.jobs.tables.cells import cell_text, narrow
from saasus_mcp.jobs.tables.table_reader import read_table, require_rows

MAX_REPORTED = 50
MAX_CELL = 2_000
HEADINGS: Mapping[str, tuple[str, ...]] = {
    "tenant": (
        *(
            "tenant_id",
            "テナントid",
            "customer id",
            "customer_id",
            "顧客id",
            "tenant_name",
            "テナント名",
            "tenant",
            "テナント",
        ),
        *("customer", "customer name", "customer_name", "顧客名", "取引先名", "取引先", "請求先名", "請求先"),
    ),
    "amount": (
        *(
            "total",
            "合計",
            "合計金額",
            "請求金額",
            "請求額",
            "税込金額",
            "税込合計",
            "amount",
            "amount due",
            "amount_due",
        ),
        *("amount paid", "amount_paid", "金額"),
    ),
    "currency": ("currency", "通貨"),
}
"""Headings that are recognised, folded. The first one that the list has is taken."""
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


def parse_listed_amounts(content: object, columns: Mapping[str, str], argument: str) -> list[ListedAmount]:
    """Parse the list, which is a CSV text or a list of records. Skip blank lines.

    Args:
        columns: the headings of `tenant`, `amount` and `currency`, where they are not recognised.
        argument: the argument that the list comes from, for errors.

    Raises:
        InvalidArguments: it is not such a list. All faulty lines are named.
    """
    table = read_table(content, argument)
    require_rows(table, argument)
    found = {field: _column(field, table.columns, columns, argument) for field in HEADINGS}
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
            problems.append(message("jobs_invoices.list_no_amount", line=line, text=quote_text(cells["amount"][:40])))
        elif cells["currency"] and not currency:
            text = quote_text(cells["currency"][:40])
            problems.append(message("jobs_invoices.list_no_currency", line=line, text=text))
        else:
            listed.append(ListedAmount(line, cells["tenant"], amount, currency))
    if problems:
        raise InvalidArguments(
            (argument,),
            message("jobs_invoices.list_invalid", count=len(problems), problems=Lines(tuple(problems[:MAX_REPORTED]))),
            message("jobs_invoices.list_invalid_hint"),
        )
    return listed


def _column(field: str, headings: Sequence[str], columns: Mapping[str, str], argument: str) -> str:
    """Return the heading of a field; empty for a currency that the list does not have."""
    if field in columns:
        if columns[field] in headings:
            return columns[field]
        problem = message("jobs_invoices.list_no_column", name=quote_text(columns[field][:80]))
        raise InvalidArguments(("columns", field), problem, _known(headings))
    folded = {fold_name(name): name for name in reversed(headings)}
    for name in HEADINGS[field]:
        if name in folded:
            return folded[name]
    if field == "currency":
        return ""
    problem = message("jobs_invoices.list_needs_column", field=field)
    raise InvalidArguments((argument,), problem, message("jobs_invoices.list_columns_hint", names=_quoted(headings)))


def _known(headings: Sequence[str]) -> Message:
    return message("jobs_invoices.list_known_columns", names=_quoted(headings))


def _quoted(headings: Sequence[str]) -> tuple[str, ...]:
    return tuple(quote_text(name[:80]) for name in headings[:30])


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
