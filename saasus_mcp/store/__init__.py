"""The store: everything that must survive a call and a process, in SQLite or PostgreSQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from saasus_mcp.store.errors import (
    AlreadyUsed,
    BudgetExceeded,
    GrantExpired,
    JobAlreadyRunning,
    StoreError,
    StoreUnavailable,
    TooManyJobs,
    WritesFrozen,
    WrongKey,
)

if TYPE_CHECKING:
    from saasus_mcp.store.audit.hash_chain import ChainHead
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
    "StoreUnavailable",
    "StoredResult",
    "TooManyJobs",
    "UndoEntry",
    "WritesFrozen",
    "WrongKey",
]


_MODULES = {
    "ChainHead": "audit.hash_chain",
    "Store": "store",
    **dict.fromkeys(("JobGrant", "StepClaim", "StepOutcome"), "job_records"),
}
"""The modules of the names that are imported on demand, unless it is `records`."""


def __getattr__(name: str) -> Any:
    """Import the store and its records on demand: the database library is slow to import, and listing tools needs neither."""
    if name not in __all__:
        raise AttributeError(name)
    return getattr(import_module(f"saasus_mcp.store.{_MODULES.get(name, 'records')}"), name)
