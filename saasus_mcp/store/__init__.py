"""What must survive a call and a process: approvals, used confirmations, hidden secrets and the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saasus_mcp.store.chain import Head
from saasus_mcp.store.files import StoreError
from saasus_mcp.store.key_check import WrongKey
from saasus_mcp.store.records import (
    AlreadyUsed,
    Approval,
    Charge,
    Claim,
    Commitment,
    Ending,
    Entry,
    Freeze,
    Frozen,
    Grant,
    HiddenSecret,
    Kept,
    OverBudget,
    Spend,
    Status,
    StepEnding,
    TooManyJobs,
)

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

__all__ = [
    "AlreadyUsed",
    "Approval",
    "Charge",
    "Claim",
    "Commitment",
    "Ending",
    "Entry",
    "Freeze",
    "Frozen",
    "Grant",
    "Head",
    "HiddenSecret",
    "Kept",
    "OverBudget",
    "Spend",
    "Status",
    "StepEnding",
    "Store",
    "StoreError",
    "TooManyJobs",
    "WrongKey",
]


def __getattr__(name: str) -> Any:
    """`Store` on demand: the database library is slow to import, and listing tools needs no store."""
    if name == "Store":
        from saasus_mcp.store.store import Store  # noqa: PLC0415 - see above

        return Store
    raise AttributeError(name)
