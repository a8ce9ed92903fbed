"""What goes into the store and comes out of it: frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from saasus_mcp.store.files import StoreError

Status = Literal["pending", "approved", "rejected", "used", "stale"]


class AlreadyUsed(StoreError):
    """The confirmation or approval was used before, expired, or is not there: a yes holds once."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for a person's yes, given out of band. Times are epoch seconds.

    Attributes:
        code: short, for reading aloud and typing; carries no authority.
        binding: digest of exactly what would be done, by whom, where (permissions.proof).
        bound: digest of the target's bound fields as they were when asked.
        preview: JSON object of language to text.
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
    status: Status
    requested_at: float
    expires_at: float
    decided_at: float | None = None
    decided_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """The yes that a call uses up: a confirmation by the nonce of its question, or an approval by its code."""

    kind: Literal["confirmation", "approval"]
    id: str


@dataclass(frozen=True, slots=True)
class HiddenSecret:
    """A secret of an answer, encrypted; what is shown in its place is `secret://r/ID`."""

    id: str
    principal: str
    profile: str
    sealed: bytes
    expires_at: float
