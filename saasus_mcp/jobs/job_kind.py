"""The interface of a kind of job, and its lookup by the name of its tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from saasus_mcp.common.messages import Localized
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_reader import JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.saasus.tool_answer import AnswerImage


@dataclass(frozen=True, slots=True)
class JobResult:
    """The result of a job. Everything is stored; the answer has as much of it as fits.

    Attributes:
        counts: the numbers of the report.
        rows: the outcome of each row.
        product: a CSV text, a list of records, or a document.
        secrets: handles of new secrets, by owner. Only a person can take them out.
        notes: what the reader must know.
        chart: a chart of the product, if one was requested.
        chart_data: the chart as data (reports.charts.chart_data), for clients that draw it themselves.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    product: Any = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Localized, ...] = ()
    chart: AnswerImage | None = None
    chart_data: Mapping[str, Any] | None = None


class JobKind(Protocol):
    """A module in `saasus_mcp.jobs.kinds`.

    `plan` only reads. `run` must be deterministic: after a crash it runs again with the same plan, and gets the remembered
    answers of the reads and writes that it had made.
    """

    async def plan(self, reader: JobReader, args: Mapping[str, Any]) -> Plan:
        """Plan the job.

        Raises:
            SaasusMcpError: the job cannot be done as requested.
        """
        ...

    async def run(self, work: JobContext, plan: Plan) -> JobResult: ...


def load_kind(name: str) -> JobKind:
    """Import and return the kind of job behind the tool `name`."""
    return cast("JobKind", import_module(f"saasus_mcp.jobs.kinds.{name.removeprefix('job_')}"))
