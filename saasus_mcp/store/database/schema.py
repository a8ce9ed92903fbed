"""The tables of a store, the same on SQLite and PostgreSQL. Times are epoch seconds, UTC.

No query names a SaaS: each SaaS has its own file (SQLite) or schema (PostgreSQL).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 3
"""A store of another version is refused."""

metadata = MetaData()

ADDED = {"added": True}
"""Marks a table or index that a database of this version may lack, because an earlier release created it. It is created when the database is
opened."""

versions = Table("versions", metadata, Column("version", Integer, primary_key=True, autoincrement=False))

approvals = Table(
    "approvals",
    metadata,
    Column("code", String(16), primary_key=True),
    Column("binding", String(64), nullable=False, comment="digest of the call: see permissions.approval.proof"),
    Column(
        "subject",
        String(64),
        nullable=False,
        comment="digest of the call and its variations: see permissions.approval.proof",
    ),
    Column("operation", String(80), nullable=False),
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("saas_id", Text, nullable=False),
    Column("name", Text, nullable=False, comment="what a person types to approve"),
    Column("preview", Text, nullable=False, comment="JSON: the question in each language, secrets hidden"),
    Column(
        "bound",
        Text,
        nullable=False,
        comment="JSON: the target's snapshot when requested: see permissions.inspection.snapshot",
    ),
    Column("two_person", Boolean, nullable=False, comment="the requester may not approve it"),
    Column("status", String(10), nullable=False, comment="pending, approved, rejected, used or stale"),
    Column("requested_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_at", Float),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("retry_at", Float, comment="of a rejection: when the call or a variation may be requested again"),
)
Index("approvals_by_subject", approvals.c.subject, approvals.c.retry_at)
Index("approvals_by_binding", approvals.c.binding, approvals.c.status)
Index("approvals_by_principal", approvals.c.principal, approvals.c.status)
Index("approvals_by_end", approvals.c.expires_at)

covered_calls = Table(
    "covered_calls",
    metadata,
    Column("code", String(16), primary_key=True, comment="the approval of a list of calls"),
    Column("subject", String(64), primary_key=True, comment="of a call of the list: see approvals.subject"),
    info=ADDED,
)
Index("covered_calls_by_subject", covered_calls.c.subject)

confirmations = Table(
    "confirmations",
    metadata,
    Column("nonce", String(64), primary_key=True, comment="of a question whose answer was used"),
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
    Column("operation", String(80), nullable=False, comment="whose answer contained it"),
    Column("call", String(40), nullable=False, comment="the call that was answered, as in the audit log"),
)

results = Table(
    "results",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("principal", Text, nullable=False),
    Column("profile", String(80), nullable=False),
    Column("operation", String(80), nullable=False),
    Column("at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column(
        "sealed",
        LargeBinary,
        nullable=False,
        comment="the whole answer, encrypted; last, as SQLite reads it to get behind it",
    ),
)
Index("results_by_principal", results.c.principal, results.c.at)
Index("results_by_end", results.c.expires_at, info=ADDED)

audit = Table(
    "audit",
    metadata,
    Column("writer", String(32), primary_key=True, comment="the chain: one for each process, or several over time"),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="counts from 1 for each writer"),
    Column("at", Float, nullable=False),
    Column("call", String(40), nullable=False),
    Column("event", String(10), nullable=False, comment="begun, ended, refused or decided"),
    Column(
        "record",
        Text,
        nullable=False,
        comment="JSON, secrets removed, long values as digests: see store.audit.excerpts",
    ),
    Column("follows", Text, nullable=False, comment="JSON: heads of other chains that it names; may be empty"),
    Column(
        "mac", String(64), nullable=False, comment="over this record and the one before: see store.audit.hash_chain"
    ),
)
Index("audit_by_time", audit.c.at, audit.c.writer, audit.c.number)

chains = Table(
    "chains",
    metadata,
    Column("writer", String(32), primary_key=True, comment="a chain that may still grow"),
    Column("seen", Integer, nullable=False, comment="number of its last record that another chain names"),
    Column("at", Float, nullable=False, comment="when it last grew"),
)

purged = Table(
    "purged",
    metadata,
    Column("writer", String(32), primary_key=True, comment="a chain whose oldest records were purged"),
    Column("number", Integer, nullable=False, comment="the last record removed"),
    Column("mac", String(64), nullable=False, comment="of the last record removed"),
    Column("at", Float, nullable=False),
    Column("by", Text, nullable=False),
    Column("purge_writer", String(32), nullable=False, comment="with the next two columns: the record of the purge"),
    Column("purge_number", Integer, nullable=False),
    Column("purge_mac", String(64), nullable=False),
    Column("proof", String(64), nullable=False, comment="MAC over the row: see store.audit.hash_chain"),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True, comment="of a key of the records: see store.audit.hash_chain"),
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
    Column("profile", String(80), primary_key=True, comment="the frozen profile; empty for every profile"),
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
    Column("arguments", Text, nullable=False, comment="JSON, without secrets"),
    Column("before", Text, nullable=False, comment="JSON: the state before the call, without secrets"),
    Column("result", Text, comment="JSON: the API's answer, secrets hidden"),
)
Index("journal_by_time", journal.c.at)

undone = Table(
    "undone",
    metadata,
    Column("call", String(40), primary_key=True, comment="the call that was undone"),
    Column("part", Integer, primary_key=True, autoincrement=False, comment="number of the inverse call, from 0"),
    Column("by", String(40), nullable=False, comment="the inverse call"),
)
Index("undone_by", undone.c.by)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True, comment="also the id of the call in the audit log"),
    Column("name", String(80), nullable=False),
    Column("principal", String(200), nullable=False),
    Column("profile", String(80), nullable=False),
    Column("plan", String(64), nullable=False, comment="digest of the approved plan"),
    Column("given", String(12), nullable=False, comment="kind of consent: none, confirmation or approval"),
    Column("typed", Boolean, nullable=False, comment="the person typed a name"),
    Column("by", String(200), nullable=False, comment="the person who consented"),
    Column("status", String(10), nullable=False, comment="running, done, failed or cancelled"),
    Column("cancelling", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Column("ended_at", Float),
    Column("done", Integer, nullable=False, comment="progress, in the unit of the job"),
    Column("total", Integer, comment="end of the progress, if known"),
    Column("report", Text, comment="JSON: the results"),
)
Index("jobs_by_principal", jobs.c.principal, jobs.c.profile, jobs.c.at)

job_steps = Table(
    "job_steps",
    metadata,
    Column("job", String(40), primary_key=True),
    Column("step", String(120), primary_key=True),
    Column("digest", String(64), nullable=False, comment="of the approved operation and arguments"),
    Column("call", String(40), comment="the call that used it; null until then"),
    Column("outcome", String(12), comment="applied, not_applied or unknown; null until the end"),
    Column("said", Text, comment="the error"),
    Column("answer", Text, comment="JSON: the API's answer, secrets hidden"),
)
Index("job_steps_by_call", job_steps.c.call)

job_pauses = Table(
    "job_pauses",
    metadata,
    Column("job", String(40), primary_key=True),
    Column("at", Float, nullable=False),
    Column("by", Text, nullable=False, comment="who paused it, or froze the writes"),
    Column("side", String(8), nullable=False, comment="who may resume it: see store.job_records.PauseSide"),
    info=ADDED,
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True, comment="a process that runs jobs"),
    Column("at", Float, nullable=False, comment="of the last heartbeat"),
)

people = Table(
    "people",
    metadata,
    Column("principal", Text, primary_key=True),
    Column("name", Text, nullable=False, comment="as the identity provider last stated it; may be empty"),
    Column("email", Text, nullable=False, comment="may be empty"),
    Column("seen_at", Float, nullable=False, comment="of the last audit record with them, to the day"),
    info=ADDED,
)

notices = Table(
    "notices",
    metadata,
    Column("id", String(80), primary_key=True, comment="the event; the same in every attempt to send it"),
    Column("kind", String(24), nullable=False, comment="see store.notice_records"),
    Column("profile", String(80), nullable=False, comment="empty for every profile"),
    Column("at", Float, nullable=False),
    Column("data", Text, nullable=False, comment="JSON: references to what happened, no texts"),
    Column("routed", Boolean, nullable=False, comment="its deliveries were created"),
    info=ADDED,
)
Index("notices_by_state", notices.c.routed, notices.c.at)

notice_deliveries = Table(
    "notice_deliveries",
    metadata,
    Column("notice", String(80), primary_key=True),
    Column("channel", String(40), primary_key=True),
    Column("status", String(10), nullable=False, comment="pending, sent, failed or dropped"),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Float, nullable=False, comment="the next attempt; of a claimed delivery, the end of the claim"),
    Column("lease", String(16), nullable=False, comment="of the process that sends it now"),
    Column("error", Text, nullable=False, comment="of the last attempt, without addresses"),
    Column("ended_at", Float),
    info=ADDED,
)
Index("notice_deliveries_by_state", notice_deliveries.c.status, notice_deliveries.c.due_at)

mutes = Table(
    "mutes",
    metadata,
    Column("channel", String(40), primary_key=True),
    Column("profile", String(80), primary_key=True, comment="empty for every profile"),
    Column("until", Float, nullable=False),
    Column("by", Text, nullable=False),
    info=ADDED,
)

mailboxes = Table(
    "mailboxes",
    metadata,
    Column("id", String(32), primary_key=True, comment="of a request in progress at one replica"),
    Column("session", String(32), nullable=False, comment="the session of the request"),
    Column("request", String(64), nullable=False, comment="digest of the request's own id in its session"),
    Column("alive_until", Float, nullable=False, comment="the replica has stopped if it is over"),
    info=ADDED,
)
Index("mailboxes_by_session", mailboxes.c.session, mailboxes.c.request)

mailbox_messages = Table(
    "mailbox_messages",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("mailbox", String(32), nullable=False),
    Column("at", Float, nullable=False),
    Column("sealed", LargeBinary, nullable=False, comment="a message of the client, encrypted"),
    info=ADDED,
)
Index("mailbox_messages_by_mailbox", mailbox_messages.c.mailbox, mailbox_messages.c.at)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("session", String(32), primary_key=True, comment="a session that its client ended"),
    Column("until", Float, nullable=False, comment="when its id expires"),
    info=ADDED,
)
