"""Jobs among the operations of a surface: to search for, to read about, and to use instead of many single changes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.catalog.jobs import JobSpec, load_jobs
from saasus_mcp.catalog.search import SearchIndex
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import Principal
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.surface.builtin_tool import BuiltinTool
from saasus_mcp.server.surface.narrowing import exclusion_reason

RUN_TOOL = "job_run"
"""The tool that runs any job on the compact surface. On the full surface each job is a tool."""
CALLS, SECONDS = 3, 600.0
"""So many successful calls of one operation in so many seconds lead to the note."""
MAX_COUNTED = 1_000
"""Pairs of a principal and an operation whose calls are counted. The oldest ones are forgotten."""


class JobLookup:
    """The jobs of one surface. `tools`: the built-in tools of the surface, with the tools of jobs if there are any."""

    def __init__(self, tools: Iterable[BuiltinTool], language: Language) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._language: Language = language

    @cached_property
    def _specs(self) -> Mapping[str, JobSpec]:
        """The jobs that the surface has. They are loaded when they are first looked for."""
        return {spec.name: spec for spec in load_jobs() if spec.name in self._tools}

    def call_tool_for(self, name: str) -> str:
        return RUN_TOOL if RUN_TOOL in self._tools else name

    def find(self, name: str, principal: Principal) -> JobSpec | None:
        """Return the job of this name, if this caller may start one."""
        spec = self._specs.get(name)
        if spec is None:
            return None
        tool = self._tools[name]
        return spec if tool.could_allow(principal) and not exclusion_reason(tool, principal) else None

    def find_instead_of(self, operation: Operation, principal: Principal) -> JobSpec | None:
        """Return the job that does in one call what many calls of an operation do, if this caller may start one."""
        specs = self._specs.values()
        own = [spec.name for spec in specs if operation.key in spec.instead_of]
        any_writes = [spec.name for spec in specs if spec.writes_any]
        found = (self.find(name, principal) for name in (*own, *any_writes))
        return next((spec for spec in found if spec is not None), None)

    def search(self, index: SearchIndex, query: str, principal: Principal) -> list[dict[str, Any]]:
        """Return the few jobs that do what a query asks for, best first, each in one line."""
        found = [spec for name in index.search_jobs(query) if (spec := self.find(name, principal)) is not None]
        return [
            {
                "name": spec.name,
                "call": self.call_tool_for(spec.name),
                "title": spec.title.text(self._language),
                "line": spec.terse,
                "required": spec.input_schema.get("required", []),
            }
            for spec in found
        ]

    def describe(self, spec: JobSpec) -> dict[str, Any]:
        """Return the full description of a job."""
        return {
            "call": self.call_tool_for(spec.name),
            "name": spec.name,
            "title": spec.title.text(self._language),
            "description": spec.description.en,
            "reads": list(spec.reads),
            "writes": list(spec.writes),
            "inputSchema": self._tools[spec.name].input_schema,
        }


class JobHints:
    """Counts the single changes of each principal, to name the job that makes all of them with one question."""

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
