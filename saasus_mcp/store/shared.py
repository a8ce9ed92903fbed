"""The stores in one PostgreSQL database, a schema for each SaaS, shared by every server that is given its address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec

from sqlalchemy import Column, Integer, MetaData, Table, inspect

from saasus_mcp.store import accounts
from saasus_mcp.store.brakes import Brake
from saasus_mcp.store.chain import Keys
from saasus_mcp.store.database import Database
from saasus_mcp.store.files import StoreError, stem
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import EACH
from saasus_mcp.store.tables import freezes

COMMON, ACCOUNTS, JOBS = "saasus_mcp", "saasus_mcp_accounts", "saasus_mcp_jobs"
DECISIONS = "saasus_mcp_decisions"
LONGEST_SHOWN = 32
"""Characters of a SaaS id in the name of its schema, which PostgreSQL would cut off after 63."""
VERSION = 2

metadata = MetaData(schema=COMMON)
Table("versions", metadata, Column("version", Integer, primary_key=True, autoincrement=False))
EVERYWHERE = Brake(freezes.to_metadata(metadata, schema=COMMON))
"""The freeze of the whole database, in a table like that of each store."""


class Shared:
    """See `Stores`.

    Args:
        url: of the database.
        keys: of the audit.

    Raises:
        StoreError: the address cannot be read, or there is nothing here that speaks to PostgreSQL.
    """

    shared = True

    def __init__(self, url: str, keys: Callable[[], Keys]) -> None:
        if find_spec("psycopg") is None:
            raise StoreError(
                "SAASUS_MCP_DATABASE_URL is set, but the PostgreSQL driver is not installed.",
                "Install saasus-mcp[hosted].",
            )
        from saasus_mcp.store import postgres  # noqa: PLC0415 - of an extra that not everybody has

        self._engine = postgres.engine(url)
        self._keys = keys
        self._common: Database | None = None

    @property
    def names(self) -> list[str]:
        with self._database().transaction() as connection:
            return sorted(name for name in inspect(connection).get_schema_names() if name.startswith(EACH))

    @property
    def audits(self) -> list[str]:
        with self._database().transaction() as connection:
            there = DECISIONS in inspect(connection).get_schema_names()
        return [*self.names, *([DECISIONS] if there else [])]

    def open(self, name: str) -> Store:
        self._database()
        return Store(Database(self._engine, schema=name), self._keys(), EVERYWHERE.present, name)

    def of(self, saas_id: str) -> Store:
        return self.open(EACH + stem(saas_id, LONGEST_SHOWN).lower())

    def decisions(self) -> Store:
        return self.open(DECISIONS)

    def require_key(self, saas_id: str) -> None:
        with closing(self.of(saas_id)) as own:
            if own.trail.require_key():
                return
        for name in self.audits:
            with closing(self.open(name)) as other:
                other.trail.require_key()

    def accounts(self) -> accounts.Accounts:
        database = Database(self._engine, accounts.metadata, accounts.VERSION, ACCOUNTS)
        return accounts.Accounts(database)

    def freeze(self, freeze: Freeze | None) -> None:
        with self._database().transaction() as connection:
            if freeze is None:
                EVERYWHERE.lift(connection)
            else:
                EVERYWHERE.put(connection, replace(freeze, profile=""))

    def close(self) -> None:
        self._engine.dispose()

    def _database(self) -> Database:
        """What is of no single SaaS, made where it is missing."""
        if self._common is None:
            self._common = Database(self._engine, metadata, VERSION, COMMON)
        return self._common


def jobs_schema(saas_ids: Sequence[str]) -> str:
    """Where the engine of jobs keeps its own: one for each SaaS, or one for servers that serve several."""
    return f"{JOBS}_of_{stem(saas_ids[0], LONGEST_SHOWN).lower()}" if len(saas_ids) == 1 else JOBS
