"""What goes into the store and comes out of it: frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from saasus_mcp.store.state_files import StoreError

if TYPE_CHECKING:
    from saasus_mcp.common.outcome import Outcome


BudgetKind = Literal["destructive", "users", "writes"]
ApprovalStatus = Literal["pending", "approved", "rejected", "used", "stale"]


class AlreadyUsed(StoreError):
    """The confirmation or approval was used before, expired, or is not there: a yes holds once."""

    reason: ClassVar[str] = "alreadyused"


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for a person's yes, given out of band. Times are epoch seconds.

    Attributes:
        code: short, for reading aloud and typing; carries no authority.
        binding: digest of exactly what would be done, by whom, where (permissions.proof).
        bound: the target's bound fields as they were when asked (permissions.bound).
        preview: JSON object of language to text.
        two_person: whether it takes another person's yes than the requester's.
        subject: digest of what a rejection holds for: the call and its variations (permissions.proof).
        retry_at: of a rejected one: when the call or a variation of it may be requested again.
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


@dataclass(frozen=True, slots=True)
class ProofUse:
    """The yes that a call uses up: a confirmation by the nonce of its question, or an approval by its code.

    A step of a job names the job's grant; what it uses up of it is its Claim.
    """

    kind: Literal["confirmation", "approval", "grant"]
    id: str


@dataclass(frozen=True, slots=True)
class HiddenSecret:
    """A secret of an answer, encrypted; what is shown in its place is `secret://r/ID`.

    Attributes:
        operation, call: whose answer it was in.
    """

    id: str
    principal: str
    profile: str
    sealed: bytes
    expires_at: float
    operation: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class BudgetCharge:
    """What a call takes from its principal's budget: so much of a kind, of at most `ceiling` in `window` seconds."""

    principal: str
    kind: BudgetKind
    amount: int
    ceiling: int
    window: int


@dataclass(frozen=True, slots=True)
class BudgetUsage:
    """What a principal has used of one budget."""

    principal: str
    kind: BudgetKind
    amount: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Writes are held back: of one profile, or with an empty `profile` of all. Times are epoch seconds."""

    at: float
    by: str
    reason: str
    profile: str = ""


class WritesFrozen(StoreError):
    """A person has frozen writes, of the call's profile or of all."""

    reason: ClassVar[str] = "frozen"


class TooManyJobs(StoreError):
    """As many jobs of the principal are running as may; this one was not started."""

    reason: ClassVar[str] = "toomanyjobs"


class BudgetExceeded(StoreError):
    """The call would take more than its principal may in the time; nothing was sent."""

    reason: ClassVar[str] = "overbudget"


@dataclass(frozen=True, slots=True)
class UndoEntry:
    """One call that changed something. What is secret was left out of it.

    Attributes:
        before: what was there, as the API answered; None where nothing shows it.
        result: what the API answered.
        undone: the calls that undid it, by the number of the inverse; each inverse goes at most once.
        job, job_name: the job that made it, and what kind of job that is; empty where none did.
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
    job: str = ""
    job_name: str = ""


@dataclass(frozen=True, slots=True)
class JobGrant:
    """What a job may do, as a person agreed to it.

    Attributes:
        plan: digest of all of it.
        given, by, typed: how they agreed (none, confirmation or approval), who, and whether by typing a name.
        steps: by step, the digest of the one call that it allows.
        most_running: jobs of the principal that may run at the same time, this one included.
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
    """The step of a job's grant that a call uses up."""

    job: str
    step: str
    digest: str


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of a job's step: whether it was done, why not, and what the API answered with its secrets hidden."""

    outcome: Outcome
    error: str = ""
    answer: Any = None


@dataclass(frozen=True, slots=True)
class Commitment:
    """What must hold and be kept before a call goes.

    Attributes:
        writes: whether a freeze holds it back.
        charges: what it takes from its principal's budget.
        entry: what the journal keeps of the state before it.
        undoes: the call that it undoes, and by which of its inverses.
        grant: what the job that it begins may do.
        claim: the step of a job that it uses up.
        profile: where the call goes. Where it is not given, a freeze of any profile holds it back.
    """

    writes: bool = False
    charges: tuple[BudgetCharge, ...] = ()
    undo_entry: UndoEntry | None = None
    undoes: tuple[str, int] | None = None
    grant: JobGrant | None = None
    claim: StepClaim | None = None
    profile: str = ""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call came to. `changed` is False only where it is known that it changed nothing; `step`: in its job."""

    changed: bool = True
    result: Any = None
    step: StepOutcome | None = None


NO_COMMITMENT = Commitment()


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One large answer that was kept whole. `sealed` is encrypted, and empty where only its head was asked for."""

    id: str
    principal: str
    profile: str
    operation: str
    at: float
    expires_at: float
    sealed: bytes = b""
