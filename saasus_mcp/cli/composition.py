"""The composition root: builds pipelines and job runners from the settings."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack, asynccontextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from saasus_mcp import catalog
from saasus_mcp.cli import server_log, state
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.person import MAX_NAME, Person
from saasus_mcp.common.text import one_line
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS, ReadOnlyPolicy, unwrap_policy
from saasus_mcp.settings.environment import DEFAULT_PROFILE, Mode, Settings
from saasus_mcp.settings.profiles import load_profile, load_profiles, profile_names
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.state_files import create_database_file, prepare_store_file
from saasus_mcp.store.stores import Stores

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from saasus_mcp.catalog import Catalogue
    from saasus_mcp.cli.options import SurfaceOptions
    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord
    from saasus_mcp.permissions.policy.file import ReloadResult
    from saasus_mcp.saasus.client import ApiClient
    from saasus_mcp.sandbox import Sandbox
    from saasus_mcp.server.offer_handlers import ResolvePrincipal
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.server.pipeline.context import CallObserver, RevocationCheck
    from saasus_mcp.store.store import Store

_log = logging.getLogger(__name__)

SHARED_JOBS_NAME = "shared"
JOBS_DATABASE_SUFFIX = ".jobs.db"
"""Suffix of the job engine's database. A process that serves several SaaS has one database for all of them."""
SANDBOX_PROFILE, SANDBOX_SAAS_ID = "sandbox", "sandbox"


def resolve_policy(settings: Settings, catalogue: Catalogue | None = None) -> Policy:
    """Return the policy in force: from the policy file or a preset, limited to reads if the settings say so.

    `policy reload` and SIGHUP read a policy file again, unless the settings have its content: then the one that gave it decides when
    it changes. A file with errors leaves the policy as it is.

    Raises:
        PolicyError: the file has errors.
    """
    if settings.policy is not None:
        from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used

        given = settings.contents.policy if settings.contents is not None else None
        policy = policy_file.ReloadablePolicy(settings.policy, catalogue, given)
        if settings.contents is None:
            policy_file.reload_on_sighup(policy, make_reload_recorder(settings, policy))
        return limit_to_reads(policy, settings)
    return PRESETS[preset_name(settings)]


def unserved_profiles(policy: Policy, settings: Settings) -> tuple[str, ...]:
    """Return the profiles that rules name and these settings do not have, such as misspelt ones. Their rules never apply here."""
    inner = unwrap_policy(policy)
    named: frozenset[str] = getattr(getattr(inner, "inner", inner), "profiles", frozenset())
    return tuple(sorted(named - {settings.profile, SANDBOX_PROFILE, *profile_names(settings)})) if named else ()


def _warn_of_unserved_profiles(policy: Policy, settings: Settings) -> None:
    if unserved := unserved_profiles(policy, settings):
        _log.warning("%s", message("policy.unserved_profiles", name=policy.name, profiles=unserved))


def limit_to_reads(policy: Policy, settings: Settings) -> Policy:
    """Return the policy, limited to reads if the settings say so."""
    return ReadOnlyPolicy(policy) if preset_name(settings) == "read-only" else policy


def preset_name(settings: Settings) -> Mode:
    """Return the preset that applies without a policy file."""
    return "read-only" if settings.read_only else settings.mode or "guarded"


def accept_policy_reloads(settings: Settings, policy: Policy) -> AbstractContextManager[object]:
    """Let `policy reload` reach this process while the context lasts, if it runs under a policy file."""
    if settings.policy is None or settings.contents is not None:
        return nullcontext()
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used
    from saasus_mcp.permissions.policy import reload  # noqa: PLC0415 - as above

    inner = policy_file.reloadable_policy(policy)
    if inner is None:
        return nullcontext()
    return reload.ReloadListener(settings.state_folder, inner, make_reload_recorder(settings, inner))


def make_reload_recorder(settings: Settings, policy: Policy | None = None) -> Callable[[ReloadResult], None]:
    """Return a function that logs a reload and records it in a thread: a signal may interrupt a transaction.

    Args:
        policy: what is reloaded, if this process uses it.
    """
    from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord  # noqa: PLC0415 - as above
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used

    def record(result: ReloadResult) -> None:
        kind = ActionKind.POLICY_TAKEN if result.accepted else ActionKind.POLICY_REFUSED
        user, subject = local_user(), str(settings.policy)
        action = ActionRecord(kind, user.id, "server", subject=subject, reason=str(result.message), person=user.person)
        try:
            with state.open_state(settings) as stores:
                state.record_decision(stores, action)
        except SaasusMcpError as error:
            _log.error("a reload of the policy could not be recorded: %s", error)

    def log_and_record(result: ReloadResult) -> None:
        policy_file.log_reload(result)
        if result.accepted and policy is not None:
            _warn_of_unserved_profiles(policy, settings)
        threading.Thread(target=record, args=(result,), name="policy record").start()

    return log_and_record


def resolve_destination(settings: Settings) -> Destination:
    """Return the profile and the SaaS that calls go to.

    Raises:
        SettingsError: no credentials are set, or the sandbox is combined with a profile.
    """
    if settings.sandbox:
        if settings.profile != DEFAULT_PROFILE:
            raise SettingsError.of("cli_serve.sandbox_with_profile")
        return Destination(SANDBOX_PROFILE, SANDBOX_SAAS_ID, sandbox=True)
    profile = load_profile(settings)
    return Destination(profile.name, profile.saas_id)


def check_prerequisites(settings: Settings) -> None:
    """Check credentials, state folder and key before the server answers. Raise SaasusMcpError if one of them cannot be used."""
    destination = resolve_destination(settings)
    if settings.database_url is None:
        prepare_store_file(settings.state_folder, destination.saas_id)
        with state.open_state(settings) as stores:
            stores.require_key(destination.saas_id)
    state.load_encryptor(settings)


def local_user() -> Principal:
    """Return the principal of this computer: the user of the process as the system knows it, not as the environment says."""
    try:
        if sys.platform == "win32":
            return Principal(f"local:{os.getlogin()}")
        user = pwd.getpwuid(os.getuid())
    except (KeyError, OSError):
        return Principal("local")
    full_name = one_line(user.pw_gecos.partition(",")[0].strip(), MAX_NAME)
    return Principal(f"local:{user.pw_name}", person=Person(full_name if full_name != user.pw_name else ""))


def action_at_terminal(kind: ActionKind, **fields: str) -> ActionRecord:
    """Return the record of a decision of the user at this terminal, with further fields of `ActionRecord`."""
    from saasus_mcp.permissions.approval.action_records import ActionRecord  # noqa: PLC0415 - not on every start

    user = local_user()
    return ActionRecord(kind, user.id, "terminal", person=user.person, **fields)


def record_decision(settings: Settings, kind: ActionKind, subject: str = "", reason: str = "") -> None:
    """Record a decision of the user at this terminal that concerns every SaaS. Raise StoreError if it cannot be recorded."""
    with state.open_state(settings) as stores:
        state.record_decision(stores, action_at_terminal(kind, subject=subject, reason=reason))


def build_client(settings: Settings, catalogue: Catalogue, sandbox: Sandbox | None = None) -> ApiClient:
    """Return a client of the API, or of the sandbox in this process, which never gets real credentials.

    Args:
        sandbox: by default a new sandbox, whose state ends with the process.
    """
    from saasus_mcp.saasus.client import ApiClient  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.saasus.signature import Credentials  # noqa: PLC0415 - as above

    if settings.sandbox:
        from saasus_mcp.sandbox import CREDENTIALS, Sandbox  # noqa: PLC0415 - only where it is used

        emulated = sandbox or Sandbox(catalogue)
        return ApiClient(CREDENTIALS, timeout=settings.timeout, transport=emulated.transport())
    chosen = load_profile(settings)
    credentials = Credentials(chosen.saas_id, chosen.api_key, chosen.secret_key)
    server_log.redact_in_log(chosen.api_key, chosen.secret_key)
    return ApiClient(credentials, chosen.api_url_base, settings.timeout)


@asynccontextmanager
async def open_pipeline(
    settings: Settings, console: Callable[[], str] = lambda: "", sandbox: Sandbox | None = None
) -> AsyncIterator[Pipeline]:
    """Open the pipeline of the settings, with its store and its client.

    Args:
        console: returns the URL of the console of the owner of this computer (`saasus-mcp console`), or an empty string.
        sandbox: see `build_client`.

    Raises:
        SaasusMcpError: the settings, the policy or the state folder cannot be used.
    """
    async with _open_pipelines([settings], console=console, sandbox=sandbox) as opened:
        yield next(iter(opened.values()))


@asynccontextmanager
async def open_pipelines(
    settings: Settings,
    make_observer: Callable[[str, Catalogue], CallObserver],
    console: Callable[[], str] = lambda: "",
    calls_per_principal: int | None = None,
    is_revoked: RevocationCheck | None = None,
) -> AsyncIterator[dict[str, Pipeline]]:
    """Open a pipeline for every profile of a server over HTTP, by name, all under one policy.

    Args:
        make_observer: returns the observer of a profile's calls.
        console: returns the URL of a console on which a person can approve, or an empty string.
        calls_per_principal: calls of one principal to the API of a profile at once; None if there is one principal only.
        is_revoked: returns whether a caller's token was revoked; None if callers have no tokens of this server.

    Raises:
        SaasusMcpError: the settings, the policy or the state folder cannot be used.
    """
    profiles = [settings]
    if not settings.sandbox:
        profiles = [replace(settings, profile=name) for name in load_profiles(settings)]
    async with _open_pipelines(
        profiles, make_observer, console=console, share=calls_per_principal, is_revoked=is_revoked, is_hosted=True
    ) as opened:
        yield opened


@asynccontextmanager
async def open_job_runners(
    settings: Settings, pipelines: Mapping[str, Pipeline]
) -> AsyncIterator[dict[str, JobRunner]]:
    """Start the job runner of each pipeline, by profile."""
    from saasus_mcp.jobs.job_runners import start_runners  # noqa: PLC0415 - not every command has jobs

    encryptor, ids = state.load_encryptor(settings), [each.destination.saas_id for each in pipelines.values()]
    if settings.database_url is not None:
        from saasus_mcp.store.shared_stores import jobs_schema  # noqa: PLC0415 - imports the database library

        url = settings.database_url.get_secret_value()
        async with start_runners(pipelines, url, encryptor, schema=jobs_schema(ids)) as runners:
            yield runners
        return
    name = prepare_store_file(settings.state_folder, ids[0]).stem if len(ids) == 1 else SHARED_JOBS_NAME
    file = create_database_file(settings.state_folder, name + JOBS_DATABASE_SUFFIX)
    has_jobs = lambda: file.stat().st_size > 0  # noqa: E731 - one expression
    async with start_runners(pipelines, f"sqlite:///{file}", encryptor, has_jobs=has_jobs) as runners:
        yield runners


def build_mcp_server(
    pipeline: Pipeline, runner: JobRunner, resolve: ResolvePrincipal, settings: Settings, options: SurfaceOptions
) -> Server[Any]:
    """Return the MCP server of a pipeline and its jobs. `resolve`: returns the principal behind a request."""
    from saasus_mcp.jobs.job_tools import build_job_tools  # noqa: PLC0415 - imports the SDK
    from saasus_mcp.server.mcp_server import build_server  # noqa: PLC0415 - as above
    from saasus_mcp.server.surface.tool_surface import ToolSurface  # noqa: PLC0415 - imports the HTTP client

    job_tools = build_job_tools(runner, options.kind)
    surface = ToolSurface(pipeline, settings.lang, options.kind, toolsets=options.toolsets, extra_tools=job_tools)
    return build_server(pipeline, resolve, settings.lang, surface)


@asynccontextmanager
async def _open_pipelines(
    profiles: Sequence[Settings],
    make_observer: Callable[[str, Catalogue], CallObserver] | None = None,
    *,
    console: Callable[[], str],
    share: int | None = None,
    sandbox: Sandbox | None = None,
    is_revoked: RevocationCheck | None = None,
    is_hosted: bool = False,
) -> AsyncIterator[dict[str, Pipeline]]:
    from saasus_mcp.permissions.secrets.secret_vault import no_references  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline  # noqa: PLC0415 - as above
    from saasus_mcp.server.pipeline.context import CallObserver, never_revoked  # noqa: PLC0415 - as above
    from saasus_mcp.server.scheduling.fair_queue import FairQueue  # noqa: PLC0415 - as above
    from saasus_mcp.server.scheduling.store_executor import run_in_thread, run_inline  # noqa: PLC0415 - as above

    catalogue, pipelines = catalog.load_catalogue(), dict[str, Pipeline]()
    policy = resolve_policy(profiles[0], catalogue)
    _warn_of_unserved_profiles(policy, profiles[0])
    async with AsyncExitStack() as until:
        until.enter_context(accept_policy_reloads(profiles[0], policy))
        stores = until.enter_context(state.open_state(profiles[0]))
        for settings in profiles:
            destination, encryptor = resolve_destination(settings), state.load_encryptor(settings)
            open_store = await _store_opener(stores, destination.saas_id, until.enter_context(ExitStack()))
            pipelines[destination.profile] = Pipeline(
                catalogue=catalogue,
                policy=policy,
                client=await until.enter_async_context(build_client(settings, catalogue, sandbox)),
                open_store=open_store,
                encryptor=encryptor,
                destination=destination,
                language=settings.lang,
                zone=settings.zone,
                references=no_references if settings.sandbox else load_profile(settings).read_secret,
                budget=settings.answer_budget,
                observer=make_observer(destination.profile, catalogue) if make_observer else CallObserver(),
                store_executor=run_in_thread if stores.shared else run_inline,
                console_url=console,
                is_hosted=is_hosted,
                call_queue=FairQueue(per_principal=share) if share else FairQueue(),
                call_seconds=settings.call_seconds,
                is_revoked=is_revoked or never_revoked,
            )
        yield pipelines


async def _store_opener(stores: Stores, saas_id: str, until: ExitStack) -> Callable[[], Store]:
    """Return a function that opens the store of a SaaS.

    A local store opens with the first call, so that listing tools waits for no database. A shared store opens now, so that
    a server that cannot work does not start.

    Raises:
        StoreError: the store cannot be used.
    """

    def open_store() -> Store:
        store = stores.open_saas(saas_id)
        until.callback(store.close)
        return store

    if not stores.shared:
        stores.require_key(saas_id)
        return open_store
    from anyio import to_thread  # noqa: PLC0415 - only with a shared store

    await to_thread.run_sync(stores.require_key, saas_id)
    store = await to_thread.run_sync(open_store)
    return lambda: store
