"""The store: everything that must survive a call and a process, in SQLite or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.errors import (
    AlreadyUsed,
    BudgetExceeded,
    GrantExpired,
    JobAlreadyRunning,
    StoreError,
    TooManyJobs,
    WritesFrozen,
    WrongKey,
)
from saasus_mcp.store.job_records import JobGrant, StepClaim, StepOutcome
from saasus_mcp.store.records import (
    Approval,
    ApprovalStatus,
    BudgetCharge,
    CallOutcome,
    Commitment,
    Freeze,
    HiddenSecret,
    ProofUse,
    StoredResult,
    UndoEntry,
)

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

__all__ = [
    "AlreadyUsed",
    "Approval",
    "ApprovalStatus",
    "BudgetCharge",
    "BudgetExceeded",
    "CallOutcome",
    "ChainHead",
    "Commitment",
    "Freeze",
    "GrantExpired",
    "HiddenSecret",
    "JobAlreadyRunning",
    "JobGrant",
    "ProofUse",
    "StepClaim",
    "StepOutcome",
    "Store",
    "StoreError",
    "StoredResult",
    "TooManyJobs",
    "UndoEntry",
    "WritesFrozen",
    "WrongKey",
]


def __getattr__(name: str) -> Any:
    """Import `Store` on demand: the database library is slow to import, and listing tools needs no store."""
    if name == "Store":
        from saasus_mcp.store.store import Store  # noqa: PLC0415 - see above

        return Store
    raise AttributeError(name)
