"""What typical calls cost: in Python function calls, which other work on the machine does not change, and in processor time.

The processor time is that of a fixed piece of Python in the same process, so that a slow machine is slow for both.
"""

from __future__ import annotations

import gc
import math
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.question.name_resolver import MAX_NAMES
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.database import sqlite
from saasus_mcp.store.store import Store
from scripts.speed.stub import body
from tests.support.function_calls import FunctionCalls
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.ready_api import ready_client
from tests.support.saas_store import open_saas_store
from tests.support.variants import sample_cases

TOLERANCE, TIME_TOLERANCE = 1.15, 2.0
LEAST_ROUNDS, MOST_ROUNDS, CALLS = 12, 100, 5
MEASURED: dict[str, tuple[str, dict[str, Any], int, float]] = {
    "small read": ("auth_get_roles", {}, 239, 0.55),
    "read of a target": ("auth_get_tenant", {"tenant_id": "t-1"}, 301, 0.65),
    "write": ("auth_create_role", {"role_name": "editor", "display_name": "Editor"}, 751, 1.9),
    "list of 100": ("auth_get_tenant_users", {"tenant_id": "users-100"}, 453, 2.6),
    "read without a target": ("auth_get_user_attributes", {}, 226, 0.55),
    "unknown tool": ("auth_get_rolls", {}, 323, 1.1),
    "unknown argument": ("auth_get_roles", {"name": "x"}, 96, 0.17),
    "missing argument": ("auth_get_tenant", {}, 119, 0.2),
    "delete of what is not there": ("auth_delete_role", {"role_name": "editor"}, 1287, 3.5),
    "question about a tenant": ("auth_delete_tenant", {"tenant_id": "t-1"}, 6575, 21.0),
    "denied": ("auth_create_role", {"role_name": "editor", "display_name": "Editor"}, 197, 0.31),
}
"""Tool, arguments, and when this was written, function calls and processor time, which has `_fixed_work` as its unit."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open a store in a file, as a user's server does: a store in memory is slower."""
    with closing(open_saas_store(tmp_path / "state", "saas-under-test", (b"k" * 32,))) as opened:
        yield opened


@pytest.mark.parametrize("name", sorted({*MEASURED} - {"question about a tenant"}))
async def test_a_call_leaves_nothing_to_the_garbage_collector(
    catalogue: Catalogue, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, arguments, _, _ = MEASURED[name]
    pipeline = _pipeline(catalogue, store, name, monkeypatch)
    left: list[int] = []
    for _ in range(4):  # the first one loads modules, and the thread of the test runner may leave something too
        gc.collect()
        await pipeline.run(Call(tool, dict(arguments), PRINCIPAL))
        left.append(gc.collect())
    assert min(left) == 0, "objects in a cycle stay in memory, and are searched for"


@pytest.mark.parametrize("name", MEASURED)
async def test_a_call_costs_no_more_than_it_did(
    catalogue: Catalogue, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, arguments, measured, _ = MEASURED[name]
    pipeline = _pipeline(catalogue, store, name, monkeypatch)
    calls: list[int] = []
    for _ in range(3):  # the first ones fill caches
        with FunctionCalls() as counted:
            answer = await pipeline.run(Call(tool, dict(arguments), PRINCIPAL))
        calls.append(counted.number)
    assert isinstance(answer, ToolAnswer)
    assert calls[-1] <= measured * TOLERANCE, "if this is meant, write the new number down"
    assert calls[-1] >= measured / 2, "a much faster call: write the new number down, so that it stays as fast"


@pytest.mark.parametrize("name", sample_cases(MEASURED, 4))
async def test_the_processor_time_of_a_call_does_not_grow(
    catalogue: Catalogue, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best of several rounds is the one that other work disturbed least.

    No commit waits for the disk: the processor time of that is the file system's, and differs between machines.
    """
    monkeypatch.setattr(sqlite, "DURABLE", "another option")
    tool, arguments, _, measured = MEASURED[name]
    pipeline = _pipeline(catalogue, store, name, monkeypatch)
    call = unit = ratio = math.inf
    with _without_tracing():
        for number in range(MOST_ROUNDS):
            before = time.process_time()
            _fixed_work()
            between = time.process_time()
            for _ in range(CALLS):
                await pipeline.run(Call(tool, dict(arguments), PRINCIPAL))
            unit = min(unit, between - before)
            call = min(call, (time.process_time() - between) / CALLS)
            ratio = call / unit
            if number >= LEAST_ROUNDS and ratio <= measured * TIME_TOLERANCE:
                break
    assert ratio <= measured * TIME_TOLERANCE, "if this is meant, write the new number down"


async def test_a_write_with_many_inverse_calls_evaluates_a_few_of_them(
    catalogue: Catalogue, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated, evaluate = list[str](), OperationCall.evaluate

    def counted(self: OperationCall, text: str, **variables: Any) -> Any:
        evaluated.append(text)
        return evaluate(self, text, **variables)

    monkeypatch.setattr(OperationCall, "evaluate", counted)
    pipeline, numbers = build_pipeline(StubApi(catalogue), store, UnsafeAllowAllPolicy()), list[int]()
    for count in (MAX_NAMES, 10 * MAX_NAMES):
        evaluated.clear()
        roles = [f"role-{number}" for number in range(count)]
        of = {"tenant_id": "t-1", "user_id": "u-1", "env_id": 3, "role_names": roles}
        answer = await pipeline.run(Call("auth_create_tenant_user_roles", of, PRINCIPAL))
        assert isinstance(answer, ToolAnswer)
        assert answer.ok
        numbers.append(len(evaluated))
    assert numbers[0] > MAX_NAMES
    assert numbers[1] <= numbers[0] + 1


def _pipeline(catalogue: Catalogue, store: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    api = StubApi(catalogue)
    for key in ("auth.GetTenantUsers", "auth.GetRoles"):
        api.answers[key] = _answer
    policy = PRESETS["read-only" if name == "denied" else "guarded"]
    return build_pipeline(api, store, policy, client=ready_client(api, monkeypatch))


def _fixed_work() -> int:
    """Do about a millisecond of what the pipeline does much of: calls, dictionaries and texts."""
    found: dict[str, tuple[int, str]] = {}
    for number in range(2_000):
        key = f"key-{number % 97}"
        found[key] = (found.get(key, (0, ""))[0] + len(key), key.upper())
    return sum(count for count, _ in found.values())


@contextmanager
def _without_tracing() -> Iterator[None]:
    """Suspend the measurement of coverage, which slows some code down more than other."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(tracer)


def _answer(request: httpx2.Request) -> Any:
    headers = {"Content-Type": "application/json"}
    return httpx2.Response(200, headers=headers, content=body(request.url.raw_path))
