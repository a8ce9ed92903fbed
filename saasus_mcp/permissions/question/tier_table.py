"""Tiers of prices as rows and columns, before and after a change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from saasus_mcp.permissions.question.content import Change, Fact, NoValue, PriceTier, TieredPrice, Value
from saasus_mcp.permissions.question.formatting import Reader, format_tier_price, format_tier_range


@dataclass(frozen=True, slots=True)
class TierRow:
    """One tier: its quantities, its price and its new price; empty without such a tier."""

    range: str
    before: str
    after: str


def price_rows(price: TieredPrice, reader: Reader) -> tuple[TierRow, ...]:
    """Return the tiers of one price, as `after`."""
    return tuple(_rows(None, price, reader))


def tier_rows(of: Fact | Change, reader: Reader) -> tuple[TierRow, ...]:
    """Return the tiers before and after a change, or of a fact (as `after`), row by row; empty without tiers.

    Tiers with the same upper limit share a row, so that a removed tier is visible.
    """
    if isinstance(of, Fact):
        return price_rows(of.value, reader) if isinstance(of.value, TieredPrice) else ()
    before, after = of.before, of.after
    known = isinstance(before, TieredPrice | NoValue) and isinstance(after, TieredPrice | NoValue)
    if not known or (isinstance(before, NoValue) and isinstance(after, NoValue)):
        return ()
    return tuple(_rows(before, after, reader))


def _rows(before: Value | None, after: Value, reader: Reader) -> Iterator[TierRow]:
    then, now = _by_end(before), _by_end(after)
    for end in sorted({*then, *now}, key=_size):
        old, new = then.get(end), now.get(end)
        known = old or new
        if known is not None:
            yield TierRow(format_tier_range(known[0], reader), _price(old, reader), _price(new, reader))


def _by_end(value: Value | None) -> dict[str, tuple[PriceTier, str]]:
    if not isinstance(value, TieredPrice):
        return {}
    return {tier.up_to: (tier, value.currency) for tier in value.tiers}


def _size(end: str) -> float:
    return float(end) if end else float("inf")


def _price(tier: tuple[PriceTier, str] | None, reader: Reader) -> str:
    return "" if tier is None else format_tier_price(*tier, reader)
