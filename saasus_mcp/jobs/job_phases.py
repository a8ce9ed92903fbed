"""Rows that wait for others: a plan's rows in phases, each begun when the one before is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from saasus_mcp.jobs.job_context import GroupResult, JobContext
from saasus_mcp.jobs.plan import StepGroup


async def run_phases(
    work: JobContext, rows: Sequence[StepGroup], phases: Sequence[int], needs: Mapping[str, Sequence[str]]
) -> dict[str, GroupResult]:
    """What became of the rows, by name; one that was not begun is left out.

    Args:
        phases: how many rows each phase has.
        needs: rows without which a row is not begun, by its name.
    """
    done: dict[str, GroupResult] = {}
    for phase in _split(rows, phases):
        ready = [row for row in phase if all(_applied(done, name) for name in needs.get(row.name, ()))]
        before = len(done)
        async for batch in work.run_groups(ready, completed=before, total=len(rows)):
            done.update({each.group: each for each in batch})
        if len(done) < before + len(ready):  # cancelled, or held back as a whole
            break
    return done


def _split(rows: Sequence[StepGroup], phases: Sequence[int]) -> Iterator[Sequence[StepGroup]]:
    start = 0
    for count in phases:
        yield rows[start : start + count]
        start += count


def _applied(done: Mapping[str, GroupResult], name: str) -> bool:
    return name in done and done[name].outcome == "applied"
