"""The store over one SQLAlchemy engine: SQLite on one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, delete, event, func, insert, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from saasus_mcp.store.files import StoreError, prepare
from saasus_mcp.store.records import AlreadyUsed, Approval, HiddenSecret, Spend, Status
from saasus_mcp.store.tables import approvals, audit, confirmations, metadata, secrets

Record = Mapping[str, Any]
BUSY_SECONDS = 5


class Store:
    """Approvals, used confirmations, hidden secrets and the audit.

    Every method is one transaction and raises StoreError where the database cannot do it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        with self._transaction() as connection:
            metadata.create_all(connection)

    @classmethod
    def in_memory(cls) -> Store:
        """A store that ends with the process."""
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        return cls(_tuned(engine))

    @classmethod
    def at(cls, folder: Path, saas_id: str) -> Store:
        """The store of one SaaS in a folder, made where it is missing.

        Raises:
            StoreError: the folder or the file cannot be made or written.
        """
        return cls.open(prepare(folder, saas_id))

    @classmethod
    def open(cls, file: Path) -> Store:
        """The store in this file."""
        return cls(_tuned(create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False})))

    def close(self) -> None:
        self._engine.dispose()

    # -- calls -----------------------------------------------------------------------------------------------------

    def commit(self, call: str, record: Record, at: float, spend: Spend | None = None) -> None:
        """Step 6 of a call, in one transaction: use up the yes and begin the audit. Only then may the request go.

        Raises:
            AlreadyUsed: the yes holds no more; nothing was written.
        """
        with self._transaction() as connection:
            if spend is not None:
                _use(connection, spend, at)
            _note(connection, call, "begun", record, at)

    def end(self, call: str, record: Record, at: float) -> None:
        """Step 9 of a call: how it ended."""
        with self._transaction() as connection:
            _note(connection, call, "ended", record, at)

    def refuse(self, call: str, record: Record, at: float) -> None:
        """A call that was not sent, and why."""
        with self._transaction() as connection:
            _note(connection, call, "refused", record, at)

    def audited(self) -> list[dict[str, Any]]:
        """Every audit record, oldest first."""
        with self._transaction() as connection:
            rows = connection.execute(select(audit).order_by(audit.c.seq))
            return [{"call": row.call, "event": row.event, "at": row.at, **json.loads(row.record)} for row in rows]

    # -- approvals -------------------------------------------------------------------------------------------------

    def request_approval(self, wanted: Approval, most_pending: int) -> Approval | None:
        """The live approval of this binding, or the wanted one stored as pending; None where too many are pending."""
        with self._transaction() as connection:
            _expire(connection, wanted.requested_at)
            live = connection.execute(
                select(approvals)
                .where(approvals.c.binding == wanted.binding, approvals.c.status.in_(("pending", "approved")))
                .order_by(approvals.c.requested_at.desc())
            ).first()
            if live is not None:
                return Approval(**live._asdict())
            mine = (approvals.c.principal == wanted.principal, approvals.c.status == "pending")
            if (
                connection.execute(select(func.count()).select_from(approvals).where(*mine)).scalar_one()
                >= most_pending
            ):
                return None
            connection.execute(insert(approvals).values(**{name: getattr(wanted, name) for name in _COLUMNS}))
            return wanted

    def approvals(self, now: float, binding: str | None = None) -> list[Approval]:
        """The approvals asked for, newest first: all, or those of one binding. What has expired is marked stale first."""
        query = select(approvals).order_by(approvals.c.requested_at.desc())
        with self._transaction() as connection:
            _expire(connection, now)
            rows = connection.execute(query if binding is None else query.where(approvals.c.binding == binding))
            return [Approval(**row._asdict()) for row in rows]

    def decide(
        self, code: str, status: Status, *, by: str, at: float, expires_at: float, reason: str | None = None
    ) -> bool:
        """Approve or reject a pending approval. False where it is pending no more."""
        with self._transaction() as connection:
            _expire(connection, at)
            values = {"status": status, "decided_at": at, "decided_by": by, "expires_at": expires_at, "reason": reason}
            pending = (approvals.c.code == code, approvals.c.status == "pending")
            return connection.execute(update(approvals).where(*pending).values(**values)).rowcount == 1

    def withdraw(self, code: str) -> None:
        """Void an approval whose ground has changed, so that it can be asked for anew."""
        with self._transaction() as connection:
            live = approvals.c.status.in_(("pending", "approved"))
            connection.execute(update(approvals).where(approvals.c.code == code, live).values(status="stale"))

    # -- secrets ---------------------------------------------------------------------------------------------------

    def keep_secrets(self, hidden: list[HiddenSecret], now: float) -> None:
        """Keep the hidden secrets of one answer, and forget those whose time is over."""
        with self._transaction() as connection:
            connection.execute(delete(secrets).where(secrets.c.expires_at <= now))
            rows = [{name: getattr(secret, name) for name in HiddenSecret.__slots__} for secret in hidden]
            connection.execute(insert(secrets), rows)

    def secret(self, identifier: str, now: float, *, take: bool = False) -> HiddenSecret | None:
        """A hidden secret by its id while it lasts; with `take` it is forgotten, so that it is revealed once."""
        with self._transaction() as connection:
            live = (secrets.c.id == identifier, secrets.c.expires_at > now)
            row = connection.execute(select(secrets).where(*live)).first()
            if row is not None and take:
                connection.execute(delete(secrets).where(secrets.c.id == identifier))
            return HiddenSecret(**row._asdict()) if row is not None else None

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            said = str(getattr(error, "orig", None) or type(error).__name__)
            raise StoreError(
                f"The store cannot be used: {said}.", "See that the disk is writable and not full."
            ) from None


_COLUMNS = tuple(column.name for column in approvals.columns)


def _note(connection: Connection, call: str, happened: str, record: Record, at: float) -> None:
    text = json.dumps(dict(record), ensure_ascii=False, separators=(",", ":"), default=str)
    connection.execute(insert(audit).values(call=call, event=happened, record=text, at=at))


def _use(connection: Connection, spend: Spend, at: float) -> None:
    """Use up a yes; of two that try at once, one succeeds."""
    if spend.kind == "confirmation":
        try:
            connection.execute(insert(confirmations).values(nonce=spend.id, used_at=at))
        except IntegrityError:
            raise AlreadyUsed("This confirmation was used before.", "Ask again.") from None
        return
    ready = (approvals.c.code == spend.id, approvals.c.status == "approved", approvals.c.expires_at > at)
    if connection.execute(update(approvals).where(*ready).values(status="used")).rowcount != 1:
        raise AlreadyUsed("This approval was used before or has expired.", "Ask again.")


def _expire(connection: Connection, now: float) -> None:
    """Approvals whose time is over are stale. A rejected one stays rejected until its waiting time is over."""
    over = (approvals.c.status.in_(("pending", "approved", "rejected")), approvals.c.expires_at <= now)
    connection.execute(update(approvals).where(*over).values(status="stale"))


def _tuned(engine: Engine) -> Engine:
    """SQLite that several processes can share: write-ahead log, waiting for a lock, and transactions that own it.

    A transaction begins IMMEDIATE, so that what it reads cannot change before what it then writes.
    """

    @event.listens_for(engine, "connect")
    def _(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={BUSY_SECONDS * 1000}"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
