"""Frozen records of jobs and their steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from saasus_mcp.common.outcome import Outcome


GRANT_SECONDS = 24 * 3600
"""For which a consent to a job lasts. Afterwards no step begins, whether the job ran, waited or was paused."""
JobStatus = Literal["running", "done", "failed", "cancelled"]
RowOutcome = Literal[
    "applied", "not_applied", "unknown", "refused", "failed", "skipped", "left_out", "not_begun", "planned", "unread"
]
"""The outcome of one row in the report of a job."""
PauseSide = Literal["model", "person", "freeze"]
"""Who paused a job. What a person or a freeze stopped, only a person lets go on."""
PauseResult = Literal["paused", "unchanged", "ended"]


@dataclass(frozen=True, slots=True)
class JobPause:
    """A pause of a job: since when, by whom, and from which side."""

    at: float
    by: str
    side: PauseSide


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Times are epoch seconds.

    Attributes:
        plan: digest of the approved plan.
        given: the kind of consent: none, confirmation or approval.
        typed: the person typed a name.
        by: the person who consented.
        done: progress, in the unit of the job.
        total: the end of the progress; None if unknown.
        report: the results; empty while the job runs.
        pause: the pause that was requested. It takes effect between rows.
    """

    id: str
    name: str
    principal: str
    profile: str
    plan: str
    given: str
    typed: bool
    by: str
    status: JobStatus
    cancelling: bool
    at: float
    ended_at: float | None = None
    done: int = 0
    total: int | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    pause: JobPause | None = None


@dataclass(frozen=True, slots=True)
class JobStep:
    """The state of one step. `call` is None until it starts, and `outcome` until it ends."""

    step: str
    call: str | None = None
    outcome: Outcome | None = None
    error: str = ""
    answer: Any = None


@dataclass(frozen=True, slots=True)
class JobGrant:
    """The consent to all steps of a job. See `Job` for the other attributes.

    Attributes:
        steps: by step, the digest of the one call that it allows.
        most_running: maximum number of the principal's running jobs, this one included.
    """

    name: str
    principal: str
    profile: str
    plan: str
    given: str
    by: str
    typed: bool
    steps: Mapping[str, str]
    most_running: int = 1


@dataclass(frozen=True, slots=True)
class StepClaim:
    """A step of a grant that a call uses up."""

    job: str
    step: str
    digest: str


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """The end of a step: its outcome, the error, and the API's answer with its secrets hidden."""

    outcome: Outcome
    error: str = ""
    answer: Any = None
