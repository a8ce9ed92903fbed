"""No list is read for ever, whatever cursors the API gives."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import count, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.jobs import job_reader
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
    monkeypatch.setattr(job_reader, "MAX_PAGES", 7)
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


def test_only_the_guarded_loop_asks_for_further_pages() -> None:
    """Another module that names the argument `cursor` would be another loop: it uses `JobReader.read_pages` instead."""
    told = {
        "jobs/job_reader.py": "the loop, and the log of reads, which compares calls without it",
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
