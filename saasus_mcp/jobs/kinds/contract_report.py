"""`job_contract_report`: each tenant with its plan, price, start, scheduled change, tax rate, payment and billing address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from typing import Any

from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.name_index import PLAN, TENANT
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports import charts
from saasus_mcp.jobs.reports.charts.chart_model import Bar, BarPanel, Chart
from saasus_mcp.jobs.reports.charts.text_chart import unique_labels
from saasus_mcp.jobs.reports.period import format_day, parse_zone
from saasus_mcp.jobs.reports.price_list import PricingPlan, read_plans, read_tax_rates, read_tenants, uses_stripe
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.users.accounts import resolve_filters
from saasus_mcp.server.results.jmespath_query import csv_cell

COLUMNS = (
    "tenant_id",
    "tenant_name",
    "plan_id",
    "plan_name",
    "fixed_price",
    "currency",
    "interval",
    "variable_price",
    "start",
    "next_change",
    "next_plan_name",
    "next_from",
    "tax_rate",
    "tax_percent",
    "tax_inclusive",
    "payment",
    "back_office_email",
    "invoice_name",
    "invoice_postal_code",
    "invoice_country",
    "invoice_state",
    "invoice_city",
    "invoice_street",
    "invoice_additional",
    "invoice_language",
)
CODES = {
    "interval": ("month", "year"),
    "next_change": ("plan", "end"),
    "tax_inclusive": ("true", "false"),
    "payment": ("stripe", "aws_marketplace", "none", "unknown"),
    "invoice_language": ("ja-JP", "en-US"),
}
"""The codes of columns, which a CSV states in the reader's language."""
ADDRESS_FIELDS = ("postal_code", "country", "state", "city", "street", "additional_address_info")
TENANT_FIELDS = (
    "id",
    "name",
    "back_office_staff_email",
    "plan_id",
    "next_plan_id",
    "using_next_plan_from",
    "plan_histories",
    "billing_info",
)

PLAN_WIDTH = 24
"""Columns of a plan's name in the chart. The number of tenants follows."""


@dataclass(frozen=True, slots=True)
class ContractData:
    """The records that contracts refer to. `aws_tenants` is None if they could not be read."""

    plans: Mapping[str, PricingPlan]
    tax_rates: Mapping[str, Mapping[str, Any]]
    stripe_registered: bool
    aws_tenants: frozenset[str] | None
    zone: tzinfo
    language: Language

    def payment(self, tenant: Mapping[str, Any]) -> str:
        """Return how a tenant pays. Buyers at AWS Marketplace pay there; other tenants with a plan pay through Stripe."""
        if self.aws_tenants is not None and tenant["id"] in self.aws_tenants:
            return "aws_marketplace"
        if not tenant.get("plan_id"):
            return "none"
        if self.aws_tenants is None:
            return "unknown"
        return "stripe" if self.stripe_registered else "none"

    def row(self, tenant: Mapping[str, Any]) -> list[Any]:
        plan = self.plans.get(tenant.get("plan_id") or "")
        # The entry of the history that made the current plan effective.
        entries = [each for each in tenant.get("plan_histories") or () if each.get("plan_id") == tenant.get("plan_id")]
        current: Mapping[str, Any] = max(entries, key=lambda each: int(each["plan_applied_at"]), default={})
        tax = self.tax_rates.get(current.get("tax_rate_id") or "", {})
        price = (
            (plan.fixed_price, plan.currency, plan.interval, plan.usage_prices(self.language))
            if plan
            else (None, "", "", "")
        )
        return [
            tenant["id"],
            tenant.get("name", ""),
            tenant.get("plan_id") or "",
            plan.label if plan else "",
            *price,
            format_day(current.get("plan_applied_at"), self.zone),
            *self._scheduled_change(tenant),
            tax.get("display_name") or tax.get("name", ""),
            tax.get("percentage"),
            tax.get("inclusive"),
            self.payment(tenant),
            tenant.get("back_office_staff_email", ""),
            *_invoice_cells(tenant.get("billing_info") or {}),
        ]

    def _scheduled_change(self, tenant: Mapping[str, Any]) -> tuple[str, str, str]:
        """Return the kind of change (a plan or the end of the contract), the next plan, and the day."""
        when, plan_id = tenant.get("using_next_plan_from"), tenant.get("next_plan_id") or ""
        if when is None and not plan_id:
            return "", "", ""
        name = self.plans[plan_id].label if plan_id in self.plans else plan_id
        return ("plan" if plan_id else "end"), name, format_day(when, self.zone)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Resolve the names in the filters."""
    parse_zone(args)
    return Plan(data=await resolve_filters(reader, args, {"tenant_ids": TENANT, "plans": PLAN}))


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Make the report with five reads, however many tenants there are."""
    args = plan.data
    contracts, notes = await _read_contract_data(work, args)
    tenants = [tenant for tenant in await read_tenants(work, TENANT_FIELDS) if _is_wanted(tenant, args, contracts)]
    table = Table([one_of("jobs_reports.column", name) for name in COLUMNS], args.get("format", "csv"), work.language)
    rows = map(contracts.row, tenants)
    table.add_rows(rows if args.get("format") == "json" else (_in_words(row, work.language) for row in rows))
    await work.report_progress(len(tenants), len(tenants))
    plans = [contracts.plans[tenant["plan_id"]] for tenant in tenants if tenant.get("plan_id") in contracts.plans]
    if any("USD" in each.currency for each in plans):
        notes.append(message("jobs_reports.usd_amounts"))
    payments = Counter(contracts.payment(tenant) for tenant in tenants)
    counts = {"tenants": len(tenants), "with_plan": sum(bool(tenant.get("plan_id")) for tenant in tenants)}
    build_chart = partial(_build_chart, tenants, contracts)
    image, chart_notes = await charts.render_chart(build_chart(args.get("language", "en")), args.get("chart", "none"))
    return JobResult(
        {**counts, **{f"payment_{name}": count for name, count in sorted(payments.items())}},
        product=table.content(),
        notes=(*notes, *chart_notes),
        chart=image,
        chart_data=charts.chart_data(build_chart),
    )


async def _read_contract_data(work: JobContext, args: Mapping[str, Any]) -> tuple[ContractData, list[Message]]:
    plans, tax_rates, stripe = await read_plans(work), await read_tax_rates(work), await uses_stripe(work)
    [(buyers, reason)] = await work.read_many(
        "awsmarketplace.GetCustomers", [{}], lambda answer: [each["tenant_id"] for each in answer.get("customers", [])]
    )
    aws_tenants = None if buyers is None else frozenset(buyers)
    notes = [] if aws_tenants is not None else [message("jobs_reports.buyers_unread", reason=reason)]
    return ContractData(plans, tax_rates, stripe, aws_tenants, parse_zone(args), work.language), notes


def _in_words(row: Sequence[Any], language: Language) -> list[Any]:
    """Return a row with words for its codes. A value that the API added later stays."""
    cells = dict(zip(COLUMNS, row, strict=True))
    for name, codes in CODES.items():
        code = csv_cell(cells[name])
        if code in codes:
            cells[name] = one_of("jobs_reports.cell", f"{name}_{code}").text(language)
    return list(cells.values())


def _is_wanted(tenant: Mapping[str, Any], args: Mapping[str, Any], contracts: ContractData) -> bool:
    if args.get("tenant_ids") and tenant["id"] not in args["tenant_ids"]:
        return False
    if args.get("payment") and contracts.payment(tenant) not in args["payment"]:
        return False
    return not args.get("plans") or tenant.get("plan_id") in args["plans"]


def _invoice_cells(info: Mapping[str, Any]) -> Iterator[str]:
    address = info.get("address") or {}
    yield info.get("name", "")
    yield from (address.get(part, "") for part in ADDRESS_FIELDS)
    yield info.get("invoice_language", "")


def _build_chart(tenants: Sequence[Mapping[str, Any]], contracts: ContractData, language: Language) -> Chart:
    """Return a chart of the fixed prices by plan, with a panel for each currency and interval."""
    tenants_by_plan = Counter(tenant["plan_id"] for tenant in tenants if tenant.get("plan_id") in contracts.plans)
    panels: dict[tuple[str, str], list[Bar]] = {}
    labels = unique_labels({plan_id: contracts.plans[plan_id].label for plan_id in tenants_by_plan}, PLAN_WIDTH)
    for plan_id, count in tenants_by_plan.items():
        plan = contracts.plans[plan_id]
        name = message("jobs_reports.chart_plan", plan=labels[plan_id], count=count).text(language)
        panels.setdefault((plan.currency, plan.interval), []).append(Bar(name, plan.fixed_price * count))
    without_plan = len(tenants) - tenants_by_plan.total()
    return Chart(
        message("jobs_reports.chart_contracts").text(language),
        tuple(
            BarPanel(_income_title(currency, interval, language), tuple(sorted(bars, key=lambda bar: -bar.value)))
            for (currency, interval), bars in sorted(panels.items())
        ),
        time_label="",
        footer=message("jobs_reports.chart_contracts_footer", count=without_plan).text(language),
    )


def _income_title(currency: str, interval: str, language: Language) -> str:
    name = one_of("jobs_reports.interval", interval) if interval in ("month", "year") else interval
    return message("jobs_reports.chart_income", currency=currency, interval=name).text(language)
