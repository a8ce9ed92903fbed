"""Tiers of prices as rows and columns, before and after a change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from saasus_mcp.common.messages import message
from saasus_mcp.permissions.question.content import Change, Fact, NoValue, PriceTier, TieredPrice, Value
from saasus_mcp.permissions.question.formatting import Reader, format_tier_price, format_tier_span


@dataclass(frozen=True, slots=True)
class TierRow:
    """A range of quantities, its price and its new price; empty without such a tier."""

    range: str
    before: str
    after: str


def price_rows(price: TieredPrice, reader: Reader) -> tuple[TierRow, ...]:
    return tuple(_rows(None, price, reader))


def tier_rows(of: Fact | Change, reader: Reader) -> tuple[TierRow, ...]:
    """Return the tiers before and after a change, or of a fact (as `after`), row by row; empty without tiers.

    A row is a range that no limit of either side divides, so that both prices are those of the same quantities.
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
    below = ""
    for end in sorted({*then, *now}, key=_size):
        yield TierRow(
            format_tier_span(below, end, reader), _price(then, below, end, reader), _price(now, below, end, reader)
        )
        below = end


def _by_end(value: Value | None) -> Mapping[str, tuple[PriceTier, str]]:
    if not isinstance(value, TieredPrice):
        return {}
    return {tier.up_to: (tier, value.currency) for tier in value.tiers}


def _size(end: str) -> float:
    return float(end) if end else float("inf")


def _price(tiers: Mapping[str, tuple[PriceTier, str]], below: str, end: str, reader: Reader) -> str:
    """Return the price of a range; with the whole tier, if the range is a part of it and the amount is flat."""
    ends = sorted(tiers, key=_size)
    at = next((number for number, each in enumerate(ends) if _size(each) >= _size(end)), None)
    if at is None:
        return ""
    price = format_tier_price(*tiers[ends[at]], reader)
    start = ends[at - 1] if at else ""
    if (start, ends[at]) == (below, end) or tiers[ends[at]][0].flat in ("", "0"):
        return price
    whole = format_tier_span(start, ends[at], reader)
    return message("question.tier_whole", price=price, range=whole).text(reader.language)
