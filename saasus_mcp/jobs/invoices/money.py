"""Amounts of money: exact fractions until they are rounded, then decimals. No float occurs.

The yen has no minor unit, the dollar has two digits (ISO 4217). The price of a part of a period is rounded half up, line by
line, which is our assumption. Tax is rounded once for each invoice and tax rate, as qualified invoices in Japan require
(Order for Enforcement of the Consumption Tax Act, Article 70-10). The direction is the issuer's choice, so it is an argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from saasus_mcp.jobs.reports.price_list import PricingUnit

Rounding = Literal["down", "half_up", "up"]
MINOR_DIGITS = {"JPY": 0, "USD": 2}


def round_amount(amount: Fraction, currency: str, rounding: Rounding = "half_up") -> Decimal:
    """Return an amount in the minor unit of its currency. A negative amount is rounded like its positive one."""
    digits = MINOR_DIGITS.get(currency, 2)
    whole, rest = divmod(abs(amount) * 10**digits, 1)
    if rest and (rounding == "up" or (rounding == "half_up" and rest >= Fraction(1, 2))):
        whole += 1
    return Decimal((0 if amount >= 0 else 1, tuple(map(int, str(whole))), -digits))


def total(amounts: list[Decimal], currency: str) -> Decimal:
    """Return the exact sum, however large the amounts are."""
    return round_amount(sum(map(Fraction, amounts), Fraction(0)), currency)


def format_fixed_point(amount: Decimal) -> str:
    """Return an amount without exponent, e.g. `1234` or `12.50`."""
    return f"{amount:f}"


@dataclass(frozen=True, slots=True)
class TierCharge:
    """The part of a price that one tier makes, in the units in which the API stores amounts.

    Attributes:
        tier: its number, from 1; 0 for a price without tiers.
        up_to: its end, or None if it has none.
    """

    quantity: int
    unit_amount: int
    flat_amount: int = 0
    tier: int = 0
    up_to: int | None = None

    @property
    def amount(self) -> int:
        return self.flat_amount + self.quantity * self.unit_amount


def price_usage(unit: PricingUnit, usage: int) -> tuple[tuple[TierCharge, ...], int]:
    """Return the price of a usage under a unit that depends on use, and the units above the end of the last tier.

    The rules are those of SaaSus's own sample applications (`billing_router`):

    - usage: the count times the amount.
    - tiered: the tier in which the count lies sets everything: its flat amount, and its amount for every unit. Above the last
      tier, the last one holds.
    - tiered_usage: each tier that the count enters adds its flat amount, and its amount for the units within it. A count of
      zero enters none. Units above the last tier cost nothing.
    """
    if unit["type"] == "usage":
        return (TierCharge(usage, unit["unit_amount"]),), 0
    tiers = sorted(unit.get("tiers") or (), key=lambda tier: (bool(tier.get("inf")), tier.get("up_to", 0)))
    above = 0 if not tiers or tiers[-1].get("inf") else max(0, usage - tiers[-1]["up_to"])
    price = _tiered_usage if unit["type"] == "tiered_usage" else _tiered
    return tuple(price(tiers, usage)), above


def _tiered(tiers: Sequence[Mapping[str, Any]], usage: int) -> Iterator[TierCharge]:
    for number, tier in enumerate(tiers, 1):
        if tier.get("inf") or usage <= tier["up_to"] or number == len(tiers):
            yield _part(tier, number, usage)
            return


def _tiered_usage(tiers: Sequence[Mapping[str, Any]], usage: int) -> Iterator[TierCharge]:
    reached = 0
    for number, tier in enumerate(tiers, 1):
        if usage <= reached:
            return
        end = usage if tier.get("inf") else min(usage, tier["up_to"])
        yield _part(tier, number, end - reached)
        reached = end


def _part(tier: Mapping[str, Any], number: int, quantity: int) -> TierCharge:
    up_to = None if tier.get("inf") else tier["up_to"]
    return TierCharge(quantity, tier["unit_amount"], tier["flat_amount"], number, up_to)
