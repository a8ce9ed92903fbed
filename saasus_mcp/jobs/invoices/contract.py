"""A tenant's contract over time, and what of it is charged in a month.

What is charged follows the billing cycles of each plan. The cycle of a monthly plan is the calendar month, that of a yearly plan
the year from the day on which the tenant began to have yearly plans. A fixed price is charged in advance, when a cycle begins,
and usage in arrears, when it ends. Where the plan changes within a cycle:

- usage before and after the change is counted and priced separately, each under its own plan. With `delete_usage`, what came
  before is not charged.
- unless `proration_behavior` is `none`, the unused part of the old fixed price is credited, and the new one is charged for the
  rest of the cycle, in proportion of seconds. With `none`, the new price begins with the next cycle.
- a change between monthly and yearly plans begins a new cycle at its full price.

Where a contract begins, its first cycle is charged in full. Where it ends, nothing is refunded.
"""

from __future__ import annotations

import sys
from calendar import isleap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from fractions import Fraction
from typing import Any, Literal

from saasus_mcp.common.timezones import local_time, start_of_day
from saasus_mcp.jobs.reports.period import Period
from saasus_mcp.jobs.reports.price_list import PricingPlan, PricingUnit

OPEN_END = sys.maxsize
PRORATIONS_BY_DEFAULT = "create_prorations"
NO_SHARE = Fraction(0)
UsageKey = tuple[str, int, int]
"""A metering unit, and the first second of a span and the first one after it."""
ChargeKind = Literal["full", "partial", "credit", "usage", "dropped_usage"]


@dataclass(frozen=True, slots=True)
class Span:
    """A period in epoch seconds. `end` does not belong to it."""

    start: int
    end: int

    @property
    def seconds(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class ContractTerm:
    """A time in which a tenant has one plan at one tax rate.

    Attributes:
        plan_id: empty for a time without a plan.
        prorates: whether the change to this plan credits and charges parts of a cycle.
        drops_usage: whether the change to this plan drops the usage before it.
    """

    span: Span
    plan_id: str
    tax_rate_id: str
    prorates: bool
    drops_usage: bool


@dataclass(frozen=True, slots=True)
class DueCharge:
    """What a plan charges in a month: a part of its fixed prices (`share`, negative for a credit), or its usage in a span."""

    kind: ChargeKind
    plan_id: str
    tax_rate_id: str
    span: Span
    share: Fraction = NO_SHARE


def contract_terms(tenant: Mapping[str, Any]) -> list[ContractTerm]:
    """Return the terms of a tenant's contract, oldest first, with the reserved change as the last one."""
    changes = [{**entry, "at": entry["plan_applied_at"]} for entry in _history(tenant)]
    reserved = tenant.get("using_next_plan_from")
    if reserved is not None and reserved > (changes[-1]["at"] if changes else 0):
        change = {"plan_id": tenant.get("next_plan_id"), "tax_rate_id": tenant.get("next_plan_tax_rate_id")}
        optional = {name: tenant[name] for name in ("proration_behavior", "delete_usage") if name in tenant}
        changes.append({"at": reserved, **change, **optional})
    terms = list[ContractTerm]()
    for change, end in zip(changes, [*(each["at"] for each in changes[1:]), OPEN_END], strict=False):
        term = _term(change, end)
        if term.span.seconds <= 0:
            continue
        same = terms and (terms[-1].plan_id, terms[-1].tax_rate_id) == (term.plan_id, term.tax_rate_id)
        if same and not term.drops_usage:
            terms[-1] = replace(terms[-1], span=Span(terms[-1].span.start, term.span.end))
        else:
            terms.append(term)
    return terms


def _history(tenant: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of the history, oldest first. Of two of the same moment, the later one in the answer is in force."""
    return sorted(tenant.get("plan_histories") or (), key=lambda entry: int(entry["plan_applied_at"]))


def _latest_change(tenant: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the latest entry of the history, empty without one."""
    return next(reversed(_history(tenant)), {})


def present_tax_rate(tenant: Mapping[str, Any]) -> str:
    """Return the id of the tax rate with which the tenant's present plan was applied; empty if none is known."""
    return _latest_change(tenant).get("tax_rate_id") or ""


def _ended_term(tenant: Mapping[str, Any]) -> Span | None:
    """Return the span in which a plan ended that the tenant no longer has. Its history does not say when."""
    last = _latest_change(tenant)
    if tenant.get("plan_id") or not last.get("plan_id"):
        return None
    reserved = tenant.get("using_next_plan_from") if tenant.get("next_plan_id") else None
    return Span(last["plan_applied_at"], reserved or OPEN_END)


def _term(change: Mapping[str, Any], end: int) -> ContractTerm:
    return ContractTerm(
        Span(change["at"], end),
        change.get("plan_id") or "",
        change.get("tax_rate_id") or "",
        (change.get("proration_behavior") or PRORATIONS_BY_DEFAULT) != "none",
        bool(change.get("delete_usage")),
    )


class BillingCycles:
    """The billing cycles of one run of plans with the same interval."""

    def __init__(self, interval: str, anchor: int, zone: tzinfo) -> None:
        self._yearly = interval == "year"
        self._anchor = local_time(anchor, zone)
        self._anchor_instant = anchor
        self._zone = zone

    def at(self, instant: int) -> Span:
        day = local_time(instant, self._zone)
        number = day.year * 12 + day.month - 1
        if not self._yearly:
            return Span(self._month(number), self._month(number + 1))
        years = day.year - self._anchor.year
        if self._year(years) > instant:
            years -= 1
        return Span(self._year(years), self._year(years + 1))

    def _month(self, number: int) -> int:
        return start_of_day(number // 12, number % 12 + 1, 1, self._zone)

    def _year(self, years: int) -> int:
        """Return the anniversary after so many years. 29 February becomes 28 February."""
        year, month, day = self._anchor.year + years, self._anchor.month, self._anchor.day
        if (month, day) == (2, 29) and not isleap(year):
            day = 28
        offset = self._anchor_instant - start_of_day(self._anchor.year, month, self._anchor.day, self._zone)
        return start_of_day(year, month, day, self._zone) + offset


def due_charges(
    terms: Sequence[ContractTerm], plans: Mapping[str, PricingPlan], month: Span, zone: tzinfo
) -> Iterator[DueCharge]:
    """Yield what is charged in a month. A plan that is not in the price list counts as monthly."""
    for number, term in enumerate(terms):
        if term.plan_id:
            yield from _TermCharges(terms, number, plans, zone).due(month)


class _TermCharges:
    def __init__(
        self, terms: Sequence[ContractTerm], number: int, plans: Mapping[str, PricingPlan], zone: tzinfo
    ) -> None:
        self._term = terms[number]
        self._after = terms[number + 1] if number + 1 < len(terms) else None
        self._interval = _interval(plans, self._term)
        first = number
        while first and _interval(plans, terms[first - 1]) == self._interval:
            first -= 1
        self._begins_run = first == number
        self._cycles = BillingCycles(self._interval, terms[first].span.start, zone)

    def due(self, month: Span) -> Iterator[DueCharge]:
        term = self._term.span
        if term.start >= month.end or term.end < month.start:
            return
        cycle = self._cycles.at(max(term.start, month.start))
        while cycle.start < min(term.end, month.end):
            piece = Span(max(cycle.start, term.start), min(cycle.end, term.end))
            if month.start <= piece.start < month.end:
                yield from self._fixed(piece, cycle)
            if month.start < piece.end <= month.end:
                dropped = piece.end < cycle.end and self._after is not None and self._after.drops_usage
                yield self._charge("dropped_usage" if dropped else "usage", piece)
            if month.start <= term.end < month.end and cycle.start < term.end < cycle.end:
                yield from self._credit(cycle)
            cycle = self._cycles.at(cycle.end)

    def _fixed(self, piece: Span, cycle: Span) -> Iterator[DueCharge]:
        if self._begins_run or piece.start == cycle.start:
            yield self._charge("full", piece, Fraction(1))
        elif self._term.prorates:
            rest = Span(piece.start, cycle.end)
            yield self._charge("partial", rest, Fraction(rest.seconds, cycle.seconds))

    def _credit(self, cycle: Span) -> Iterator[DueCharge]:
        """Yield the credit for the rest of a cycle that was charged, if another plan follows."""
        was_charged = self._begins_run or self._term.prorates or cycle.start >= self._term.span.start
        after = self._after
        if after is not None and after.plan_id and after.prorates and was_charged:
            rest = Span(self._term.span.end, cycle.end)
            yield self._charge("credit", rest, -Fraction(rest.seconds, cycle.seconds))

    def _charge(self, kind: ChargeKind, span: Span, share: Fraction = NO_SHARE) -> DueCharge:
        return DueCharge(kind, self._term.plan_id, self._term.tax_rate_id, span, share)


def _interval(plans: Mapping[str, PricingPlan], term: ContractTerm) -> str:
    """Return the billing interval of a term: empty without a plan. A plan has one interval, as its subscription has one cycle."""
    if not term.plan_id:
        return ""
    plan = plans.get(term.plan_id)
    return "year" if plan is not None and "year" in plan.interval.split("/") else "month"


@dataclass(frozen=True, slots=True)
class ChargedMonth:
    """What one tenant is charged in one month, named YYYY-MM.

    Attributes:
        plan_ids: the plans that the tenant has in the month.
        has_unknown_end: whether a plan of the month has ended by now, at a moment that the API does not tell. Nothing is calculated then.
    """

    month: str
    span: Span
    plan_ids: tuple[str, ...]
    charges: tuple[DueCharge, ...]
    has_unknown_end: bool


def charged_months(
    tenant: Mapping[str, Any], plans: Mapping[str, PricingPlan], period: Period
) -> Iterator[ChargedMonth]:
    terms, ended = contract_terms(tenant), _ended_term(tenant)
    for month in period.months():
        span = Span(month.start, month.end + 1)
        current = (term for term in terms if term.span.start < span.end and term.span.end > span.start)
        plan_ids = tuple(dict.fromkeys(term.plan_id for term in current if term.plan_id))
        unknown = ended is not None and ended.start < span.end and ended.end > span.start
        charges = () if unknown else tuple(due_charges(terms, plans, span, period.zone))
        yield ChargedMonth(f"{month.first:%Y-%m}", span, plan_ids, charges, unknown)


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


def metered_units(charge: DueCharge, plans: Mapping[str, PricingPlan]) -> Iterator[PricingUnit]:
    """Yield the pricing units whose usage a charge needs."""
    plan = plans.get(charge.plan_id)
    if plan is not None and charge.kind in ("usage", "dropped_usage"):
        yield from (unit for unit in plan.units if unit["type"] != "fixed")
