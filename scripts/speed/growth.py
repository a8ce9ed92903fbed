"""What a call costs this server, the API's answer aside, as audit records, rules and pending approvals grow.

    make growth    or: python -m scripts.speed.growth [--write]

`--write` draws docs/growth.svg. Processor time, since others on the machine lengthen the clock's.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
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


def curve(sizes: tuple[int, ...], at: Callable[[int], Pipeline]) -> Curve:
    """Return the cost at each size, smallest first."""
    return {size: asyncio.run(cost(at(size))) for size in sizes}


def by_rows(
    catalogue: Catalogue, store: Store, table: Table, row: Callable[[int], dict[str, Any]], sizes: tuple[int, ...]
) -> Curve:
    """With so many rows in a table of the store before the call."""
    there = 0

    def at(size: int) -> Pipeline:
        nonlocal there
        _fill(store, table, map(row, range(there, size)))
        there = size
        return build_pipeline(StubApi(catalogue), store)

    return curve(sizes, at)


def by_rules(catalogue: Catalogue, folder: Path, tool: str) -> Curve:
    """Under a policy of so many rules with a condition, all of them on one tool."""
    return curve(
        RULES,
        lambda size: build_pipeline(StubApi(catalogue), Store.in_memory(), _policy(catalogue, folder, size, tool)),
    )


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
    catalogue = load_catalogue()
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-growth-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        found: dict[str, Curve] = {}
        kept = {"audit records": (audit, _record, RECORDS), "pending approvals": (approvals, _approval, PENDING)}
        for what, (table, row, sizes) in kept.items():
            with closing(open_saas_store(folder, what)) as store:
                found[what] = by_rows(catalogue, store, table, row, sizes)
        found["rules on other tools"] = by_rules(catalogue, folder, "auth_get_tenant_users")
        found["rules on this tool"] = by_rules(catalogue, folder, "auth_get_tenant")
    return found


def report(*, write: bool = False) -> None:
    """Print the curves, and draw them in the documentation if wanted."""
    found = measured()
    for what, points in found.items():
        print(f"{what + ':':<22}" + ", ".join(f"{size:,}: {micros:.0f} us" for size, micros in points.items()))
    if write:
        CHART.write_text(chart(found, "what is there", "µs of processor time a call"), encoding="utf-8")


if __name__ == "__main__":
    report(write="--write" in sys.argv[1:])
