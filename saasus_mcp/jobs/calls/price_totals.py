"""Old and new prices of the plan changes in a list, each and in all. Amounts are summed exactly, by currency and interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from saasus_mcp.common.messages import message
from saasus_mcp.jobs.calls.listed_call import ListedCall
from saasus_mcp.jobs.job_question import name_text, value_list
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
from saasus_mcp.jobs.reports.price_list import PricingPlan, read_plans
from saasus_mcp.permissions.question.content import (
    DescribedItem,
    Fact,
    LabelledValue,
    Money,
    NoValue,
    Transition,
    UnreadableValue,
    Value,
)
from saasus_mcp.permissions.question.values import format_decimal, make_quantity

PLAN_CHANGE = "auth.UpdateTenantPlan"


@dataclass(frozen=True, slots=True)
class PriceTotals:
    """The prices behind the plan changes of a list.

    Attributes:
        by_step: old and new plan of each plan change, with its fixed price.
        complete: the steps for which both plans are known and differ. No other line needs to name them.
    """

    by_step: Mapping[str, Value] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    facts: tuple[Fact, ...] = ()


async def read_price_totals(reader: JobReader, listed: Sequence[ListedCall]) -> PriceTotals:
    """Return the prices, from one read of the price list. Without plan changes, nothing is read."""
    changes = [each for each in listed if each.step.operation == PLAN_CHANGE]
    if not changes:
        return PriceTotals()
    label = message("jobs_calls.price_sums").both()
    try:
        plans = await read_plans(reader)
    except ReadFailed:
        return PriceTotals(facts=(Fact("price_sums", label, UnreadableValue("no_answer"), lead=True),))
    before, after = defaultdict[tuple[str, str], int](int), defaultdict[tuple[str, str], int](int)
    by_step: dict[str, Value] = {}
    complete = set[str]()
    for each in changes:
        tenant = each.review.inspection.snapshot.target or {}
        now = plans.get(str(tenant.get("plan_id") or ""))
        then = _next_plan(each, now, plans)
        by_step[each.step.step] = LabelledValue(
            message("jobs_calls.fixed_price").both(), Transition(_priced(now), _priced(then))
        )
        if now is not None and then is not None and now is not then:
            complete.add(each.step.step)
        for plan, sums in ((now, before), (then, after)):
            if plan is not None:
                sums[plan.currency, plan.interval] += plan.fixed_price
    keys = dict.fromkeys((*before, *after))
    items: list[Value] = [Transition(_money(before[key], *key), _money(after[key], *key)) for key in keys]
    return PriceTotals(by_step, frozenset(complete), (Fact("price_sums", label, value_list(items), lead=True),))


def _next_plan(call: ListedCall, now: PricingPlan | None, plans: Mapping[str, PricingPlan]) -> PricingPlan | None:
    """Return the plan after the change. Without a plan and a date, a reservation is dropped and the plan stays."""
    wanted = str(call.review.arguments.get("next_plan_id") or "")
    if not wanted and "using_next_plan_from" not in call.review.arguments:
        return now
    return plans.get(wanted)


def _priced(plan: PricingPlan | None) -> Value:
    if plan is None:
        return NoValue()
    return DescribedItem(name_text(plan.label), (_money(plan.fixed_price, plan.currency, plan.interval),))


def _money(amount: int, currency: str, interval: str) -> Value:
    """Return an amount in its currency. Plans without one currency or interval of their own show the number."""
    if not currency or "/" in currency:
        return make_quantity(amount)
    return Money(
        format_decimal(amount),
        currency.upper(),
        "month" if interval == "month" else "year" if interval == "year" else "",
    )
