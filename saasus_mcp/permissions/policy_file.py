"""Reading a policy file. A file with any fault does not load: at start-up that stops the server, later the old one stays."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog import load as load_catalogue
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions import policy_meaning, policy_shape, policy_yaml
from saasus_mcp.permissions.case import Case, CasePolicy, Ceiling, Considered, Decision, Principal, State
from saasus_mcp.permissions.policy import Mode, UnsafeAllowEverything
from saasus_mcp.permissions.policy_faults import Fault, PolicyError

__all__ = ["Fault", "PolicyError", "Reloaded", "Reloading", "load", "note", "on_hangup", "preset", "review"]

log = logging.getLogger(__name__)

Fits = Callable[[CasePolicy], None]
"""Raises SaasusMcpError where a sound policy does not go with the settings of a server."""


def load(file: Path, catalogue: Catalogue | None = None) -> CasePolicy:
    """The policy that a file describes.

    Args:
        catalogue: the tools that there are; left out, those of this version.

    Raises:
        PolicyError: it cannot be read, is not YAML, has another shape than the schema's, or does not make sense.
    """
    return review(file, catalogue)[0]


def review(file: Path, catalogue: Catalogue | None = None) -> tuple[CasePolicy, tuple[Fault, ...]]:
    """As load, with what is no fault but may surprise whoever wrote it."""
    document = policy_yaml.read(file)
    if not isinstance(document.value, dict) or not document.value:
        raise PolicyError(file, [Fault(0, "empty")])
    faults = policy_shape.faults(document, policy_shape.POLICY) or list(policy_meaning.whole(document))
    if faults:
        raise PolicyError(file, faults)
    if policy_meaning.UNSAFE in document.value:
        return UnsafeAllowEverything(), ()
    reading = policy_meaning.Reading(document, catalogue if catalogue is not None else load_catalogue())
    policy = reading.policy(file.stem)
    if reading.faults:
        raise PolicyError(file, reading.faults)
    return policy, tuple(reading.notes)


def preset(mode: Mode) -> Path:
    """The file that a preset is written down in, to be read and copied. The server itself uses policy.PRESETS."""
    return Path(__file__).parent / "presets" / f"{mode}.yaml"


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How a reload ended: whether the new policy is in force, and in words what was found."""

    taken: bool
    said: str


class Reloading:
    """The policy of a file that can be read again while it is in force.

    Attributes:
        file: the one it is read from.
        generation: counts the policies taken; what was worked out under another one (a list of tools) is stale.
        read_at: when the file was last begun to be read: nanoseconds since the epoch.
        last: how that ended.
    """

    def __init__(self, file: Path, catalogue: Catalogue | None = None) -> None:
        """Reads the file for the first time.

        Raises:
            PolicyError: it is not sound.
        """
        self.file = file
        self._catalogue = catalogue
        self._one_at_a_time = threading.RLock()
        self.read_at = time.time_ns()
        self._policy = load(file, catalogue)
        self._fits: Fits = lambda _: None
        self.generation = 0
        self.last = self._in_force()
        if self._closed():
            log.info("%s", self.last.said)

    def require(self, fits: Fits) -> None:
        """From now on take only policies that also fit a server's settings.

        Raises:
            SaasusMcpError: the one in force does not.
        """
        with self._one_at_a_time:
            fits(self._policy)
            self._fits = fits

    def reload(self) -> Reloaded:
        """Take the file as it is now if it is sound and fits; else keep what is in force, and say why. Raises nothing."""
        with self._one_at_a_time:
            self.read_at = time.time_ns()
            try:
                policy = load(self.file, self._catalogue)
                self._fits(policy)
                self._policy = policy
            except SaasusMcpError as error:
                self.last = Reloaded(taken=False, said=f"The policy {self.name!r} stays in force: {error}")
            else:
                self.generation += 1
                self.last = self._in_force()
            return self.last

    def _in_force(self) -> Reloaded:
        loud = f" {self.announcement}." if self.announcement else ""
        return Reloaded(taken=True, said=f"The policy {self.name!r} is in force.{self._closed()}{loud}")

    def _closed(self) -> str:
        """Which groups take nobody whom the file does not list, for the log."""
        names = ", ".join(getattr(self._policy, "groups", ()))
        return f" Membership of these groups is set by the policy file alone: {names}." if names else ""

    @property
    def name(self) -> str:
        return self._policy.name

    @property
    def announcement(self) -> str:
        return self._policy.announcement

    @property
    def two_person(self) -> bool:
        return self._policy.two_person

    @property
    def ceilings(self) -> Mapping[Ceiling, int] | None:
        return self._policy.ceilings

    def needs(self, operation: Operation, principal: Principal, profile: str) -> frozenset[State]:
        """As the policy in force."""
        return self._policy.needs(operation, principal, profile)

    def decide(self, case: Case) -> Decision:
        """As the policy in force."""
        return self._policy.decide(case)

    def could_allow(self, operation: Operation, principal: Principal, profile: str = "") -> bool:
        """As the policy in force."""
        return self._policy.could_allow(operation, principal, profile)

    def explain(self, case: Case) -> tuple[Considered, ...]:
        """As the policy in force."""
        return self._policy.explain(case)


def note(ended: Reloaded) -> None:
    """Log how a reload ended."""
    log.log(logging.WARNING if ended.taken else logging.ERROR, "%s", ended.said)


def on_hangup(policy: Reloading, say: Callable[[Reloaded], None] = note) -> bool:
    """Read the policy again whenever the process gets SIGHUP, and say how that ended.

    Returns:
        Whether it will: Windows has no such signal, and only the main thread can listen for one.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or threading.current_thread() is not threading.main_thread():
        return False

    def heard(*_: object) -> None:
        say(policy.reload())

    signal.signal(hangup, heard)
    return True
