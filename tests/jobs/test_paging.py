"""No list is read for ever, whatever cursors the API gives."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import count, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread

from saasus_mcp.catalog import Catalogue
from saasus_mcp.jobs import job_reader, paged_list
from saasus_mcp.jobs.job_reader import Checkpoint, JobReader, ReadFailed, no_checkpoint
from saasus_mcp.server.pipeline.call import JobStepRef
from tests.support.pipeline import PRINCIPAL


class Paged(JobReader):
    """Reads an API whose every page has the next of some cursors."""

    def __init__(self, catalogue: Catalogue, cursors: Iterator[str], checkpoint: Checkpoint = no_checkpoint) -> None:
        pipeline: Any = SimpleNamespace(catalogue=catalogue)
        super().__init__(pipeline, PRINCIPAL, JobStepRef(job="job"), checkpoint)
        self.cursors = cursors
        self.asked: list[str] = []

    async def fetch(self, key: str, args: Mapping[str, Any]) -> tuple[Any, None]:
        self.asked.append(args.get("cursor", ""))
        return {"users": [], "cursor": next(self.cursors)}, None

    async def all(self) -> None:
        async for _ in self.read_pages("auth.SearchTenantUsers", {}, len):
            pass


@pytest.mark.parametrize("cursors", [["string"], ["a", "b"], ["a", "b", "c", "b"]], ids=" ".join)
async def test_a_cursor_that_was_seen_before_ends_the_reading(catalogue: Catalogue, cursors: list[str]) -> None:
    paged = Paged(catalogue, cycle(cursors))
    with pytest.raises(ReadFailed, match="auth_search_tenant_users: the API returned the same cursor twice"):
        await paged.all()
    assert len(paged.asked) == len(set(paged.asked)) <= len(cursors) + 1


async def test_an_api_that_goes_on_giving_cursors_is_stopped(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (job_reader, paged_list):
        monkeypatch.setattr(module, "MAX_PAGES", 7)
    paged = Paged(catalogue, map(str, count()))
    with pytest.raises(ReadFailed, match="more than 7 pages"):
        await paged.all()
    assert len(paged.asked) == 7


async def test_a_list_that_ends_is_read_to_its_end(catalogue: Catalogue) -> None:
    paged = Paged(catalogue, iter(["a", "b", ""]))
    await paged.all()
    assert paged.asked == ["", "a", "b"]


async def test_a_list_that_was_read_in_part_is_read_on_from_the_last_checkpoint(catalogue: Catalogue) -> None:
    remembered: list[Any] = []

    async def remember(_: str, make: Callable[[], Awaitable[Any]]) -> Any:
        remembered.append(json.loads(json.dumps(await make())))
        return remembered[-1]

    first = Paged(catalogue, iter([*map(str, range(1, 25)), ""]), remember)
    await first.all()
    assert len(first.asked) == 25
    assert [len(pages) for pages in remembered] == [10, 10, 5]
    before = iter(remembered[:2])

    async def replay(_: str, make: Callable[[], Awaitable[Any]]) -> Any:
        return next(before, None) or await make()

    again = Paged(catalogue, iter([*map(str, range(21, 25)), ""]), replay)
    await again.all()
    assert again.asked == ["20", "21", "22", "23", "24"]


async def test_the_next_page_is_requested_before_the_last_one_is_worked_on(catalogue: Catalogue) -> None:
    paged, at_work = Paged(catalogue, iter(["a", "b", ""])), list[int]()
    async for _ in paged.read_pages("auth.SearchTenantUsers", {}, lambda _: at_work.append(len(paged.asked))):
        pass
    assert at_work == [2, 3, 3]


async def test_a_page_that_nobody_waits_for_is_not_read_on(catalogue: Catalogue) -> None:
    ended = anyio.Event()

    class Stalled(Paged):
        async def fetch(self, key: str, args: Mapping[str, Any]) -> tuple[Any, None]:
            if len(self.asked) == paged_list.PAGES_PER_CHECKPOINT:
                try:
                    await anyio.Event().wait()
                finally:
                    ended.set()
            return await super().fetch(key, args)

    async for _ in Stalled(catalogue, map(str, count())).read_pages("auth.SearchTenantUsers", {}, len):
        break  # as a job that was cancelled
    with anyio.fail_after(5):
        await ended.wait()


@pytest.mark.parametrize("is_ahead", [False, True])
async def test_a_page_whose_job_is_cancelled_still_records_its_end(catalogue: Catalogue, is_ahead: bool) -> None:
    requested, recorded = anyio.Event(), list[str]()

    class Stalled(Paged):
        async def fetch(self, key: str, args: Mapping[str, Any]) -> tuple[Any, None]:
            if len(self.asked) < is_ahead:
                return await super().fetch(key, args)
            requested.set()
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):  # as a record in a database on the network
                    await to_thread.run_sync(recorded.append, "end")
            return None, None

    async with anyio.create_task_group() as group:
        group.start_soon(Stalled(catalogue, map(str, count())).all)
        await requested.wait()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert recorded == ["end"]


def test_only_the_guarded_loop_asks_for_further_pages() -> None:
    """Another module that names the argument `cursor` would be another loop: it uses `JobReader.read_pages` instead."""
    told = {
        "jobs/paged_list.py": "the loop, and what the log of reads leaves out when it compares calls",
        "server/offers/completion.py": "reads one page",
    }
    package = Path(job_reader.__file__).parents[1]
    answering = {package / "sandbox", package / "clients"}  # the emulated API, and a client of this name
    modules = [file for file in package.rglob("*.py") if not answering & set(file.parents)]
    naming = {
        file.relative_to(package).as_posix() for file in modules if '"cursor"' in file.read_text(encoding="utf-8")
    }
    assert naming == told.keys()
    assert not [
        file for file in (package.parent / "scripts").rglob("*.py") if '.get("cursor")' in file.read_text("utf-8")
    ]
