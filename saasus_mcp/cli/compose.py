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

from saasus_mcp.catalog import Catalogue, load
from saasus_mcp.cli import keeping, logs
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions.policy import PRESETS, CasePolicy, Mode, Principal, ReadOnlyCeiling, underlying
from saasus_mcp.permissions.proof import Place
from saasus_mcp.settings import Settings, SettingsError, profile, profiles
from saasus_mcp.store.files import make, prepare
from saasus_mcp.store.stores import Stores

if sys.platform != "win32":
    import pwd

if TYPE_CHECKING:
    from saasus_mcp.jobs.runner import Runner
    from saasus_mcp.permissions.handles import References
    from saasus_mcp.permissions.policy_file import Reloaded
    from saasus_mcp.saasus.client import Client
    from saasus_mcp.sandbox import Sandbox
    from saasus_mcp.server.pipeline import Pipeline
    from saasus_mcp.server.watch import Watch
    from saasus_mcp.store import Store

log = logging.getLogger(__name__)

JOBS = "shared"
JOBS_SUFFIX = ".jobs.db"
"""Of the database of the engine of jobs: one for each SaaS, or one for a process that serves several."""
DEFAULT_PROFILE = "default"
SANDBOX_PROFILE, SANDBOX_SAAS_ID = "sandbox", "sandbox"


def policy(settings: Settings, catalogue: Catalogue | None = None) -> CasePolicy:
    """The policy in force: a file's or a preset's, under the read-only ceiling where that is set.

    A file is read again at `policy reload` and at SIGHUP, where the system has it, and taken only if it is sound.

    Raises:
        PolicyError: the file is not sound.
    """
    if settings.policy is not None:
        from saasus_mcp.permissions import policy_file  # noqa: PLC0415 - only where a file is used

        try:
            chosen = policy_file.Reloading(settings.policy, catalogue)
        except policy_file.PolicyError as error:
            raise policy_file.PolicyError(error.file, error.faults, settings.lang) from None
        policy_file.on_hangup(chosen, reloads(settings))
        return ReadOnlyCeiling(chosen) if settings.read_only or settings.mode == "read-only" else chosen
    return PRESETS[preset(settings)]


def preset(settings: Settings) -> Mode:
    """The preset that holds where there is no policy file."""
    return "read-only" if settings.read_only else settings.mode or "guarded"


def reloadable(settings: Settings, chosen: CasePolicy) -> AbstractContextManager[object]:
    """While entered, `policy reload` reaches this process, where it runs under a policy file."""
    if settings.policy is None:
        return nullcontext()
    from saasus_mcp.permissions import policy_file, policy_reload  # noqa: PLC0415 - only where a file is used

    under = underlying(chosen)
    return (
        policy_reload.Listening(settings.folder, under, reloads(settings))
        if isinstance(under, policy_file.Reloading)
        else nullcontext()
    )


def reloads(settings: Settings) -> Callable[[Reloaded], None]:
    """Logs how a reload of the policy ended and records it, aside: a signal may come in the middle of a transaction."""
    from saasus_mcp.permissions import policy_file  # noqa: PLC0415 - only where a file is used
    from saasus_mcp.permissions.decisions import DecisionRecord, Kind  # noqa: PLC0415 - as above

    def record(ended: Reloaded) -> None:
        kind = Kind.POLICY_TAKEN if ended.taken else Kind.POLICY_REFUSED
        told = DecisionRecord(kind, local_user().id, "server", subject=str(settings.policy), reason=ended.said)
        try:
            with keeping.kept(settings) as kept:
                keeping.record(kept, told)
        except SaasusMcpError as error:
            log.error("a reload of the policy could not be recorded: %s", error)  # noqa: TRY400 - it says all there is

    def say(ended: Reloaded) -> None:
        policy_file.note(ended)
        threading.Thread(target=record, args=(ended,), name="policy record").start()

    return say


def place(settings: Settings) -> Place:
    """Where calls go.

    Raises:
        SettingsError: there are no credentials, or the sandbox is asked for together with a profile.
    """
    if settings.sandbox:
        if settings.profile != DEFAULT_PROFILE:
            raise SettingsError("--sandbox and --profile cannot be combined.", "Omit one of them.")
        return Place(SANDBOX_PROFILE, SANDBOX_SAAS_ID, sandbox=True)
    chosen = profile(settings)
    return Place(chosen.name, chosen.saas_id)


def check(settings: Settings) -> None:
    """See that credentials, state folder and key are there: a server that cannot work answers nothing.

    Raises:
        SaasusMcpError: they are not.
    """
    where = place(settings)
    if settings.database_url is None:
        with keeping.told(settings.lang):
            prepare(settings.folder, where.saas_id)
        with keeping.kept(settings) as kept:
            kept.require_key(where.saas_id)
    keeping.sealing(settings)


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


def client(settings: Settings, catalogue: Catalogue, sandbox: Sandbox | None = None) -> Client:
    """What sends: to the API, or to the sandbox inside this process, which real credentials never reach.

    Args:
        sandbox: the one to use; by default a new one, whose state ends with the process.
    """
    from saasus_mcp.saasus.client import Client  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.saasus.signature import Credentials  # noqa: PLC0415 - as above

    if settings.sandbox:
        from saasus_mcp.sandbox import CREDENTIALS, Sandbox  # noqa: PLC0415 - only where it is used

        emulated = sandbox or Sandbox(catalogue)
        return Client(CREDENTIALS, timeout=settings.timeout, transport=emulated.transport())
    chosen = profile(settings)
    credentials = Credentials(chosen.saas_id, chosen.api_key, chosen.secret_key)
    logs.protect(chosen.api_key, chosen.secret_key)
    return Client(credentials, chosen.api_url_base, settings.timeout)


def no_console() -> str:
    """Where no console is known to run."""
    return ""


@asynccontextmanager
async def pipeline(
    settings: Settings, console: Callable[[], str] = no_console, sandbox: Sandbox | None = None
) -> AsyncIterator[Pipeline]:
    """The pipeline that the settings describe, with its store and its client open.

    Args:
        console: where a person could approve on a page; empty where nowhere.
        sandbox: see `client`.

    Raises:
        SaasusMcpError: something in the settings, the policy or the state folder is not sound.
    """
    from saasus_mcp.server.watch import UNWATCHED  # noqa: PLC0415 - imports the HTTP client

    catalogue = load()
    chosen = policy(settings, catalogue)
    with reloadable(settings, chosen), keeping.kept(settings) as kept:
        async with _pipeline(
            settings, catalogue, chosen, watch=UNWATCHED, kept=kept, console=console, sandbox=sandbox
        ) as one:
            yield one


@asynccontextmanager
async def pipelines(
    settings: Settings,
    watch: Callable[[str, Catalogue], Watch],
    console: Callable[[], str] = no_console,
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
    catalogue = load()
    chosen = policy(settings, catalogue)
    each = (
        [settings] if settings.sandbox else [settings.model_copy(update={"profile": one}) for one in profiles(settings)]
    )
    async with AsyncExitStack() as until:
        until.enter_context(reloadable(settings, chosen))
        kept = until.enter_context(keeping.kept(settings))
        made: dict[str, Pipeline] = {}
        for one in each:
            name = place(one).profile
            made[name] = await until.enter_async_context(
                _pipeline(one, catalogue, chosen, watch=watch(name, catalogue), kept=kept, console=console, share=share)
            )
        yield made


@asynccontextmanager
async def staff(settings: Settings, pipelines: Mapping[str, Pipeline]) -> AsyncIterator[dict[str, Runner]]:
    """Who runs the jobs of each pipeline, by profile."""
    from saasus_mcp.jobs.staff import staff as staffed  # noqa: PLC0415 - not every command has jobs

    sealer, ids = keeping.sealing(settings), [one.place.saas_id for one in pipelines.values()]
    if settings.database_url is not None:
        from saasus_mcp.store.shared import jobs_schema  # noqa: PLC0415 - imports the database library

        url = settings.database_url.get_secret_value()
        async with staffed(pipelines, url, sealer, schema=jobs_schema(ids)) as runners:
            yield runners
        return
    name = prepare(settings.folder, ids[0]).stem if len(ids) == 1 else JOBS
    file = make(settings.folder, name + JOBS_SUFFIX)
    async with staffed(pipelines, f"sqlite:///{file}", sealer, used=lambda: file.stat().st_size > 0) as runners:
        yield runners


@asynccontextmanager
async def _pipeline(
    settings: Settings,
    catalogue: Catalogue,
    under: CasePolicy,
    *,
    watch: Watch,
    kept: Stores,
    console: Callable[[], str],
    share: int | None = None,
    sandbox: Sandbox | None = None,
) -> AsyncIterator[Pipeline]:
    """The pipeline of the chosen profile."""
    from saasus_mcp.server.aside import at_once, in_thread  # noqa: PLC0415 - as below
    from saasus_mcp.server.fair_queue import FairQueue  # noqa: PLC0415 - imports the HTTP client
    from saasus_mcp.server.pipeline import Pipeline  # noqa: PLC0415 - as above

    where, sealer = place(settings), keeping.sealing(settings)
    with ExitStack() as until:
        store = await _opener(kept, where.saas_id, until)
        async with client(settings, catalogue, sandbox) as sender:
            yield Pipeline(
                catalogue=catalogue,
                policy=under,
                client=sender,
                store=store,
                sealer=sealer,
                place=where,
                language=settings.lang,
                zone=settings.zone,
                references=references(settings),
                budget=settings.answer_budget,
                watch=watch,
                aside=in_thread if kept.shared else at_once,
                console=console,
                calls=FairQueue(each=share) if share else FairQueue(),
                call_seconds=settings.call_seconds,
            )


async def _opener(kept: Stores, saas_id: str, until: ExitStack) -> Callable[[], Store]:
    """Opens the store of a SaaS with the first call, so that a client that lists tools waits for no database; a shared
    one now, so that a server that cannot work does not start.

    Raises:
        StoreError: it cannot be used.
    """

    def opened() -> Store:
        store = kept.of(saas_id)
        until.callback(store.close)
        return store

    if not kept.shared:
        kept.require_key(saas_id)
        return opened
    from anyio import to_thread  # noqa: PLC0415 - only where it is shared

    await to_thread.run_sync(kept.require_key, saas_id)
    store = await to_thread.run_sync(opened)
    return lambda: store


def references(settings: Settings) -> References:
    """What `secret://NAME` stands for: only what the profile lists, and nothing in the sandbox."""
    from saasus_mcp.permissions.handles import no_references  # noqa: PLC0415 - imports the HTTP client

    return no_references if settings.sandbox else profile(settings).secret
