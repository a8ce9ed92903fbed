"""A pending approval."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saasus_mcp.store.records import Approval
from tests.support.questions import deletion

NOW = 1_790_000_000.0
_PENDING = Approval(
    code="ABCD-2345",
    binding="b" * 64,
    operation="auth.DeleteTenant",
    principal="local:me",
    profile="default",
    saas_id="saas",
    name="Harbor Lights Inc.",
    preview=deletion("Harbor Lights Inc.", typed=None).to_json(),
    bound="{}",
    status="pending",
    requested_at=NOW,
    expires_at=NOW + 900,
    subject="s" * 64,
)


def pending_approval(**other: Any) -> Approval:
    """Return an approval to delete the tenant Harbor Lights Inc. of the sandbox, requested at `NOW` and pending for 15 minutes."""
    return replace(_PENDING, **other)
