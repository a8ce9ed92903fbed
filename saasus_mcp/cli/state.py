"""Where the commands find what is kept: in the state folder, or in the database that servers share."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from saasus_mcp.cli import server_log
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.common.private_files import UnsafeFile
from saasus_mcp.permissions.approval import action_records
from saasus_mcp.permissions.approval.action_records import ActionRecord
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.settings import Settings
from saasus_mcp.store.errors import StoreError
from saasus_mcp.store.folder_stores import FolderStores
from saasus_mcp.store.stores import Stores

if TYPE_CHECKING:
    from saasus_mcp.store import Store
    from saasus_mcp.store.tokens import TokenStore

KEY_FILE = "sealing.key"
AUDIT_KEY_PURPOSE = "audit"


def load_sealer(settings: Settings) -> Encryptor:
    """What encrypts hidden secrets and chains the audit: under the keys that are set, else the one in the state folder.

    Raises:
        SaasusMcpError: that one cannot be kept.
    """
    if settings.sealing_keys:
        return Encryptor(*(key.get_secret_value() for key in settings.sealing_keys))
    with localize_file_errors(settings.lang):
        return Encryptor.from_file(settings.state_folder / KEY_FILE)


@contextmanager
def localize_file_errors(lang: Language) -> Iterator[None]:
    """While entered, what is wrong with a file of the state folder is told in a person's language.

    Raises:
        SaasusMcpError: of the same type as the one that was raised.
    """
    try:
        yield
    except SaasusMcpError as error:
        unsafe = error if isinstance(error, UnsafeFile) else error.__cause__
        if isinstance(unsafe, UnsafeFile):
            error.message, error.hint = unsafe.message, unsafe.hint
        raise


@contextmanager
def open_state(settings: Settings) -> Iterator[Stores]:
    """Where everything is kept that must survive: in the database that is set, else in the state folder.

    Raises:
        StoreError: the database's address cannot be read, or its driver is not installed.
    """

    def keys() -> tuple[bytes, ...]:
        return load_sealer(settings).derive_keys(AUDIT_KEY_PURPOSE)

    if settings.database_url is None:
        with localize_file_errors(settings.lang):
            yield FolderStores(settings.state_folder, keys)
        return
    from saasus_mcp.store.shared_stores import SharedStores  # noqa: PLC0415 - imports the database library

    server_log.redact_in_log(*_shared_secrets(settings))
    with closing(SharedStores(settings.database_url.get_secret_value(), keys)) as shared:
        yield shared


def _shared_secrets(settings: Settings) -> list[str]:
    """The password in the database's address and the sealing keys, as the settings write them."""
    address = settings.database_url.get_secret_value() if settings.database_url is not None else ""
    password = urlsplit(address).password or ""
    keys = (base64.b64encode(key.get_secret_value()).decode() for key in settings.sealing_keys)
    return [password, unquote(password), *keys]


@contextmanager
def open_tokens(settings: Settings) -> Iterator[TokenStore]:
    """Whose tokens this server believes.

    Raises:
        StoreError: they cannot be kept.
    """
    with open_state(settings) as every, closing(every.open_tokens()) as opened:
        yield opened


@contextmanager
def open_stores(settings: Settings, *, strict: bool = False) -> Iterator[list[Store]]:
    """Every store there is: a terminal has no credentials that would say which SaaS is meant.

    Raises:
        StoreError: with `strict`, one cannot be read; else that is said and the others are given.
    """
    with open_state(settings) as those, open_named_stores(those, strict=strict) as every:
        yield every


@contextmanager
def open_audit_stores(settings: Settings) -> Iterator[list[Store]]:
    """Everything that has an audit: every store, and that of the decisions which concern all of them."""
    with open_state(settings) as those, open_named_stores(those, those.audited_names) as every:
        yield every


def record_decision(those: Stores, decision: ActionRecord) -> None:
    """Record a decision that is of no single SaaS.

    Raises:
        StoreError: it cannot be recorded.
    """
    with closing(those.open_decisions()) as store:
        action_records.record_action(store, decision, time.time())


@contextmanager
def open_named_stores(
    those: Stores, names: Iterable[str] | None = None, *, strict: bool = False
) -> Iterator[list[Store]]:
    """The same, of what is open already."""
    with ExitStack() as until:
        wanted = those.names if names is None else names
        every = [store for name in wanted if (store := open_readable_store(those, name, strict=strict)) is not None]
        for store in every:
            until.callback(store.close)
        yield every


def open_readable_store(those: Stores, name: str, *, strict: bool = False) -> Store | None:
    """The store of this name, or None with a word to the person: one that is damaged must not hide the others."""
    try:
        return those.open(name)
    except StoreError as error:
        if strict:
            raise
        click.echo(f"saasus-mcp: {name}: {error}", err=True)
        return None
