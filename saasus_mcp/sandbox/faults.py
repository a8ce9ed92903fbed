"""How the sandbox misbehaves on demand, so that fault handling is tried against the real thing."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.errors import SaasusMcpError

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
LONGEST = 600.0
"""Seconds of latency that can be asked for."""
DEED_DONE: frozenset[str] = frozenset({"broken_json", "empty", "reset_after"})
"""Kinds after which the deed was done, unless the fault says otherwise."""
DRIFT: frozenset[str] = frozenset({"extra_field", "missing_field", "wrong_type"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave.

    Attributes:
        kind: what happens. `status` answers `status`; `latency` waits `seconds` and then answers as usual; the kinds of
            drift change one field of a good answer.
        done: whether the operation is carried out all the same.
        seconds: how long `latency` waits.
        status: 500, 429 or another.
        retry_after: seconds that go into a Retry-After header.
        field: the field that drift changes: of the answer, or of the first item of its list. The first one if empty.
    """

    kind: Kind
    done: bool
    seconds: float = 0.0
    status: int = 500
    retry_after: int | None = None
    field: str = ""


@dataclass(slots=True)
class _Told:
    fault: Fault
    on: str
    left: int | None
    rate: float


class Faults:
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
        """Misbehave from now on.

        Args:
            kind: what happens; see Fault.
            on: the key of the operation (`auth.DeleteTenant`) to which it happens; every request if left out.
            times: to how many requests; until cleared if left out.
            done: whether the deed is done all the same; by default after broken_json, empty and reset_after, and where
                the answer is merely late or has drifted.
            seconds: how long latency lasts.
            status: which status is answered.
            retry_after: seconds for a Retry-After header.
            field: which field drifts.
            rate: the share of the requests that are hit, from 0 to 1.
        """
        carried_out = kind in DEED_DONE | DRIFT | {"latency"} if done is None else done
        self._told.append(_Told(Fault(kind, carried_out, seconds, status, retry_after, field), on, times, rate))

    def clear(self, on: str | None = None) -> None:
        """Behave again: wholly, or for what was told of one operation."""
        self._told = [] if on is None else [told for told in self._told if told.on != on]

    def take(self, operation: str) -> tuple[Fault, ...]:
        """The faults that hit a request for this operation (empty where there is no route), each counted."""
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
FORM = (
    "Write latency=SECONDS, status=CODE or status=CODE:RETRY_AFTER_SECONDS, reset or drop, optionally followed by @TOOL for one tool "
    "and %PERCENT for a share of the requests: latency=2@auth_get_tenant%50."
)


def parsed(text: str, catalogue: Catalogue) -> dict[str, Any]:
    """Return the arguments of `Faults.add` for one fault as the command line takes it.

    `reset` cuts the connection after the operation is carried out, `drop` leaves the request without an answer.

    Raises:
        SaasusMcpError: the text has another form, or names no tool.
    """
    found = SPECIFICATION.fullmatch(text.strip())
    if found is None:
        raise SaasusMcpError(f"{text[:80]!r} is not a fault.", FORM)
    kind, value, on, rate = found["kind"], found["value"], found["on"], found["rate"]
    try:
        told = _VALUES[kind](value or "")
        share = float(rate) / 100 if rate else 1.0
    except ValueError:
        raise SaasusMcpError(f"{text[:80]!r} is not a fault: its number is invalid.", FORM) from None
    if not 0 < share <= 1:
        raise SaasusMcpError(f"{text[:80]!r} is not a fault: the share is more than 0 and at most 100 percent.", FORM)
    return {**told, "on": catalogue.find(on).key if on else EVERY, "rate": share}


def _latency(value: str) -> dict[str, Any]:
    seconds = float(value)
    if not 0 < seconds <= LONGEST:
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
