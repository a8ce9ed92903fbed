"""What must survive a call and a process: approvals, used confirmations, hidden secrets and the audit."""

from saasus_mcp.store.records import Approval, HiddenSecret, Spend, Status
from saasus_mcp.store.store import AlreadyUsed, Store, StoreError

__all__ = ["AlreadyUsed", "Approval", "HiddenSecret", "Spend", "Status", "Store", "StoreError"]
