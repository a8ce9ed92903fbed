"""The stores in a PostgreSQL database that replicas share, a schema for each SaaS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec

from sqlalchemy import Column, Integer, MetaData, Table, inspect

from saasus_mcp.store import tokens
from saasus_mcp.store.audit.hash_chain import MacKeys
from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.schema import freezes
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.records import Freeze
from saasus_mcp.store.state_files import safe_name
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import SCHEMA_PREFIX
from saasus_mcp.store.write_freeze import FreezeTable

COMMON_SCHEMA, TOKENS_SCHEMA, JOBS_SCHEMA_PREFIX = "saasus_mcp", "saasus_mcp_accounts", "saasus_mcp_jobs"
DECISIONS_SCHEMA = "saasus_mcp_decisions"
MAX_ID_CHARACTERS = 32
"""Of a SaaS id in the name of its schema, which PostgreSQL would cut off after 63 characters."""
COMMON_SCHEMA_VERSION = 2

common_metadata = MetaData(schema=COMMON_SCHEMA)
Table("versions", common_metadata, Column("version", Integer, primary_key=True, autoincrement=False))
DATABASE_FREEZES = FreezeTable(freezes.to_metadata(common_metadata, schema=COMMON_SCHEMA))
"""The freeze of the whole database."""


class SharedStores:
    """See `Stores`.

    Args:
        keys: returns the keys of the audit log.

    Raises:
        StoreError: the URL cannot be read, or the PostgreSQL driver is not installed.
    """

    shared = True

    def __init__(self, url: str, keys: Callable[[], MacKeys]) -> None:
        if find_spec("psycopg") is None:
            raise StoreError.of("store.no_driver")
        from saasus_mcp.store.database import postgres  # noqa: PLC0415 - in an optional extra

        self._engine = postgres.create_postgres_engine(url)
        self._keys = keys
        self._common: Database | None = None

    @property
    def names(self) -> list[str]:
        with self._database().read_transaction(long_running=False) as connection:
            return sorted(name for name in inspect(connection).get_schema_names() if name.startswith(SCHEMA_PREFIX))

    @property
    def audited_names(self) -> list[str]:
        with self._database().read_transaction(long_running=False) as connection:
            there = DECISIONS_SCHEMA in inspect(connection).get_schema_names()
        return [*self.names, *([DECISIONS_SCHEMA] if there else [])]

    def open(self, name: str) -> Store:
        self._database()
        return Store(Database(self._engine, schema=name), self._keys(), DATABASE_FREEZES.list_active, name)

    def open_saas(self, saas_id: str) -> Store:
        return self.open(SCHEMA_PREFIX + safe_name(saas_id, MAX_ID_CHARACTERS).lower())

    def open_decisions(self) -> Store:
        return self.open(DECISIONS_SCHEMA)

    def require_key(self, saas_id: str) -> None:
        with closing(self.open_saas(saas_id)) as own:
            if own.audit_log.require_key():
                return
        for name in self.audited_names:
            with closing(self.open(name)) as other:
                other.audit_log.require_key()

    def open_tokens(self) -> tokens.TokenStore:
        database = Database(self._engine, tokens.token_metadata, tokens.TOKENS_SCHEMA_VERSION, TOKENS_SCHEMA)
        return tokens.TokenStore(database)

    def set_freeze(self, freeze: Freeze | None) -> None:
        with self._database().transaction() as connection:
            if freeze is None:
                DATABASE_FREEZES.unfreeze(connection)
            else:
                DATABASE_FREEZES.freeze(connection, replace(freeze, profile=""))

    def close(self) -> None:
        self._engine.dispose()

    def _database(self) -> Database:
        """Return the database of what belongs to no single SaaS, created if missing."""
        if self._common is None:
            self._common = Database(self._engine, common_metadata, COMMON_SCHEMA_VERSION, COMMON_SCHEMA)
        return self._common


def jobs_schema(saas_ids: Sequence[str]) -> str:
    """Return the schema of the job engine: one for each SaaS, or one for servers with several."""
    return (
        f"{JOBS_SCHEMA_PREFIX}_of_{safe_name(saas_ids[0], MAX_ID_CHARACTERS).lower()}"
        if len(saas_ids) == 1
        else JOBS_SCHEMA_PREFIX
    )
