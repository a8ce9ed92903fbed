"""What must survive a call and a process: approvals, used confirmations, hidden secrets and the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.audit.key_check import WrongKey
from saasus_mcp.store.records import (
    AlreadyUsed,
    Approval,
    ApprovalStatus,
    BudgetCharge,
    BudgetExceeded,
    CallOutcome,
    Commitment,
    Freeze,
    HiddenSecret,
    JobAlreadyRunning,
    JobGrant,
    ProofUse,
    StepClaim,
    StepOutcome,
    StoredResult,
    TooManyJobs,
    UndoEntry,
    WritesFrozen,
)
from saasus_mcp.store.state_files import StoreError

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
    """`Store` on demand: the database library is slow to import, and listing tools needs no store."""
    if name == "Store":
        from saasus_mcp.store.store import Store  # noqa: PLC0415 - see above

        return Store
    raise AttributeError(name)
