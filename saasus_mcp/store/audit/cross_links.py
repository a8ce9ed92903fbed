"""Chains that name each other: at its start and once an hour, a chain names the heads of those that grew since.

A chain that was named cannot be removed or cut before that place without this being found. Which chains may still grow is
kept in a table without a MAC: who can change that could as well have removed the chain before it was named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.database.schema import audit, chains
from saasus_mcp.store.retention import DAY

HEADS_PER_RECORD = 50
"""Heads that one record names; those left are named by the next."""
CHAIN_IDLE_SECONDS = DAY
"""Seconds without a record after which a writer begins another chain, so that an old one is known to be complete."""


def link_other_chains(connection: Connection, writer: str, now: float) -> str:
    """Name the heads of the other chains that grew, in the transaction of this writer's next record.

    Returns:
        What the record says of it: JSON text, empty where there is nothing to name.
    """
    own = audit.alias()
    last = select(func.max(own.c.number)).where(own.c.writer == chains.c.writer).correlate(chains).scalar_subquery()
    of_last = and_(audit.c.writer == chains.c.writer, audit.c.number == last)
    grown = (
        select(chains.c.writer, audit.c.number, audit.c.mac)
        .select_from(chains.join(audit, of_last))
        .where(audit.c.number > chains.c.seen, chains.c.writer != writer)
        .order_by(chains.c.writer)
        .limit(HEADS_PER_RECORD)
        .with_for_update(of=chains, skip_locked=True)
    )
    heads = [ChainHead(*row) for row in connection.execute(grown)]
    for head in heads:
        connection.execute(update(chains).where(chains.c.writer == head.writer).values(seen=head.number, at=now))
    if len(heads) < HEADS_PER_RECORD:
        over = (
            chains.c.at < now - 2 * CHAIN_IDLE_SECONDS,
            chains.c.writer.not_in([writer, *(head.writer for head in heads)]),
        )
        connection.execute(delete(chains).where(*over))
    if connection.execute(update(chains).where(chains.c.writer == writer).values(at=now)).rowcount == 0:
        connection.execute(insert(chains).values(writer=writer, seen=0, at=now))
    return encode_heads(heads)


def encode_heads(heads: Iterable[ChainHead]) -> str:
    """Heads as a record names them; empty for none."""
    named = [[head.writer, head.number, head.mac] for head in heads]
    return json.dumps(named, separators=(",", ":")) if named else ""
