"""What work in bulk costs a model: calls, tokens and questions, with single calls and with the job for it.

    scripts/work_bench.py

Each work is done twice on the same data in the sandbox, under the same policy, by a client that consents to every question. "Before"
makes the calls that the job made, one by one, after the lists that name the ids; of a report, the model also writes the table.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import bpe_openai

sys.path.insert(0, str(Path(__file__).parents[1]))

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.sandbox import Sandbox
from saasus_mcp.sandbox.state import State, uid
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.invoices import ContractReplay, invoice_totals
from tests.support.job_data import add_invitation, add_tenants, sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server

PLANS, TEST_TENANTS, PEOPLE, INVOICED = 30, 5, 500, 200
LAST_MONTH = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
MONTH = f"{LAST_MONTH:%Y-%m}"
DAY = 86_400
Arguments = dict[str, Any]
Recipe = Sequence[tuple[str, Arguments]]

_encoding = bpe_openai.get_encoding("o200k_base")


def _unchecked(_: State, __: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Work:
    """One work.

    Attributes:
        fill: puts its data into a sandbox.
        job, arguments: the call that does it.
        lists: operations that name the ids, which a model reads before single calls.
        check: returns what a second calculation says about the table.
    """

    title: str
    fill: Callable[[Sandbox], None]
    job: str
    arguments: Arguments
    lists: Sequence[str] = ()
    check: Callable[[State, str], str] = _unchecked


@dataclass(slots=True)
class Client:
    """A client whose person consents to everything, and what it spent."""

    on: JobServer
    person: AcceptingPerson = field(default_factory=AcceptingPerson)
    calls: int = 0
    tokens: int = 0
    approvals: int = 0

    async def call(self, tool: str, args: Arguments) -> ToolAnswer:
        """Make a call, and again after the approval if it needs one."""
        answer = await self._call_once(tool, args)
        clock, store = self.on.pipeline.clock(), self.on.pipeline.store
        if pending := [each for each in store.list_approvals(clock) if each.status == "pending"]:
            self.approvals += 1
            for each in pending:
                store.decide_approval(each.code, "approved", by="local:person", at=clock, expires_at=clock + 600)
            answer = await self._call_once(tool, args)
        if not answer.ok:
            raise SystemExit(f"{tool} failed: {answer.text}")
        return answer

    async def _call_once(self, tool: str, args: Arguments) -> ToolAnswer:
        answer = await self.on.call(tool, args, elicitor=self.person)
        self.calls += 1
        self.tokens += _tokens(tool) + _tokens(args) + _tokens(answer.text)
        return answer

    @property
    def spent(self) -> tuple[int, int, int]:
        """Calls, tokens, and questions in the client or as approvals."""
        return self.calls, self.tokens, len(self.person.questions) + self.approvals


def report() -> None:
    """Print the table."""
    anyio.run(_report)


async def _report() -> None:
    print("| work | calls before | tokens | questions | calls now | tokens | questions | |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    for work in _works():
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            now, recipe, table, said = await _by_job(work, Path(folder))
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            before = await _by_hand(work, Path(folder), recipe, table)
        print(
            f"| {work.title} | " + " | ".join(f"{number:,}" for number in (*before, *now)) + f" | {said} |", flush=True
        )


async def _by_job(work: Work, folder: Path) -> tuple[tuple[int, int, int], Recipe, str, str]:
    """Do a work by its job. Return what it took, the calls of the API that it made, its table, and the check of the table."""
    async with start_job_server(folder, _sandbox(work)) as on:
        client = Client(on)
        answer = await client.call(work.job, work.arguments)
        while (told := json.loads(answer.text))["status"] == "running":
            answer = await client.call("job_status", {"job": told["job"], "wait": 30})
        if (undone := set(told["counts"]) & {"not_applied", "unknown", "not_begun"}) or told["status"] != "done":
            raise SystemExit(f"{work.job} is not done: {told['status']} {sorted(undone)}")
        table = told.get("csv") or (on.stored_result(told["result"]) if "result" in told else "")
        made = [(each["operation"], each["arguments"]) for each in on.audit_records() if "." in each["operation"]]
        reads = [(key, args) for key, args in made if on.pipeline.catalogue.find(key).reads]
        writes = [each for each in made if each not in reads]
        recipe = [*((key, {}) for key in work.lists), *writes] if writes else [*_unique(reads)]
        return client.spent, recipe, table, work.check(sandbox_state(on.sandbox), table)


async def _by_hand(work: Work, folder: Path, recipe: Recipe, table: str) -> tuple[int, int, int]:
    """Do a work by single calls."""
    async with start_job_server(folder, _sandbox(work)) as on:
        client = Client(on)
        for key, args in recipe:
            await client.call(on.pipeline.catalogue.find(key).tool, args)
        client.tokens += _tokens(table)
        return client.spent


def _sandbox(work: Work) -> FaultySandbox:
    sandbox = FaultySandbox(load_catalogue())
    work.fill(sandbox)
    return sandbox


def _unique(calls: Recipe) -> Recipe:
    return list({json.dumps(call): call for call in calls}.values())


def _tokens(value: object) -> int:
    return len(_encoding.encode(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)))


def _works() -> list[Work]:
    rows = [{"tenant": f"Test {number}", "plan": "starter", "when": "now"} for number in range(1, PLANS + 1)]
    tests = [f"Test {number}" for number in range(1, TEST_TENANTS + 1)]
    month = {"from": MONTH, "zone": "UTC"}
    return [
        Work(
            f"{PLANS} plan changes",
            _fill_plans,
            "job_change_plans",
            {"rows": rows},
            ("auth.GetTenants", "pricing.GetPricingPlans"),
        ),
        Work(
            f"cleaning up {TEST_TENANTS} test tenants",
            _fill_test_tenants,
            "job_offboard_tenant",
            {"tenants": tests, "delete": "at_once"},
            ("auth.GetTenants",),
        ),
        Work(f"access review of {PEOPLE} people", _fill_people, "job_access_review", {}),
        Work(f"invoices of {INVOICED} tenants", _fill_invoices, "job_invoice_estimate", month, check=_check_invoices),
    ]


def _fill_plans(sandbox: Sandbox) -> None:
    add_tenants(sandbox, PLANS)


def _fill_test_tenants(sandbox: Sandbox) -> None:
    for tenant in add_tenants(sandbox, TEST_TENANTS, plan_id="", next_plan_id=""):
        add_invitation(sandbox, "guest@example.com", tenant)
        _join(sandbox, tenant, range(3))


def _fill_people(sandbox: Sandbox) -> None:
    state = sandbox_state(sandbox)
    tenants = [str(tenant["id"]) for tenant in state.rows("tenants")]
    for number in range(PEOPLE - len(state.rows("users"))):
        _join(sandbox, tenants[number % len(tenants)], range(number, number + 1))


def _join(sandbox: Sandbox, tenant: str, numbers: range) -> None:
    """Add people to a tenant, each with a role in production."""
    state = sandbox_state(sandbox)
    base = state.rows("users")[0]
    for number in numbers:
        person = uid("user", "bench", tenant, str(number))
        user = {**base, "id": person, "email": f"person-{number}@example.com", "sign_in_id": ""}
        state.put("users", (person,), user)
        member = {"tenant_id": tenant, "user_id": person, "attributes": {"full_name": f"Person {number}"}}
        state.put("members", (tenant, person), member)
        grant = {"tenant_id": tenant, "user_id": person, "env_id": 3, "role_name": "viewer"}
        state.put("grants", (tenant, person, 3, "viewer"), grant)


def _fill_invoices(sandbox: Sandbox) -> None:
    """Give tenants one plan or two, some of which change within the month, and usage of every unit."""
    state = sandbox_state(sandbox)
    chance = random.Random(17)  # noqa: S311 - no secret
    start = int(LAST_MONTH.replace(day=1).timestamp())
    plans = [uid("plan", name) for name in ("starter", "business")]
    taxes = [uid("tax", name) for name in ("jp_consumption_10", "jp_consumption_10_included")]
    for tenant in add_tenants(sandbox, INVOICED - len(state.rows("tenants")), next_plan_id=""):
        begins = {start - chance.randrange(1, 400 * DAY), start + chance.randrange(-20 * DAY, 28 * DAY)}
        changes = [
            {
                "plan_id": chance.choice(plans),
                "plan_applied_at": at,
                "tax_rate_id": chance.choice(taxes),
                "proration_behavior": chance.choice(["create_prorations", "none"]),
                "delete_usage": False,
            }
            for at in sorted(begins)
        ]
        state.change("tenants", (tenant,), plan_histories=changes, plan_id=changes[-1]["plan_id"])
        for meter in ("orders", "api_calls", "storage_gb"):
            for _ in range(chance.randint(0, 6)):
                at, count = start + chance.randrange(28 * DAY), chance.randrange(3_000)
                state.put("usage", (tenant, meter, at), {"metering_unit_name": meter, "timestamp": at, "count": count})


def _check_invoices(state: State, table: str) -> str:
    """Compare the totals with those of a calculation that shares no code with the job."""
    units = {
        plan["id"]: [
            state.get("pricing_units", unit)
            for menu in plan["menu_ids"]
            for unit in state.get("pricing_menus", menu)["unit_ids"]
        ]
        for plan in state.rows("pricing_plans")
    }
    rates = {rate["id"]: rate for rate in state.rows("tax_rates")}
    first = int(LAST_MONTH.replace(day=1).timestamp())
    end = int((LAST_MONTH + timedelta(days=1)).timestamp())

    def counts(tenant: str, meter: str, start: int, end: int) -> list[int]:
        rows = state.rows("usage", tenant)
        return [row["count"] for row in rows if row["metering_unit_name"] == meter and start <= row["timestamp"] < end]

    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    ours = {(row["tenant_id"], row["currency"]): Decimal(row["total"]) for row in rows if row["total"]}
    theirs: dict[tuple[str, str], Decimal] = {}
    for tenant in state.rows("tenants"):
        bookings = ContractReplay(tenant["id"], units, counts, UTC).run(tenant["plan_histories"], end)
        theirs |= {(tenant["id"], each): total for each, total in invoice_totals(bookings, rates, first, end).items()}
    keys = {key for key in {*ours, *theirs} if ours.get(key) or theirs.get(key)}
    equal = sum(ours.get(key) == theirs.get(key) for key in keys)
    return f"{equal} of {len(keys)} totals equal a second calculation"


if __name__ == "__main__":
    report()
