"""A running job: its reads, its progress, and the groups of steps of its plan."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.jobs.job_reader import Checkpoint, JobReader, run_concurrently
from saasus_mcp.jobs.pause_gate import PauseGate
from saasus_mcp.jobs.plan import Plan, StepGroup
from saasus_mcp.jobs.step_runner import CANCELLED_REASON, RATE_LIMITED_REASON, StepRunner
from saasus_mcp.jobs.store_retry import query_jobs, retry
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.server.pipeline.call import JobStepRef
from saasus_mcp.server.pipeline.call_pipeline import Pipeline

BATCH_SIZE = 100
"""Groups between two checkpoints. The store knows the outcome of each step at any time; a checkpoint only saves queries."""
STOPPING_REASONS = frozenset({"grantexpired", "overbudget", CANCELLED_REASON, RATE_LIMITED_REASON})
"""Reasons that would refuse every other group, too."""


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The result of one group.

    Attributes:
        outcome: `applied` if all steps were applied; otherwise the outcome of the step named in `failed_step`.
        text: the error, and `reason` the reason, if a step was refused.
        answers: the API's answers, by step, secrets hidden.
    """

    group: str
    outcome: str
    failed_step: str = ""
    text: str = ""
    reason: str = ""
    answers: Mapping[str, Any] | None = None


def outcome_of(result: GroupResult | None) -> dict[str, str]:
    """Return the outcome of a group that may not have begun, with the error if there is one, for the report."""
    if result is None:
        return {"outcome": "not_begun"}
    return {"outcome": result.outcome, **({"why": result.text} if result.text else {})}


class JobCancelled(Exception):
    """The job was cancelled. Nothing else may begin."""


class JobContext(JobReader):
    """A running job.

    Attributes:
        cancelled: whether it was cancelled before all groups were done.
        gate: holds rows back while the job is paused.
    """

    cancelled = False

    def __init__(self, pipeline: Pipeline, principal: Principal, job: JobStepRef, checkpoint: Checkpoint) -> None:
        super().__init__(pipeline, principal, job, checkpoint)
        self.gate = PauseGate(pipeline, job.job)
        self._step_runner = StepRunner(pipeline, principal, job, self.fetch, self.gate)
        self._on_rate_limit = self._step_runner.wait_after_rate_limit

    async def wait_for_approvals(self, plan: Plan) -> None:
        """Wait, before anything changes, until the approvals that the steps need can be requested.

        Raises:
            SaasusMcpError: too many other approvals are pending. Nothing was changed.
        """
        levels = (self._pipeline.catalogue.find(step.operation).level for step in plan.steps)
        begun = await query_jobs(self._pipeline, lambda jobs: jobs.count_outcomes(self._job.job))
        if begun or self._job.critical or "critical" not in levels:
            return
        if not await self._step_runner.wait_for_room() and await self._step_runner.should_continue():
            raise SaasusMcpError.of("jobs.approvals_full")

    async def report_progress(self, done: int, total: int | None = None) -> None:
        """Store the progress of the job, and wait while it is paused. Raise JobCancelled if the job was cancelled."""
        await self._save_progress(done, total)
        if not await self.gate.wait():
            raise JobCancelled

    async def _save_progress(self, done: int, total: int | None) -> None:
        job = self._job.job
        if group := self._pipeline.write_group:
            save = self._pipeline.store.jobs.save_progress_within
            await retry(lambda: group.run(lambda connection: save(connection, job, done, total)))
        else:
            await query_jobs(self._pipeline, lambda jobs: jobs.save_progress(job, done, total))
        if not await query_jobs(self._pipeline, lambda jobs: jobs.may_begin_rows(job)):
            self.gate.recheck()

    async def run_groups(
        self,
        groups: Sequence[StepGroup],
        *,
        stop_at_failure: bool = False,
        completed: int = 0,
        total: int | None = None,
    ) -> AsyncIterator[list[GroupResult]]:
        """Run the groups, and yield their results in order, batch by batch. Groups that were not begun are missing.

        It ends early if the job is cancelled or refused as a whole, or at a failure if requested.

        Args:
            completed, total: progress of the job, if these are not all of its groups.
        """
        total = len(groups) if total is None else total
        await self._save_progress(completed, total)
        for start in range(0, len(groups), BATCH_SIZE):
            batch = groups[start : start + BATCH_SIZE]
            make = partial(self._run_batch, batch, completed, total, stop_at_failure=stop_at_failure)
            results = [GroupResult(**each) for each in await self._checkpoint("rows", make)]
            completed += len(results)
            await self._save_progress(completed, total)  # a remembered batch has not done so
            ended = _must_stop(results, stop_at_failure=stop_at_failure)
            incomplete = len(results) < len(batch) and not ended
            self.cancelled = incomplete or any(each.reason == CANCELLED_REASON for each in results)
            yield results
            if self.cancelled or ended:
                return

    async def run_phases(
        self,
        groups: Sequence[StepGroup],
        sizes: Sequence[int],
        dependencies: Mapping[str, Sequence[str]],
        *,
        stop_at_failure: bool = False,
    ) -> dict[str, GroupResult]:
        """Run the groups in phases, one after the other, and return the results by name. Groups that were not begun are missing.

        Args:
            sizes: the number of groups in each phase.
            dependencies: by group, the groups that must be applied before it begins.
        """
        results: dict[str, GroupResult] = {}
        for phase in split_phases(groups, sizes):
            applied = {name for name, each in results.items() if each.outcome == "applied"}
            ready = [group for group in phase if applied.issuperset(dependencies.get(group.name, ()))]
            before = len(results)
            runs = self.run_groups(ready, stop_at_failure=stop_at_failure, completed=before, total=len(groups))
            async for batch in runs:
                results.update({each.group: each for each in batch})
            failed = any(each.outcome != "applied" for each in results.values())
            if len(results) < before + len(ready) or (stop_at_failure and failed):  # cancelled, or stopped as a whole
                break
        return results

    async def _run_batch(
        self, batch: Sequence[StepGroup], completed: int, total: int, *, stop_at_failure: bool
    ) -> list[dict[str, Any]]:
        results: dict[str, GroupResult] = {}
        ended = await self._find_ended(batch)

        async def run(group: StepGroup) -> None:
            if group.name not in ended and not await self.gate.begin_row():
                return
            try:
                if _must_stop(results.values(), stop_at_failure=stop_at_failure):
                    return
                results[group.name] = await self._run_group(group)
                await self._save_progress(completed + len(results), total)
            finally:
                if group.name not in ended:
                    self.gate.end_row()

        await run_concurrently([partial(run, group) for group in batch])
        return [asdict(results[group.name]) for group in batch if group.name in results]

    async def _find_ended(self, batch: Sequence[StepGroup]) -> set[str]:
        """Return the groups that ended before a crash. They need not wait for the end of a pause, since nothing is sent."""
        names = [step.step for group in batch for step in group.steps]
        records = await query_jobs(self._pipeline, lambda jobs: jobs.get_steps(self._job.job, names))

        def has_ended(group: StepGroup) -> bool:
            outcomes = [records[step.step].outcome for step in group.steps if step.step in records]
            return all(outcomes) or any(each not in (None, "applied") for each in outcomes)

        return {group.name for group in batch if has_ended(group)}

    async def _run_group(self, group: StepGroup) -> GroupResult:
        answers: dict[str, Any] = {}
        for step in group.steps:
            record, reason = await self._step_runner.run_step(step, begins_row=step is group.steps[0])
            if record.outcome != "applied":
                outcome = record.outcome or "not_applied"
                return GroupResult(group.name, outcome, step.step, record.error, reason, answers)
            answers[step.step] = record.answer
        return GroupResult(group.name, "applied", answers=answers)


def _must_stop(results: Iterable[GroupResult], *, stop_at_failure: bool) -> bool:
    return any(each.reason in STOPPING_REASONS or (stop_at_failure and each.outcome != "applied") for each in results)


def split_phases(groups: Sequence[StepGroup], sizes: Sequence[int]) -> Iterator[Sequence[StepGroup]]:
    start = 0
    for size in sizes:
        yield groups[start : start + size]
        start += size
