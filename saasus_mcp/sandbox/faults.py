"""Faults on demand, to try fault handling against the real thing."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from typing import Literal

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message

Kind = Literal["latency", "status", "reset", "drop"]
EVERY = "*"
MAX_LATENCY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One kind of misbehaviour.

    Attributes:
        kind: what happens. `latency` waits `seconds` and then answers as usual, `status` answers `status` and does not
            run the operation, `reset` cuts the connection after the operation ran, `drop` leaves the request without an
            answer.
        on: the key of the operation (`auth.DeleteTenant`); every request by default.
        rate: the share of the requests that are hit, from 0 to 1.
        seconds: how long `latency` waits.
        status: 500, 429 or another.
        retry_after: seconds for a Retry-After header.
    """

    kind: Kind
    on: str = EVERY
    rate: float = 1.0
    seconds: float = 0.0
    status: int = 500
    retry_after: int | None = None


class FaultInjector:
    """The faults in force, which may be changed at any time."""

    def __init__(self) -> None:
        self.active: list[InjectedFault] = []
        self._random = random.Random(0)  # noqa: S311 - the same faults in every run, so that a trial can be repeated

    def take(self, operation: str) -> tuple[InjectedFault, ...]:
        """Return the faults that hit a request for this operation (empty without a route)."""
        meant = (fault for fault in self.active if fault.on in (EVERY, operation))
        return tuple(fault for fault in meant if fault.rate >= 1 or self._random.random() < fault.rate)


SPECIFICATION = re.compile(
    r"(?P<kind>latency|status|reset|drop)(?:=(?P<value>[0-9.:]{1,20}))?(?:@(?P<on>[A-Za-z0-9_.]{1,100}))?(?:%(?P<rate>[0-9.]{1,6}))?"
)


def parse_fault(text: str, catalogue: Catalogue) -> InjectedFault:
    """Return one fault of the command line. Raise SaasusMcpError if the text has another form, or names no tool."""
    found = SPECIFICATION.fullmatch(text.strip())
    if found is None:
        raise SaasusMcpError(message("sandbox.not_a_fault", text=text[:80]), message("sandbox.fault_hint"))
    kind, value, on, rate = found["kind"], found["value"], found["on"], found["rate"]
    try:
        fault = _parse_kind(kind, value or "")
        share = float(rate) / 100 if rate else 1.0
    except ValueError:
        raise SaasusMcpError(message("sandbox.fault_number", text=text[:80]), message("sandbox.fault_hint")) from None
    if not 0 < share <= 1:
        raise SaasusMcpError(message("sandbox.fault_share", text=text[:80]), message("sandbox.fault_hint"))
    return replace(fault, on=catalogue.find(on).key if on else EVERY, rate=share)


def _parse_kind(kind: str, value: str) -> InjectedFault:
    """Return the fault of this kind with its value. Raise ValueError if the kind does not take it."""
    if kind == "latency":
        seconds = float(value)
        if 0 < seconds <= MAX_LATENCY_SECONDS:
            return InjectedFault("latency", seconds=seconds)
    elif kind == "status":
        code, _, retry_after = value.partition(":")
        if 400 <= int(code) <= 599:  # noqa: PLR2004 - the statuses of HTTP that tell of a failure
            return InjectedFault("status", status=int(code), retry_after=int(retry_after) if retry_after else None)
    elif not value:
        return InjectedFault("reset" if kind == "reset" else "drop")
    raise ValueError(value)
