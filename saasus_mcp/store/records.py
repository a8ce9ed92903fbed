"""Frozen records that go into the store and come out of it, and how long they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from saasus_mcp.store.job_records import JobGrant, StepClaim, StepOutcome

HOUR = 3600
DAY = 24 * HOUR
AUDIT_DAYS, UNDO_LOG_DAYS = 365, 30
"""Retention in days. The audit log is never purged automatically: AUDIT_DAYS is the default of `audit purge`."""

CLOCK_TOLERANCE = 300
"""Seconds by which two clocks of replicas may differ. A consent that begins later than that was made while a clock was wrong, and is void."""

NOTICE_DAYS = 7
"""Retention of an event that is reported to people, and of its deliveries."""

BudgetKind = Literal["destructive", "users", "writes"]
ApprovalStatus = Literal["pending", "approved", "rejected", "used", "stale"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for approval outside the client. Times are epoch seconds.

    Attributes:
        code: short, for reading aloud and typing. It has no authority.
        binding: digest of the call, its principal and its target (permissions.approval.proof).
        name: the text that a person types to approve.
        bound: JSON of the target's snapshot when the approval was requested.
        preview: the question as JSON (permissions.question.content).
        two_person: the requester may not approve it.
        subject: digest of the call and its variations, to which a rejection applies.
        retry_at: of a rejection, when the call or a variation of it may be requested again.
    """

    code: str
    binding: str
    operation: str
    principal: str
    profile: str
    saas_id: str
    name: str
    preview: str
    bound: str
    status: ApprovalStatus
    requested_at: float
    expires_at: float
    two_person: bool = False
    decided_at: float | None = None
    decided_by: str | None = None
    reason: str | None = None
    subject: str = ""
    retry_at: float | None = None

    def is_current(self, now: float) -> bool:
        """Return whether the approval has begun and not expired."""
        return (self.decided_at or self.requested_at) - CLOCK_TOLERANCE <= now < self.expires_at


@dataclass(frozen=True, slots=True)
class ProofUse:
    """The proof that a call uses up: a confirmation by the nonce of its question, or an approval by its code.

    A step of a job names the job's grant, and uses up its StepClaim.
    """

    kind: Literal["confirmation", "approval", "grant"]
    id: str


@dataclass(frozen=True, slots=True)
class HiddenSecret:
    """An encrypted secret of an answer, which shows the handle `secret://r/ID` in its place.

    Attributes:
        operation: the operation that answered.
    """

    id: str
    principal: str
    profile: str
    sealed: bytes
    expires_at: float
    operation: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class BudgetCost:
    """The use of a budget by a call: `amount` of at most `ceiling` within `window` seconds."""

    principal: str
    kind: BudgetKind
    amount: int
    ceiling: int
    window: int


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """The current use of a budget by a principal."""

    principal: str
    kind: BudgetKind
    amount: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """A stop of the writes of a profile, or of every profile if `profile` is empty. `at` is in epoch seconds."""

    at: float
    by: str
    reason: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class UndoEntry:
    """An entry of the undo log: a call that changed something, without its secrets.

    Attributes:
        before: the state before the call, as the API answered; None if no read shows it.
        result: the API's answer to the call.
        undone: the calls that undid it, by the number of the inverse call. Each inverse call is sent at most once.
        target: what people call the target; empty if no read named it.
        names: what people call the items that the arguments and the state before refer to, by kind and id (`NameResolver`).
        job: the job that made the call; empty for a single call.
        job_name: the kind of that job.
    """

    call: str
    at: float
    operation: str
    principal: str
    profile: str
    arguments: dict[str, Any]
    before: Any
    result: Any = None
    undone: Mapping[int, str] = field(default_factory=dict)
    target: str = ""
    names: Mapping[str, str] = field(default_factory=dict)
    job: str = ""
    job_name: str = ""


@dataclass(frozen=True, slots=True)
class Commitment:
    """The checks and records of a call before it is sent.

    Attributes:
        writes: a freeze stops the call.
        costs: costs to the principal's budgets.
        undo_entry: entry of the undo log.
        undoes: the call that this one undoes, and the number of the inverse call.
        grant: the grant of the job that the call starts.
        claim: the step of a job that the call uses up.
        profile: the profile of the call. If empty, a freeze of any profile stops it.
    """

    writes: bool = False
    costs: tuple[BudgetCost, ...] = ()
    undo_entry: UndoEntry | None = None
    undoes: tuple[str, int] | None = None
    grant: JobGrant | None = None
    claim: StepClaim | None = None
    profile: str = ""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The outcome of a call.

    Attributes:
        changed: False only if the call certainly changed nothing.
        step: the outcome of the job's step.
    """

    changed: bool = True
    result: Any = None
    step: StepOutcome | None = None


NO_COMMITMENT = Commitment()


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A large answer that is stored in full. `sealed` is encrypted; it is empty in a list of results."""

    id: str
    principal: str
    profile: str
    operation: str
    at: float
    expires_at: float
    sealed: bytes = b""
