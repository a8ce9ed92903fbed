"""What each policy allows through the list, through a call by name, and for the internal reads."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, UnsafeAllowAllPolicy
from tests.support.arguments import complete_arguments
from tests.support.gate import GateSession, Person, reply_text, run_over_operations, start_session
from tests.support.pipeline import ERAS, Era, accept_question, operation_tools

READS = {"read", "read_sensitive"}
READ_ONLY: list[Policy] = [PRESETS["read-only"], ReadOnlyPolicy(UnsafeAllowAllPolicy())]


async def require_sent(stage: GateSession, operations: Iterable[Operation]) -> int:
    """Assert that a call of each operation is sent, once and without a question. Return how many were tried."""
    tried = 0

    async def attempt(operation: Operation) -> None:
        nonlocal tried
        tried += 1
        result = await stage.call(operation)
        assert not result.is_error, reply_text(result)
        assert len(stage.api.to(operation)) == 1
        assert len(stage.api.writes) == (not operation.reads)

    assert await run_over_operations(stage, operations, attempt) == {}
    return tried


def with_level(catalogue: Catalogue, levels: set[str]) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in levels]


@pytest.mark.parametrize("policy", READ_ONLY, ids=lambda policy: policy.name)
@pytest.mark.parametrize("era", ERAS)
async def test_read_only_lists_the_reads_and_nothing_else(catalogue: Catalogue, era: Era, policy: Policy) -> None:
    async with start_session(catalogue, era, accept_question, policy) as stage:
        listed = {tool.name for tool in operation_tools((await stage.client.list_tools()).tools)}
    assert listed == {operation.tool for operation in with_level(catalogue, READS)}
    assert len(listed) == 77


@pytest.mark.slow
@pytest.mark.parametrize("policy", READ_ONLY, ids=lambda policy: policy.name)
@pytest.mark.parametrize("era", ERAS)
async def test_read_only_refuses_whatever_does_more_by_every_name_it_has(
    catalogue: Catalogue, era: Era, policy: Policy
) -> None:
    person = Person(accept_question)
    async with start_session(catalogue, era, person, policy) as stage:

        async def attack(operation: Operation) -> None:
            for name in (operation.tool, operation.key):
                result = await stage.client.call_tool(name, complete_arguments(operation))
                assert result.is_error
                assert "is not allowed" in reply_text(result)
            assert stage.api.sent == []

        others = [operation for operation in catalogue if operation.level not in READS]
        assert await run_over_operations(stage, others, attack) == {}
        assert len(others) == 195 - 77
    assert person.seen == []


@pytest.mark.slow
async def test_read_only_still_reads(catalogue: Catalogue) -> None:
    async with start_session(catalogue, "2026-07-28", None, PRESETS["read-only"]) as stage:
        await require_sent(stage, with_level(catalogue, READS))


@pytest.mark.slow
async def test_strict_asks_before_every_write(catalogue: Catalogue) -> None:
    person = Person(lambda _: types.ElicitResult(action="decline"))
    async with start_session(catalogue, "legacy", person, PRESETS["strict"]) as stage:

        async def attack(operation: Operation) -> None:
            person.seen.clear()
            result = await stage.call(operation)
            assert result.is_error
            assert stage.api.writes == []
            asked = operation.level != "critical" and stage.fully_shown(result)
            assert len(person.seen) == (1 if asked else 0)

        writes = [operation for operation in catalogue if operation.level not in READS]
        assert await run_over_operations(stage, writes, attack) == {}


@pytest.mark.slow
async def test_guarded_lets_plain_writes_and_reads_go_unasked(catalogue: Catalogue) -> None:
    person = Person(lambda _: types.ElicitResult(action="decline"))
    async with start_session(catalogue, "2026-07-28", person) as stage:
        await require_sent(stage, with_level(catalogue, {*READS, "write"}))
    assert person.seen == []


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_unsafe_allow_everything_asks_nobody_and_says_so_in_every_record(catalogue: Catalogue, era: Era) -> None:
    policy = UnsafeAllowAllPolicy()
    async with start_session(catalogue, era, None, policy) as stage:
        graver = [operation for operation in catalogue if operation.level not in {*READS, "write"}]
        tried = await require_sent(stage, graver)
        begun = [
            record
            for record in stage.store.audit_log.list_records()
            if record["event"] == "begun" and "parent" not in record
        ]
        assert len(begun) == tried
        assert {record["announcement"] for record in begun} == {policy.announcement}
