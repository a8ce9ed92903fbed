"""Build the console: for the profiles of a hosted server, or for the stores of this computer."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import get_args

from anyio.to_thread import run_sync

from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli import server_log, state
from saasus_mcp.cli.destination import SANDBOX_PROFILE
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.policy_in_force import accept_policy_reloads, resolve_policy
from saasus_mcp.hosting.auth.profile_access import ServedProfile
from saasus_mcp.hosting.console.caller_identity import find_caller
from saasus_mcp.hosting.console.oidc import OidcProvider
from saasus_mcp.hosting.console.routes import Console
from saasus_mcp.hosting.console.service import ConsoleService, PolicyText, ProfileContext
from saasus_mcp.hosting.console.signin_routes import SigninRoutes, TokenSignIn
from saasus_mcp.hosting.console.signin_sessions import ConsoleSessions, GuessThrottle, LocalSessions, OneTimeLinks
from saasus_mcp.permissions.policy.file import preset_path, reloadable_policy
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import unwrap_policy
from saasus_mcp.permissions.secrets import passphrase
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.settings.environment import Mode, Settings
from saasus_mcp.settings.hosting import HttpSettings
from saasus_mcp.settings.profiles import require_valid_credentials
from saasus_mcp.store.signin_sessions import Approver, SessionStore, VerifiedApprover
from saasus_mcp.store.state_files import safe_name
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import SCHEMA_PREFIX, Stores
from saasus_mcp.store.tokens import TokenStore

HASH_LENGTH = 13
"""Characters at the end of a store's name, which tell apart two SaaS ids with the same readable form."""


def build_hosted_console(
    settings: Settings, http: HttpSettings, served: Mapping[str, ServedProfile], until: ExitStack
) -> Console | None:
    """Return the console of a hosted server, or None if it is disabled, no approver could sign in, or its workers share no sign-in.

    Raises:
        SaasusMcpError: the client secret of single sign-on is not valid.
    """
    if not http.console.enabled:
        return None
    contexts = [_profile_context(http, name, each) for name, each in served.items()]
    pipeline = next(iter(served.values())).pipeline
    service = ConsoleService(
        list_contexts=lambda: contexts,
        catalogue=pipeline.catalogue,
        policy=pipeline.policy,
        read_policy=partial(read_policy_text, pipeline.policy),
        encryptor=state.load_encryptor(settings),
        clock=time.time,
    )
    provider = build_identity_provider(http)
    if http.authenticated and not http.tokens and provider is None:
        return None
    if not http.authenticated and provider is None:
        if http.workers > 1:
            return None  # a link and its session are in the memory of one process; `saasus-mcp console` has them
        return _build_console(settings, service, LocalSessions(), secure=False)
    tokens = until.enter_context(state.open_tokens(settings))
    return _build_console(
        settings,
        replace(service, read_tokens=tokens.list_tokens),
        SessionStore(tokens.database),
        secure=http.public_url.startswith("https:"),
        verify_token=make_token_verifier(tokens) if http.tokens else None,
        provider=provider,
    )


def _profile_context(http: HttpSettings, name: str, served: ServedProfile) -> ProfileContext:
    pipeline = served.pipeline
    destination = pipeline.destination
    return ProfileContext(
        name,
        served.groups,
        lambda: pipeline.store,
        name,
        destination.saas_id,
        sandbox=destination.sandbox,
        pipeline=pipeline,
        find_caller=partial(find_caller, http, served),
    )


def build_local_console(settings: Settings, catalogue: Catalogue, until: ExitStack) -> Console:
    """Return the console for every store of this computer and for its user."""
    stores = until.enter_context(state.open_state(settings))
    policy = resolve_policy(settings, catalogue)
    until.enter_context(accept_policy_reloads(settings, policy))
    service = ConsoleService(
        list_contexts=partial(_list_contexts, state.PresentStores(stores, until)),
        catalogue=catalogue,
        policy=policy,
        read_policy=partial(read_policy_text, policy),
        encryptor=state.load_encryptor(settings),
        clock=time.time,
        profile=SANDBOX_PROFILE if settings.sandbox else settings.profile,
        freeze_all=stores.set_freeze,
        common_store=_open_once(stores, until),
    )
    return _build_console(settings, service, LocalSessions(), secure=False)


def signin_link(console: Console, base: str) -> str:
    """Return a one-time link for the user of this computer."""
    user = local_user()
    approver = Approver(user.id, is_owner=True, person=user.person)
    return f"{base}/enter/{console.signin.links.issue(approver)}"


def _open_once(stores: Stores, until: ExitStack) -> Callable[[], Store]:
    """Return a function that opens the store of decisions on every SaaS at its first call."""
    lock = threading.Lock()

    @cache
    def open_store() -> Store:
        store = stores.open_decisions()
        until.callback(store.close)
        return store

    def open_locked() -> Store:
        with lock:
            return open_store()

    return open_locked


def _build_console(
    settings: Settings,
    service: ConsoleService,
    sessions: ConsoleSessions,
    *,
    secure: bool,
    verify_token: TokenSignIn | None = None,
    provider: OidcProvider | None = None,
) -> Console:
    signin = SigninRoutes(
        sessions=sessions,
        links=OneTimeLinks(time.time),
        encryptor=service.encryptor,
        clock=time.time,
        throttle=GuessThrottle(time.time),
        passphrase_throttle=GuessThrottle(time.time),
        language=settings.lang,
        secure=secure,
        verify_token=verify_token,
        provider=provider,
        passphrase_check=partial(_passphrase_check, settings.state_folder),
    )
    return Console(service, signin, settings.lang, settings.zone)


def _passphrase_check(folder: Path) -> Callable[[str], bool] | None:
    return partial(passphrase.verify_passphrase, folder) if passphrase.is_passphrase_set(folder) else None


def make_token_verifier(tokens: TokenStore) -> TokenSignIn:
    """Return a function that signs in with an approver's token. A caller's token does not sign in."""

    async def verify(secret: str) -> VerifiedApprover | None:
        token = await run_sync(tokens.authenticate, secret, time.time())
        if token is None or token.role != "approver":
            return None
        return VerifiedApprover(Approver(f"token:{token.name}", token.groups), token.expires_at, secret)

    return verify


def build_identity_provider(http: HttpSettings) -> OidcProvider | None:
    """Return the identity provider of single sign-on, or None if none is set.

    Raises:
        SaasusMcpError: its client secret is not valid.
    """
    oidc = http.console.oidc
    if oidc is None:
        return None
    if oidc.client_secret is not None:
        secret = oidc.client_secret.read()
        require_valid_credentials({"console.oidc.client_secret": secret}, spaces=True)
        server_log.redact_in_log(secret)
    return OidcProvider(oidc, f"{http.public_url}/console/sso/callback")


def read_policy_text(policy: Policy) -> PolicyText:
    """Return the text of the policy file, and whether it differs from the policy in force."""
    inner = reloadable_policy(policy)
    if inner is None:
        files = (preset_path(mode) for mode in get_args(Mode))
        texts = (file.read_text(encoding="utf-8") for file in files if file.stem == unwrap_policy(policy).name)
        return PolicyText(next(texts, ""))
    is_current = inner.is_current()
    try:
        text = inner.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return PolicyText("", outdated=True)
    return PolicyText(text, outdated=not is_current)


def _list_contexts(present: state.PresentStores) -> list[ProfileContext]:
    """Return a context for every store, including stores that are created later."""
    stores = {Path(name).stem.removeprefix(SCHEMA_PREFIX): store for name, store in present.by_name().items()}
    counts = Counter(full[:-HASH_LENGTH] for full in stores)  # also those that cannot be read now: names stay the same
    return [
        ProfileContext(
            name=full[:-HASH_LENGTH] if counts[full[:-HASH_LENGTH]] == 1 else full,
            groups=frozenset(),
            store=partial(_return_store, store),
            sandbox=full == safe_name(CREDENTIALS.saas_id),
        )
        for full, store in stores.items()
        if store is not None
    ]


def _return_store(store: Store) -> Store:
    return store
