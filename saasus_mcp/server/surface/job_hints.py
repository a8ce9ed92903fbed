"""A note to a model that makes the same change call by call: the job that makes all of them with one question."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import replace

from saasus_mcp.catalog import Operation
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.surface.job_lookup import JobLookup

CALLS, SECONDS = 3, 600.0
"""So many successful calls of one operation in so many seconds lead to the note."""
MAX_COUNTED = 1_000
"""Pairs of a principal and an operation whose calls are counted. The oldest ones are forgotten."""


class JobHints:
    """Counts the single changes of each principal."""

    def __init__(self, jobs: JobLookup) -> None:
        self._jobs = jobs
        self._recent: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def add_note(self, operation: Operation, principal: Principal, answer: ToolAnswer, now: float) -> ToolAnswer:
        """Return the answer of a successful call, with the name of a job if the caller has repeated the change."""
        if operation.reads or not self._is_repeated(principal.id, operation.key, now):
            return answer
        job = self._jobs.find_instead_of(operation, principal)
        if job is None:
            return answer
        minutes = round(SECONDS / 60)
        note = (
            f"\n[{CALLS} calls of {operation.tool} in {minutes} minutes. For more of them use the job {job.name}: "
            f"all in one call, with one question.]"
        )
        return replace(answer, text=answer.text + note, note=answer.note + note)

    def _is_repeated(self, principal: str, key: str, now: float) -> bool:
        times = self._recent.setdefault((principal, key), deque(maxlen=CALLS))
        self._recent.move_to_end((principal, key))
        if len(self._recent) > MAX_COUNTED:
            self._recent.popitem(last=False)
        times.append(now)
        return len(times) == CALLS and now - times[0] <= SECONDS
