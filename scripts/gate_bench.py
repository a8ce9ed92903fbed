"""What the gate costs and what it lets through: deciding plus audit under 200 rules, and the attack corpus."""

from __future__ import annotations

import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy.budgets import budget_costs
from saasus_mcp.permissions.policy.model import Policy, PolicyInput, Principal
from saasus_mcp.store.records import CallOutcome, Commitment, UndoEntry
from tests.support.attack_cases import generate_attacks
from tests.support.attack_tricks import count_sends, play_attack
from tests.support.saas_store import open_saas_store

ROUNDS = 3_000
WARM = 200
RULES = 200
GOAL_US = 500.0
ME = Principal("local:me")
CALLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "a read": ("auth.GetTenant", {"tenant_id": "t-1"}),
    "a write": ("auth.UpdateTenant", {"tenant_id": "t-1", "name": "Acme", "attributes": {}}),
}


@dataclass(frozen=True, slots=True)
class Spent:
    """Microseconds of one thing done: as the clock on the wall has it, and of the processor, which others do not lengthen."""

    wall: float
    own: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall + other.wall, self.own + other.own)


def report_attacks() -> None:
    """Print how many of the attack corpus got through."""
    cases, sends, wrong = anyio.run(_played)
    print(f"attacks: {cases} cases, {sends} sends, {wrong} unauthorised ({wrong / max(1, sends):.1%})")


def report_cost() -> None:
    """Print what deciding and the audit take of a call."""
    print(f"deciding plus audit, without upstream reads: {RULES} rules, SQLite in WAL, synchronous=NORMAL")
    for what, (key, args) in CALLS.items():
        with tempfile.TemporaryDirectory() as folder:
            parts = _timed(Path(folder), key, args)
        print(f"  {what}:")
        for name, spent in parts.items():
            print(f"    {name + ':':<13} {_line(spent)}")
        whole = [first + second + third for first, second, third in zip(*parts.values(), strict=True)]
        share = _at([each.wall for each in whole], 99) / GOAL_US
        print(f"    {'together:':<13} {_line(whole)}   {share:.0%} of {GOAL_US:.0f} us at p99")


async def _played() -> tuple[int, int, int]:
    catalogue, counted = load_catalogue(), []
    for attack in generate_attacks():
        async with play_attack(catalogue, attack) as play:
            counted.append((len(play.stage.api.writes), play.unauthorised()))
    return count_sends(counted)


def _timed(folder: Path, key: str, args: dict[str, Any]) -> dict[str, list[Spent]]:
    """Measure each part of an allowed call that rules with conditions decide."""
    catalogue = load_catalogue()
    policy, operation = _policy(folder, catalogue), catalogue.find(key)
    case = PolicyInput(operation, args, ME, "default")
    store = open_saas_store(folder, "bench")
    spent: dict[str, list[Spent]] = {"decide": [], "audit begun": [], "audit ended": []}
    for number in range(ROUNDS + WARM):
        call, now = secrets.token_hex(16), time.time() + number  # a second apart: no ceiling is reached
        record = {"operation": key, "principal": ME.id, "profile": "default", "arguments": args, "decision": "allow"}
        writes = not operation.reads
        entry = UndoEntry(call, now, key, ME.id, "default", args, {"name": "Before"}) if writes else None
        commitment = Commitment(writes, budget_costs(policy.ceilings, operation, ME, None), entry)
        ending = CallOutcome(changed=True, result={}) if writes else None
        taken = [
            _spent(partial(policy.decide, case)),
            _spent(partial(store.commit, call, record, now, commitment=commitment)),
            _spent(partial(store.finish_call, call, {"ok": True, "status": 200, "ms": 1.0}, now, ending)),
        ]
        if number >= WARM:
            for each, part in zip(taken, spent.values(), strict=True):
                part.append(each)
    store.close()
    return spent


def _policy(folder: Path, catalogue: Catalogue) -> Policy:
    """Return a policy file of 200 rules, nine in ten of which concern the call and have a condition."""
    rules = ["  - {name: most, levels: [read, read_sensitive, write, write_sensitive], then: allow}"]
    for number in range(RULES - 1):
        tools = "['auth_*']" if number % 10 else "['pricing_*']"
        rules.append(f"  - {{name: r{number}, tools: {tools}, when: \"args.tenant_id == 'x{number}'\", then: deny}}")
    file = folder / "policy.yaml"
    file.write_text("version: 1\nname: bench\nrules:\n" + "\n".join(rules) + "\n", encoding="utf-8")
    return policy_file.load_policy(file, catalogue)


def _spent(work: Callable[[], object]) -> Spent:
    wall, own = time.perf_counter(), time.thread_time()
    work()
    return Spent((time.perf_counter() - wall) * 1e6, (time.thread_time() - own) * 1e6)


def _line(spent: list[Spent]) -> str:
    wall, own = [each.wall for each in spent], [each.own for each in spent]
    return (
        f"p50 {_at(wall, 50):>5.0f} us  p99 {_at(wall, 99):>5.0f} us"
        f"   of the processor p50 {_at(own, 50):>5.0f} us  p99 {_at(own, 99):>5.0f} us"
    )


def _at(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    report_cost()
    report_attacks()
