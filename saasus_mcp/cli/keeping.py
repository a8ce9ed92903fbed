"""Where the commands find what is kept: in the state folder, or in the database that servers share."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from saasus_mcp.catalog import Language
from saasus_mcp.cli import logs
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions import decisions
from saasus_mcp.permissions.decisions import DecisionRecord
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.private_files import UnsafeFile
from saasus_mcp.settings import Settings
from saasus_mcp.store.files import StoreError
from saasus_mcp.store.folder import Folder
from saasus_mcp.store.stores import Stores

if TYPE_CHECKING:
    from saasus_mcp.store import Store
    from saasus_mcp.store.accounts import Accounts

KEY_FILE = "sealing.key"
AUDIT = "audit"


def sealing(settings: Settings) -> Sealer:
    """What encrypts hidden secrets and chains the audit: under the keys that are set, else the one in the state folder.

    Raises:
        SaasusMcpError: that one cannot be kept.
    """
    if settings.sealing_keys:
        return Sealer(*(key.get_secret_value() for key in settings.sealing_keys))
    with told(settings.lang):
        return Sealer.at(settings.folder / KEY_FILE)


@contextmanager
def told(lang: Language) -> Iterator[None]:
    """While entered, what is wrong with a file of the state folder is told in a person's language.

    Raises:
        SaasusMcpError: of the same type as the one that was raised.
    """
    try:
        yield
    except SaasusMcpError as error:
        unsafe = error if isinstance(error, UnsafeFile) else error.__cause__
        if isinstance(unsafe, UnsafeFile):
            error.message, error.mend = unsafe.words(lang)
        raise


@contextmanager
def kept(settings: Settings) -> Iterator[Stores]:
    """Where everything is kept that must survive: in the database that is set, else in the state folder.

    Raises:
        StoreError: the database's address cannot be read, or its driver is not installed.
    """

    def keys() -> tuple[bytes, ...]:
        return sealing(settings).derived(AUDIT)

    if settings.database_url is None:
        with told(settings.lang):
            yield Folder(settings.folder, keys)
        return
    from saasus_mcp.store.shared import Shared  # noqa: PLC0415 - imports the database library

    logs.protect(*_shared_secrets(settings))
    with closing(Shared(settings.database_url.get_secret_value(), keys)) as shared:
        yield shared


def _shared_secrets(settings: Settings) -> list[str]:
    """The password in the database's address and the sealing keys, as the settings write them."""
    address = settings.database_url.get_secret_value() if settings.database_url is not None else ""
    password = urlsplit(address).password or ""
    keys = (base64.b64encode(key.get_secret_value()).decode() for key in settings.sealing_keys)
    return [password, unquote(password), *keys]


@contextmanager
def accounts(settings: Settings) -> Iterator[Accounts]:
    """Whose tokens this server believes.

    Raises:
        StoreError: they cannot be kept.
    """
    with kept(settings) as every, closing(every.accounts()) as opened:
        yield opened


@contextmanager
def stores(settings: Settings, *, strict: bool = False) -> Iterator[list[Store]]:
    """Every store there is: a terminal has no credentials that would say which SaaS is meant.

    Raises:
        StoreError: with `strict`, one cannot be read; else that is said and the others are given.
    """
    with kept(settings) as those, opened(those, strict=strict) as every:
        yield every


@contextmanager
def audits(settings: Settings) -> Iterator[list[Store]]:
    """Everything that has an audit: every store, and that of the decisions which concern all of them."""
    with kept(settings) as those, opened(those, those.audits) as every:
        yield every


def record(those: Stores, decision: DecisionRecord) -> None:
    """Record a decision that is of no single SaaS.

    Raises:
        StoreError: it cannot be recorded.
    """
    with closing(those.decisions()) as store:
        decisions.record(store, decision, time.time())


@contextmanager
def opened(those: Stores, names: Iterable[str] | None = None, *, strict: bool = False) -> Iterator[list[Store]]:
    """The same, of what is open already."""
    with ExitStack() as until:
        wanted = those.names if names is None else names
        every = [store for name in wanted if (store := readable(those, name, strict=strict)) is not None]
        for store in every:
            until.callback(store.close)
        yield every


def readable(those: Stores, name: str, *, strict: bool = False) -> Store | None:
    """The store of this name, or None with a word to the person: one that is damaged must not hide the others."""
    try:
        return those.open(name)
    except StoreError as error:
        if strict:
            raise
        click.echo(f"saasus-mcp: {name}: {error}", err=True)
        return None
