"""The checks of `doctor` for the channels of notices."""

from __future__ import annotations

import time
from contextlib import suppress

from saasus_mcp.cli import notice_delivery, state
from saasus_mcp.cli.doctor.checks import Finding
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.settings.environment import Settings


def check_channels(settings: Settings) -> Finding:
    """Read the channels with their secrets, and the outcome of their notices. Connect to none of them."""
    channels = notice_delivery.load_channels(settings)
    if not channels:
        return Finding("notices", "ok", message("cli_doctor.notices_none"))
    failing = _failing_channels(settings)
    if undelivered := [channel.name for channel in channels if channel.name in failing]:
        text = message("cli_doctor.notices_undelivered", names=tuple(undelivered))
        return Finding("notices", "note", text, message("cli_doctor.notices_undelivered_hint"))
    names = ", ".join(f"{channel.name} ({channel.kind})" for channel in channels)
    hint = message("cli_doctor.notices_shared") if settings.database_url is not None else ""
    return Finding("notices", "ok", message("cli_doctor.notices_ok", names=names), hint)


def _failing_channels(settings: Settings) -> set[str]:
    """Return the names of channels with notices that were not delivered. Other checks report a store that cannot be used."""
    with suppress(SaasusMcpError), state.open_audit_stores(settings) as stores:
        return {each.channel for store in stores for each in store.notices.channel_states() if each.is_failing}
    return set()


async def connect_channels(settings: Settings) -> list[Finding]:
    """Connect to the receiver of every channel. Nothing is sent: `notify test` does that."""
    from saasus_mcp.notices.sending import NoticeSender  # noqa: PLC0415 - imports the HTTP client

    found: list[Finding] = []
    sender = NoticeSender(time.time)
    try:
        for channel in notice_delivery.load_channels(settings):
            failure = await sender.connect(channel)
            if failure is None:
                found.append(Finding("notices", "ok", message("cli_doctor.channel_ok", name=channel.name)))
                continue
            text = message("cli_doctor.channel_bad", name=channel.name, reason=failure.message)
            found.append(Finding("notices", "problem", text, message("cli_doctor.channel_hint")))
    finally:
        await sender.aclose()
    return found
