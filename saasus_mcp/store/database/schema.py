"""The tables of a store, the same on SQLite and PostgreSQL. Times are epoch seconds, UTC.

No query names a SaaS: each SaaS has its own file (SQLite) or schema (PostgreSQL).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION = 3
"""A store of another version is refused."""

metadata = MetaData()
required = partial(Column, nullable=False)
"""Returns a column that always has a value."""

ADDED = {"added": True}
"""Marks a table or index that a database of this version may lack, because an earlier release created it. It is created when the database is
opened."""


def _table(name: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns)


def _added(name: str, *columns: Column[Any]) -> Table:
    return Table(name, metadata, *columns, info=ADDED)


versions = _table("versions", Column("version", Integer, primary_key=True, autoincrement=False))

approvals = _table(
    "approvals",
    Column("code", String(16), primary_key=True),
    required("binding", String(64), comment="digest of the call: see permissions.approval.proof"),
    required("subject", String(64), comment="digest of the call and its variations: see permissions.approval.proof"),
    required("operation", String(80)),
    required("principal", Text),
    required("profile", String(80)),
    required("saas_id", Text),
    required("name", Text, comment="what a person types to approve"),
    required("preview", Text, comment="JSON: the question in each language, secrets hidden"),
    required("bound", Text, comment="JSON: the target's snapshot when requested: see permissions.inspection.target"),
    required("two_person", Boolean, comment="the requester may not approve it"),
    required("status", String(10), comment="pending, approved, rejected, used or stale"),
    required("requested_at", Float),
    required("expires_at", Float),
    Column("decided_at", Float),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("retry_at", Float, comment="of a rejection: when the call or a variation may be requested again"),
)
Index("approvals_by_subject", approvals.c.subject, approvals.c.retry_at)
Index("approvals_by_binding", approvals.c.binding, approvals.c.status)
Index("approvals_by_principal", approvals.c.principal, approvals.c.status)
Index("approvals_by_end", approvals.c.expires_at)

covered_calls = _added(
    "covered_calls",
    Column("code", String(16), primary_key=True, comment="the approval of a list of calls"),
    Column("subject", String(64), primary_key=True, comment="of a call of the list: see approvals.subject"),
)
Index("covered_calls_by_subject", covered_calls.c.subject)

confirmations = _table(
    "confirmations",
    Column("nonce", String(64), primary_key=True, comment="of a question whose answer was used"),
    required("used_at", Float),
)

secrets = _table(
    "secrets",
    Column("id", String(32), primary_key=True),
    required("principal", Text),
    required("profile", String(80)),
    required("sealed", LargeBinary),
    required("expires_at", Float),
    required("operation", String(80), comment="whose answer contained it"),
    required("call", String(40), comment="the call that was answered, as in the audit log"),
)

results = _table(
    "results",
    Column("id", String(32), primary_key=True),
    required("principal", Text),
    required("profile", String(80)),
    required("operation", String(80)),
    required("at", Float),
    required("expires_at", Float),
    required("sealed", LargeBinary, comment="the whole answer, encrypted; last, as SQLite reads it to get behind it"),
)
Index("results_by_principal", results.c.principal, results.c.at)
Index("results_by_end", results.c.expires_at, info=ADDED)

audit = _table(
    "audit",
    Column("writer", String(32), primary_key=True, comment="the chain: one for each process, or several over time"),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="counts from 1 for each writer"),
    required("at", Float),
    required("call", String(40)),
    required("event", String(10), comment="begun, ended, refused or decided"),
    required("record", Text, comment="JSON, secrets removed, long values as digests: see store.audit.excerpts"),
    required("follows", Text, comment="JSON: heads of other chains that it names; may be empty"),
    required("mac", String(64), comment="over this record and the one before: see store.audit.hash_chain"),
)
Index("audit_by_time", audit.c.at, audit.c.writer, audit.c.number)

chains = _table(
    "chains",
    Column("writer", String(32), primary_key=True, comment="a chain that may still grow"),
    required("seen", Integer, comment="number of its last record that another chain names"),
    required("at", Float, comment="when it last grew"),
)

purged = _table(
    "purged",
    Column("writer", String(32), primary_key=True, comment="a chain whose oldest records were purged"),
    required("number", Integer, comment="the last record removed"),
    required("mac", String(64), comment="of the last record removed"),
    required("at", Float),
    required("by", Text),
    required("purge_writer", String(32), comment="with the next two columns: the record of the purge"),
    required("purge_number", Integer),
    required("purge_mac", String(64)),
    required("proof", String(64), comment="MAC over the row: see store.audit.hash_chain"),
)

keys = _table(
    "keys",
    Column("id", String(16), primary_key=True, comment="of a key of the records: see store.audit.hash_chain"),
)

costs = _table(
    "charges",  # the name that stores of earlier releases have
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    required("call", String(40)),
    required("principal", Text),
    required("profile", String(80)),
    required("kind", String(12), comment="destructive, users or writes"),
    required("amount", Integer),
    required("at", Float),
)
Index("charges_by_principal", costs.c.principal, costs.c.kind, costs.c.at)
Index("charges_by_call", costs.c.call)

freezes = _table(
    "freezes",
    Column("profile", String(80), primary_key=True, comment="the frozen profile; empty for every profile"),
    required("at", Float),
    required("by", Text),
    required("reason", Text),
)

journal = _table(
    "journal",
    Column("call", String(40), primary_key=True),
    required("at", Float),
    required("operation", String(80)),
    required("principal", Text),
    required("profile", String(80)),
    required("arguments", Text, comment="JSON, without secrets"),
    required("before", Text, comment="JSON: the state before the call, without secrets"),
    Column("result", Text, comment="JSON: the API's answer, secrets hidden"),
)
Index("journal_by_time", journal.c.at)

change_names = _added(
    "change_names",
    Column("call", String(40), primary_key=True),
    required("target", Text, comment="what people call the target of a change of the undo log"),
    required("names", Text, comment="JSON: what people call the items that its arguments refer to"),
)

undone = _table(
    "undone",
    Column("call", String(40), primary_key=True, comment="the call that was undone"),
    Column("part", Integer, primary_key=True, autoincrement=False, comment="number of the inverse call, from 0"),
    required("by", String(40), comment="the inverse call"),
)
Index("undone_by", undone.c.by)

jobs = _table(
    "jobs",
    Column("id", String(40), primary_key=True, comment="also the id of the call in the audit log"),
    required("name", String(80)),
    required("principal", String(200)),
    required("profile", String(80)),
    required("plan", String(64), comment="digest of the approved plan"),
    required("given", String(12), comment="kind of consent: none, confirmation or approval"),
    required("typed", Boolean, comment="the person typed a name"),
    required("by", String(200), comment="the person who consented"),
    required("status", String(10), comment="running, done, failed or cancelled"),
    required("cancelling", Boolean),
    required("at", Float),
    Column("ended_at", Float),
    required("done", Integer, comment="progress, in the unit of the job"),
    Column("total", Integer, comment="end of the progress, if known"),
    Column("report", Text, comment="JSON: the results"),
)
Index("jobs_by_principal", jobs.c.principal, jobs.c.profile, jobs.c.at)

job_steps = _table(
    "job_steps",
    Column("job", String(40), primary_key=True),
    Column("step", String(120), primary_key=True),
    required("digest", String(64), comment="of the approved operation and arguments"),
    Column("call", String(40), comment="the call that used it; null until then"),
    Column("outcome", String(12), comment="applied, not_applied or unknown; null until the end"),
    Column("said", Text, comment="the error"),
    Column("answer", Text, comment="JSON: the API's answer, secrets hidden"),
)
Index("job_steps_by_call", job_steps.c.call)

job_pauses = _added(
    "job_pauses",
    Column("job", String(40), primary_key=True),
    required("at", Float),
    required("by", Text, comment="who paused it, or froze the writes"),
    required("side", String(8), comment="who may resume it: see store.job_records.PauseSide"),
)

workers = _table(
    "workers",
    Column("id", String(40), primary_key=True, comment="a process that runs jobs"),
    required("at", Float, comment="of the last heartbeat"),
)

people = _added(
    "people",
    Column("principal", Text, primary_key=True),
    required("name", Text, comment="as the identity provider last stated it; may be empty"),
    required("email", Text, comment="may be empty"),
    required("seen_at", Float, comment="of the last audit record with them, to the day"),
)

notices = _added(
    "notices",
    Column("id", String(80), primary_key=True, comment="the event; the same in every attempt to send it"),
    required("kind", String(24), comment="see store.notice_records"),
    required("profile", String(80), comment="empty for every profile"),
    required("at", Float),
    required("data", Text, comment="JSON: references to what happened, no texts"),
    required("routed", Boolean, comment="its deliveries were created"),
)
Index("notices_by_state", notices.c.routed, notices.c.at)

notice_deliveries = _added(
    "notice_deliveries",
    Column("notice", String(80), primary_key=True),
    Column("channel", String(40), primary_key=True),
    required("status", String(10), comment="pending, sent, failed or dropped"),
    required("attempts", Integer),
    required("due_at", Float, comment="the next attempt; of a claimed delivery, the end of the claim"),
    required("lease", String(16), comment="of the process that sends it now"),
    required("error", Text, comment="of the last attempt, without addresses"),
    Column("ended_at", Float),
)
Index("notice_deliveries_by_state", notice_deliveries.c.status, notice_deliveries.c.due_at)

mutes = _added(
    "mutes",
    Column("channel", String(40), primary_key=True),
    Column("profile", String(80), primary_key=True, comment="empty for every profile"),
    required("until", Float),
    required("by", Text),
)

mailboxes = _added(
    "mailboxes",
    Column("id", String(32), primary_key=True, comment="of a request in progress at one replica"),
    required("session", String(32), comment="the session of the request"),
    required("request", String(64), comment="digest of the request's own id in its session"),
    required("alive_until", Float, comment="the replica has stopped if it is over"),
)
Index("mailboxes_by_session", mailboxes.c.session, mailboxes.c.request)

mailbox_messages = _added(
    "mailbox_messages",
    Column("id", String(32), primary_key=True),
    required("mailbox", String(32)),
    required("at", Float),
    required("sealed", LargeBinary, comment="a message of the client, encrypted"),
)
Index("mailbox_messages_by_mailbox", mailbox_messages.c.mailbox, mailbox_messages.c.at)

ended_sessions = _added(
    "ended_sessions",
    Column("session", String(32), primary_key=True, comment="a session that its client ended"),
    required("until", Float, comment="when its id expires"),
)
