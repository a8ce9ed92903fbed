"""The delivery of notices by a server or the console: whether there is any, and the console's address.

Without channels, nothing of notices is imported: `notice_composition.py` has what a delivery needs.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from saasus_mcp.cli import server_log
from saasus_mcp.cli.terminal import warn
from saasus_mcp.common.messages import message
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.errors import StoreError

if TYPE_CHECKING:
    from saasus_mcp.notices.channels import Channel
    from saasus_mcp.server.pipeline.call_pipeline import Pipeline
    from saasus_mcp.store.store import Store

log = logging.getLogger(__name__)


def load_channels(settings: Settings) -> tuple[Channel, ...]:
    """Return the channels of the configuration file.

    Raises:
        SettingsError: the file has a fault, or a secret of a channel is missing or has another form.
    """
    if not settings.has_config_file:
        return ()
    from saasus_mcp.settings.config import config_of  # noqa: PLC0415 - reads the file by pydantic

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
    from saasus_mcp.cli import notice_composition  # noqa: PLC0415 - see above

    async with notice_composition.deliver_from_pipelines(settings, channels, pipelines, console):
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
    async with AsyncExitStack() as until:
        if channels:
            from saasus_mcp.cli import notice_composition  # noqa: PLC0415 - see above

            delivery = notice_composition.deliver_from_stores(settings, channels, list_stores, lambda: console)
            try:
                await until.enter_async_context(delivery)
            except StoreError as error:
                warn(message("cli_notify.not_sent_here", reason=error.message))
        yield


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
