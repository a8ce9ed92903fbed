"""Build what delivers notices: the channels, the stores with the events, and who reads them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from functools import partial

import anyio

from saasus_mcp.cli import server_log, state
from saasus_mcp.cli.destination import SANDBOX_PROFILE
from saasus_mcp.notices.channels import Channel, NoticeAudience
from saasus_mcp.notices.rendering import NoticeRenderer
from saasus_mcp.notices.sending import NoticeSender
from saasus_mcp.notices.worker import NoticeSource, NoticeWorker
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.scheduling.store_executor import run_in_thread
from saasus_mcp.settings.config import config_of
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.store import Store

STARTUP_DELAY = 2.0
"""Seconds before the first look into the outbox. They belong to the client that has just connected."""


def deliver_from_pipelines(
    settings: Settings, channels: Sequence[Channel], pipelines: Mapping[str, Pipeline], console: Callable[[], str]
) -> AbstractAsyncContextManager[None]:
    """Deliver the notices of pipelines, by profile. See `notice_delivery.deliver_notices`."""
    sources = [
        NoticeSource(lambda pipeline=pipeline: pipeline.store, frozenset({name}))  # type: ignore[misc]
        for name, pipeline in pipelines.items()
    ]
    sandboxes = frozenset(name for name, each in pipelines.items() if each.destination.sandbox)
    audience = _audience(settings, frozenset(pipelines), sandboxes)
    return _deliver(settings, channels, audience, lambda: sources, console)


def deliver_from_stores(
    settings: Settings,
    channels: Sequence[Channel],
    list_stores: Callable[[], Iterable[Store]],
    console: Callable[[], str],
) -> AbstractAsyncContextManager[None]:
    """Deliver the notices of the stores of this computer. See `notice_delivery.deliver_local_notices`."""
    profiles = frozenset({settings.profile, SANDBOX_PROFILE, *config_of(settings).profiles})
    known: dict[Store, NoticeSource] = {}

    def list_sources() -> list[NoticeSource]:
        return [known.setdefault(each, NoticeSource(partial(_same, each), profiles)) for each in list_stores()]

    audience = _audience(settings, profiles, frozenset({SANDBOX_PROFILE}))
    return _deliver(settings, channels, audience, list_sources, console)


@asynccontextmanager
async def _deliver(
    settings: Settings,
    channels: Sequence[Channel],
    audience: NoticeAudience,
    list_sources: Callable[[], list[NoticeSource]],
    console: Callable[[], str],
) -> AsyncIterator[None]:
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


def _audience(settings: Settings, profiles: frozenset[str], sandboxes: frozenset[str]) -> NoticeAudience:
    """Return the profiles with the groups whose approvers decide on them."""
    tables = config_of(settings).profiles
    groups = {name: tables[name].groups if name in tables else frozenset[str]() for name in profiles}
    return NoticeAudience(groups, sandboxes)
