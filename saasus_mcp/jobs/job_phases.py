"""Groups of steps in phases: a phase starts when the phase before it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from saasus_mcp.jobs.job_context import GroupResult, JobContext
from saasus_mcp.jobs.plan import StepGroup


async def run_phases(
    work: JobContext,
    groups: Sequence[StepGroup],
    sizes: Sequence[int],
    dependencies: Mapping[str, Sequence[str]],
    *,
    stop_at_failure: bool = False,
) -> dict[str, GroupResult]:
    """Run the groups phase by phase, and return the results by name. Groups that were not begun are missing.

    Args:
        sizes: the number of groups in each phase.
        dependencies: by group, the groups that must be applied before it begins.
    """
    results: dict[str, GroupResult] = {}

    def is_applied(name: str) -> bool:
        return name in results and results[name].outcome == "applied"

    for phase in split_phases(groups, sizes):
        ready = [group for group in phase if all(map(is_applied, dependencies.get(group.name, ())))]
        before = len(results)
        async for batch in work.run_groups(ready, stop_at_failure=stop_at_failure, completed=before, total=len(groups)):
            results.update({each.group: each for each in batch})
        failed = any(each.outcome != "applied" for each in results.values())
        if len(results) < before + len(ready) or (stop_at_failure and failed):  # cancelled, or stopped as a whole
            break
    return results


def split_phases(groups: Sequence[StepGroup], sizes: Sequence[int]) -> Iterator[Sequence[StepGroup]]:
    """Yield the groups of each phase."""
    start = 0
    for size in sizes:
        yield groups[start : start + size]
        start += size
