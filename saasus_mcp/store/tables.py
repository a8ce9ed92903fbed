"""The tables, in SQLAlchemy Core, alike on SQLite and PostgreSQL. Times are epoch seconds, UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

approvals = Table(
    "approvals",
    metadata,
    Column("code", String(16), primary_key=True),
    Column("binding", String(64), nullable=False, comment="what the yes is for: see permissions.proof"),
    Column("operation", String(80), nullable=False),
    Column("principal", String(200), nullable=False),
    Column("profile", String(80), nullable=False),
    Column("saas_id", String(200), nullable=False),
    Column("name", Text, nullable=False, comment="what a person types to approve"),
    Column("preview", Text, nullable=False, comment="JSON: the preview in each language, secrets hidden"),
    Column("bound", String(64), nullable=False, comment="digest of the target's bound fields when asked"),
    Column("status", String(10), nullable=False, comment="pending, approved, rejected, used or stale"),
    Column("requested_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_at", Float),
    Column("decided_by", String(200)),
    Column("reason", Text),
)
Index("approvals_by_binding", approvals.c.binding, approvals.c.status)
Index("approvals_by_principal", approvals.c.principal, approvals.c.status)

confirmations = Table(
    "confirmations",
    metadata,
    Column("nonce", String(64), primary_key=True, comment="of a question that was answered and used"),
    Column("used_at", Float, nullable=False),
)

secrets = Table(
    "secrets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("principal", String(200), nullable=False),
    Column("profile", String(80), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Float, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Float, nullable=False),
    Column("call", String(40), nullable=False),
    Column("event", String(10), nullable=False, comment="begun, ended or refused"),
    Column("record", Text, nullable=False, comment="JSON, secrets removed"),
)
Index("audit_by_call", audit.c.call)
