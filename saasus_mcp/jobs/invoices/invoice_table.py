"""The tables of an estimate: one row for each invoice, or one for each line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Literal

from saasus_mcp.common.messages import one_of
from saasus_mcp.jobs.invoices.comparison import ComparedAmount
from saasus_mcp.jobs.invoices.invoice import Invoice, InvoiceLine, PriceBook
from saasus_mcp.jobs.reports.period import format_day

TENANT_COLUMNS = ("tenant_id", "tenant_name")
INVOICE_COLUMNS = (
    *(*TENANT_COLUMNS, "month", "plan_name", "currency", "fixed", "usage", "subtotal", "tax_rate", "tax", "total"),
    *("status", "note"),
)
LINE_COLUMNS = (
    *(*TENANT_COLUMNS, "month", "plan_name", "item", "kind", "first", "last", "meter", "count", "tier", "quantity"),
    *("unit_amount", "flat_amount", "amount", "currency", "note"),
)
COMPARISON_COLUMNS = ("listed", "difference", "comparison")
Status = Literal["final", "running", "incomplete", "nothing_due", "no_plan", "no_history", "unknown_end"]


@dataclass(frozen=True, slots=True)
class TenantMonth:
    """The invoices of one tenant and month.

    Attributes:
        plan_ids: the plans of the month.
        status: why a month has no invoice, if it has none.
    """

    tenant_id: str
    tenant_name: str
    month: str
    plan_ids: tuple[str, ...]
    invoices: tuple[Invoice, ...]
    status: Status


@dataclass(frozen=True, slots=True)
class InvoiceTable:
    """Makes the rows."""

    book: PriceBook
    zone: tzinfo

    def invoice_rows(
        self, months: Sequence[TenantMonth], compared: Mapping[tuple[str, str], ComparedAmount] | None
    ) -> Iterator[list[Any]]:
        for month in months:
            for invoice in month.invoices:
                comparison = self._comparison(compared, invoice)
                yield [*self._start(month), *self._amounts(invoice), *self._status(month, invoice), *comparison]
            if not month.invoices:
                status = one_of("jobs_invoices.status", month.status)
                yield [*self._start(month), *([""] * 7), status, "", *self._comparison(compared, None)]

    def listed_rows(self, compared: Sequence[ComparedAmount], names: Mapping[str, str]) -> Iterator[list[Any]]:
        for each in compared:
            id_, name = (each.tenant, names[each.tenant]) if each.tenant in names else ("", each.tenant)
            cells = ["", "", each.currency, *([""] * 8)]
            yield [id_, name, *cells, *self._compared_cells(each)]

    def line_rows(self, months: Sequence[TenantMonth]) -> Iterator[list[Any]]:
        for month in months:
            for invoice in month.invoices:
                for line in invoice.lines:
                    yield [month.tenant_id, month.tenant_name, month.month, *self._line(line)]

    def _start(self, month: TenantMonth) -> list[Any]:
        names = " / ".join(self._plan_name(plan_id) for plan_id in month.plan_ids)
        return [month.tenant_id, month.tenant_name, month.month, names]

    def _amounts(self, invoice: Invoice) -> list[Any]:
        rates = [line.name for line in invoice.lines if line.kind in ("tax", "included_tax")]
        has_fixed = all(line.amount is not None for line in invoice.lines if line.kind == "fixed")
        sums = [invoice.usage, invoice.subtotal, invoice.tax, invoice.total]
        usage, subtotal, tax, total = (_amount(each) if invoice.is_complete else "" for each in sums)
        fixed = _amount(invoice.fixed) if has_fixed else ""
        return [invoice.currency, fixed, usage, subtotal, " / ".join(rates), tax, total]

    def _status(self, month: TenantMonth, invoice: Invoice) -> list[Any]:
        status: Status = month.status if invoice.is_complete else "incomplete"
        notes = dict.fromkeys(line.note for line in invoice.lines if line.note not in ("", "partial"))
        some = any(line.usage for line in invoice.lines)
        said = ("some_entries" if some and note == "no_entries" else note for note in notes)
        return [one_of("jobs_invoices.status", status), tuple(one_of("jobs_invoices.note", note) for note in said)]

    def _line(self, line: InvoiceLine) -> list[Any]:
        tier = line.tier
        span = (format_day(line.span.start, self.zone), format_day(line.span.end - 1, self.zone)) if line.span else ()
        prices = [tier.quantity, tier.unit_amount, tier.flat_amount] if tier is not None else ["", "", ""]
        return [
            self._plan_name(line.plan_id),
            line.name,
            one_of("jobs_invoices.kind", line.kind),
            *(span or ("", "")),
            line.meter,
            "" if line.usage is None else line.usage,
            self._tier_label(line),
            *prices,
            _amount(line.amount),
            line.currency,
            one_of("jobs_invoices.note", line.note) if line.note else "",
        ]

    def _tier_label(self, line: InvoiceLine) -> str:
        if line.tier is None or not line.tier.tier:
            return ""
        return f"{line.tier.tier} (≤ {line.tier.up_to})" if line.tier.up_to is not None else str(line.tier.tier)

    def _comparison(
        self, compared: Mapping[tuple[str, str], ComparedAmount] | None, invoice: Invoice | None
    ) -> list[Any]:
        if compared is None:
            return []
        if invoice is None or (invoice.tenant_id, invoice.currency) not in compared:
            return ["", "", ""]
        return self._compared_cells(compared[invoice.tenant_id, invoice.currency])

    def _compared_cells(self, each: ComparedAmount) -> list[Any]:
        return [_amount(each.listed), _amount(each.difference), one_of("jobs_invoices.comparison", each.verdict)]

    def _plan_name(self, plan_id: str) -> str:
        plan = self.book.plans.get(plan_id)
        return plan.label if plan is not None else plan_id


def _amount(amount: Decimal | None) -> Decimal | str:
    return "" if amount is None else amount
