"""Invoices: what a tenant is charged in a month and currency, line by line, with tax."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from saasus_mcp.jobs.invoices.contract import DueCharge, Span, metered_units
from saasus_mcp.jobs.invoices.money import Rounding, TierCharge, price_usage, round_amount, total
from saasus_mcp.jobs.reports.price_list import PricingPlan, PricingUnit

LineKind = Literal["fixed", "credit", "usage", "tiered", "tiered_usage", "tax", "included_tax"]
LineNote = Literal[
    "", "partial", "no_entries", "unread", "over_upper_count", "above_tiers", "dropped", "unknown_plan", "unknown_tax"
]
UNCALCULATED: frozenset[LineNote] = frozenset({"unread", "unknown_plan", "unknown_tax"})
"""Notes of lines that have no amount, so that their invoice has no total."""


@dataclass(frozen=True, slots=True)
class MeteredUsage:
    """What was recorded of a metering unit in a span. `reason`: why it could not be read; empty if it was."""

    summed: int = 0
    maximum: int = 0
    entries: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line.

    Attributes:
        name: of the pricing unit, or of the tax rate.
        amount: None if it could not be calculated.
        tier: the tier behind the amount, of a price that depends on use.
    """

    kind: LineKind
    plan_id: str
    name: str
    currency: str
    amount: Decimal | None
    tax_rate_id: str = ""
    span: Span | None = None
    meter: str = ""
    usage: int | None = None
    tier: TierCharge | None = None
    note: LineNote = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a tenant is charged in one currency for one month, named YYYY-MM."""

    tenant_id: str
    month: str
    currency: str
    lines: tuple[InvoiceLine, ...]

    @property
    def is_complete(self) -> bool:
        return not any(line.note in UNCALCULATED for line in self.lines)

    def sum_of(self, *kinds: LineKind) -> Decimal:
        amounts = [line.amount for line in self.lines if line.kind in kinds and line.amount is not None]
        return total(amounts, self.currency)

    @property
    def fixed(self) -> Decimal:
        return self.sum_of("fixed", "credit")

    @property
    def usage(self) -> Decimal:
        return self.sum_of("usage", "tiered", "tiered_usage")

    @property
    def subtotal(self) -> Decimal:
        return total([self.fixed, self.usage], self.currency)

    @property
    def tax(self) -> Decimal:
        """The tax, whether it is added to the prices or contained in them."""
        return self.sum_of("tax", "included_tax")

    @property
    def total(self) -> Decimal:
        return total([self.subtotal, self.sum_of("tax")], self.currency)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What invoices are calculated from.

    Attributes:
        uses_maximum: the metering units whose highest count is charged instead of the sum. The API does so with Stripe only.
        usd_unit: the unit in which the API stores dollar amounts, which is not documented.
    """

    plans: Mapping[str, PricingPlan]
    tax_rates: Mapping[str, Mapping[str, Any]]
    stripe: bool
    uses_maximum: frozenset[str]
    tax_rounding: Rounding = "down"
    usd_unit: Literal["dollar", "cent"] = "dollar"

    def amount(self, stored: int, currency: str) -> Fraction:
        """Return the amount that a stored integer means."""
        return Fraction(stored, 100) if currency == "USD" and self.usd_unit == "cent" else Fraction(stored)

    def count(self, unit: PricingUnit, usage: MeteredUsage) -> int:
        own = unit.get("aggregate_usage")
        maximum = own == "max" if own else unit["metering_unit_name"] in self.uses_maximum
        return usage.maximum if maximum and self.stripe else usage.summed


UsageOf = Callable[[PricingUnit, Span], MeteredUsage]


@dataclass(slots=True)
class InvoiceBuilder:
    """Builds the invoices of one tenant and month. `usage_of`: returns the recorded usage of a pricing unit."""

    book: PriceBook
    tenant_id: str
    month: str
    usage_of: UsageOf
    _lines: list[InvoiceLine] = field(default_factory=list)

    def build(self, charges: Iterable[DueCharge]) -> list[Invoice]:
        """Return an invoice for each currency. Nothing charged makes no invoice."""
        for charge in charges:
            plan = self.book.plans.get(charge.plan_id)
            if plan is None:
                self._lines.append(_unknown_plan(charge))
            elif charge.kind in ("usage", "dropped_usage"):
                self._lines += self._usage_lines(charge)
            else:
                self._lines += self._fixed_lines(charge, plan)
        currencies = list(dict.fromkeys(line.currency for line in self._lines if line.currency))
        unknown = [line for line in self._lines if not line.currency]
        return [self._invoice(currency, unknown) for currency in currencies or ([""] if unknown else [])]

    def _invoice(self, currency: str, unknown: Sequence[InvoiceLine]) -> Invoice:
        lines = [line for line in self._lines if line.currency == currency] + (list(unknown) if currency else [])
        return Invoice(self.tenant_id, self.month, currency, (*lines, *self._tax_lines(lines, currency)))

    def _fixed_lines(self, charge: DueCharge, plan: PricingPlan) -> Iterator[InvoiceLine]:
        for unit in plan.units:
            if unit["type"] == "fixed":
                exact = self.book.amount(unit["unit_amount"], unit["currency"]) * charge.share
                yield InvoiceLine(
                    "credit" if charge.kind == "credit" else "fixed",
                    charge.plan_id,
                    unit_name(unit),
                    unit["currency"],
                    round_amount(exact, unit["currency"]),
                    charge.tax_rate_id,
                    charge.span,
                    note="" if charge.kind == "full" else "partial",
                )

    def _usage_lines(self, charge: DueCharge) -> Iterator[InvoiceLine]:
        for unit in metered_units(charge, self.book.plans):
            usage = self.usage_of(unit, charge.span)
            if usage.reason:
                yield self._usage_line(charge, unit, None, note="unread")
            elif charge.kind == "dropped_usage":
                yield self._usage_line(charge, unit, self.book.count(unit, usage), note="dropped")
            else:
                yield from self._priced_lines(charge, unit, usage)

    def _priced_lines(self, charge: DueCharge, unit: PricingUnit, usage: MeteredUsage) -> Iterator[InvoiceLine]:
        count = self.book.count(unit, usage)
        parts, above_tiers = price_usage(unit, count)
        note: LineNote = "" if usage.entries else "no_entries"
        if above_tiers:
            note = "above_tiers"
        elif unit.get("upper_count") and count > unit["upper_count"]:
            note = "over_upper_count"
        if not parts:
            yield self._usage_line(charge, unit, count, note=note)
        for part in parts:
            yield self._usage_line(charge, unit, count, part, note)

    def _usage_line(
        self,
        charge: DueCharge,
        unit: PricingUnit,
        count: int | None,
        tier: TierCharge | None = None,
        note: LineNote = "",
    ) -> InvoiceLine:
        stored = tier.amount if tier is not None else 0
        currency = unit["currency"]
        amount = None if note == "unread" else round_amount(self.book.amount(stored, currency), currency)
        return InvoiceLine(
            unit["type"],
            charge.plan_id,
            unit_name(unit),
            currency,
            amount,
            charge.tax_rate_id,
            charge.span,
            unit["metering_unit_name"],
            count,
            tier,
            note,
        )

    def _tax_lines(self, lines: Sequence[InvoiceLine], currency: str) -> Iterator[InvoiceLine]:
        """Yield one line for each tax rate: the tax is rounded once."""
        for rate_id in dict.fromkeys(line.tax_rate_id for line in lines if line.tax_rate_id):
            rate = self.book.tax_rates.get(rate_id)
            if rate is None:
                yield InvoiceLine("tax", "", rate_id, currency, None, rate_id, note="unknown_tax")
                continue
            taxed = [line.amount for line in lines if line.tax_rate_id == rate_id and line.amount is not None]
            base, percent = Fraction(total(taxed, currency)), tax_percent(rate)
            kind: LineKind = "included_tax" if rate.get("inclusive") else "tax"
            tax = base * percent / (100 + percent) if rate.get("inclusive") else base * percent / 100
            name = rate.get("display_name") or rate.get("name", "")
            yield InvoiceLine(kind, "", name, currency, round_amount(tax, currency, self.book.tax_rounding), rate_id)


def tax_percent(rate: Mapping[str, Any]) -> Fraction:
    """Return the percentage exactly as it is written: JSON's 8.1 is 81/10."""
    return Fraction(str(rate["percentage"]))


def unit_name(unit: PricingUnit) -> str:
    return str(unit.get("display_name") or unit.get("name", ""))


def _unknown_plan(charge: DueCharge) -> InvoiceLine:
    kind: LineKind = "fixed" if charge.kind in ("full", "partial", "credit") else "usage"
    return InvoiceLine(
        kind, charge.plan_id, charge.plan_id, "", None, charge.tax_rate_id, charge.span, note="unknown_plan"
    )
