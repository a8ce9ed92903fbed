"""The stores that commands open: in the state folder, or in the database that servers share."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from saasus_mcp.cli import server_log
from saasus_mcp.cli.terminal import render, warn
from saasus_mcp.common.messages import message
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.errors import StoreError, StoreGone
from saasus_mcp.store.folder_stores import FolderStores
from saasus_mcp.store.stores import Stores

if TYPE_CHECKING:
    from saasus_mcp.permissions.approval.action_records import ActionRecord
    from saasus_mcp.store.store import Store
    from saasus_mcp.store.tokens import TokenStore

KEY_FILE = "sealing.key"
AUDIT_KEY_PURPOSE = "audit"


def load_encryptor(settings: Settings) -> Encryptor:
    """Return the encryptor of hidden secrets, with the keys of the settings or else the key of the state folder.

    Raises:
        SaasusMcpError: the key file cannot be read, written or trusted.
    """
    if settings.sealing_keys:
        return Encryptor(*(key.get_secret_value() for key in settings.sealing_keys))
    return Encryptor.from_file(settings.state_folder / KEY_FILE)


@contextmanager
def open_state(settings: Settings) -> Iterator[Stores]:
    """Open the stores: in the database of the settings, or else in the state folder.

    Raises:
        StoreError: the database's address cannot be read, or its driver is not installed.
    """

    def audit_keys() -> tuple[bytes, ...]:
        return load_encryptor(settings).derive_keys(AUDIT_KEY_PURPOSE)

    if settings.database_url is None:
        yield FolderStores(settings.state_folder, audit_keys)
        return
    from saasus_mcp.store.shared_stores import SharedStores  # noqa: PLC0415 - imports the database library

    address = settings.database_url.get_secret_value()
    password = urlsplit(address).password or ""
    keys = (base64.b64encode(key.get_secret_value()).decode() for key in settings.sealing_keys)
    server_log.redact_in_log(password, unquote(password), *keys)
    with closing(SharedStores(address, audit_keys)) as shared:
        yield shared


@contextmanager
def open_tokens(settings: Settings) -> Iterator[TokenStore]:
    """Open the store of the tokens that this server accepts."""
    with open_state(settings) as stores, closing(stores.open_tokens()) as tokens:
        yield tokens


class OpenedStores(list["Store"]):
    """The stores that could be opened, and the names of those that could not."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: list[str] = []

    def require_all(self) -> None:
        """End the command with status 1 if a store could not be opened: what it printed is not everything."""
        if self.unreadable:
            raise click.exceptions.Exit(1)


@contextmanager
def open_stores(settings: Settings, *, strict: bool = False) -> Iterator[OpenedStores]:
    """Open the stores of every SaaS: a terminal has no credentials that name one.

    Raises:
        StoreError: with `strict`, a store cannot be read. Without it, that is printed and the other stores are opened.
    """
    with open_state(settings) as stores, open_named_stores(stores, strict=strict) as opened:
        yield opened


@contextmanager
def open_audit_stores(settings: Settings) -> Iterator[OpenedStores]:
    """Open every store that has an audit log: those of every SaaS, and the one of decisions that concern all of them."""
    with open_state(settings) as stores, open_named_stores(stores, stores.audited_names) as opened:
        yield opened


@contextmanager
def open_named_stores(
    stores: Stores, names: Iterable[str] | None = None, *, strict: bool = False
) -> Iterator[OpenedStores]:
    """Open the stores of these names, or the stores of every SaaS."""
    opened = OpenedStores()
    with ExitStack() as until:
        for name in stores.names if names is None else names:
            store = open_readable_store(stores, name, strict=strict)
            if store is None:
                opened.unreadable.append(name)
            else:
                until.callback(store.close)
                opened.append(store)
        yield opened


def open_readable_store(stores: Stores, name: str, *, strict: bool = False, silent: bool = False) -> Store | None:
    """Open one store. If it is damaged, print that, unless `silent`, and return None: it must not hide the others."""
    try:
        return stores.open(name)
    except StoreError as error:
        if strict:
            raise
        if not silent:
            warn(f"{name}: {render(error)}")
        return None


class PresentStores:
    """The stores that exist now, for a process that runs long. Threads may share it.

    Each is opened when it is first seen, and closed with `until` or when it is gone. What cannot be opened, or is gone, is
    reported once at the terminal.
    """

    def __init__(self, stores: Stores, until: ExitStack) -> None:
        self._stores = stores
        until.callback(self._close_all)
        self._opened: dict[str, Store] = {}
        self._reported = set[str]()
        self._lock = threading.Lock()

    def by_name(self) -> dict[str, Store | None]:
        """Return the stores by name; None for one that cannot be read."""
        with self._lock:
            names = self._stores.names
            for name in [each for each in self._opened if each not in names or not _is_present(self._opened[each])]:
                self._opened.pop(name).close()
                warn(message("cli.store_gone", store=name))
            for name in names:
                if name not in self._opened:
                    self._open(name)
            return {name: self._opened.get(name) for name in names}

    def _open(self, name: str) -> None:
        store = open_readable_store(self._stores, name, silent=name in self._reported)
        if store is None:
            self._reported.add(name)
        else:
            self._reported.discard(name)
            self._opened[name] = store

    def _close_all(self) -> None:
        for store in self._opened.values():
            store.close()


def _is_present(store: Store) -> bool:
    try:
        store.require_present()
    except StoreGone:
        return False
    return True


def record_decision(stores: Stores, decision: ActionRecord) -> None:
    """Record a decision that concerns every SaaS. Raise StoreError if it cannot be recorded."""
    from saasus_mcp.permissions.approval import action_records  # noqa: PLC0415 - only where something was decided

    with closing(stores.open_decisions()) as store:
        action_records.record_action(store, decision, time.time())
