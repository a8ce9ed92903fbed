"""What each policy lets through, by every door: the list, a call by name, and the reads that previews make."""

from __future__ import annotations

import pytest
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.permissions.policy import PRESETS, CasePolicy, ReadOnlyCeiling, UnsafeAllowEverything
from tests.calls import complete
from tests.pipeline.attacks import Person, over, scene, text
from tests.support import ERAS, Era, of_operations, saying_yes

READS = {"read", "read_sensitive"}
READ_ONLY: list[CasePolicy] = [PRESETS["read-only"], ReadOnlyCeiling(UnsafeAllowEverything())]


def with_level(catalogue: Catalogue, levels: set[str]) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in levels]


@pytest.mark.parametrize("policy", READ_ONLY, ids=lambda policy: policy.name)
@pytest.mark.parametrize("era", ERAS)
async def test_read_only_lists_the_reads_and_nothing_else(catalogue: Catalogue, era: Era, policy: CasePolicy) -> None:
    async with scene(catalogue, era, saying_yes, policy) as stage:
        listed = {tool.name for tool in of_operations((await stage.client.list_tools()).tools)}
    assert listed == {operation.tool for operation in with_level(catalogue, READS)}
    assert len(listed) == 77


@pytest.mark.parametrize("policy", READ_ONLY, ids=lambda policy: policy.name)
@pytest.mark.parametrize("era", ERAS)
async def test_read_only_refuses_whatever_does_more_by_every_name_it_has(
    catalogue: Catalogue, era: Era, policy: CasePolicy
) -> None:
    person = Person(saying_yes)
    async with scene(catalogue, era, person, policy) as stage:

        async def attack(operation: Operation) -> None:
            for name in (operation.tool, operation.key):
                result = await stage.client.call_tool(name, complete(operation))
                assert result.is_error
                assert "is not allowed" in text(result)
            assert stage.api.sent == []

        others = [operation for operation in catalogue if operation.level not in READS]
        assert await over(stage, others, attack) == {}
        assert len(others) == 195 - 77
    assert person.seen == []


async def test_read_only_still_reads(catalogue: Catalogue) -> None:
    async with scene(catalogue, "2026-07-28", None, PRESETS["read-only"]) as stage:

        async def attempt(operation: Operation) -> None:
            result = await stage.call(operation)
            assert not result.is_error, text(result)
            assert len(stage.api.to(operation)) == 1
            assert len(stage.api.writes) == (not operation.reads)

        assert await over(stage, with_level(catalogue, READS), attempt) == {}


async def test_strict_asks_before_every_write(catalogue: Catalogue) -> None:
    person = Person(lambda _: types.ElicitResult(action="decline"))
    async with scene(catalogue, "legacy", person, PRESETS["strict"]) as stage:

        async def attack(operation: Operation) -> None:
            person.seen.clear()
            result = await stage.call(operation)
            assert result.is_error
            assert stage.api.writes == []
            asked = operation.level != "critical" and stage.shown_whole(result)
            assert len(person.seen) == (1 if asked else 0)

        writes = [operation for operation in catalogue if operation.level not in READS]
        assert await over(stage, writes, attack) == {}


async def test_guarded_lets_plain_writes_and_reads_go_unasked(catalogue: Catalogue) -> None:
    person = Person(lambda _: types.ElicitResult(action="decline"))
    async with scene(catalogue, "2026-07-28", person) as stage:

        async def attempt(operation: Operation) -> None:
            result = await stage.call(operation)
            assert not result.is_error, text(result)
            assert len(stage.api.to(operation)) == 1
            assert len(stage.api.writes) == (not operation.reads)

        assert await over(stage, with_level(catalogue, {*READS, "write"}), attempt) == {}
    assert person.seen == []


@pytest.mark.parametrize("era", ERAS)
async def test_unsafe_allow_everything_asks_nobody_and_says_so_in_every_record(catalogue: Catalogue, era: Era) -> None:
    policy = UnsafeAllowEverything()
    async with scene(catalogue, era, None, policy) as stage:

        async def attempt(operation: Operation) -> None:
            result = await stage.call(operation)
            assert not result.is_error, text(result)
            assert len(stage.api.to(operation)) == 1
            assert len(stage.api.writes) == (not operation.reads)

        graver = [operation for operation in catalogue if operation.level not in {*READS, "write"}]
        assert await over(stage, graver, attempt) == {}
        begun = [record for record in stage.store.audited() if record["event"] == "begun" and "parent" not in record]
        assert len(begun) == len(graver)
        assert {record["announcement"] for record in begun} == {policy.announcement}
