"""`saasus-mcp notify`: list the channels of notices, prove that one works, and silence one for a time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import anyio
import click

from saasus_mcp.cli import notice_delivery, server_log, state
from saasus_mcp.cli.command_line import Group, argument, option
from saasus_mcp.cli.local_user import action_at_terminal, local_user
from saasus_mcp.cli.options import (
    json_array_option,
    json_outcome_option,
    parse_until,
    require_profile_name,
    settings_options,
)
from saasus_mcp.cli.output import iso_time, print_json, print_outcome
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import prints_json, render, require_approver, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import nearest_names, visible_text
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.question.content import Timestamp
from saasus_mcp.permissions.question.formatting import Reader, format_value
from saasus_mcp.settings.environment import Settings
from saasus_mcp.store.notice_records import ChannelState, Mute

if TYPE_CHECKING:
    from saasus_mcp.notices.channels import Channel
    from saasus_mcp.notices.sending import SendFailure

notify = Group("notify", no_args_is_help=True, help="cli_help.command.notify")


@notify.command("list", help="cli_help.command.notify_list")
@json_array_option
@settings_options("lang", "time_zone")
def list_channels(settings: Settings) -> None:
    """Print every channel with what it gets and how its last notices went. No address or secret is printed."""
    channels, now = notice_delivery.load_channels(settings), time.time()
    with state.open_audit_stores(settings) as stores:
        states = [each for store in stores for each in store.notices.channel_states()]
        mutes = [each for store in stores for each in store.notices.active_mutes(now)]
    if prints_json():
        print_json([_as_json(channel, states, mutes) for channel in channels])
        stores.require_all()
        return
    if not channels:
        say(message("cli_notify.none"))
        return
    reader = terminal_reader(settings)
    for channel in channels:
        click.echo(f"{click.style(channel.name, bold=True)}  {channel.kind}")
        for line in _describe(channel, states, mutes, reader):
            say(f"    {line}")


@notify.command("test", help="cli_help.command.notify_test")
@argument("name", required=False, metavar="[CHANNEL]")
@json_array_option
@settings_options("lang")
def test_channels(settings: Settings, *, name: str | None) -> None:
    """Send a test notice to one channel or to every channel, and print whether it was accepted."""
    channels = notice_delivery.load_channels(settings)
    chosen = channels if name is None else (_find(channels, name),)
    if not chosen:
        say(message("cli_notify.none"), err=True)
        click.get_current_context().exit(1)
    results = anyio.run(_send_tests, chosen, partial(notice_delivery.console_address, settings))
    if prints_json():
        print_json([_test_json(*result) for result in results])
    for channel, failure, seconds in () if prints_json() else results:
        if failure is None:
            say(message("cli_notify.accepted", name=channel.name, seconds=f"{seconds:.1f}"))
        else:
            say(message("cli_notify.not_accepted", name=channel.name, reason=failure.message))
    if any(failure is not None for _, failure, _ in results):
        click.get_current_context().exit(1)


@notify.command("mute", help="cli_help.command.notify_mute")
@argument("name", metavar="CHANNEL")
@option("--until", required=True, metavar="TIME", help="cli_help.option.mute_until")
@option("--profile", default="", metavar="NAME", help="cli_help.option.mute_profile")
@json_outcome_option
@settings_options("lang", "time_zone")
def mute(settings: Settings, *, name: str, until: str, profile: str) -> None:
    """Silence a channel. Only a person at a terminal can, since people would not hear of approvals any more."""
    reader = terminal_reader(settings)
    end = parse_until(until, reader.zone)
    channel = _find(notice_delivery.load_channels(settings), name)
    if profile:
        require_profile_name(profile)
    require_approver("notify mute", settings.state_folder)
    _save_mute(settings, ActionKind.MUTE, Mute(channel.name, profile, end, local_user().id))
    muted = message("cli_notify.muted", name=channel.name, until=format_value(Timestamp(end), reader))
    print_outcome({"name": channel.name, "profile": profile or None, "muted_until": iso_time(end)}, muted)


@notify.command("unmute", help="cli_help.command.notify_unmute")
@argument("name", metavar="CHANNEL")
@option("--profile", default="", metavar="NAME", help="cli_help.option.mute_profile")
@json_outcome_option
@settings_options("lang")
def unmute(settings: Settings, *, name: str, profile: str) -> None:
    """Let a channel get notices again. Needs no terminal: it is safe."""
    channel = _find(notice_delivery.load_channels(settings), name)
    if profile:
        require_profile_name(profile)
    _save_mute(settings, ActionKind.UNMUTE, Mute(channel.name, profile, 0.0, local_user().id))
    fields = {"name": channel.name, "profile": profile or None, "muted_until": None}
    print_outcome(fields, message("cli_notify.unmuted", name=channel.name))


async def _send_tests(
    channels: Sequence[Channel], console: Callable[[], str]
) -> list[tuple[Channel, SendFailure | None, float]]:
    from saasus_mcp.notices.rendering import NoticeRenderer  # noqa: PLC0415 - only if a test is sent
    from saasus_mcp.notices.sending import NoticeSender  # noqa: PLC0415 - imports the HTTP client

    sender, renderer = NoticeSender(time.time), NoticeRenderer(console, server_log.without_secrets)
    results: list[tuple[Channel, SendFailure | None, float]] = []
    try:
        for channel in channels:
            notice = renderer.test(channel.reader, time.time(), f"test:{secrets.token_hex(8)}")
            started = time.monotonic()
            failure = await sender.send(channel, notice)
            results.append((channel, failure, time.monotonic() - started))
    finally:
        await sender.aclose()
    return results


def _find(channels: Sequence[Channel], name: str) -> Channel:
    found = next((channel for channel in channels if channel.name == name), None)
    if found is not None:
        return found
    names = tuple(channel.name for channel in channels)
    if not names:
        raise SaasusMcpError.of("cli_notify.no_channels", name=visible_text(name))
    known = nearest_names(name, names) or names
    hint = message("cli_notify.unknown_hint", names=known)
    raise SaasusMcpError(message("cli_notify.unknown", name=visible_text(name)), hint)


def _save_mute(settings: Settings, kind: ActionKind, mute: Mute) -> None:
    action = action_at_terminal(kind, profile=mute.profile, subject=mute.channel)
    with state.open_state(settings) as stores:
        state.record_decision(stores, action)
        with closing(stores.open_decisions()) as store:
            store.notices.mute(mute)


def _describe(channel: Channel, states: Sequence[ChannelState], mutes: Sequence[Mute], reader: Reader) -> list[str]:
    from saasus_mcp.notices.sending import SendFailure  # noqa: PLC0415 - imports the HTTP client

    def shown(at: float) -> str:
        return format_value(Timestamp(at), reader)

    table = channel.table
    topics = ", ".join(sorted(table.topics))
    lines = [message("cli_notify.gets", topics=topics, profiles=", ".join(sorted(table.profiles)) or "*")]
    if table.groups:
        lines.append(message("cli_notify.groups", groups=", ".join(sorted(table.groups))))
    own = [each for each in states if each.channel == channel.name]
    if sent := [each.sent_at for each in own if each.sent_at is not None]:
        lines.append(message("cli_notify.last_sent", at=shown(max(sent))))
    error = next((each.error for each in own if each.is_failing), "")
    if waiting := sum(each.counts.get("pending", 0) for each in own):
        lines.append(message("cli_notify.waiting", count=waiting))
    if failed := sum(each.counts.get("failed", 0) for each in own):
        lines.append(message("cli_notify.failed", count=failed, reason=SendFailure.from_code(error).message))
    elif error:
        lines.append(message("cli_notify.last_attempt", reason=SendFailure.from_code(error).message))
    for each in mutes:
        if each.channel == channel.name:
            until, by = shown(each.until), visible_text(each.by)
            if each.profile:
                lines.append(message("cli_notify.muted_profile", profile=each.profile, until=until, by=by))
            else:
                lines.append(message("cli_notify.muted_all", until=until, by=by))
    return [render(line) for line in lines]


def _test_json(channel: Channel, failure: SendFailure | None, seconds: float) -> dict[str, object]:
    reason = None if failure is None else render(failure.message)
    return {"name": channel.name, "accepted": failure is None, "reason": reason, "seconds": round(seconds, 3)}


def _as_json(channel: Channel, states: Sequence[ChannelState], mutes: Sequence[Mute]) -> dict[str, object]:
    own = [each for each in states if each.channel == channel.name]
    return {
        "name": channel.name,
        "kind": channel.kind,
        "topics": sorted(channel.table.topics),
        "profiles": sorted(channel.table.profiles),
        "groups": sorted(channel.table.groups),
        "pending": sum(each.counts.get("pending", 0) for each in own),
        "sent": sum(each.counts.get("sent", 0) for each in own),
        "failed": sum(each.counts.get("failed", 0) for each in own),
        "dropped": sum(each.counts.get("dropped", 0) for each in own),
        "error": next((each.error for each in own if each.error), ""),
        "muted": [
            {"profile": each.profile, "until": iso_time(each.until), "by": each.by}
            for each in mutes
            if each.channel == channel.name
        ],
    }
