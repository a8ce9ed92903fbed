"""Rounding of money, by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import get_args

import pytest

from saasus_mcp.jobs.invoices.money import Rounding, format_fixed_point, round_amount, total


@pytest.mark.parametrize(
    ("amount", "currency", "rounded"),
    [
        (Fraction(5, 2), "JPY", ("2", "3", "3")),
        (Fraction(-5, 2), "JPY", ("-2", "-3", "-3")),
        (Fraction(12, 5), "JPY", ("2", "2", "3")),
        (Fraction(7), "JPY", ("7", "7", "7")),
        (Fraction(1, 3), "USD", ("0.33", "0.33", "0.34")),
        (Fraction(49), "USD", ("49.00", "49.00", "49.00")),
        (Fraction(0), "JPY", ("0", "0", "0")),
    ],
)
def test_amounts_are_rounded_in_the_minor_unit_of_their_currency(
    amount: Fraction, currency: str, rounded: tuple[str, ...]
) -> None:
    assert tuple(format_fixed_point(round_amount(amount, currency, each)) for each in get_args(Rounding)) == rounded


def test_sums_beyond_the_precision_of_decimals_are_exact() -> None:
    large = round_amount(Fraction(10**40 + 1), "JPY")
    assert format_fixed_point(total([large, large], "JPY")) == str(2 * 10**40 + 2)
