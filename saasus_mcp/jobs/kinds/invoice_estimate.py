"""`job_invoice_estimate`: what each tenant is charged for a month, compared with what another system charged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.jobs.invoices.comparison import ComparedAmount, compare_amounts, needs_customers
from saasus_mcp.jobs.invoices.contract import ChargedMonth, UsageKey, charged_months, usage_keys
from saasus_mcp.jobs.invoices.invoice import InvoiceBuilder, MeteredUsage, PriceBook
from saasus_mcp.jobs.invoices.invoice_table import (
    COMPARISON_COLUMNS,
    INVOICE_COLUMNS,
    LINE_COLUMNS,
    InvoiceTable,
    Status,
    TenantMonth,
)
from saasus_mcp.jobs.invoices.listed_amounts import ListedAmount, parse_listed_amounts
from saasus_mcp.jobs.invoices.money import format_fixed_point, total
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.price_list import read_plans, read_tax_rates, read_tenants, uses_stripe
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.reports.usage import USAGE_OPERATION, require_bounded_reads
from saasus_mcp.jobs.tables.table_reading import TableReading, reading_data, reading_notes

MONTH = re.compile(r"\d{4}-\d{2}")
TENANT_FIELDS = (
    "id",
    "name",
    "plan_id",
    "plan_histories",
    "next_plan_id",
    "using_next_plan_from",
    "next_plan_tax_rate_id",
    "proration_behavior",
    "delete_usage",
)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Resolve names, parse the list to compare with, and refuse a month that has not begun or too many reads."""
    period = _months(args, reader.now())
    listed, reading = await _load_list(reader, args, period)
    tenants = await read_tenants(reader, TENANT_FIELDS)
    names = {tenant["id"]: tenant.get("name", "") for tenant in tenants}
    if "tenant_ids" in args:
        wanted = resolve_names("tenant_ids", args["tenant_ids"], "tenant", {key: [name] for key, name in names.items()})
        tenants = [tenant for tenant in tenants if tenant["id"] in set(wanted)]
    plans = await read_plans(reader)
    reads = sum(len(usage_keys(list(charged_months(tenant, plans, period)), plans)) for tenant in tenants)
    require_bounded_reads(reads)
    data = {name: value for name, value in args.items() if name not in ("csv", "result")}
    return Plan(
        data={
            **data,
            "tenants": tenants,
            "names": names,
            "reads": reads,
            "now": reader.now(),
            "listed": listed and [[each.line, each.tenant, str(each.amount), each.currency] for each in listed],
            **reading_data(reading),
        }
    )


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Read the usage that each tenant is charged for, one read for each metering unit and span."""
    args = plan.data
    period = Period.from_arguments(args)
    book = await _read_book(work, args)
    months, unread = list[TenantMonth](), list[dict[str, Any]]()
    done = 0
    for tenant in args["tenants"]:
        charged = list(charged_months(tenant, book.plans, period))
        usage = await _read_usage(work, tenant["id"], usage_keys(charged, book.plans))
        unread += _unread_rows(tenant, usage)
        months += (_tenant_month(tenant, each, book, usage, args["now"]) for each in charged)
        done += len(usage)
        await work.report_progress(done, args["reads"])
    compared = await _compare(work, args, months)
    table = _build_table(work, args, InvoiceTable(book, period.zone), months, compared)
    return JobResult(
        _counts(args, months, compared),
        rows=[*unread, *_comparison_rows(compared or (), args["names"])],
        product=table.content(),
        notes=(*_notes(args, book, months), *reading_notes(args)),
    )


def _months(args: Mapping[str, Any], now: int) -> Period:
    """Return the period, which is whole months that have begun."""
    for name in ("from", "to"):
        if name in args and MONTH.fullmatch(args[name]) is None:
            raise InvalidArguments((name,), message("jobs_invoices.no_month"), message("jobs_invoices.month_hint"))
    period = Period.from_arguments(args)
    if list(period.months())[-1].start > now:
        raise InvalidArguments(
            ("to" if "to" in args else "from",),
            message("jobs_invoices.future_month"),
            message("jobs_invoices.month_hint"),
        )
    return period


async def _load_list(
    reader: JobReader, args: Mapping[str, Any], period: Period
) -> tuple[list[ListedAmount] | None, TableReading | None]:
    """Return the list to compare with and how it was read, or None without a list."""
    if "csv" not in args and "result" not in args:
        return None, None
    if len(list(period.months())) > 1:
        raise InvalidArguments(("to",), message("jobs_invoices.one_month_to_compare"), message("jobs.leave_out_hint"))
    argument, content = await reader.load_input(args, "csv", "result")
    columns, encoding = args.get("columns", {}), reader.encoding
    return await reader.run_in_thread(lambda: parse_listed_amounts(content, columns, argument, encoding))


async def _read_book(work: JobContext, args: Mapping[str, Any]) -> PriceBook:
    plans, rates, stripe = await read_plans(work), await read_tax_rates(work), await uses_stripe(work)
    maximum = await work.read(
        "pricing.GetMeteringUnits",
        take=lambda answer: [
            unit["unit_name"] for unit in answer.get("units", []) if unit.get("aggregate_usage") == "max"
        ],
    )
    return PriceBook(
        plans,
        rates,
        stripe,
        frozenset(maximum),
        args.get("tax_rounding", "down"),
        args.get("usd_unit", "dollar"),
    )


async def _read_usage(work: JobContext, tenant: str, keys: Sequence[UsageKey]) -> dict[UsageKey, MeteredUsage]:
    if not keys:
        return {}
    calls = [
        {"tenant_id": tenant, "metering_unit_name": meter, "start_timestamp": start, "end_timestamp": end - 1}
        for meter, start, end in keys
    ]
    answers = await work.read_many(
        USAGE_OPERATION, calls, lambda answer: [(each["timestamp"], each["count"]) for each in answer.get("counts", [])]
    )
    found = {}
    for key, (counts, reason) in zip(keys, answers, strict=True):
        if counts is None:
            found[key] = MeteredUsage(reason=reason.text(work.language) or "?")
        else:
            inside = [count for at, count in counts if key[1] <= at < key[2]]
            found[key] = MeteredUsage(sum(inside), max(inside, default=0), len(inside))
    return found


def _tenant_month(
    tenant: Mapping[str, Any],
    charged: ChargedMonth,
    book: PriceBook,
    usage: Mapping[UsageKey, MeteredUsage],
    now: int,
) -> TenantMonth:
    builder = InvoiceBuilder(
        book,
        tenant["id"],
        charged.month,
        lambda unit, span: usage[unit["metering_unit_name"], span.start, span.end],
    )
    invoices = tuple(builder.build(charged.charges))
    status: Status = "running" if charged.span.end > now else "final"
    if not invoices:
        without_plan: Status = "no_history" if tenant.get("plan_id") and not tenant.get("plan_histories") else "no_plan"
        status = "nothing_due" if charged.plan_ids else without_plan
        status = "unknown_end" if charged.has_unknown_end else status
    return TenantMonth(tenant["id"], tenant.get("name", ""), charged.month, charged.plan_ids, invoices, status)


async def _compare(
    work: JobContext, args: Mapping[str, Any], months: Sequence[TenantMonth]
) -> list[ComparedAmount] | None:
    if args["listed"] is None:
        return None
    listed = [
        ListedAmount(line, tenant, Decimal(amount), currency) for line, tenant, amount, currency in args["listed"]
    ]
    customers = await _read_customers(work, args["names"]) if needs_customers(listed) else {}
    invoices = [invoice for month in months for invoice in month.invoices]
    compared = compare_amounts(invoices, listed, args["names"], customers, args.get("compare", "total"))
    reported = {month.tenant_id for month in months}
    return [each for each in compared if each.tenant in reported or each.tenant not in args["names"]]


async def _read_customers(work: JobContext, tenants: Iterable[str]) -> dict[str, str]:
    """Return the ids of the tenants that Stripe knows, by customer id."""
    ids = list(tenants)
    calls = [{"tenant_id": tenant} for tenant in ids]
    found = await work.read_many("auth.GetStripeCustomer", calls, lambda answer: answer.get("customer_id", ""))
    return {customer: tenant for tenant, (customer, _) in zip(ids, found, strict=True) if customer}


def _build_table(
    work: JobContext,
    args: Mapping[str, Any],
    rows: InvoiceTable,
    months: Sequence[TenantMonth],
    compared: Sequence[ComparedAmount] | None,
) -> Table:
    by_line = args.get("by") == "line"
    columns = LINE_COLUMNS if by_line else (*INVOICE_COLUMNS, *(() if compared is None else COMPARISON_COLUMNS))
    headings = [one_of("jobs_invoices.column", name) for name in columns]
    table = Table(headings, args.get("format", "csv"), work.language)
    if by_line:
        table.add_rows(rows.line_rows(months))
        return table
    by_key = None if compared is None else {(each.tenant, each.currency): each for each in compared}
    table.add_rows(rows.invoice_rows(months, by_key))
    invoiced = {(each.tenant_id, each.currency) for month in months for each in month.invoices}
    unmatched = [each for each in compared or () if (each.tenant, each.currency) not in invoiced]
    table.add_rows(rows.listed_rows(unmatched, args["names"]))
    return table


def _counts(
    args: Mapping[str, Any], months: Sequence[TenantMonth], compared: Sequence[ComparedAmount] | None
) -> dict[str, int]:
    invoices = [invoice for month in months for invoice in month.invoices]
    statuses = Counter(month.status for month in months)
    counts = {"tenants": len(args["tenants"]), "invoices": len(invoices), "reads": args["reads"]}
    counts["incomplete"] = sum(not invoice.is_complete for invoice in invoices)
    lines = [line for invoice in invoices for line in invoice.lines]
    counts["no_entries"] = sum(line.note == "no_entries" for line in lines)
    counts |= {
        name: statuses[name]
        for name in ("running", "nothing_due", "no_plan", "no_history", "unknown_end")
        if statuses[name]
    }
    if compared is not None:
        verdicts = Counter(each.verdict for each in compared)
        counts |= {f"compared_{name}": count for name, count in sorted(verdicts.items())}
    return counts


def _notes(args: Mapping[str, Any], book: PriceBook, months: Sequence[TenantMonth]) -> Iterator[Message]:
    invoices = [invoice for month in months for invoice in month.invoices]
    for currency in sorted({invoice.currency for invoice in invoices} - {""}):
        totals = [each.total for each in invoices if each.currency == currency and each.is_complete]
        amount = f"{total(totals, currency):,f}"
        yield message("jobs_invoices.sum", currency=currency, amount=amount, count=len(totals))
    if any(month.status == "running" for month in months):
        yield message("jobs_invoices.running")
    if any(not invoice.is_complete for invoice in invoices):
        yield message("jobs_invoices.incomplete")
    rounding = one_of("jobs_invoices.rounding", book.tax_rounding)
    yield message("jobs_invoices.rules", zone=args.get("zone", "UTC"), rounding=rounding)
    if any(invoice.currency == "USD" for invoice in invoices):
        yield one_of("jobs_invoices.usd_unit", book.usd_unit)


def _unread_rows(tenant: Mapping[str, Any], usage: Mapping[UsageKey, MeteredUsage]) -> Iterator[dict[str, Any]]:
    for (meter, _, _), found in usage.items():
        if found.reason:
            row = {"tenant_id": tenant["id"], "tenant_name": tenant.get("name", ""), "meter": meter}
            yield {**row, "outcome": "unread", "why": found.reason}


def _comparison_rows(compared: Sequence[ComparedAmount], names: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for each in compared:
        if each.verdict != "equal":
            amounts = {"estimated": each.estimated, "listed": each.listed, "difference": each.difference}
            told = {name: format_fixed_point(amount) for name, amount in amounts.items() if amount is not None}
            named = {"tenant_id": each.tenant, "tenant_name": names[each.tenant]} if each.tenant in names else {}
            yield {**(named or {"tenant": each.tenant}), "currency": each.currency, **told, "outcome": each.verdict}
