"""What a contract charges in a month: cycles, changes of plan, yearly plans, the end."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from saasus_mcp.common.timezones import find_time_zone
from saasus_mcp.jobs.invoices.contract import BillingCycles, Span, contract_terms, due_charges, present_tax_rate
from saasus_mcp.jobs.reports.price_list import PricingPlan


def instant(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def plan(name: str, interval: str) -> PricingPlan:
    unit = {"type": "fixed", "name": name, "unit_amount": 100, "currency": "JPY", "recurring_interval": interval}
    return PricingPlan(name, name, "", (unit,))


PLANS = {name: plan(name, "year" if name.startswith("year") else "month") for name in ("a", "b", "year", "year2")}


def entry(plan_id: str, start: str, **more: Any) -> dict[str, Any]:
    return {"plan_id": plan_id, "plan_applied_at": instant(start), "tax_rate_id": "t", **more}


def charged(month: str, *entries: dict[str, Any], **tenant: Any) -> list[tuple[str, str, str, str, Fraction]]:
    """Return the charges of a month: kind, plan, first and last day, share."""
    year, number = map(int, month.split("-"))
    end = f"{year + number // 12}-{number % 12 + 1:02}-01"
    span = Span(instant(f"{month}-01"), instant(end))
    terms = contract_terms({"plan_histories": entries, **tenant})
    return [
        (charge.kind, charge.plan_id, day(charge.span.start), day(charge.span.end), charge.share)
        for charge in due_charges(terms, PLANS, span, UTC)
    ]


def day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%m-%d}"


FULL, NONE = Fraction(1), Fraction(0)


def test_a_monthly_plan_charges_its_price_and_the_usage_of_the_calendar_month() -> None:
    assert charged("2026-10", entry("a", "2026-03-15")) == [
        ("full", "a", "10-01", "11-01", FULL),
        ("usage", "a", "10-01", "11-01", NONE),
    ]


def test_the_first_month_is_charged_in_full_and_its_usage_from_the_start() -> None:
    assert charged("2026-10", entry("a", "2026-10-15")) == [
        ("full", "a", "10-15", "11-01", FULL),
        ("usage", "a", "10-15", "11-01", NONE),
    ]
    assert charged("2026-09", entry("a", "2026-10-15")) == []


def test_a_change_credits_the_rest_of_the_old_price_and_charges_the_rest_of_the_new_one() -> None:
    rest = Fraction(10, 31)
    assert charged("2026-10", entry("a", "2026-01-01"), entry("b", "2026-10-22")) == [
        ("full", "a", "10-01", "10-22", FULL),
        ("usage", "a", "10-01", "10-22", NONE),
        ("credit", "a", "10-22", "11-01", -rest),
        ("partial", "b", "10-22", "11-01", rest),
        ("usage", "b", "10-22", "11-01", NONE),
    ]


def test_without_proration_the_new_price_begins_with_the_next_month() -> None:
    entries = entry("a", "2026-01-01"), entry("b", "2026-10-22", proration_behavior="none")
    assert [each[:2] for each in charged("2026-10", *entries)] == [("full", "a"), ("usage", "a"), ("usage", "b")]
    assert [each[:2] for each in charged("2026-11", *entries)] == [("full", "b"), ("usage", "b")]


def test_a_month_that_was_never_charged_is_not_credited() -> None:
    entries = entry("a", "2026-01-01"), entry("b", "2026-10-12", proration_behavior="none"), entry("a", "2026-10-22")
    kinds = [each[:2] for each in charged("2026-10", *entries) if each[0] != "usage"]
    assert kinds == [("full", "a"), ("partial", "a")]


def test_usage_that_the_change_drops_is_reported_and_not_charged() -> None:
    found = charged("2026-10", entry("a", "2026-01-01"), entry("b", "2026-10-22", delete_usage=True))
    assert ("dropped_usage", "a", "10-01", "10-22", NONE) in found
    assert ("usage", "b", "10-22", "11-01", NONE) in found


def test_the_end_of_a_contract_refunds_nothing() -> None:
    assert charged("2026-10", entry("a", "2026-01-01"), entry("", "2026-10-22")) == [
        ("full", "a", "10-01", "10-22", FULL),
        ("usage", "a", "10-01", "10-22", NONE),
    ]
    assert charged("2026-11", entry("a", "2026-01-01"), entry("", "2026-10-22")) == []


def test_a_change_on_the_first_second_of_a_month_prorates_nothing() -> None:
    entries = entry("a", "2026-01-01"), entry("b", "2026-10-01")
    assert [each[:2] for each in charged("2026-09", *entries)] == [("full", "a"), ("usage", "a")]
    assert charged("2026-10", *entries) == [
        ("full", "b", "10-01", "11-01", FULL),
        ("usage", "b", "10-01", "11-01", NONE),
    ]


def test_a_yearly_plan_charges_its_price_on_the_anniversary_and_its_usage_at_the_end() -> None:
    yearly = entry("year", "2025-10-15")
    assert charged("2025-10", yearly) == [("full", "year", "10-15", "10-15", FULL)]
    assert charged("2026-03", yearly) == []
    assert charged("2026-10", yearly) == [
        ("usage", "year", "10-15", "10-15", NONE),
        ("full", "year", "10-15", "10-15", FULL),
    ]


def test_a_change_between_yearly_plans_is_prorated_over_the_year() -> None:
    rest = Fraction((datetime(2026, 10, 15, tzinfo=UTC) - datetime(2026, 3, 10, tzinfo=UTC)).days, 365)
    entries = entry("year", "2025-10-15"), entry("year2", "2026-03-10")
    assert charged("2026-03", *entries) == [
        ("usage", "year", "10-15", "03-10", NONE),
        ("credit", "year", "03-10", "10-15", -rest),
        ("partial", "year2", "03-10", "10-15", rest),
    ]
    assert charged("2026-10", *entries) == [
        ("usage", "year2", "03-10", "10-15", NONE),
        ("full", "year2", "10-15", "10-15", FULL),
    ]


def test_a_change_from_a_monthly_to_a_yearly_plan_begins_a_year() -> None:
    assert charged("2026-10", entry("a", "2026-01-01"), entry("year", "2026-10-22")) == [
        ("full", "a", "10-01", "10-22", FULL),
        ("usage", "a", "10-01", "10-22", NONE),
        ("credit", "a", "10-22", "11-01", -Fraction(10, 31)),
        ("full", "year", "10-22", "10-22", FULL),
    ]


def test_a_reserved_change_counts_from_its_day() -> None:
    reserved = {"next_plan_id": "b", "using_next_plan_from": instant("2026-10-22"), "next_plan_tax_rate_id": "t"}
    assert charged("2026-10", entry("a", "2026-01-01"), **reserved) == charged(
        "2026-10", entry("a", "2026-01-01"), entry("b", "2026-10-22")
    )


def test_an_entry_that_repeats_plan_and_tax_changes_nothing() -> None:
    once = charged("2026-10", entry("a", "2026-01-01"))
    assert charged("2026-10", entry("a", "2026-01-01"), entry("a", "2026-10-22")) == once


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [("UTC", "2026-10-01T00:00", "2026-11-01T00:00"), ("Asia/Tokyo", "2026-09-30T15:00", "2026-10-31T15:00")],
)
def test_months_follow_the_time_zone(zone: str, first: str, last: str) -> None:
    found = find_time_zone(zone)
    assert found is not None
    cycle = BillingCycles("month", 0, found).at(instant("2026-10-15"))
    assert cycle == Span(instant(first), instant(last))


def test_a_year_from_29_february_ends_on_28_february() -> None:
    cycles = BillingCycles("year", instant("2024-02-29T12:00"), UTC)
    assert cycles.at(instant("2025-02-28T11:59")) == Span(instant("2024-02-29T12:00"), instant("2025-02-28T12:00"))
    assert cycles.at(instant("2028-02-29T12:00")).start == instant("2028-02-29T12:00")


def test_the_present_tax_rate_is_that_of_the_last_of_two_changes_at_one_moment() -> None:
    entries = [entry("a", "2026-03-01", tax_rate_id="old"), entry("b", "2026-03-01", tax_rate_id="new")]
    [term] = contract_terms({"plan_histories": entries})
    assert (term.plan_id, term.tax_rate_id) == ("b", "new")
    assert present_tax_rate({"plan_histories": entries}) == "new"
