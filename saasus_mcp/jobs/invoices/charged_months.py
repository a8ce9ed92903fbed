"""What a tenant is charged in each month of a period, and which usage that needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from saasus_mcp.jobs.invoices.contract import DueCharge, Span, contract_terms, due_charges
from saasus_mcp.jobs.invoices.invoice import metered_units
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.price_list import PricingPlan

UsageKey = tuple[str, int, int]
"""A metering unit, and the first second of a span and the first one after it."""


@dataclass(frozen=True, slots=True)
class ChargedMonth:
    """What one tenant is charged in one month, named YYYY-MM.

    Attributes:
        plan_ids: the plans that the tenant has in the month.
    """

    month: str
    span: Span
    plan_ids: tuple[str, ...]
    charges: tuple[DueCharge, ...]


def charged_months(
    tenant: Mapping[str, Any], plans: Mapping[str, PricingPlan], period: Period
) -> Iterator[ChargedMonth]:
    """Yield what a tenant is charged in each month of the period."""
    terms = contract_terms(tenant)
    for month in period.months():
        span = Span(month.start, month.end + 1)
        current = (term for term in terms if term.span.start < span.end and term.span.end > span.start)
        plan_ids = tuple(dict.fromkeys(term.plan_id for term in current if term.plan_id))
        yield ChargedMonth(f"{month.first:%Y-%m}", span, plan_ids, tuple(due_charges(terms, plans, span, period.zone)))


def usage_keys(months: Sequence[ChargedMonth], plans: Mapping[str, PricingPlan]) -> list[UsageKey]:
    """Return the metering units and spans whose usage is charged, each once."""
    return list(
        dict.fromkeys(
            (unit["metering_unit_name"], charge.span.start, charge.span.end)
            for month in months
            for charge in month.charges
            for unit in metered_units(charge, plans)
        )
    )
