"""The interface of a kind of job, its lookup by the name of its tool, and the error of a kind that misses a field of an answer."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol, cast

from saasus_mcp.common.messages import Localized
from saasus_mcp.jobs.job_context import JobContext
from saasus_mcp.jobs.job_reader import JobReader, ReadFailed
from saasus_mcp.jobs.plan import Plan
from saasus_mcp.saasus.tool_answer import AnswerImage

log = logging.getLogger(__name__)


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
        """Plan the job. Raise SaasusMcpError if the job cannot be done as requested."""
        ...

    async def run(self, work: JobContext, plan: Plan) -> JobResult: ...


def load_kind(name: str) -> JobKind:
    """Import and return the kind of job behind the tool `name`."""
    return cast("JobKind", import_module(f"saasus_mcp.jobs.kinds.{name.removeprefix('job_')}"))


@contextmanager
def explain_missing_fields() -> Iterator[None]:
    """Turn the use of a field that is missing into an error that names the field.

    Answers have the documented types, but the API may leave out any field. A defect of this program looks the same, so it is
    logged as one.

    Raises:
        ReadFailed: a field was missing.
    """
    try:
        yield
    except (KeyError, ExceptionGroup) as error:
        name = _missing_field(error)
        if name is None:
            raise
        log.exception("a job lacks the field %s, which an answer of the API may have left out", name)
        raise ReadFailed.of("jobs.field_missing", field=name) from None


def _missing_field(error: Exception) -> str | None:
    """Return the field that was missing; None if the error, or one of its group, has another cause."""
    if isinstance(error, ExceptionGroup):
        names = [_missing_field(each) for each in error.exceptions]
        return None if None in names else names[0]
    name = str(error.args[0]) if isinstance(error, KeyError) else ""
    return name if re.fullmatch("[a-z_]{1,40}", name) else None
