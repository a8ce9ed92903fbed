"""The delivery of notices by a server or the console: the channels of the configuration file, the stores, and the console's address."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING

import anyio

from saasus_mcp.cli import server_log, state
from saasus_mcp.cli.composition import SANDBOX_PROFILE
from saasus_mcp.cli.terminal import warn
from saasus_mcp.common.messages import message
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.errors import StoreError

if TYPE_CHECKING:
    from saasus_mcp.notices.channels import Channel, NoticeAudience
    from saasus_mcp.notices.worker import NoticeSource
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.store.store import Store

log = logging.getLogger(__name__)

STARTUP_DELAY = 2.0
"""Seconds before the first look into the outbox. They belong to the client that has just connected."""


def load_channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels of the configuration file. Without a file or channels, nothing of notices is imported.

    Raises:
        SettingsError: the file has a fault, or a secret of a channel is missing or has another form.
    """
    if not settings.has_config_file:
        return ()
    from saasus_mcp.settings.config import config_of  # noqa: PLC0415 - see above

    table = config_of(settings).notices
    if not table.channels():
        return ()
    from saasus_mcp.notices import channels  # noqa: PLC0415 - see above

    loaded = channels.load_channels(table)
    server_log.redact_in_log(*(secret for channel in loaded for secret in channel.secrets.values()))
    return loaded


@asynccontextmanager
async def deliver_notices(
    settings: Settings, pipelines: Mapping[str, Pipeline], console: Callable[[], str]
) -> AsyncIterator[None]:
    """Deliver the notices of a server while the context lasts, if the configuration file has channels.

    A server on stdio sends nothing from a shared database: the servers over HTTP do, with their channels and address.

    Args:
        pipelines: by profile. Their stores have the events.
        console: returns the address of the console, or an empty text.

    Raises:
        SettingsError: see `load_channels`.
        StoreError: the store of decisions cannot be used.
    """
    channels = load_channels(settings)
    if channels and settings.database_url is not None and settings.transport != "http":
        log.warning("%s", message("cli_notify.sent_by_servers"))
        channels = ()
    if not channels:
        yield
        return
    from saasus_mcp.notices.worker import NoticeSource  # noqa: PLC0415 - only where channels are configured

    sources = [
        NoticeSource(lambda pipeline=pipeline: pipeline.store, frozenset({name}))  # type: ignore[misc]
        for name, pipeline in pipelines.items()
    ]
    sandboxes = frozenset(name for name, each in pipelines.items() if each.destination.sandbox)
    audience = notice_audience(settings, frozenset(pipelines), sandboxes)
    async with _deliver(settings, channels, audience, lambda: sources, console):
        yield


@asynccontextmanager
async def deliver_local_notices(
    settings: Settings, list_stores: Callable[[], Iterable[Store]], console: str
) -> AsyncIterator[None]:
    """Deliver the notices of every store of this computer while the context lasts.

    The console does this: it is where people decide, and the server that asked may have ended. A fault of a channel or of
    a store is reported in the terminal, and must not keep anyone from deciding. From a shared database it sends nothing: the
    servers over HTTP do, with their channels and an address that every reader can open.

    Args:
        list_stores: returns the stores that exist now, each time the same objects.
    """
    try:
        channels = load_channels(settings)
    except SettingsError as error:
        warn(message("cli_notify.not_sent_here", reason=error.message))
        channels = ()
    if channels and settings.database_url is not None:
        warn(message("cli_notify.sent_by_servers"))
        channels = ()
    if not channels:
        yield
        return
    from saasus_mcp.notices.worker import NoticeSource  # noqa: PLC0415 - only where channels are configured
    from saasus_mcp.settings.config import config_of  # noqa: PLC0415 - as above

    profiles = frozenset({settings.profile, SANDBOX_PROFILE, *config_of(settings).profiles})
    known: dict[Store, NoticeSource] = {}

    def list_sources() -> list[NoticeSource]:
        return [known.setdefault(each, NoticeSource(partial(_same, each), profiles)) for each in list_stores()]

    audience = notice_audience(settings, profiles, frozenset({SANDBOX_PROFILE}))
    async with AsyncExitStack() as until:
        try:
            await until.enter_async_context(_deliver(settings, channels, audience, list_sources, lambda: console))
        except StoreError as error:
            warn(message("cli_notify.not_sent_here", reason=error.message))
        yield


@asynccontextmanager
async def _deliver(
    settings: Settings,
    channels: Sequence[Channel],
    audience: NoticeAudience,
    list_sources: Callable[[], list[NoticeSource]],
    console: Callable[[], str],
) -> AsyncIterator[None]:
    from saasus_mcp.notices.rendering import NoticeRenderer  # noqa: PLC0415 - only where channels are configured
    from saasus_mcp.notices.sending import NoticeSender  # noqa: PLC0415 - as above
    from saasus_mcp.notices.worker import NoticeSource, NoticeWorker  # noqa: PLC0415 - as above
    from saasus_mcp.server.scheduling.store_executor import run_in_thread  # noqa: PLC0415 - as above

    with state.open_state(settings) as stores, closing(await run_in_thread(stores.open_decisions)) as decisions:
        common, sender = NoticeSource(lambda: decisions, frozenset(audience.groups)), NoticeSender(time.time)
        worker = NoticeWorker(
            channels,
            audience,
            lambda: [*list_sources(), common],
            decisions=lambda: decisions,
            renderer=NoticeRenderer(console, server_log.without_secrets),
            sender=sender,
            clock=time.time,
            run=run_in_thread,
        )

        async def run_later() -> None:
            await anyio.sleep(STARTUP_DELAY)
            await worker.run()

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(run_later)
                try:
                    yield
                finally:
                    tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await sender.aclose()


def _same(store: Store) -> Store:
    return store


def notice_audience(settings: Settings, profiles: frozenset[str], sandboxes: frozenset[str]) -> NoticeAudience:
    """Return the profiles with the groups whose approvers decide on them."""
    from saasus_mcp.notices.channels import NoticeAudience  # noqa: PLC0415 - only where channels are configured
    from saasus_mcp.settings.config import config_of  # noqa: PLC0415 - as above

    tables = config_of(settings).profiles
    groups = {name: tables[name].groups if name in tables else frozenset[str]() for name in profiles}
    return NoticeAudience(groups, sandboxes)


def console_address(settings: Settings) -> str:
    """Return the address of the console for the link of a test: of the hosted server, or the one that runs on this computer."""
    from saasus_mcp.settings.config import load_http_settings  # noqa: PLC0415 - only for a test

    http = load_http_settings(settings)
    if http.authenticated and http.console.enabled:
        return f"{http.public_url}/console"
    return local_console(settings)


def local_console(settings: Settings) -> str:
    """Return the URL of the console on this computer, or an empty string if it does not run."""
    from saasus_mcp.hosting.console import presence  # noqa: PLC0415 - only if a person must approve

    return presence.find_console(settings.state_folder, time.time())
