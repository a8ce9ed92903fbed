"""What the gate costs and what it lets through: deciding plus audit under 200 rules, and the attack corpus."""

from __future__ import annotations

import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))

from saasus_mcp.catalog import Catalogue, load
from saasus_mcp.permissions import policy_file
from saasus_mcp.permissions.case import Case, CasePolicy, Principal
from saasus_mcp.store import Commitment, Store
from tests.attacks.cases import attacks
from tests.attacks.tricks import played, rate

ROUNDS = 3_000
WARM = 200
RULES = 200
GOAL_US = 500.0


def report() -> None:
    """Print both."""
    cases, sends, wrong = anyio.run(_played)
    print(f"attacks:      {cases} cases, {sends} sends, {wrong} unauthorised ({wrong / max(1, sends):.1%})")
    with tempfile.TemporaryDirectory() as folder:
        parts = _timed(Path(folder))
    whole = [sum(each) for each in zip(*parts.values(), strict=True)]
    for name, micros in {**parts, "deciding plus audit": whole}.items():
        print(f"{name + ':':<22} p50 {_at(micros, 50):>6.0f} us   p99 {_at(micros, 99):>6.0f} us")
    print(f"of the goal of {GOAL_US:.0f} us at p99: {_at(whole, 99) / GOAL_US:.0%} ({RULES} rules, SQLite in WAL)")


async def _played() -> tuple[int, int, int]:
    catalogue, counted = load(), []
    for attack in attacks():
        async with played(catalogue, attack) as play:
            counted.append((len(play.stage.api.writes), play.unauthorised()))
    return rate(counted)


def _timed(folder: Path) -> dict[str, list[float]]:
    """Microseconds of each part, call by call: a read that is allowed, decided by rules with conditions."""
    catalogue = load()
    policy = _policy(folder, catalogue)
    case = Case(catalogue.find("auth.GetTenant"), {"tenant_id": "t-1"}, Principal("local:me"), "default")
    store = Store.at(folder, "bench")
    spent: dict[str, list[float]] = {"decide": [], "audit begun": [], "audit ended": []}
    for number in range(ROUNDS + WARM):
        call, now = secrets.token_hex(16), time.time()
        record = {"operation": "auth.GetTenant", "principal": "local:me", "arguments": {"tenant_id": "t-1"}}
        taken = [
            _micros(partial(policy.decide, case)),
            _micros(partial(store.commit, call, record, now, None, Commitment())),
            _micros(partial(store.end, call, {"ok": True, "ms": 1.0}, now)),
        ]
        if number >= WARM:
            for micros, part in zip(taken, spent.values(), strict=True):
                part.append(micros)
    store.close()
    return spent


def _policy(folder: Path, catalogue: Catalogue) -> CasePolicy:
    """A policy file of 200 rules, nine in ten of which concern the call and have a condition."""
    rules = ["  - {name: reads, levels: [read, read_sensitive], then: allow}"]
    for number in range(RULES - 1):
        tools = "['auth_*']" if number % 10 else "['pricing_*']"
        rules.append(f"  - {{name: r{number}, tools: {tools}, when: \"args.tenant_id == 'x{number}'\", then: deny}}")
    file = folder / "policy.yaml"
    file.write_text("version: 1\nname: bench\nrules:\n" + "\n".join(rules) + "\n", encoding="utf-8")
    return policy_file.load(file, catalogue)


def _micros(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e6


def _at(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    report()
