"""Who may sign in with a token of this server: a small database of its own, shared by all that serve or manage it."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Column, Float, Index, Integer, MetaData, String, Table, Text, insert, select, update

from saasus_mcp.store.database.engine import Database
from saasus_mcp.store.database.locks import acquire_lock
from saasus_mcp.store.database.write_probe import probe_write
from saasus_mcp.store.state_files import StoreError, create_database_file

TOKENS_FILE = "accounts.db"
TOKEN_PREFIX = "smcp_"  # noqa: S105 - a name, not a secret
"""By it, scanners of source code and people recognise a token that lies where it should not."""
TOKEN_BYTES = 32
TOKEN_LENGTH = len(TOKEN_PREFIX) + 43
TOKEN_PATTERN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")
"""Of a token. What has another form is refused without a look into the database."""
USE_RESOLUTION_SECONDS = 3600.0
"""Seconds for which the last use of a token is not noted anew: a call need not write."""

TOKENS_SCHEMA_VERSION = 1
token_metadata = MetaData()

versions = Table("versions", token_metadata, Column("version", Integer, primary_key=True, autoincrement=False))

tokens = Table(
    "tokens",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the token"),
    Column("name", String(80), nullable=False),
    Column("role", String(10), nullable=False, comment="caller or approver"),
    Column("groups", Text, nullable=False, comment="JSON: a list of names"),
    Column("made_by", Text, nullable=False),
    Column("made_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("used_at", Float, comment="to the hour"),
    Column("revoked_at", Float),
)
Index("tokens_by_name", tokens.c.name)

sessions = Table(
    "sessions",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the cookie"),
    Column("principal", String(200), nullable=False),
    Column("groups", Text, nullable=False, comment="JSON: a list of names"),
    Column("token", String(64), comment="hash of the token that opened it, where one did: the session ends with it"),
    Column("opened_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
)
Index("sessions_by_principal", sessions.c.principal)


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token, which is never the token itself. Times are epoch seconds."""

    name: str
    role: Literal["caller", "approver"]
    groups: frozenset[str]
    made_by: str
    made_at: float
    expires_at: float
    used_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Whether it still lets anybody in."""
        return self.revoked_at is None and self.expires_at > now


class TokenNameTaken(StoreError):
    """A token of that name is still good."""


class TokenStore:
    """The tokens, each known by its hash.

    A token is 256 random bits: nobody finds it by trying, so its hash need not be slow, and nothing is learned from how
    long a lookup by hash takes. Each use looks here, so that a revoked token is refused at once, everywhere.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """Where they are kept, and with them who is signed in to the console (store.sessions)."""
        return self._database

    @classmethod
    def open(cls, folder: Path) -> TokenStore:
        """Those of a state folder, made where they are missing.

        Raises:
            StoreError: the folder or the file cannot be made or written.
        """
        return cls(Database.open_file(create_database_file(folder, TOKENS_FILE), token_metadata, TOKENS_SCHEMA_VERSION))

    def close(self) -> None:
        self._database.close()

    def add(self, wanted: Token) -> str:
        """A new token, given out this once.

        Raises:
            NameTaken: another one of that name is still good.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        with self._database.transaction() as connection:
            acquire_lock(connection, "tokens", wanted.name)
            if any(each.is_valid(wanted.made_at) for each in _read(connection.execute(_named(wanted.name)))):
                raise TokenNameTaken(
                    f"A token named {wanted.name!r} already exists.", "Revoke it or choose another name."
                )
            values = {name: getattr(wanted, name) for name in Token.__slots__}
            values["groups"] = json.dumps(sorted(wanted.groups))
            connection.execute(insert(tokens).values(hash=hash_token(token), **values))
        return token

    def authenticate(self, token: str, now: float) -> Token | None:
        """Return what this token stands for, while it is good; that it was used is noted.

        Raises:
            StoreError: the database cannot be read.
        """
        if TOKEN_PATTERN.fullmatch(token) is None:
            return None
        sought = hash_token(token)
        with self._database.read_transaction(patient=False) as connection:
            row = connection.execute(select(tokens).where(tokens.c.hash == sought)).first()
        if row is None or not hmac.compare_digest(row.hash, sought):
            return None
        found = _token(row)
        if not found.is_valid(now):
            return None
        if found.used_at is None or now - found.used_at >= USE_RESOLUTION_SECONDS:
            self._note_use(sought, now)
        return found

    def _note_use(self, sought: str, now: float) -> None:
        """Note for people when a token was last used. A disk that is full keeps nobody out."""
        with suppress(StoreError), self._database.transaction() as connection:
            connection.execute(update(tokens).where(tokens.c.hash == sought).values(used_at=now))

    def check_writable(self) -> None:
        """Write a row and remove it.

        Raises:
            StoreError: tokens could not be written.
        """
        probe_write(self._database)

    def list_tokens(self) -> list[Token]:
        """Every token there ever was, newest first."""
        with self._database.transaction() as connection:
            return _read(connection.execute(select(tokens).order_by(tokens.c.made_at.desc())))

    def revoke(self, name: str, now: float) -> bool:
        """End the token of this name at once. False where none is good."""
        good = (tokens.c.name == name, tokens.c.revoked_at.is_(None), tokens.c.expires_at > now)
        with self._database.transaction() as connection:
            return connection.execute(update(tokens).where(*good).values(revoked_at=now)).rowcount > 0


def _named(name: str) -> Any:
    return select(tokens).where(tokens.c.name == name)


def _read(rows: Iterable[Any]) -> list[Token]:
    return [_token(row) for row in rows]


def _token(row: Any) -> Token:
    values = row._asdict()
    del values["hash"]
    return Token(**{**values, "groups": frozenset(json.loads(row.groups))})


def hash_token(token: str) -> str:
    """What is kept of a token or a cookie: random values of 256 bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
