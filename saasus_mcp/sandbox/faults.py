"""How the sandbox misbehaves on demand, so that fault handling is tried against the real thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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


class Faults:
    """The faults in force, which may be changed at any time.

    `faults.add("reset_after", on="auth.DeleteTenant", times=1)` cuts the connection once, after the tenant is gone.
    """

    def __init__(self) -> None:
        self._told: list[_Told] = []

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
        """
        carried_out = kind in DEED_DONE | DRIFT | {"latency"} if done is None else done
        self._told.append(_Told(Fault(kind, carried_out, seconds, status, retry_after, field), on, times))

    def clear(self, on: str | None = None) -> None:
        """Behave again: wholly, or for what was told of one operation."""
        self._told = [] if on is None else [told for told in self._told if told.on != on]

    def take(self, operation: str) -> tuple[Fault, ...]:
        """The faults that hit a request for this operation (empty where there is no route), each counted."""
        hit = [told for told in self._told if told.on in (EVERY, operation)]
        for told in hit:
            if told.left is not None:
                told.left -= 1
        self._told = [told for told in self._told if told.left is None or told.left > 0]
        return tuple(told.fault for told in hit)
