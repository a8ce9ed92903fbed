"""The specifications of the jobs, compiled from tool_specs/jobs.yaml."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from saasus_mcp.common.json_path import Schema
from saasus_mcp.common.language import Text

JOB_PREFIX = "job_"
ANY_WRITE = ("*",)
"""The declared writes of a job that makes any calls."""
JOBS_TOOLSET = "jobs"
"""The toolset of all jobs."""
FILE = Path(__file__).with_name("jobs.json")


@dataclass(frozen=True, slots=True, eq=False)
class JobSpec:
    """One kind of job.

    Attributes:
        terse: the English description for the model. `description` is for people.
        for_people: only commands of a terminal start it. It is not a tool.
        instead_of: keys of the operations of which a caller makes many calls for want of the job.
        reads, writes: keys of the operations that the job may call. The writes `*` are all that the caller may make.
    """

    name: str
    title: Text
    description: Text
    terse: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    input_schema: Schema
    for_people: bool = False
    instead_of: tuple[str, ...] = ()

    @property
    def writes_any(self) -> bool:
        """Whether the job makes any calls that its caller lists."""
        return self.writes == ANY_WRITE

    def may_write(self, key: str) -> bool:
        """Return whether the job declares that it makes this write."""
        return self.writes_any or key in self.writes


@cache
def load_jobs(*, for_people: bool = False) -> tuple[JobSpec, ...]:
    """Load the jobs of this version, once for a process. `for_people`: also those that are no tools."""
    rows = json.loads(FILE.read_text(encoding="utf-8"))["jobs"]
    return tuple(
        JobSpec(
            **{
                **row,
                "title": Text(**row["title"]),
                "description": Text(**row["description"]),
                "reads": tuple(row["reads"]),
                "writes": tuple(row["writes"]),
                "instead_of": tuple(row["instead_of"]),
            }
        )
        for row in rows
        if for_people or not row.get("for_people")
    )


def find_job(name: str) -> JobSpec | None:
    """Return the kind of job with this name, or None if this version does not know it."""
    return next((each for each in load_jobs(for_people=True) if each.name == name), None)


def writes_at_all(name: str) -> bool:
    """Return whether a kind of job may write. A kind that this version does not know may."""
    spec = find_job(name)
    return spec is None or bool(spec.writes)
