"""What the store says of jobs: frozen records, without the database library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from saasus_mcp.common.outcome import Outcome


JobStatus = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Job:
    """One job. Times are epoch seconds.

    Attributes:
        plan: digest of what a person agreed to.
        given, by, typed: how they did, who, and whether by typing a name.
        done, total: how far it is, in its own unit; `total` is None where that is not known.
        report: what it came to; empty as long as it runs.
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


@dataclass(frozen=True, slots=True)
class JobStep:
    """What became of one step. `call` is None as long as it was not begun, `outcome` as long as it is not over."""

    step: str
    call: str | None = None
    outcome: Outcome | None = None
    error: str = ""
    answer: Any = None
