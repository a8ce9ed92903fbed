"""Frozen records of notices and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

NoticeKind = Literal[
    "approval_requested",
    "approval_approved",
    "approval_rejected",
    "approval_expired",
    "job_done",
    "job_failed",
    "job_cancelled",
    "frozen",
    "unfrozen",
    "audit_broken",
]
DeliveryStatus = Literal["pending", "sent", "failed", "dropped"]
"""`dropped`: muted, outdated, or more than the channel's outbox holds."""


@dataclass(frozen=True, slots=True)
class NoticeEvent:
    """Something that is reported to people. It has references only; its text is made for each channel when it is sent.

    Attributes:
        id: the same for each attempt and channel, so that a receiver can recognise a repetition.
        profile: the profile; empty for every profile.
        at: epoch seconds.
    """

    id: str
    kind: NoticeKind
    profile: str
    at: float
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to one channel, claimed by one process.

    Attributes:
        attempts: how often it was claimed, this time included.
        lease: identifies the claim. Only its holder can end it.
        error: of the attempt before; empty for the first one.
    """

    event: NoticeEvent
    channel: str
    attempts: int
    lease: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The deliveries of one channel: by status, the last success in epoch seconds, and the last error."""

    channel: str
    counts: Mapping[DeliveryStatus, int]
    sent_at: float | None = None
    error: str = ""

    @property
    def is_failing(self) -> bool:
        """Whether a notice was given up, or waits because an attempt failed."""
        return bool(self.counts.get("failed") or (self.error and self.counts.get("pending")))


@dataclass(frozen=True, slots=True)
class Mute:
    """A channel that is silent until a time. Without a profile, it is silent for every profile."""

    channel: str
    profile: str
    until: float
    by: str
