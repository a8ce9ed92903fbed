"""The price of a usage under each type of pricing unit, against amounts calculated by hand."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.jobs.invoices.money import price_usage

TIERS = [
    {"up_to": 0, "unit_amount": 10, "flat_amount": 2000, "inf": True},
    {"up_to": 100, "unit_amount": 0, "flat_amount": 300, "inf": False},
    {"up_to": 1000, "unit_amount": 20, "flat_amount": 500, "inf": False},
]
"""In no order: the tier without end has an `up_to` of no meaning."""
CLOSED = TIERS[1:]


def unit(type_: str, tiers: list[dict[str, Any]] = TIERS) -> dict[str, Any]:
    return {"type": type_, "unit_amount": 7, "tiers": tiers}


def price(of: dict[str, Any], usage: int) -> tuple[list[int], int]:
    """Return the amount of each part of the price, and the units above the last tier."""
    parts, above = price_usage(of, usage)
    return [part.amount for part in parts], above


@pytest.mark.parametrize(
    ("usage", "amount"),
    [(0, 0), (1, 7), (1234, 8638), (2**63 - 1, 7 * (2**63 - 1))],
)
def test_usage_is_charged_by_the_piece(usage: int, amount: int) -> None:
    assert price(unit("usage"), usage) == ([amount], 0)


@pytest.mark.parametrize(
    ("usage", "amount"),
    [
        (0, 300),  # the first tier holds from zero
        (100, 300),
        (101, 2_520),  # 500 + 101 x 20
        (1_000, 20_500),
        (1_001, 12_010),  # 2,000 + 1,001 x 10
    ],
)
def test_the_tier_of_a_tiered_unit_prices_the_whole_usage(usage: int, amount: int) -> None:
    assert price(unit("tiered"), usage) == ([amount], 0)


@pytest.mark.parametrize(
    ("usage", "amounts"),
    [
        (0, []),  # no tier is entered
        (1, [300]),
        (100, [300]),
        (101, [300, 520]),  # 500 + 1 x 20
        (1_000, [300, 18_500]),  # 500 + 900 x 20
        (2_475, [300, 18_500, 16_750]),  # 2,000 + 1,475 x 10
    ],
)
def test_each_tier_of_a_tiered_usage_unit_prices_the_usage_within_it(usage: int, amounts: list[int]) -> None:
    parts, _ = price_usage(unit("tiered_usage"), usage)
    assert [part.amount for part in parts] == amounts
    assert [part.tier for part in parts] == [1, 2, 3][: len(amounts)]


@pytest.mark.parametrize(("type_", "amount"), [("tiered", 500 + 1_234 * 20), ("tiered_usage", 300 + 500 + 900 * 20)])
def test_usage_above_the_last_tier_is_reported(type_: str, amount: int) -> None:
    amounts, above = price(unit(type_, CLOSED), 1_234)
    assert (sum(amounts), above) == (amount, 234)
