"""Reading policy files. A file with a fault does not load: at start-up the server stops, at a reload the old policy stays."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Text
from saasus_mcp.common.messages import Message, Sentences, message
from saasus_mcp.common.terminals import in_terminal
from saasus_mcp.permissions.policy import schema, semantics, yaml_reader
from saasus_mcp.permissions.policy.errors import PolicyError, PolicyFault
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import UnsafeAllowAllPolicy, unwrap_policy
from saasus_mcp.permissions.policy.wrappers import PolicyWrapper

if TYPE_CHECKING:
    from saasus_mcp.settings.environment import Mode

log = logging.getLogger(__name__)

PolicyCheck = Callable[[Policy], None]
"""Raises SaasusMcpError where a sound policy does not go with the settings of a server."""


def load_policy(file: Path, catalogue: Catalogue | None = None, content: bytes | None = None) -> Policy:
    """Return the policy of a file.

    Args:
        catalogue: the known tools; those of this version by default.
        content: of the file, if it was read before.

    Raises:
        PolicyError: the file is unreadable, not YAML, of another form than the schema's, or inconsistent.
    """
    return load_policy_with_notes(file, catalogue, content)[0]


def load_policy_with_notes(
    file: Path, catalogue: Catalogue | None = None, content: bytes | None = None
) -> tuple[Policy, tuple[PolicyFault, ...]]:
    """Return the policy of a file with notes: allowed, but perhaps surprising to its author."""
    document = yaml_reader.read_document(file, content)
    if not isinstance(document.value, dict) or not document.value:
        raise PolicyError(file, [PolicyFault(0, "empty")])
    faults = schema.schema_faults(document, schema.POLICY_SCHEMA) or list(semantics.document_faults(document))
    if faults:
        raise PolicyError(file, faults)
    if semantics.UNSAFE_KEY in document.value:
        return UnsafeAllowAllPolicy(), ()
    reading = semantics.PolicyBuilder(document, catalogue if catalogue is not None else load_catalogue())
    policy = reading.build(file.stem)
    if reading.faults:
        raise PolicyError(file, reading.faults)
    return policy, tuple(reading.notes)


def preset_path(mode: Mode) -> Path:
    return Path(__file__).parent / "presets" / f"{mode}.yaml"


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """The end of a reload: whether the new policy is in force, and a text about it."""

    accepted: bool
    message: Text


class ReloadablePolicy(PolicyWrapper):
    """The policy of a file that can be read again while it is in force.

    Attributes:
        inner: the policy in force.
        file: the policy file.
        content: the bytes of the policy in force.
        read_at: start of the last read, in nanoseconds since the epoch.
        last_result: result of the last reload.
        generation: the number of accepted reloads. What was decided on in another generation is decided on again before it is sent.
    """

    def __init__(self, file: Path, catalogue: Catalogue | None = None, content: bytes | None = None) -> None:
        """Read the file for the first time.

        Args:
            content: of the file, if it was read before.

        Raises:
            PolicyError: the file has a fault.
        """
        self.file = file
        self._catalogue = catalogue
        self._lock = threading.RLock()
        self.read_at = time.time_ns()
        self.content = yaml_reader.read_content(file) if content is None else content
        self.inner = load_policy(file, catalogue, self.content)
        self._check: PolicyCheck = lambda _: None
        self.generation = 0
        self.last_result = self._in_force()
        if list(self._closed()):
            log.info("%s", self.last_result.message.en)

    def add_check(self, fits: PolicyCheck) -> None:
        """Accept from now on only policies that also fit a server's settings.

        Raises:
            SaasusMcpError: the present policy does not.
        """
        with self._lock:
            fits(self.inner)
            self._check = fits

    def reload(self, content: bytes | None = None) -> ReloadResult:
        """Read the file again, and accept it if it is valid and fits. Otherwise the old policy stays. Never raises.

        Args:
            content: of the file, if it was read before.
        """
        with self._lock:
            self.read_at = time.time_ns()
            try:
                content = yaml_reader.read_content(self.file) if content is None else content
                policy = load_policy(self.file, self._catalogue, content)
                self._check(policy)
                self.inner, self.content = policy, content
            except SaasusMcpError as error:
                kept = message("policy.still_in_force", name=self.name, why=error)
                self.last_result = ReloadResult(accepted=False, message=kept.both())
            else:
                self.generation += 1
                self.last_result = self._in_force()
            return self.last_result

    def is_current(self) -> bool:
        """Return whether the file has the content of the policy in force. False if it was edited, or cannot be read."""
        try:
            return yaml_reader.read_content(self.file) == self.content
        except PolicyError:
            return False

    def _in_force(self) -> ReloadResult:
        parts = [message("policy.in_force", name=self.name), *self._closed()]
        if self.announcement:
            parts.append(message("policy.announced", announcement=self.announcement))
        return ReloadResult(accepted=True, message=Sentences(tuple(parts)).both())

    def _closed(self) -> Iterator[Message]:
        """Yield the note about groups whose members only the file lists."""
        if names := tuple(getattr(self.inner, "groups", ())):
            yield message("policy.closed_groups", groups=names)


def reloadable_policy(policy: Policy) -> ReloadablePolicy | None:
    """Return the policy of a file below every ceiling; None if the policy is of no file."""
    inner = unwrap_policy(policy)
    return inner if isinstance(inner, ReloadablePolicy) else None


def log_reload(ended: ReloadResult) -> None:
    log.log(logging.WARNING if ended.accepted else logging.ERROR, "%s", ended.message.en)


def reload_on_sighup(policy: ReloadablePolicy, say: Callable[[ReloadResult], None] = log_reload) -> bool:
    """Reload the policy on SIGHUP, and report the result.

    Returns:
        Whether it will: Windows has no such signal, a terminal sends it when it is closed, and only the main thread can handle it.
    """
    hangup = getattr(signal, "SIGHUP", None)
    if hangup is None or in_terminal() or threading.current_thread() is not threading.main_thread():
        return False

    def heard(*_: object) -> None:
        say(policy.reload())

    signal.signal(hangup, heard)
    return True
