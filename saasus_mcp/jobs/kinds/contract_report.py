"""`job_contract_report`: each tenant with what it is on, what that costs, since when, what follows, and how it pays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from saasus_mcp.jobs.job_context import JobContext, JobReader
from saasus_mcp.jobs.job_kind import JobResult
from saasus_mcp.jobs.known import resolve_names
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.jobs.reports import charts, price_list
from saasus_mcp.jobs.reports.charts.chart_model import Bar, BarPanel, Chart
from saasus_mcp.jobs.reports.period import format_day, parse_zone
from saasus_mcp.jobs.reports.price_list import PricingPlan
from saasus_mcp.jobs.reports.table import Table
from saasus_mcp.jobs.reports_wording import WORDS

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
ADDRESS_FIELDS = ("postal_code", "country", "state", "city", "street", "additional_address_info")
MINOR = "USD amounts are shown as the API stores them; whether these are dollars or cents it does not say."
NO_BUYERS = (
    "Who pays through AWS Marketplace could not be read, so `payment` is `unknown` where a plan is in force: {why}"
)
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


@dataclass(frozen=True, slots=True)
class ContractData:
    """What the contracts refer to."""

    plans: Mapping[str, PricingPlan]
    tax_rates: Mapping[str, Mapping[str, Any]]
    stripe_registered: bool
    aws_tenants: frozenset[str] | None
    zone: tzinfo

    def payment(self, tenant: Mapping[str, Any]) -> str:
        """How a tenant pays: what is bought at AWS is paid there; of the rest, what has a plan is Stripe's affair."""
        if self.aws_tenants is not None and tenant["id"] in self.aws_tenants:
            return "aws_marketplace"
        if not tenant.get("plan_id"):
            return "none"
        if self.aws_tenants is None:
            return "unknown"
        return "stripe" if self.stripe_registered else "none"

    def row(self, tenant: Mapping[str, Any]) -> list[Any]:
        """A tenant's line of the table."""
        offer = self.plans.get(tenant.get("plan_id") or "")
        since = _since(tenant)
        tax = self.tax_rates.get(since.get("tax_rate_id") or "", {})
        return [
            tenant["id"],
            tenant.get("name", ""),
            tenant.get("plan_id") or "",
            offer.label if offer else "",
            *((offer.fixed_price, offer.currency, offer.interval, offer.usage_prices) if offer else (None, "", "", "")),
            format_day(since.get("plan_applied_at"), self.zone),
            *self._next(tenant),
            tax.get("display_name") or tax.get("name", ""),
            tax.get("percentage"),
            tax.get("inclusive"),
            self.payment(tenant),
            tenant.get("back_office_staff_email", ""),
            *_invoice(tenant.get("billing_info") or {}),
        ]

    def _next(self, tenant: Mapping[str, Any]) -> tuple[str, str, str]:
        """What is reserved: nothing, another plan, or the end of the contract."""
        when, plan_id = tenant.get("using_next_plan_from"), tenant.get("next_plan_id") or ""
        if when is None and not plan_id:
            return "", "", ""
        called = self.plans[plan_id].label if plan_id in self.plans else plan_id
        return ("plan" if plan_id else "end"), called, format_day(when, self.zone)


async def plan(reader: JobReader, args: Mapping[str, Any]) -> Plan:
    """Nothing changes, so little is looked at: that what the filters name exists."""
    parse_zone(args)
    data = dict(args)
    if args.get("tenant_ids"):
        names = {each["id"]: [each.get("name") or ""] for each in await _tenants(reader)}
        data["tenant_ids"] = resolve_names("tenant_ids", args["tenant_ids"], "tenant", names)
    if args.get("plans"):
        offers = price_list.load_plans(await reader.read(price_list.PLANS_OPERATION, take=price_list.extract_plans))
        data["plans"] = resolve_names(
            "plans", args["plans"], "plan", {id_: [each.label, each.name] for id_, each in offers.items()}
        )
    return Plan(data=data)


async def run(work: JobContext, plan: Plan) -> JobResult:
    """Five reads, however many tenants there are."""
    args = plan.data
    books, notes = await _books(work, args)
    tenants = [tenant for tenant in await _tenants(work) if _wanted(tenant, args, books)]
    table = Table(COLUMNS, args.get("format", "csv"))
    table.add_rows(books.row(tenant) for tenant in tenants)
    await work.report_progress(len(tenants), len(tenants))
    if any(
        "USD" in books.plans[tenant["plan_id"]].currency for tenant in tenants if tenant.get("plan_id") in books.plans
    ):
        notes.append(MINOR)
    payments = Counter(books.payment(tenant) for tenant in tenants)
    counts = {"tenants": len(tenants), "with_plan": sum(bool(tenant.get("plan_id")) for tenant in tenants)}
    figure, said = await charts.render_chart(_chart(tenants, books, args), args.get("chart", "none"))
    return JobResult(
        {**counts, **{f"payment_{name}": count for name, count in sorted(payments.items())}},
        product=table.content(),
        notes=(*notes, *said),
        chart=figure,
    )


async def _tenants(reader: JobReader) -> list[dict[str, Any]]:
    return await reader.read(
        "auth.GetTenants",
        take=lambda answer: [
            {name: tenant[name] for name in TENANT_FIELDS if name in tenant} for tenant in answer.get("tenants", [])
        ],
    )


async def _books(work: JobContext, args: Mapping[str, Any]) -> tuple[ContractData, list[str]]:
    offers = price_list.load_plans(await work.read(price_list.PLANS_OPERATION, take=price_list.extract_plans))
    taxes = await work.read(
        "pricing.GetTaxRates", take=lambda answer: {rate["id"]: rate for rate in answer.get("tax_rates", [])}
    )
    stripe = await work.read("billing.GetStripeInfo", take=lambda answer: bool(answer.get("is_registered")))
    [(buyers, why)] = await work.read_many(
        "awsmarketplace.GetCustomers", [{}], lambda answer: [each["tenant_id"] for each in answer.get("customers", [])]
    )
    known = None if buyers is None else frozenset(buyers)
    notes = [] if known is not None else [NO_BUYERS.format(why=why)]
    return ContractData(offers, taxes, stripe, known, parse_zone(args)), notes


def _wanted(tenant: Mapping[str, Any], args: Mapping[str, Any], books: ContractData) -> bool:
    if args.get("tenant_ids") and tenant["id"] not in args["tenant_ids"]:
        return False
    if args.get("payment") and books.payment(tenant) not in args["payment"]:
        return False
    if not args.get("plans"):
        return True
    offer = books.plans.get(tenant.get("plan_id") or "")
    return offer is not None and bool({offer.id, offer.name, offer.label} & set(args["plans"]))


def _since(tenant: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entry of a tenant's history by which it came to the plan that is in force."""
    entries = [each for each in tenant.get("plan_histories") or () if each.get("plan_id") == tenant.get("plan_id")]
    return max(entries, key=lambda each: int(each["plan_applied_at"]), default={})


def _invoice(info: Mapping[str, Any]) -> Iterator[str]:
    address = info.get("address") or {}
    yield info.get("name", "")
    yield from (address.get(part, "") for part in ADDRESS_FIELDS)
    yield info.get("invoice_language", "")


def _chart(tenants: Sequence[Mapping[str, Any]], books: ContractData, args: Mapping[str, Any]) -> Chart:
    """What the plans bring in by their fixed prices, a panel for each currency and interval."""
    words = WORDS[args.get("language", "en")]
    on_plan = Counter(tenant["plan_id"] for tenant in tenants if tenant.get("plan_id") in books.plans)
    panels: dict[tuple[str, str], list[Bar]] = {}
    for plan_id, count in on_plan.items():
        offer = books.plans[plan_id]
        bar = Bar(words["tenants"].format(plan=offer.label, count=count), offer.fixed_price * count)
        panels.setdefault((offer.currency, offer.interval), []).append(bar)
    return Chart(
        words["contracts"],
        tuple(
            BarPanel(words["income"].format(currency=currency, interval=words.get(interval, interval)), _highest(bars))
            for (currency, interval), bars in sorted(panels.items())
        ),
        time_label="",
        footer=words["contracts_foot"].format(count=len(tenants) - on_plan.total()),
    )


def _highest(bars: list[Bar]) -> tuple[Bar, ...]:
    return tuple(sorted(bars, key=lambda bar: -bar.value))
