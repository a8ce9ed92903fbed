"""The checks of `doctor` for the channels of notices."""

from __future__ import annotations

import time

from saasus_mcp.cli import notice_delivery
from saasus_mcp.cli.doctor.checks import Finding, problem
from saasus_mcp.common.messages import message
from saasus_mcp.settings import Settings, SettingsError


def check_channels(settings: Settings) -> Finding:
    """Read the channels of the configuration file with their secrets, and connect to none of them."""
    try:
        channels = notice_delivery.load_channels(settings)
    except SettingsError as error:
        return problem("notices", error)
    if not channels:
        return Finding("notices", "ok", message("cli_doctor.notices_none"))
    names = ", ".join(f"{channel.name} ({channel.kind})" for channel in channels)
    hint = message("cli_doctor.notices_shared") if settings.database_url is not None else ""
    return Finding("notices", "ok", message("cli_doctor.notices_ok", names=names), hint)


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
