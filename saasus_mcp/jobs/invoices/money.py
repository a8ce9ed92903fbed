"""Amounts of money: exact fractions until they are rounded, then decimals. No float occurs.

The yen has no minor unit, the dollar has two digits (ISO 4217). The price of a part of a period is rounded half up, line by
line, which is our assumption. Tax is rounded once for each invoice and tax rate, as qualified invoices in Japan require
(Order for Enforcement of the Consumption Tax Act, Article 70-10). The direction is the issuer's choice, so it is an argument.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Literal

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
