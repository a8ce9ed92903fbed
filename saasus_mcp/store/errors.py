"""Errors of the store. Each carries a message and a hint of `store.yaml`."""

from __future__ import annotations

from typing import ClassVar

from saasus_mcp.common.errors import SaasusMcpError


class StoreError(SaasusMcpError):
    """The store cannot be used. A write that depends on it is not sent.

    Attributes:
        reason: machine-readable, for the audit log and metrics.
        may_have_written: whether the transaction may be in the database all the same. After a COMMIT that failed, nobody knows.
    """

    reason: ClassVar[str] = "storeerror"
    may_have_written: bool = False


class StoreUnavailable(StoreError):
    """The database on the network failed or did not answer. What was to be committed may be committed or not."""


class StoreGone(StoreError):
    """The file was removed or replaced while it was open. What is written to it now, nobody finds again."""


class AlreadyUsed(StoreError):
    """A confirmation or approval was already used, has expired, or does not exist. Each can be used once."""

    reason: ClassVar[str] = "alreadyused"


class WritesFrozen(StoreError):
    """A person has frozen the writes of the call's profile, or all writes.

    Attributes:
        profile: the frozen profile; empty if all writes are frozen.
        command: lifts the freeze in a terminal.
    """

    reason: ClassVar[str] = "frozen"
    profile: str = ""
    command: str = ""


class GrantExpired(StoreError):
    """The consent to a job was given too long ago for the call. It was not sent."""

    reason: ClassVar[str] = "grantexpired"


class BudgetExceeded(StoreError):
    """The call would exceed a budget of its principal. It was not sent."""

    reason: ClassVar[str] = "overbudget"


class TooManyJobs(StoreError):
    """The maximum number of the principal's jobs is running. The job was not started."""

    reason: ClassVar[str] = "toomanyjobs"


class TokenNameTaken(StoreError):
    """A valid token has this name."""


class WrongKey(StoreError):
    """No key of this process belongs to the store. A record of this process would break the audit log for the others."""

    reason: ClassVar[str] = "wrongkey"


class JobAlreadyRunning(Exception):
    """The same request is already running as another job. This one was not started."""

    def __init__(self, job: str) -> None:
        super().__init__(job)
        self.job = job
