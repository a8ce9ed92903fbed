"""Hidden secrets: encrypted secrets of answers, each of which a person can reveal once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, insert, select

from saasus_mcp.store.audit.log import AuditLog
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import delete_unlocked
from saasus_mcp.store.database.schema import secrets
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import HiddenSecret

MAX_HIDDEN_SECRETS = 20_000
"""Of one principal at the same time."""


class SecretStore:
    """The hidden secrets of one SaaS."""

    _database: Database
    audit_log: AuditLog

    def add_secrets(self, hidden: list[HiddenSecret], now: float) -> None:
        """Store the hidden secrets of one answer, and delete the expired ones.

        Raises:
            StoreError: the principal has too many secrets that were not revealed.
        """
        with self._database.transaction() as connection:
            connection.execute(delete_unlocked(secrets, secrets.c.expires_at <= now))
            own = select(func.count()).select_from(secrets).where(secrets.c.principal == hidden[0].principal)
            if connection.execute(own).scalar_one() + len(hidden) > MAX_HIDDEN_SECRETS:
                raise StoreError.of("store.too_many_secrets", principal=hidden[0].principal, limit=MAX_HIDDEN_SECRETS)
            connection.execute(insert(secrets), list(map(_row, hidden)))

    def put_back_secret(self, hidden: HiddenSecret, record: Mapping[str, Any], now: float) -> None:
        """Store a secret again that was taken and could not be shown, and record it. It counts toward no limit, as before."""
        with self.audit_log.write_transaction() as connection:
            connection.execute(insert(secrets), [_row(hidden)])
            self.audit_log.append_decision(connection, record, at=now)

    def get_secret(self, identifier: str, now: float) -> HiddenSecret | None:
        """Return an unexpired secret by its id."""
        live = (secrets.c.id == identifier, secrets.c.expires_at > now)
        row = self._database.row(select(secrets).where(*live))
        return HiddenSecret(**row._asdict()) if row is not None else None

    def take_secrets(self, decided: Mapping[str, Mapping[str, Any]], now: float) -> list[str]:
        """Delete secrets that a person is about to see, so that each is revealed once, and record the decisions.

        Args:
            decided: audit record of each decision, by the secret's id.

        Returns:
            The ids of the secrets that existed. The others are not recorded.

        Raises:
            StoreError: the records cannot be written. The secrets are kept, and none may be shown.
        """
        taken = []
        with self.audit_log.write_transaction() as connection:
            for identifier, record in decided.items():
                live = (secrets.c.id == identifier, secrets.c.expires_at > now)
                if connection.execute(delete(secrets).where(*live)).rowcount == 1:
                    self.audit_log.append_decision(connection, record, at=now)
                    taken.append(identifier)
        return taken


def _row(hidden: HiddenSecret) -> dict[str, Any]:
    return {name: getattr(hidden, name) for name in HiddenSecret.__slots__}
