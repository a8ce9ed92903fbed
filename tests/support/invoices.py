"""A second calculation of invoices, which shares no code with the first: it replays each contract from its beginning.

Amounts are whole cents or yen, times are seconds. Every charge gets the second at which it is booked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

Record = Mapping[str, Any]
Counts = Callable[[str, str, int, int], list[int]]


Booking = tuple[int, str, str, Decimal]
"""The second, the currency, the tax rate and the amount."""


class ContractReplay:
    """Replays the contract of a tenant, second by second of interest, and books what it charges.

    Args:
        plans: the pricing units of each plan.
        counts: returns the counts of a metering unit from one second to before another.
    """

    def __init__(self, tenant: str, plans: Mapping[str, list[Record]], counts: Counts, zone: tzinfo) -> None:
        self.bookings = list[Booking]()
        self._tenant, self._plans, self._counts, self._zone = tenant, plans, counts, zone
        self._plan, self._tax, self._anchor, self._counted, self._paid = "", "", 0, 0, False
        self._cycle = (0, 0)

    def run(self, changes: list[Record], until: int) -> list[Booking]:
        """Return the bookings up to a second."""
        waiting = sorted(changes, key=lambda each: each["plan_applied_at"])
        with localcontext(prec=80):
            while True:
                instants = [each["plan_applied_at"] for each in waiting[:1]] + [self._cycle[1]] * bool(self._plan)
                at = min(instants, default=until + 1)
                if at > until:
                    return self.bookings
                if self._plan and self._cycle[1] == at:
                    self._close_cycle(at)
                if waiting and waiting[0]["plan_applied_at"] == at:
                    self._change(waiting.pop(0), at)
                if self._plan and self._cycle[0] == at and not self._paid:
                    self._book_fixed(at, 1, 1)

    def _close_cycle(self, at: int) -> None:
        self._book_usage(at)
        self._cycle = _cycle(at, self._anchor, self._zone, yearly=self._is_yearly(self._plan))
        self._counted, self._paid = at, False

    def _change(self, change: Record, at: int) -> None:
        name, tax, old = change["plan_id"], change["tax_rate_id"], self._plan
        if (name, tax) == (old, self._tax) and not change["delete_usage"]:
            return
        if old and self._counted < at and not change["delete_usage"]:
            self._book_usage(at)
        prorates, rest, whole = (
            change["proration_behavior"] != "none",
            self._cycle[1] - at,
            self._cycle[1] - self._cycle[0],
        )
        if old and name and prorates and self._paid:
            self._book_fixed(at, -rest, whole)
        self._plan, self._tax, self._counted = name, tax, at
        if old and name and self._is_yearly(old) == self._is_yearly(name):
            if self._cycle[0] < at:
                self._paid = False
                if prorates:
                    self._book_fixed(at, rest, whole)
        elif name:
            self._anchor = at
            self._cycle = _cycle(at, at, self._zone, yearly=self._is_yearly(name))
            self._book_fixed(at, 1, 1)

    def _book_fixed(self, at: int, numerator: int, denominator: int) -> None:
        self._paid = True
        for unit in self._plans[self._plan]:
            if unit["type"] == "fixed":
                exact = Decimal(unit["unit_amount"]) * numerator / denominator
                self._book(at, unit["currency"], exact.quantize(_step(unit["currency"]), ROUND_HALF_UP))

    def _book_usage(self, at: int) -> None:
        for unit in self._plans[self._plan]:
            if unit["type"] != "fixed":
                found = self._counts(self._tenant, unit["metering_unit_name"], self._counted, at)
                number = max(found, default=0) if unit["aggregate_usage"] == "max" else sum(found)
                self._book(at - 1, unit["currency"], Decimal(_price(unit, number)))

    def _book(self, at: int, currency: str, amount: Decimal) -> None:
        self.bookings.append((at, currency, self._tax, amount))

    def _is_yearly(self, plan: str) -> bool:
        return any(unit["recurring_interval"] == "year" for unit in self._plans[plan])


def invoice_totals(bookings: list[Booking], rates: Mapping[str, Record], first: int, end: int) -> dict[str, Decimal]:
    """Return the total with tax by currency, of the bookings from `first` to before `end`."""
    bases: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    totals: dict[str, Decimal] = defaultdict(Decimal)
    with localcontext(prec=80):
        for at, currency, tax, amount in bookings:
            if first <= at < end:
                bases[currency, tax] += amount
        for (currency, tax), base in bases.items():
            rate = rates[tax]
            added = Decimal(0)
            if not rate["inclusive"]:
                added = (base * Decimal(repr(rate["percentage"])) / 100).quantize(_step(currency), ROUND_DOWN)
            totals[currency] += base + added
    return dict(totals)


def _step(currency: str) -> Decimal:
    return Decimal(1) if currency == "JPY" else Decimal("0.01")


def _cycle(at: int, anchor: int, zone: tzinfo, *, yearly: bool) -> tuple[int, int]:
    moment = datetime.fromtimestamp(at, zone)
    if not yearly:
        first = moment.replace(day=1, hour=0, minute=0, second=0)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return int(first.timestamp()), int(following.timestamp())
    begin = datetime.fromtimestamp(anchor, zone)
    years = 0
    while int(begin.replace(year=begin.year + years + 1).timestamp()) <= at:
        years += 1
    ends = (begin.replace(year=begin.year + years), begin.replace(year=begin.year + years + 1))
    return int(ends[0].timestamp()), int(ends[1].timestamp())


def _price(unit: Record, number: int) -> int:
    """Return the price, one counted thing after another."""
    if unit["type"] == "usage":
        return sum(unit["unit_amount"] for _ in range(number))
    tiers = [*unit["tiers"]]
    if unit["type"] == "tiered":
        tier = next(each for each in tiers if each["inf"] or number <= each["up_to"])
        return int(tier["flat_amount"] + number * tier["unit_amount"])
    amount, entered = 0, set[int]()
    for thing in range(1, number + 1):
        place = next(index for index, each in enumerate(tiers) if each["inf"] or thing <= each["up_to"])
        if place not in entered:
            entered.add(place)
            amount += tiers[place]["flat_amount"]
        amount += tiers[place]["unit_amount"]
    return amount
