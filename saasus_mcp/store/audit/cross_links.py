"""Links between hash chains: at its start and once an hour, a chain names the heads of the chains that grew since.

The removal of a named record is then detected. The table of growing chains has no MAC: an attacker who can change it could also
have removed the chain before it was named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from saasus_mcp.store.audit.hash_chain import ChainHead
from saasus_mcp.store.database.schema import audit, chains
from saasus_mcp.store.records import DAY

HEADS_PER_RECORD = 50
"""The next record names the remaining heads."""
CHAIN_IDLE_SECONDS = DAY
"""After this time without a record, a writer starts a new chain, so that an old chain is known to be complete."""


def link_other_chains(connection: Connection, writer: str, now: float) -> str:
    """Link the other chains that grew, in the transaction of this writer's next record.

    Returns:
        `follows` of the record: JSON text, or an empty text if no chain grew.
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
        expired = (
            chains.c.at < now - 2 * CHAIN_IDLE_SECONDS,
            chains.c.writer.not_in([writer, *(head.writer for head in heads)]),
        )
        connection.execute(delete(chains).where(*expired))
    if connection.execute(update(chains).where(chains.c.writer == writer).values(at=now)).rowcount == 0:
        connection.execute(insert(chains).values(writer=writer, seen=0, at=now))
    return encode_heads(heads)


def encode_heads(heads: Iterable[ChainHead]) -> str:
    """Return the JSON text of heads, or an empty text."""
    rows = [[head.writer, head.number, head.mac] for head in heads]
    return json.dumps(rows, separators=(",", ":")) if rows else ""
