"""Secrets hidden from the model: those of answers become handles that a person can reveal once; others are passed by name."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from saasus_mcp.common.json_tree import map_scalars
from saasus_mcp.common.messages import message
from saasus_mcp.common.person import NOBODY, Person
from saasus_mcp.permissions.approval.action_records import ActionKind, DecidedVia, reveal_action
from saasus_mcp.permissions.refusal import CallRefused, Reason
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.arguments import Arguments, secret_handles
from saasus_mcp.store.records import HiddenSecret

if TYPE_CHECKING:
    from saasus_mcp.store.store import Store

HANDLE_PREFIX = "secret://r/"
REFERENCE_PREFIX = "secret://"
SECRET_LIFETIME = 15 * 60
SECRET_PURPOSE = "secret"  # noqa: S105 - a name, not a secret
SecretReferences = Callable[[str], str | None]
"""The secret of a name that the profile lists, read now; None for any other name."""


def no_references(_: str) -> None:
    """Return no secret, for profiles without references."""


@dataclass(slots=True)
class SecretCollector:
    """Collects the secrets of one answer, and returns the handle for each."""

    collected: list[tuple[str, str]] = field(default_factory=list)

    def add(self, secret: str) -> str:
        """Return the handle of a secret."""
        identifier = secrets.token_hex(12)
        self.collected.append((identifier, secret))
        return HANDLE_PREFIX + identifier


@dataclass(frozen=True, slots=True)
class SecretVault:
    """Hidden secrets of one SaaS, encrypted in the store, bound to principal and profile, for fifteen minutes."""

    store: Store
    encryptor: Encryptor
    clock: Callable[[], float]
    references: SecretReferences = no_references

    def store_secrets(
        self,
        collector: SecretCollector,
        principal: str,
        profile: str,
        lifetime: int = SECRET_LIFETIME,
        *,
        operation: str = "",
        call: str = "",
    ) -> None:
        """Store the secrets of one answer for `lifetime` seconds.

        Args:
            operation, call: of the answer, for the record of who revealed them.

        Raises:
            StoreError: they cannot be stored.
        """
        if not collector.collected:
            return
        now = self.clock()
        kept = [
            HiddenSecret(
                name,
                principal,
                profile,
                self.encryptor.encrypt(secret, SECRET_PURPOSE + name),
                now + lifetime,
                operation,
                call,
            )
            for name, secret in collector.collected
        ]
        self.store.add_secrets(kept, now)

    def reveal(
        self, handle: str, profile: str | None = None, *, by: str, via: DecidedVia, person: Person = NOBODY
    ) -> str:
        """Return the secret of a handle to a person, once, and record it.

        Args:
            profile: the only profile whose secrets this person may see; None for any.
            by, person: the principal, and how people see them.

        Raises:
            CallRefused: the handle is unknown, used or expired.
            StoreError: it cannot be recorded; it can be revealed later.
        """
        return self._take(handle, profile, by=by, via=via, person=person)[1]

    def _take(
        self, handle: str, profile: str | None = None, *, by: str, via: DecidedVia, person: Person
    ) -> tuple[HiddenSecret, str]:
        """Use up a handle. Return the secret as it was stored, and what it hides. See `reveal`."""
        identifier = handle.strip().removeprefix(HANDLE_PREFIX)
        hidden = self.store.get_secret(identifier, self.clock())
        secret = self._opened(hidden if hidden is not None and profile in (None, hidden.profile) else None)
        assert hidden is not None  # noqa: S101 - for the type checker: _opened refuses None
        records = {hidden.id: reveal_action(hidden, by=by, via=via, person=person).to_audit()}
        if not self.store.take_secrets(records, self.clock()):
            raise CallRefused(
                Reason.UNKNOWN, message("permissions.handle_just_revealed"), message("permissions.request_new_hint")
            )
        return hidden, secret

    @contextmanager
    def revealing(self, handle: str, *, by: str, via: DecidedVia, person: Person = NOBODY) -> Iterator[str]:
        """Reveal a secret, and put it back if the block that shows it fails, which is recorded.

        Raises:
            CallRefused, StoreError: as `reveal` does.
        """
        hidden, secret = self._take(handle, by=by, via=via, person=person)
        try:
            yield secret
        except BaseException:
            failed = reveal_action(hidden, ActionKind.REVEAL_FAILED, by=by, via=via, person=person)
            self.store.put_back_secret(hidden, failed.to_audit(), self.clock())
            raise

    def peek(self, handle: str) -> str | None:
        """Return the secret of a valid handle without revealing it, for internal checks only."""
        hidden = self.store.get_secret(handle.removeprefix(HANDLE_PREFIX), self.clock())
        return self._opened(hidden) if hidden is not None else None

    def reveal_all(
        self, handles: Iterable[str], *, by: str, via: DecidedVia, person: Person = NOBODY
    ) -> dict[str, str]:
        """Return the secrets of all valid handles, by handle, each once and recorded.

        Raises:
            StoreError: they cannot be recorded; none is revealed, and all can be later.
        """
        found: dict[str, tuple[HiddenSecret, str]] = {}
        for handle in handles:
            hidden = self.store.get_secret(handle.removeprefix(HANDLE_PREFIX), self.clock())
            if hidden is not None:
                found[handle] = hidden, self._opened(hidden)
        records = {
            hidden.id: reveal_action(hidden, by=by, via=via, person=person).to_audit() for hidden, _ in found.values()
        }
        taken = set(self.store.take_secrets(records, self.clock())) if records else set()
        return {handle: secret for handle, (hidden, secret) in found.items() if hidden.id in taken}

    def resolve(self, arguments: Arguments, principal: str, profile: str) -> Arguments:
        """Return the arguments with handles and names replaced by their secrets, for the request only.

        Raises:
            CallRefused: a handle or name is unknown here, or expired.
            SaasusMcpError: a name is known, but its secret cannot be read.
        """
        known = {handle: self._secret(handle, principal, profile) for handle in secret_handles(arguments)}
        if not known:
            return arguments
        return Arguments(
            map_scalars(dict(arguments), lambda item: known.get(item, item) if isinstance(item, str) else item)
        )

    def _secret(self, handle: str, principal: str, profile: str) -> str:
        if not handle.startswith(HANDLE_PREFIX):
            return self._named(handle)
        hidden = self.store.get_secret(handle.removeprefix(HANDLE_PREFIX), self.clock())
        if hidden is not None and (hidden.principal, hidden.profile) != (principal, profile):
            hidden = None
        return self._opened(hidden)

    def _named(self, reference: str) -> str:
        secret = self.references(reference.removeprefix(REFERENCE_PREFIX))
        if secret is None:
            raise CallRefused.because(Reason.UNKNOWN, "permissions.unknown_secret_name")
        return secret

    def _opened(self, hidden: HiddenSecret | None) -> str:
        secret = self.encryptor.decrypt(hidden.sealed, SECRET_PURPOSE + hidden.id) if hidden else None
        if not isinstance(secret, str):
            raise CallRefused(
                Reason.UNKNOWN, message("permissions.unknown_handle"), message("permissions.request_new_hint")
            )
        return secret
