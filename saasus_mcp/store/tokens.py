"""Tokens of this server, in a database of their own that every process shares."""

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
from saasus_mcp.store.database.schema import ADDED, required
from saasus_mcp.store.database.write_probe import probe_write
from saasus_mcp.store.errors import StoreError, TokenNameTaken
from saasus_mcp.store.state_files import create_database_file

TOKENS_FILE = "accounts.db"
TOKEN_PREFIX = "smcp_"  # noqa: S105 - a name, not a secret
"""Secret scanners and people recognise a leaked token by its prefix."""
TOKEN_BYTES = 32
TOKEN_PATTERN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")
"""Text of another form is refused without a query."""
TOKEN_ID_LENGTH = 16
"""Characters of the hash of a token that name it among the tokens of its name."""
USE_RESOLUTION_SECONDS = 3600.0
"""The last use is saved at most this often, so that most calls need no write."""

TOKENS_SCHEMA_VERSION = 1
token_metadata = MetaData()

versions = Table("versions", token_metadata, Column("version", Integer, primary_key=True, autoincrement=False))

tokens = Table(
    "tokens",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the token"),
    required("name", String(80)),
    required("role", String(10), comment="caller or approver"),
    required("groups", Text, comment="JSON: a list of names"),
    required("made_by", Text),
    required("made_at", Float),
    required("expires_at", Float),
    Column("used_at", Float, comment="to the hour"),
    Column("revoked_at", Float),
)
Index("tokens_by_name", tokens.c.name)

sessions = Table(
    "sessions",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256 of the cookie"),
    required("principal", String(200)),
    required("groups", Text, comment="JSON: a list of names"),
    Column("token", String(64), comment="hash of the token that opened it, where one did: the session ends with it"),
    required("opened_at", Float),
    required("expires_at", Float),
)
Index("sessions_by_principal", sessions.c.principal)

session_people = Table(
    "session_people",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="of the session"),
    required("name", Text, comment="as the identity provider states it"),
    required("email", Text),
    info=ADDED,
)

session_browsers = Table(
    "session_browsers",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="of the session"),
    required("browser", Text, comment="its name and system, from a fixed list"),
    info=ADDED,
)

session_uses = Table(
    "session_uses",
    token_metadata,
    Column("hash", String(64), primary_key=True, comment="of the session"),
    required("used_at", Float, comment="to ten minutes"),
    info=ADDED,
)


@dataclass(frozen=True, slots=True)
class Token:
    """The record of a token, without the token itself. Times are epoch seconds."""

    name: str
    role: Literal["caller", "approver"]
    groups: frozenset[str]
    made_by: str
    made_at: float
    expires_at: float
    used_at: float | None = None
    revoked_at: float | None = None

    def is_valid(self, now: float) -> bool:
        """Return True if the token is neither revoked nor expired."""
        return self.revoked_at is None and self.expires_at > now


class TokenStore:
    """The tokens by their hash.

    A token is 256 random bits, too many to guess, so its hash may be fast, and the time of a lookup reveals nothing. Each use
    queries the database, so that a revoked token is refused at once by every replica.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def database(self) -> Database:
        """The database of the tokens and of the console's sessions (store.signin_sessions)."""
        return self._database

    @classmethod
    def open(cls, folder: Path) -> TokenStore:
        """Open the tokens of a state folder, or create the database.

        Raises:
            StoreError: the folder or the file cannot be created or written.
        """
        return cls(Database.open_file(create_database_file(folder, TOKENS_FILE), token_metadata, TOKENS_SCHEMA_VERSION))

    def close(self) -> None:
        self._database.close()

    def add(self, wanted: Token) -> str:
        """Create a token and return it. It is not stored, and cannot be shown again.

        Raises:
            TokenNameTaken: a valid token has this name.
        """
        token = TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
        with self._database.transaction() as connection:
            acquire_lock(connection, "tokens", wanted.name)
            if any(token.is_valid(wanted.made_at) for token in _read(connection.execute(_named(wanted.name)))):
                raise TokenNameTaken.of("store.token_exists", name=wanted.name)
            values = {name: getattr(wanted, name) for name in Token.__slots__}
            values["groups"] = json.dumps(sorted(wanted.groups))
            connection.execute(insert(tokens).values(hash=hash_token(token), **values))
        return token

    def has_valid(self, role: str, now: float) -> bool:
        """Return True if a token of a role is neither revoked nor expired."""
        return any(each.role == role and each.is_valid(now) for each in self.list_tokens())

    def authenticate(self, token: str, now: float) -> Token | None:
        """Return the record of a valid token, and save its use. Raise StoreError if the database cannot be read."""
        if TOKEN_PATTERN.fullmatch(token) is None:
            return None
        hashed = hash_token(token)
        row = self._database.row(select(tokens).where(tokens.c.hash == hashed))
        if row is None or not hmac.compare_digest(row.hash, hashed):
            return None
        record = _token(row)
        if not record.is_valid(now):
            return None
        if record.used_at is None or now - record.used_at >= USE_RESOLUTION_SECONDS:
            with suppress(StoreError):  # it is for people: a full disk must not lock callers out
                self._database.change(update(tokens).where(tokens.c.hash == hashed).values(used_at=now))
        return record

    def is_revoked(self, name: str, id: str = "") -> bool:
        """Return True if a token was revoked, also after another one took its place. One that has expired was not.

        Args:
            id: which of the tokens with this name (`token_id`). If it is empty, as in jobs that an earlier version started, the
                answer is True if every token with this name was revoked.

        Raises:
            StoreError: the database cannot be read.
        """
        query = _named(name).where(tokens.c.hash.startswith(id, autoescape=True)) if id else _named(name)
        return all(token.revoked_at is not None for token in _read(self._database.rows(query)))

    def check_writable(self) -> None:
        """Write and delete a row, as `probe_write` does. Raise StoreError if the database accepts no write."""
        probe_write(self._database)

    def list_tokens(self) -> list[Token]:
        """Return every token, newest first."""
        return _read(self._database.rows(select(tokens).order_by(tokens.c.made_at.desc())))

    def revoke(self, name: str, now: float) -> bool:
        """Revoke the tokens with this name. False if all of them were revoked before, or none exists.

        Expired ones are revoked too, because their calls and jobs may still be in progress.
        """
        unrevoked = (tokens.c.name == name, tokens.c.revoked_at.is_(None))
        return self._database.change(update(tokens).where(*unrevoked).values(revoked_at=now)) > 0


def _named(name: str) -> Any:
    return select(tokens).where(tokens.c.name == name)


def _read(rows: Iterable[Any]) -> list[Token]:
    return [_token(row) for row in rows]


def _token(row: Any) -> Token:
    values = row._asdict()
    del values["hash"]
    return Token(**{**values, "groups": frozenset(json.loads(row.groups))})


def token_id(token: str) -> str:
    """Return what tells a token from the others of its name, and reveals nothing of it."""
    return hash_token(token)[:TOKEN_ID_LENGTH]


def hash_token(token: str) -> str:
    """Return the hash of a token or a cookie. Random values of 256 bits need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
