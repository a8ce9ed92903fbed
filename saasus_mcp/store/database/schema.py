"""The tables, in SQLAlchemy Core, alike on SQLite and PostgreSQL. Times are epoch seconds, UTC.

No query names a SaaS: on SQLite each has a file of its own, on PostgreSQL a schema.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 3
"""Of these tables. A store of another version is refused rather than read wrongly."""

metadata = MetaData()

versions = Table("versions", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

approvals = Table(
    "approvals",
    metadata,
    Column("code", String(16), primary_key=True),
    Column("binding", String(64), nullable=False, comment="what the yes is for: see permissions.proof"),
    Column("subject", String(64), nullable=False, comment="the call and its variations: see permissions.proof"),
    Column("operation", String(80), nullable=False),
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("saas_id", Text, nullable=False),
    Column("name", Text, nullable=False, comment="what a person types to approve"),
    Column("preview", Text, nullable=False, comment="JSON: the preview in each language, secrets hidden"),
    Column("bound", Text, nullable=False, comment="JSON: the target's bound fields when asked: see permissions.bound"),
    Column("two_person", Boolean, nullable=False, comment="whether the requester may not approve it"),
    Column("status", String(10), nullable=False, comment="pending, approved, rejected, used or stale"),
    Column("requested_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_at", Float),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("retry_at", Float, comment="of a rejected one: when the call or a variation of it may be requested again"),
)
Index("approvals_by_subject", approvals.c.subject, approvals.c.retry_at)
Index("approvals_by_binding", approvals.c.binding, approvals.c.status)
Index("approvals_by_principal", approvals.c.principal, approvals.c.status)
Index("approvals_by_end", approvals.c.expires_at)

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
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("operation", String(80), nullable=False, comment="whose answer it was in"),
    Column("call", String(40), nullable=False, comment="the call that was answered, as in the audit"),
)

results = Table(
    "results",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("operation", String(80), nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="the whole answer, encrypted"),
    Column("at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)
Index("results_by_principal", results.c.principal, results.c.at)

audit = Table(
    "audit",
    metadata,
    Column("writer", String(32), primary_key=True, comment="whose chain it is: a process, or a part of its life"),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="counts from 1 for each writer"),
    Column("at", Float, nullable=False),
    Column("call", String(40), nullable=False),
    Column("event", String(10), nullable=False, comment="begun, ended, refused or decided"),
    Column("record", Text, nullable=False, comment="JSON, secrets removed, long values as digests: see store.excerpts"),
    Column("follows", Text, nullable=False, comment="JSON: heads of other chains that it names; empty where none"),
    Column("mac", String(64), nullable=False, comment="over this record and the one before: see store.chain"),
)
Index("audit_by_time", audit.c.at, audit.c.writer, audit.c.number)

chains = Table(
    "chains",
    metadata,
    Column("writer", String(32), primary_key=True, comment="whose chain may still grow"),
    Column("seen", Integer, nullable=False, comment="up to where another chain names it"),
    Column("at", Float, nullable=False, comment="when it was last seen to have grown"),
)

purged = Table(
    "purged",
    metadata,
    Column("writer", String(32), primary_key=True, comment="whose oldest records were purged"),
    Column("number", Integer, nullable=False, comment="the last one removed"),
    Column("mac", String(64), nullable=False, comment="of the last one removed"),
    Column("at", Float, nullable=False),
    Column("by", Text, nullable=False),
    Column("purge_writer", String(32), nullable=False, comment="with the next two: the record of the purge"),
    Column("purge_number", Integer, nullable=False),
    Column("purge_mac", String(64), nullable=False),
    Column("proof", String(64), nullable=False, comment="MAC over all of it: see store.chain"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True, comment="of a key that records were written under: see store.chain"),
)

charges = Table(
    "charges",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("call", String(40), nullable=False),
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("kind", String(12), nullable=False, comment="destructive, users or writes"),
    Column("amount", Integer, nullable=False),
    Column("at", Float, nullable=False),
)
Index("charges_by_principal", charges.c.principal, charges.c.kind, charges.c.at)
Index("charges_by_call", charges.c.call)

freezes = Table(
    "freezes",
    metadata,
    Column("profile", String(80), primary_key=True, comment="whose writes are frozen; empty: those of every profile"),
    Column("at", Float, nullable=False),
    Column("by", Text, nullable=False),
    Column("reason", Text, nullable=False),
)

journal = Table(
    "journal",
    metadata,
    Column("call", String(40), primary_key=True),
    Column("at", Float, nullable=False),
    Column("operation", String(80), nullable=False),
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("arguments", Text, nullable=False, comment="JSON, secrets left out"),
    Column("before", Text, nullable=False, comment="JSON: what was there, secrets left out"),
    Column("result", Text, comment="JSON: what the API answered, secrets hidden"),
)
Index("journal_by_time", journal.c.at)

undone = Table(
    "undone",
    metadata,
    Column("call", String(40), primary_key=True, comment="the call that was undone, or a part of it"),
    Column("part", Integer, primary_key=True, autoincrement=False, comment="which of its inverse calls, from 0"),
    Column("by", String(40), nullable=False, comment="the inverse call"),
)
Index("undone_by", undone.c.by)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True, comment="the call in the audit, too"),
    Column("name", String(80), nullable=False),
    Column("principal", String(200), nullable=False),
    Column("profile", String(80), nullable=False),
    Column("plan", String(64), nullable=False, comment="digest of what a person agreed to"),
    Column("given", String(12), nullable=False, comment="how they did: none, confirmation or approval"),
    Column("typed", Boolean, nullable=False, comment="whether they typed a name"),
    Column("by", String(200), nullable=False, comment="who did"),
    Column("status", String(10), nullable=False, comment="running, done, failed or cancelled"),
    Column("cancelling", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Column("ended_at", Float),
    Column("done", Integer, nullable=False, comment="how far it is, in its own unit"),
    Column("total", Integer, comment="of how many, where that is known"),
    Column("report", Text, comment="JSON: what it came to"),
)
Index("jobs_by_principal", jobs.c.principal, jobs.c.profile, jobs.c.at)

job_steps = Table(
    "job_steps",
    metadata,
    Column("job", String(40), primary_key=True),
    Column("step", String(120), primary_key=True),
    Column("digest", String(64), nullable=False, comment="of the operation and its arguments, as agreed to"),
    Column("call", String(40), comment="which used it up; null as long as none did"),
    Column("outcome", String(12), comment="applied, not_applied or unknown; null as long as it is not over"),
    Column("said", Text, comment="why it failed"),
    Column("answer", Text, comment="JSON: what the API answered, secrets hidden"),
)
Index("job_steps_by_call", job_steps.c.call)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True, comment="a process that runs jobs"),
    Column("at", Float, nullable=False, comment="when it last said that it lives"),
)
