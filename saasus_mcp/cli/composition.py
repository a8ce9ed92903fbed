"""The composition root: builds clients, pipelines, job runners and the MCP server from the settings.

It imports the SDK, the HTTP client and the job engine: commands import it where they need a pipeline.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from saasus_mcp import catalog
from saasus_mcp.catalog import Catalogue
from saasus_mcp.cli import server_log, state
from saasus_mcp.cli.destination import resolve_destination
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.policy_in_force import accept_policy_reloads, resolve_policy, warn_of_unserved_profiles
from saasus_mcp.permissions.secrets.secret_vault import no_references
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.signature import Credentials
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.context import CallObserver, RevocationCheck, never_revoked
from saasus_mcp.server.scheduling.fair_queue import FairQueue
from saasus_mcp.server.scheduling.store_executor import run_in_thread, run_inline
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.profiles import load_profile, load_profiles
from saasus_mcp.store.state_files import create_database_file, prepare_store_file
from saasus_mcp.store.store import Store
from saasus_mcp.store.stores import Stores

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from saasus_mcp.jobs.runner import JobRunner
    from saasus_mcp.sandbox import Sandbox
    from saasus_mcp.server.offer_handlers import ResolvePrincipal

SHARED_JOBS_NAME = "shared"
JOBS_DATABASE_SUFFIX = ".jobs.db"
"""Suffix of the job engine's database. A process that serves several SaaS has one database for all of them."""


def build_client(settings: Settings, catalogue: Catalogue, sandbox: Sandbox | None = None) -> ApiClient:
    """Return a client of the API, or of the sandbox in this process, which never gets real credentials.

    Args:
        sandbox: by default a new sandbox, whose state ends with the process.
    """
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
    catalogue, pipelines = catalog.load_catalogue(), dict[str, Pipeline]()
    policy = resolve_policy(profiles[0], catalogue)
    warn_of_unserved_profiles(policy, profiles[0])
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
    await to_thread.run_sync(stores.require_key, saas_id)
    store = await to_thread.run_sync(open_store)
    return lambda: store
