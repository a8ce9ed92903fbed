"""Faults on demand, to try fault handling against the real thing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message

Kind = Literal[
    "latency",
    "status",
    "html",
    "broken_json",
    "empty",
    "reset_before",
    "reset_after",
    "hang",
    "extra_field",
    "missing_field",
    "wrong_type",
]
EVERY = "*"
MAX_LATENCY_SECONDS = 600.0
APPLIED_KINDS: frozenset[str] = frozenset({"broken_json", "empty", "reset_after"})
"""Kinds after which the operation has run, unless the fault says otherwise."""
DRIFT: frozenset[str] = frozenset({"extra_field", "missing_field", "wrong_type"})


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """One kind of misbehaviour.

    Attributes:
        kind: what happens. `status` answers `status`; `latency` waits `seconds` and then answers as usual; the kinds of
            drift change one field of a good answer.
        done: whether the operation runs nevertheless.
        seconds: how long `latency` waits.
        status: 500, 429 or another.
        retry_after: seconds for a Retry-After header.
        field: the field that drifts: of the answer, or of the first item of its list. The first field if empty.
    """

    kind: Kind
    done: bool
    seconds: float = 0.0
    status: int = 500
    retry_after: int | None = None
    field: str = ""


@dataclass(slots=True)
class _Told:
    fault: InjectedFault
    on: str
    left: int | None
    rate: float


class FaultInjector:
    """The faults in force, which may be changed at any time.

    `faults.add("reset_after", on="auth.DeleteTenant", times=1)` cuts the connection once, after the tenant is gone.
    """

    def __init__(self) -> None:
        self._told: list[_Told] = []
        self._random = random.Random(0)  # noqa: S311 - the same faults in every run, so that a trial can be repeated

    def add(
        self,
        kind: Kind,
        *,
        on: str = EVERY,
        times: int | None = None,
        done: bool | None = None,
        seconds: float = 0.0,
        status: int = 500,
        retry_after: int | None = None,
        field: str = "",
        rate: float = 1.0,
    ) -> None:
        """Add a fault.

        Args:
            kind: what happens; seconds, status, retry_after, field: see `InjectedFault`.
            on: the key of the operation (`auth.DeleteTenant`); every request by default.
            times: the number of requests; unlimited by default.
            done: whether the operation runs nevertheless; by default after broken_json, empty and reset_after, and where
                the answer is only late or drifts.
            rate: the share of the requests that are hit, from 0 to 1.
        """
        carried_out = kind in APPLIED_KINDS | DRIFT | {"latency"} if done is None else done
        self._told.append(_Told(InjectedFault(kind, carried_out, seconds, status, retry_after, field), on, times, rate))

    def clear(self, on: str | None = None) -> None:
        """Remove all faults, or those of one operation."""
        self._told = [] if on is None else [told for told in self._told if told.on != on]

    def take(self, operation: str) -> tuple[InjectedFault, ...]:
        """Return the faults that hit a request for this operation (empty without a route), and count each."""
        meant = (told for told in self._told if told.on in (EVERY, operation))
        hit = [told for told in meant if told.rate >= 1 or self._random.random() < told.rate]
        for told in hit:
            if told.left is not None:
                told.left -= 1
        self._told = [told for told in self._told if told.left is None or told.left > 0]
        return tuple(told.fault for told in hit)


SPECIFICATION = re.compile(
    r"(?P<kind>latency|status|reset|drop)(?:=(?P<value>[0-9.:]{1,20}))?(?:@(?P<on>[A-Za-z0-9_.]{1,100}))?(?:%(?P<rate>[0-9.]{1,6}))?"
)


def parse_fault(text: str, catalogue: Catalogue) -> dict[str, Any]:
    """Return the arguments of `Faults.add` for one fault of the command line.

    `reset` cuts the connection after the operation ran, `drop` leaves the request without an answer.

    Raises:
        SaasusMcpError: the text has another form, or names no tool.
    """
    found = SPECIFICATION.fullmatch(text.strip())
    if found is None:
        raise SaasusMcpError(message("sandbox.not_a_fault", text=text[:80]), message("sandbox.fault_hint"))
    kind, value, on, rate = found["kind"], found["value"], found["on"], found["rate"]
    try:
        told = _VALUES[kind](value or "")
        share = float(rate) / 100 if rate else 1.0
    except ValueError:
        raise SaasusMcpError(message("sandbox.fault_number", text=text[:80]), message("sandbox.fault_hint")) from None
    if not 0 < share <= 1:
        raise SaasusMcpError(message("sandbox.fault_share", text=text[:80]), message("sandbox.fault_hint"))
    return {**told, "on": catalogue.find(on).key if on else EVERY, "rate": share}


def _latency(value: str) -> dict[str, Any]:
    seconds = float(value)
    if not 0 < seconds <= MAX_LATENCY_SECONDS:
        raise ValueError(value)
    return {"kind": "latency", "seconds": seconds}


def _status(value: str) -> dict[str, Any]:
    code, _, retry_after = value.partition(":")
    if not 400 <= int(code) <= 599:  # noqa: PLR2004 - the statuses of HTTP that tell of a failure
        raise ValueError(value)
    return {"kind": "status", "status": int(code), "retry_after": int(retry_after) if retry_after else None}


def _without_value(kind: Kind, value: str) -> dict[str, Any]:
    if value:
        raise ValueError(value)
    return {"kind": kind}


_VALUES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "latency": _latency,
    "status": _status,
    "reset": lambda value: _without_value("reset_after", value),
    "drop": lambda value: _without_value("hang", value),
}
