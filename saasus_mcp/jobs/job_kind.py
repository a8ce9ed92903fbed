"""What a kind of job is made of, and finding it by its tool's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from saasus_mcp.common.language import Text
from saasus_mcp.jobs.job_context import JobContext, JobReader
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.saasus.tool_answer import AnswerImage


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job came to.

    Attributes:
        counts: the numbers of its report.
        rows: what became of each row that a reader wants to know of; kept whole, and told as far as it fits.
        table: its product: a text (CSV), a list of records or a document; kept whole, and told where it fits.
        secrets: handles of secrets that came to be, by whose they are; told to nobody, kept for a person to take out.
        notes: what a reader must know: in both languages, or in plain English.
        figure: a chart of the table, where one was asked for; kept, and shown beside the answer.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    product: Any = None
    secrets: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Text | str, ...] = ()
    chart: AnswerImage | None = None


class JobKind(Protocol):
    """A module in saasus_mcp.jobs.kinds.

    `plan` only reads. `run` does the same whenever it is run with the same plan: after a crash it runs anew, and what it
    read and wrote before is given to it again.
    """

    async def plan(self, reader: JobReader, args: Mapping[str, Any]) -> Plan:
        """What the job would do.

        Raises:
            SaasusMcpError: it cannot be done as asked: which argument, and what would do.
        """
        ...

    async def run(self, work: JobContext, plan: Plan) -> JobResult:
        """Do it."""
        ...


def load_kind(name: str) -> JobKind:
    """The kind of job behind a tool's name. Imported when it is first called."""
    return cast("JobKind", import_module(f"saasus_mcp.jobs.kinds.{name.removeprefix('job_')}"))
