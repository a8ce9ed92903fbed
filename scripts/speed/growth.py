"""What a call costs this server, the API's answer aside, as audit records, rules and pending approvals grow.

    make growth    or: python -m scripts.speed.growth [--write]

`--write` draws docs/growth.svg. Processor time, since others on the machine lengthen the clock's. A new process measures
each size: one that has written a million rows takes half as long again for any call, also on an empty store.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.database.schema import approvals, audit
from saasus_mcp.store.store import Store
from scripts.speed.chart import chart
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.saas_store import open_saas_store

CHART = Path(__file__).resolve().parents[2] / "docs" / "growth.svg"
CALLS, WARM, PORTION = 400, 50, 50_000
ROUNDS = 4
"""Of which the fastest counts for each point: a machine whose speed changes would draw its own curve."""
RECORDS = (1, 1_000, 10_000, 100_000, 1_000_000)
RULES = (1, 10, 100, 1_000)
PENDING = (1, 100, 1_000, 10_000)
READ = Call("auth_get_tenant", {"tenant_id": "t-1"}, PRINCIPAL)
Curve = dict[int, float]


async def cost(one: Pipeline) -> float:
    """Microseconds of processor time of one read, the median of many."""
    times = []
    for number in range(CALLS + WARM):
        before = time.process_time_ns()
        await one.run(READ)
        if number >= WARM:
            times.append((time.process_time_ns() - before) / 1000)
    return statistics.median(times)


def cost_with_store(folder: Path, name: str) -> float:
    """Return the cost with a store on the disk."""
    with closing(open_saas_store(folder, name)) as store:
        return asyncio.run(cost(build_pipeline(StubApi(load_catalogue()), store)))


def cost_with_rules(folder: Path, rules: int, tool: str) -> float:
    """Return the cost under a policy of so many rules with a condition, all of them on one tool."""
    catalogue = load_catalogue()
    policy = _policy(catalogue, folder, rules, tool)
    return asyncio.run(cost(build_pipeline(StubApi(catalogue), Store.in_memory(), policy)))


def in_new_process(measure: Callable[..., float], *args: object) -> float:
    """Return what a process that did nothing else measures."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, *args).result()


def by_rows(
    folder: Path, name: str, table: Table, row: Callable[[int], dict[str, Any]], sizes: tuple[int, ...]
) -> Curve:
    """Return the cost at each number of rows in a table, smallest first."""
    costs, there = {}, 0
    for size in sizes:
        with closing(open_saas_store(folder, name)) as store:
            _fill(store, table, map(row, range(there, size)))
        there = size
        costs[size] = in_new_process(cost_with_store, folder, name)
    return costs


def by_rules(folder: Path, tool: str) -> Curve:
    """Return the cost at each number of rules on this tool."""
    return {size: in_new_process(cost_with_rules, folder, size, tool) for size in RULES}


def _policy(catalogue: Catalogue, folder: Path, rules: int, tool: str) -> Policy:
    lines = ["version: 1", "name: growth", "rules:", "  - {name: reads, levels: [read, read_sensitive], then: allow}"]
    for number in range(rules - 1):
        when = f"args.tenant_id == 'x{number}'"
        lines.append(f'  - {{name: r{number}, tools: [{tool}], when: "{when}", then: deny}}')
    file = folder / f"policy-{rules}.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return policy_file.load_policy(file, catalogue)


def _fill(store: Store, table: Table, rows: Iterator[Mapping[str, Any]]) -> None:
    """Put rows into a table, many at a time."""
    while portion := [row for row, _ in zip(rows, range(PORTION), strict=False)]:
        with store._database.transaction() as connection:  # noqa: SLF001 - no store takes a million records at once
            connection.execute(insert(table), portion)


def _record(number: int) -> dict[str, Any]:
    text = f'{{"operation":"auth.GetTenant","principal":"local:me","arguments":{{"tenant_id":"t-{number}"}}}}'
    at, call = 1_700_000_000.0 + number, f"{number:032x}"
    return {
        "at": at,
        "call": call,
        "event": "begun",
        "record": text,
        "writer": "filled",
        "number": number,
        "follows": "",
        "mac": "0" * 64,
    }


def _approval(number: int) -> dict[str, Any]:
    end = time.time() + 86_400
    known = {column.name: None if column.nullable else "" for column in approvals.columns}
    own = {"code": f"C{number}", "binding": f"{number:064}", "principal": f"p{number % 500}", "status": "pending"}
    return known | own | {"bound": "{}", "preview": "{}", "two_person": False, "requested_at": end, "expires_at": end}


def measured() -> dict[str, Curve]:
    """Every curve, by what grows."""
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-growth-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        return {
            "audit records": by_rows(folder, "audit", audit, _record, RECORDS),
            "pending approvals": by_rows(folder, "approvals", approvals, _approval, PENDING),
            "rules on other tools": by_rules(folder, "auth_get_tenant_users"),
            "rules on this tool": by_rules(folder, "auth_get_tenant"),
        }


def report(*, write: bool = False) -> None:
    """Print the curves, and draw them in the documentation if wanted."""
    rounds = [measured() for _ in range(ROUNDS)]
    found = {
        what: {size: min(each[what][size] for each in rounds) for size in curve} for what, curve in rounds[0].items()
    }
    for what, points in found.items():
        print(f"{what + ':':<22}" + ", ".join(f"{size:,}: {micros:.0f} us" for size, micros in points.items()))
    if write:
        CHART.write_text(chart(found, "what is there", "µs of processor time a call"), encoding="utf-8")


if __name__ == "__main__":
    report(write="--write" in sys.argv[1:])
