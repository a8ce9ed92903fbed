"""Putting the console together: before a hosted server's profiles, or before the stores of a laptop."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from anyio.to_thread import run_sync

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli import composition, server_log, state
from saasus_mcp.common.language import Language
from saasus_mcp.hosting.console.oidc import OidcProvider
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText, ProfileContext
from saasus_mcp.hosting.console.signin_routes import SigninRoutes, TokenSignIn
from saasus_mcp.hosting.console.signin_sessions import (
    Approver,
    ConsoleSessions,
    GuessThrottle,
    LocalSessions,
    OneTimeLinks,
    StoredSessions,
    VerifiedApprover,
)
from saasus_mcp.permissions.policy.presets import Mode, Policy, unwrap_policy
from saasus_mcp.settings import HttpSettings, Settings, require_valid_credentials
from saasus_mcp.store import Freeze
from saasus_mcp.store.state_files import safe_name
from saasus_mcp.store.stores import SCHEMA_PREFIX, Stores

if TYPE_CHECKING:
    from saasus_mcp.hosting.auth.profile_access import ServedProfile
    from saasus_mcp.store import Store
    from saasus_mcp.store.tokens import TokenStore

HASH_LENGTH = 13
"""Characters at the end of a store's name that keep two SaaS ids of one readable form apart."""


def build_hosted_console(
    chosen: Settings, wanted: HttpSettings, served: Mapping[str, ServedProfile], until: ExitStack
) -> Console | None:
    """The console of a hosted server; None where there is none to be, or nobody could sign in to it.

    Raises:
        SaasusMcpError: single sign-on is set, and what it takes is not installed.
    """
    if not wanted.console.enabled:
        return None
    rooms = [
        ProfileContext(
            name,
            one.groups,
            partial(_store, one),
            name,
            one.pipeline.destination.saas_id,
            one.pipeline.destination.sandbox,
        )
        for name, one in served.items()
    ]
    any_pipeline = next(iter(served.values())).pipeline
    desk = _desk(chosen, any_pipeline.catalogue, any_pipeline.policy, lambda: rooms)
    sign_on = build_identity_provider(wanted, chosen.lang)
    if wanted.authenticated and not wanted.tokens and sign_on is None:
        return None
    if not wanted.authenticated and sign_on is None:
        return _console(chosen, desk, LocalSessions(), secure=False)
    from saasus_mcp.store.sessions import SessionStore as Kept  # noqa: PLC0415 - imports the database library

    accounts = until.enter_context(state.open_tokens(chosen))
    return _console(
        chosen,
        desk,
        StoredSessions(Kept(accounts.database)),
        secure=wanted.public_url.startswith("https:"),
        sign_in=_by_token(accounts) if wanted.tokens else None,
        provider=sign_on,
    )


def build_local_console(chosen: Settings, catalogue: Catalogue, until: ExitStack) -> Console:
    """The console before every store there is, for the owner of the machine."""
    kept = until.enter_context(state.open_state(chosen))
    policy, rooms = composition.resolve_policy(chosen, catalogue), _Rooms(kept, until)
    until.enter_context(composition.accept_policy_reloads(chosen, policy))
    desk = _desk(
        chosen,
        catalogue,
        policy,
        rooms.present,
        profile=composition.SANDBOX_PROFILE if chosen.sandbox else chosen.profile,
        everything=kept.set_freeze,
        common=_opened_once(kept, until),
    )
    return _console(chosen, desk, LocalSessions(), secure=False)


def local_approver() -> Approver:
    """The owner of the machine, whom a one-time link signs in."""
    return Approver(composition.local_user().id, is_owner=True)


def signin_link(console: Console, base: str) -> str:
    """A one-time link for the owner of the machine."""
    return f"{base}/enter/{console.signin.links.issue(local_approver())}"


def _desk(
    chosen: Settings,
    catalogue: Catalogue,
    policy: Policy,
    rooms: Callable[[], Sequence[ProfileContext]],
    *,
    profile: str = "",
    everything: Callable[[Freeze | None], None] | None = None,
    common: Callable[[], Store] | None = None,
) -> ConsoleService:
    sealer = state.load_sealer(chosen)
    return ConsoleService(
        list_contexts=rooms,
        catalogue=catalogue,
        policy=policy,
        read_policy=partial(read_policy_text, policy),
        encryptor=sealer,
        clock=time.time,
        profile=profile,
        freeze_all=everything,
        common_store=common,
    )


def _opened_once(kept: Stores, until: ExitStack) -> Callable[[], Store]:
    """Opens the store of the decisions that concern every SaaS when it is first asked for."""
    lock = threading.Lock()

    @cache
    def opened() -> Store:
        store = kept.open_decisions()
        until.callback(store.close)
        return store

    def one() -> Store:
        with lock:
            return opened()

    return one


def _console(
    chosen: Settings,
    desk: ConsoleService,
    sessions: ConsoleSessions,
    *,
    secure: bool,
    sign_in: TokenSignIn | None = None,
    provider: OidcProvider | None = None,
) -> Console:
    doors = SigninRoutes(
        sessions=sessions,
        links=OneTimeLinks(time.time),
        encryptor=desk.encryptor,
        clock=time.time,
        throttle=GuessThrottle(time.time),
        language=chosen.lang,
        secure=secure,
        verify_token=sign_in,
        provider=provider,
        passphrase_check=partial(_passphrase, chosen.state_folder),
    )
    return Console(desk, doors, chosen.lang, chosen.zone)


def _passphrase(folder: Path) -> Callable[[str], bool] | None:
    from saasus_mcp.permissions.secrets import passphrase  # noqa: PLC0415 - imports the cryptography

    return partial(passphrase.verify_passphrase, folder) if passphrase.is_passphrase_set(folder) else None


def _store(one: ServedProfile) -> Store:
    return one.pipeline.store


def _by_token(accounts: TokenStore) -> TokenSignIn:
    """Signs in whoever shows an approver's token; a caller's opens nothing here."""

    async def sign_in(token: str) -> VerifiedApprover | None:
        found = await run_sync(accounts.authenticate, token, time.time())
        if found is None or found.role != "approver":
            return None
        return VerifiedApprover(Approver(f"token:{found.name}", found.groups), found.expires_at, token)

    return sign_in


def build_identity_provider(wanted: HttpSettings, lang: Language) -> OidcProvider | None:
    """The identity provider of single sign-on, where one is set.

    Raises:
        SaasusMcpError: what it takes is not installed, or its client secret cannot be one.
    """
    oidc = wanted.console.oidc
    if oidc is None:
        return None
    if oidc.client_secret is not None:
        secret = oidc.client_secret.read()
        require_valid_credentials({"console.oidc.client_secret": secret}, spaces=True)
        server_log.redact_in_log(secret)
    return OidcProvider(oidc, f"{wanted.public_url}/console/sso/callback")


def read_policy_text(policy: Policy) -> PolicyText:
    """The policy as its file has it, and whether that is what is in force."""
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where it is shown

    under = unwrap_policy(policy)
    if not isinstance(under, policy_file.ReloadablePolicy):
        modes: tuple[Mode, ...] = ("read-only", "guarded", "strict")
        files = (file for mode in modes if (file := policy_file.preset_path(mode)).stem == under.name)
        return PolicyText("".join(file.read_text(encoding="utf-8") for file in files))
    try:
        edited = under.file.stat().st_mtime_ns > under.read_at
        return PolicyText(under.file.read_text(encoding="utf-8"), outdated=edited or not under.last_result.accepted)
    except (OSError, UnicodeDecodeError):
        return PolicyText("", outdated=True)


class _Rooms:
    """One room for every store, those that come later included."""

    def __init__(self, kept: Stores, until: ExitStack) -> None:
        self._kept = kept
        self._until = until
        self._open: dict[str, Store] = {}
        self._lock = threading.Lock()

    def present(self) -> list[ProfileContext]:
        """Those there are now. One that cannot be read is left out, and said at the terminal."""
        from saasus_mcp.sandbox import CREDENTIALS  # noqa: PLC0415 - only for its name

        with self._lock:
            names = self._kept.names
            for name in names:
                if name not in self._open and (store := state.open_readable_store(self._kept, name)) is not None:
                    self._until.callback(store.close)
                    self._open[name] = store
            shown = {name: Path(name).stem.removeprefix(SCHEMA_PREFIX) for name in names}
            alike = Counter(stemmed[:-HASH_LENGTH] for stemmed in shown.values())
            return [
                ProfileContext(
                    name=stemmed[:-HASH_LENGTH] if alike[stemmed[:-HASH_LENGTH]] == 1 else stemmed,
                    groups=frozenset(),
                    store=partial(self._open.__getitem__, name),
                    sandbox=stemmed == safe_name(CREDENTIALS.saas_id),
                )
                for name, stemmed in shown.items()
                if name in self._open
            ]
