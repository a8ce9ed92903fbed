"""What the reports save: calls and o200k tokens of a model that makes them itself, by the usual recipe, and by the job."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import bpe_openai

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.job_server import JobServer, start_job_server

_encoding = bpe_openai.get_encoding("o200k_base")
LAST_MONTH = datetime.now(UTC).date().replace(day=1) - timedelta(days=1)
MONTH = f"{LAST_MONTH:%Y-%m}"
Calls = list[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a model spends: calls, and tokens that it reads and writes."""

    calls: int
    reads: int
    writes: int


def report() -> None:
    """Print the table."""
    anyio.run(_report)


async def _report() -> None:
    print(
        "| report | calls before | tokens read | tokens written | calls now | tokens read | tokens written | calls of the API |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with start_job_server(Path(folder)) as on:
            for title, job, args, recipe in _cases(on):
                on.sandbox.requests.clear()
                answer = await on.call(job, args)
                after, sent = Spent(1, _tokens(answer.text), _tokens(args)), len(on.sandbox.requests)
                told = json.loads(answer.text)
                table = told.get("csv") or on.stored_result(told["result"])
                before = await _by_hand(on, recipe, table)
                cells = (before.calls, before.reads, before.writes, after.calls, after.reads, after.writes, sent)
                print(f"| {title} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")


async def _by_hand(on: JobServer, recipe: Calls, table: str) -> Spent:
    """Measure all calls and the writing of the table."""
    read, written = 0, _tokens(table)
    for key, args in recipe:
        read += _tokens((await on.call(on.pipeline.catalogue.find(key).tool, args)).text)
        written += _tokens(args)
    return Spent(len(recipe), read, written)


def _cases(on: JobServer) -> Iterator[tuple[str, str, dict[str, Any], Calls]]:
    state = on.sandbox.state  # what a model would find by listing
    tenants = [tenant["id"] for tenant in state.rows("tenants")]
    users = [user["id"] for user in state.rows("users")]
    days = [f"{MONTH}-{day:02}" for day in range(1, LAST_MONTH.day + 1)]
    lists: Calls = [("auth.GetTenants", {}), ("pricing.GetMeteringUnits", {})]
    contracts = ("auth.GetTenants", "pricing.GetPricingPlans", "awsmarketplace.GetCustomers", "pricing.GetTaxRates")
    yield f"contracts, {len(tenants)} tenants", "job_contract_report", {}, [(key, {}) for key in contracts]
    monthly = [("pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth", {"month": MONTH})]
    daily = [("pricing.GetMeteringUnitDateCountsByTenantIdAndDate", {"date": day}) for day in days]
    for by, reads in (("month", monthly), ("day", daily)):
        recipe = [(key, {"tenant_id": tenant, **args}) for tenant in tenants for key, args in reads]
        title = f"usage of a month by {by}, {len(tenants)} tenants"
        yield title, "job_metering_report", {"from": MONTH, "by": by}, [*lists, *recipe]
    histories: Calls = [("analysis.GetUserBehaviorHistories", {"user_id": user}) for user in users]
    args = {"from": MONTH, "to": f"{datetime.now(UTC):%Y-%m}", "by": "user_referrer"}
    yield (
        f"activity by user and page, {len(users)} users",
        "job_user_activity",
        args,
        [("auth.GetSaasUsers", {}), *histories],
    )


def _tokens(value: object) -> int:
    return len(_encoding.encode(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))


if __name__ == "__main__":
    report()
