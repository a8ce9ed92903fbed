"""Putting the rooms together, from settings to a pipeline."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import (
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
    asynccontextmanager,
    nullcontext,
)
from typing import TYPE_CHECKING

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.cli import server_log, state
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.presets import PRESETS, Mode, Policy, Principal, ReadOnlyPolicy, unwrap_policy
from saasus_mcp.settings import Settings, SettingsError, load_profile, load_profiles
from saasus_mcp.store.state_files import create_database_file, prepare_store_file
from saasus_mcp.store.stores import Stores

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.permissions.policy.file import ReloadResult
    from saasus_mcp.permissions.secrets.secret_vault import SecretReferences
    from saasus_mcp.saasus.client import ApiClient
    from saasus_mcp.sandbox import Sandbox
    from saasus_mcp.server.pipeline.call_observer import CallObserver
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)

SHARED_JOBS_NAME = "shared"
JOBS_DATABASE_SUFFIX = ".jobs.db"
"""Of the database of the engine of jobs: one for each SaaS, or one for a process that serves several."""
DEFAULT_PROFILE = "default"
SANDBOX_PROFILE, SANDBOX_SAAS_ID = "sandbox", "sandbox"


def resolve_policy(settings: Settings, catalogue: Catalogue | None = None) -> Policy:
    """The policy in force: a file's or a preset's, under the read-only ceiling where that is set.

    A file is read again at `policy reload` and at SIGHUP, where the system has it, and taken only if it is sound.

    Raises:
        PolicyError: the file is not sound.
    """
    if settings.policy is not None:
        from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used

        chosen = policy_file.ReloadablePolicy(settings.policy, catalogue)
        policy_file.reload_on_sighup(chosen, make_reload_recorder(settings))
        return ReadOnlyPolicy(chosen) if settings.read_only or settings.mode == "read-only" else chosen
    return PRESETS[preset_name(settings)]


def preset_name(settings: Settings) -> Mode:
    """The preset that holds where there is no policy file."""
    return "read-only" if settings.read_only else settings.mode or "guarded"


def accept_policy_reloads(settings: Settings, chosen: Policy) -> AbstractContextManager[object]:
    """While entered, `policy reload` reaches this process, where it runs under a policy file."""
    if settings.policy is None:
        return nullcontext()
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used
    from saasus_mcp.permissions.policy import reload  # noqa: PLC0415 - as above

    under = unwrap_policy(chosen)
    return (
        reload.ReloadListener(settings.state_folder, under, make_reload_recorder(settings))
        if isinstance(under, policy_file.ReloadablePolicy)
        else nullcontext()
    )


def make_reload_recorder(settings: Settings) -> Callable[[ReloadResult], None]:
    """Logs how a reload of the policy ended and records it, aside: a signal may come in the middle of a transaction."""
    from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord  # noqa: PLC0415 - as above
    from saasus_mcp.permissions.policy import file as policy_file  # noqa: PLC0415 - only where a file is used

    def record(ended: ReloadResult) -> None:
        kind = ActionKind.POLICY_TAKEN if ended.accepted else ActionKind.POLICY_REFUSED
        told = ActionRecord(kind, local_user().id, "server", subject=str(settings.policy), reason=ended.message)
        try:
            with state.open_state(settings) as kept:
                state.record_decision(kept, told)
        except SaasusMcpError as error:
            log.error("a reload of the policy could not be recorded: %s", error)  # noqa: TRY400 - it says all there is

    def say(ended: ReloadResult) -> None:
        policy_file.log_reload(ended)
        threading.Thread(target=record, args=(ended,), name="policy record").start()

    return say


def resolve_place(settings: Settings) -> Destination:
    """Where calls go.

    Raises:
        SettingsError: there are no credentials, or the sandbox is asked for together with a profile.
    """
    if settings.sandbox:
        if settings.profile != DEFAULT_PROFILE:
            raise SettingsError("--sandbox and --profile cannot be combined.", "Omit one of them.")
        return Destination(SANDBOX_PROFILE, SANDBOX_SAAS_ID, sandbox=True)
    chosen = load_profile(settings)
    return Destination(chosen.name, chosen.saas_id)


def check_prerequisites(settings: Settings) -> None:
    """See that credentials, state folder and key are there: a server that cannot work answers nothing.

    Raises:
        SaasusMcpError: they are not.
    """
    where = resolve_place(settings)
    if settings.database_url is None:
        with state.localize_file_errors(settings.lang):
            prepare_store_file(settings.state_folder, where.saas_id)
        with state.open_state(settings) as kept:
            kept.require_key(where.saas_id)
    state.load_sealer(settings)


def local_user() -> Principal:
    """The principal of a laptop: whoever runs the process, by the system's word; the environment can say anybody."""
    try:
        if sys.platform == "win32":
            name = os.getlogin()
        else:
            name = pwd.getpwuid(os.getuid()).pw_name
    except (KeyError, OSError):
        return Principal("local")
    return Principal(f"local:{name}")


def build_client(settings: Settings, catalogue: Catalogue, sandbox: Sandbox | None = None) -> ApiClient:
    """What sends: to the API, or to the sandbox inside this process, which real credentials never reach.

    Args:
        sandbox: the one to use; by default a new one, whose state ends with the process.
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


def no_console_url() -> str:
    """Where no console is known to run."""
    return ""


@asynccontextmanager
async def open_pipeline(
    settings: Settings, console: Callable[[], str] = no_console_url, sandbox: Sandbox | None = None
) -> AsyncIterator[Pipeline]:
    """The pipeline that the settings describe, with its store and its client open.

    Args:
        console: where a person could approve on a page; empty where nowhere.
        sandbox: see `client`.

    Raises:
        SaasusMcpError: something in the settings, the policy or the state folder is not sound.
    """
    from saasus_mcp.server.pipeline.call_observer import NULL_OBSERVER  # noqa: PLC0415 - as above

    catalogue = load_catalogue()
    chosen = resolve_policy(settings, catalogue)
    with accept_policy_reloads(settings, chosen), state.open_state(settings) as kept:
        async with _pipeline(
            settings, catalogue, chosen, watch=NULL_OBSERVER, kept=kept, console=console, sandbox=sandbox
        ) as one:
            yield one


@asynccontextmanager
async def open_pipelines(
    settings: Settings,
    watch: Callable[[str, Catalogue], CallObserver],
    console: Callable[[], str] = no_console_url,
    share: int | None = None,
) -> AsyncIterator[dict[str, Pipeline]]:
    """A pipeline for every profile, by name, all under one policy.

    Args:
        watch: makes who is told of a profile's calls.
        console: where a person could approve on a page; empty where nowhere.
        share: calls of one principal that may be at the API of a profile at once; None where there is but one principal.

    Raises:
        SaasusMcpError: something in the settings, the policy or the state folder is not sound.
    """
    catalogue = load_catalogue()
    chosen = resolve_policy(settings, catalogue)
    each = (
        [settings]
        if settings.sandbox
        else [settings.model_copy(update={"profile": one}) for one in load_profiles(settings)]
    )
    async with AsyncExitStack() as until:
        until.enter_context(accept_policy_reloads(settings, chosen))
        kept = until.enter_context(state.open_state(settings))
        made: dict[str, Pipeline] = {}
        for one in each:
            name = resolve_place(one).profile
            made[name] = await until.enter_async_context(
                _pipeline(one, catalogue, chosen, watch=watch(name, catalogue), kept=kept, console=console, share=share)
            )
        yield made


@asynccontextmanager
async def open_job_runners(
    settings: Settings, pipelines: Mapping[str, Pipeline]
) -> AsyncIterator[dict[str, JobRunner]]:
    """Who runs the jobs of each pipeline, by profile."""
    from saasus_mcp.jobs.job_runners import start_runners as staffed  # noqa: PLC0415 - not every command has jobs

    sealer, ids = state.load_sealer(settings), [one.destination.saas_id for one in pipelines.values()]
    if settings.database_url is not None:
        from saasus_mcp.store.shared_stores import jobs_schema  # noqa: PLC0415 - imports the database library

        url = settings.database_url.get_secret_value()
        async with staffed(pipelines, url, sealer, schema=jobs_schema(ids)) as runners:
            yield runners
        return
    name = prepare_store_file(settings.state_folder, ids[0]).stem if len(ids) == 1 else SHARED_JOBS_NAME
    file = create_database_file(settings.state_folder, name + JOBS_DATABASE_SUFFIX)
    async with staffed(pipelines, f"sqlite:///{file}", sealer, has_jobs=lambda: file.stat().st_size > 0) as runners:
        yield runners


@asynccontextmanager
async def _pipeline(
    settings: Settings,
    catalogue: Catalogue,
    under: Policy,
    *,
    watch: CallObserver,
    kept: Stores,
    console: Callable[[], str],
    share: int | None = None,
    sandbox: Sandbox | None = None,
) -> AsyncIterator[Pipeline]:
    """The pipeline of the chosen profile."""
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline  # noqa: PLC0415 - as below
    from saasus_mcp.server.scheduling.fair_queue import FairQueue  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.server.scheduling.store_executor import run_in_thread, run_inline  # noqa: PLC0415 - imports the HTTP client

    where, sealer = resolve_place(settings), state.load_sealer(settings)
    with ExitStack() as until:
        store = await _opener(kept, where.saas_id, until)
        async with build_client(settings, catalogue, sandbox) as sender:
            yield Pipeline(
                catalogue=catalogue,
                policy=under,
                client=sender,
                open_store=store,
                encryptor=sealer,
                destination=where,
                language=settings.lang,
                zone=settings.zone,
                references=secret_references(settings),
                budget=settings.answer_budget,
                observer=watch,
                store_executor=run_in_thread if kept.shared else run_inline,
                console_url=console,
                call_queue=FairQueue(per_principal=share) if share else FairQueue(),
                call_seconds=settings.call_seconds,
            )


async def _opener(kept: Stores, saas_id: str, until: ExitStack) -> Callable[[], Store]:
    """Opens the store of a SaaS with the first call, so that a client that lists tools waits for no database; a shared
    one now, so that a server that cannot work does not start.

    Raises:
        StoreError: it cannot be used.
    """

    def opened() -> Store:
        store = kept.open_saas(saas_id)
        until.callback(store.close)
        return store

    if not kept.shared:
        kept.require_key(saas_id)
        return opened
    from anyio import to_thread  # noqa: PLC0415 - only where it is shared

    await to_thread.run_sync(kept.require_key, saas_id)
    store = await to_thread.run_sync(opened)
    return lambda: store


def secret_references(settings: Settings) -> SecretReferences:
    """What `secret://NAME` stands for: only what the profile lists, and nothing in the sandbox."""
    from saasus_mcp.permissions.secrets.secret_vault import no_references  # noqa: PLC0415 - imports the HTTP client

    return no_references if settings.sandbox else load_profile(settings).read_secret
