"""Putting the console together: before a hosted server's profiles, or before the stores of a laptop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from saasus_mcp.catalog import Catalogue, Language
from saasus_mcp.cli import compose, keeping, logs
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.hosting.console.desk import Desk, Room, Written
from saasus_mcp.hosting.console.doors import Doors, SignIn
from saasus_mcp.hosting.console.oidc import Provider
from saasus_mcp.hosting.console.pages import Console
from saasus_mcp.hosting.console.sessions import (
    Admitted,
    Approver,
    LocalSessions,
    Sessions,
    SharedSessions,
    Tickets,
)
from saasus_mcp.hosting.console.throttle import Throttle
from saasus_mcp.permissions.policy import CasePolicy, Mode, underlying
from saasus_mcp.settings import Http, Settings, require_sound
from saasus_mcp.store import Freeze
from saasus_mcp.store.files import stem
from saasus_mcp.store.stores import EACH, Stores

if TYPE_CHECKING:
    from saasus_mcp.hosting.profiles import Served
    from saasus_mcp.store import Store
    from saasus_mcp.store.accounts import Accounts

HASH = 13
"""Characters at the end of a store's name that keep two SaaS ids of one readable form apart."""


def hosted(chosen: Settings, wanted: Http, served: Mapping[str, Served], until: ExitStack) -> Console | None:
    """The console of a hosted server; None where there is none to be, or nobody could sign in to it.

    Raises:
        SaasusMcpError: single sign-on is set, and what it takes is not installed.
    """
    if not wanted.console.enabled:
        return None
    rooms = [
        Room(name, one.groups, partial(_store, one), name, one.pipeline.place.saas_id, one.pipeline.place.sandbox)
        for name, one in served.items()
    ]
    any_pipeline = next(iter(served.values())).pipeline
    desk = _desk(chosen, any_pipeline.catalogue, any_pipeline.policy, lambda: rooms)
    sign_on = provider(wanted, chosen.lang)
    if wanted.authenticated and not wanted.tokens and sign_on is None:
        return None
    if not wanted.authenticated and sign_on is None:
        return _console(chosen, desk, LocalSessions(), secure=False)
    from saasus_mcp.store.sessions import Sessions as Kept  # noqa: PLC0415 - imports the database library

    accounts = until.enter_context(keeping.accounts(chosen))
    return _console(
        chosen,
        desk,
        SharedSessions(Kept(accounts.database)),
        secure=wanted.public_url.startswith("https:"),
        sign_in=_by_token(accounts) if wanted.tokens else None,
        provider=sign_on,
    )


def local(chosen: Settings, catalogue: Catalogue, until: ExitStack) -> Console:
    """The console before every store there is, for the owner of the machine."""
    kept = until.enter_context(keeping.kept(chosen))
    policy, rooms = compose.policy(chosen, catalogue), _Rooms(kept, until)
    until.enter_context(compose.reloadable(chosen, policy))
    desk = _desk(
        chosen,
        catalogue,
        policy,
        rooms.present,
        profile=compose.SANDBOX_PROFILE if chosen.sandbox else chosen.profile,
        everything=kept.freeze,
        common=_opened_once(kept, until),
    )
    return _console(chosen, desk, LocalSessions(), secure=False)


def owner() -> Approver:
    """The owner of the machine, whom a one-time link signs in."""
    return Approver(compose.local_user().id, everywhere=True)


def link(console: Console, base: str) -> str:
    """A one-time link for the owner of the machine."""
    return f"{base}/enter/{console.doors.tickets.issue(owner())}"


def _desk(
    chosen: Settings,
    catalogue: Catalogue,
    policy: CasePolicy,
    rooms: Callable[[], Sequence[Room]],
    *,
    profile: str = "",
    everything: Callable[[Freeze | None], None] | None = None,
    common: Callable[[], Store] | None = None,
) -> Desk:
    sealer = keeping.sealing(chosen)
    return Desk(rooms, catalogue, policy, partial(written, policy), sealer, time.time, profile, everything, common)


def _opened_once(kept: Stores, until: ExitStack) -> Callable[[], Store]:
    """Opens the store of the decisions that concern every SaaS when it is first asked for."""
    lock = threading.Lock()

    @cache
    def opened() -> Store:
        store = kept.decisions()
        until.callback(store.close)
        return store

    def one() -> Store:
        with lock:
            return opened()

    return one


def _console(
    chosen: Settings,
    desk: Desk,
    sessions: Sessions,
    *,
    secure: bool,
    sign_in: SignIn | None = None,
    provider: Provider | None = None,
) -> Console:
    doors = Doors(
        sessions=sessions,
        tickets=Tickets(time.time),
        sealer=desk.sealer,
        clock=time.time,
        guesses=Throttle(time.time),
        language=chosen.lang,
        secure=secure,
        sign_in=sign_in,
        provider=provider,
        passphrase=partial(_passphrase, chosen.folder),
    )
    return Console(desk, doors, chosen.lang, chosen.zone)


def _passphrase(folder: Path) -> Callable[[str], bool] | None:
    from saasus_mcp.permissions import passphrase  # noqa: PLC0415 - imports the cryptography

    return partial(passphrase.verify, folder) if passphrase.is_set(folder) else None


def _store(one: Served) -> Store:
    return one.pipeline.store


def _by_token(accounts: Accounts) -> SignIn:
    """Signs in whoever shows an approver's token; a caller's opens nothing here."""

    async def sign_in(token: str) -> Admitted | None:
        found = await run_sync(accounts.find, token, time.time())
        if found is None or found.role != "approver":
            return None
        return Admitted(Approver(f"token:{found.name}", found.groups), found.expires_at, token)

    return sign_in


def provider(wanted: Http, lang: Language) -> Provider | None:
    """The identity provider of single sign-on, where one is set.

    Raises:
        SaasusMcpError: what it takes is not installed, or its client secret cannot be one.
    """
    oidc = wanted.console.oidc
    if oidc is None:
        return None
    if find_spec("authlib") is None:
        raise SaasusMcpError(
            "[console.oidc]: single sign-on to the console requires the extra `hosted`.",
            "Install it: pip install 'saasus-mcp[hosted]'.",
        )
    if oidc.client_secret is not None:
        secret = oidc.client_secret.read()
        require_sound({"console.oidc.client_secret": secret}, lang, spaces=True)
        logs.protect(secret)
    return Provider(oidc, f"{wanted.public_url}/console/sso/callback")


def written(policy: CasePolicy) -> Written:
    """The policy as its file has it, and whether that is what is in force."""
    from saasus_mcp.permissions import policy_file  # noqa: PLC0415 - only where it is shown

    under = underlying(policy)
    if not isinstance(under, policy_file.Reloading):
        modes: tuple[Mode, ...] = ("read-only", "guarded", "strict")
        files = (file for mode in modes if (file := policy_file.preset(mode)).stem == under.name)
        return Written("".join(file.read_text(encoding="utf-8") for file in files))
    try:
        edited = under.file.stat().st_mtime_ns > under.read_at
        return Written(under.file.read_text(encoding="utf-8"), outdated=edited or not under.last.taken)
    except (OSError, UnicodeDecodeError):
        return Written("", outdated=True)


class _Rooms:
    """One room for every store, those that come later included."""

    def __init__(self, kept: Stores, until: ExitStack) -> None:
        self._kept = kept
        self._until = until
        self._open: dict[str, Store] = {}
        self._lock = threading.Lock()

    def present(self) -> list[Room]:
        """Those there are now. One that cannot be read is left out, and said at the terminal."""
        from saasus_mcp.sandbox import CREDENTIALS  # noqa: PLC0415 - only for its name

        with self._lock:
            names = self._kept.names
            for name in names:
                if name not in self._open and (store := keeping.readable(self._kept, name)) is not None:
                    self._until.callback(store.close)
                    self._open[name] = store
            shown = {name: Path(name).stem.removeprefix(EACH) for name in names}
            alike = Counter(stemmed[:-HASH] for stemmed in shown.values())
            return [
                Room(
                    name=stemmed[:-HASH] if alike[stemmed[:-HASH]] == 1 else stemmed,
                    groups=frozenset(),
                    store=partial(self._open.__getitem__, name),
                    sandbox=stemmed == stem(CREDENTIALS.saas_id),
                )
                for name, stemmed in shown.items()
                if name in self._open
            ]
