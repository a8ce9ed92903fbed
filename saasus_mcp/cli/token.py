"""`saasus-mcp token`: the tokens with which a small team uses a hosted server without an identity provider."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from saasus_mcp.cli import state, terminal
from saasus_mcp.cli.command_line import Group, argument, option
from saasus_mcp.cli.local_user import local_user, record_decision
from saasus_mcp.cli.options import json_array_option, json_outcome_option, settings_options
from saasus_mcp.cli.output import DAY, complete_output, format_time, json_times, print_json, print_list, print_outcome
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import prints_json, render, require_approver, require_passphrase, say
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message, one_of
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.approval.action_records import ActionKind
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.settings.config import load_http_settings
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import SettingsError
from saasus_mcp.store.errors import TokenNameTaken

if TYPE_CHECKING:
    from saasus_mcp.store.tokens import Token

NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,60}")
DEFAULT_DAYS, MAX_DAYS = 90, 366

token = Group("token", help="cli_help.command.token")


@token.command("new", help="cli_help.command.token_new")
@argument("name")
@option("--role", type=click.Choice(["caller", "approver"]), default="caller", help="cli_help.option.token_role")
@option("--group", "groups", multiple=True, metavar="NAME", help="cli_help.option.token_group")
@option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    default=DEFAULT_DAYS,
    show_default=True,
    help="cli_help.option.token_days",
)
@option("--renew", "renews", is_flag=True, help="cli_help.option.token_renew")
@json_outcome_option
@settings_options("lang", "time_zone")
def create(
    settings: Settings,
    *,
    name: str,
    role: Literal["caller", "approver"],
    groups: tuple[str, ...],
    days: int,
    renews: bool,
) -> None:
    """Create a token and print it once."""
    from saasus_mcp.store.tokens import Token  # noqa: PLC0415 - imports the database library

    terminal.require_person("token new")
    _require_valid_names(name, groups)
    require_passphrase(settings.state_folder)
    now = time.time()
    until = now + days * DAY
    added = Token(name, role, frozenset(groups), local_user().id, now, until)
    with state.open_tokens(settings) as tokens:
        _require_same_owner([each for each in tokens.list_tokens() if each.name == name], name, now, renews=renews)
        try:
            secret = tokens.add(added)
        except TokenNameTaken:
            raise SaasusMcpError.of("cli_token.name_taken", name=name) from None
        try:
            reason = f"{role}, until {datetime.fromtimestamp(until, UTC):%Y-%m-%d}, groups: {', '.join(groups) or '-'}"
            record_decision(settings, ActionKind.TOKEN_CREATE, name, reason)
        except SaasusMcpError:
            tokens.revoke(name, now)
            raise
        try:
            _print_token(added, secret, now, terminal_reader(settings))
            complete_output()
        except BaseException:  # a person who stops the command has not seen the token either
            tokens.revoke(name, time.time())
            say(message("cli_token.not_printed", name=name), err=True)
            record_decision(settings, ActionKind.TOKEN_REVOKE, name)
            raise
    if not prints_json():
        _say_how_to_use(settings, added)


def _print_token(token: Token, secret: str, now: float, reader: Reader) -> None:
    if prints_json():
        print_json({**_token_json(token, now), "token": secret})
        return
    say(message("cli_token.created", name=token.name, until=format_time(token.expires_at, now, reader)))
    click.echo(f"\n{secret}\n")


def _say_how_to_use(settings: Settings, token: Token) -> None:
    try:
        url = f"{load_http_settings(settings).public_url}/mcp"
    except SettingsError:  # `serve` reports what is wrong with these settings
        url = "/mcp"
    say(message("cli_token.use_caller", at=url) if token.role == "caller" else message("cli_token.use_approver"))
    if not token.groups and token.role == "caller":
        say(message("cli_token.no_groups"))


@token.command("list", help="cli_help.command.token_list")
@json_array_option
@settings_options("lang", "time_zone")
def list_tokens(settings: Settings) -> None:
    """Print all tokens without their secrets."""
    now = time.time()
    with state.open_tokens(settings) as store:
        tokens = store.list_tokens()
    if prints_json():
        print_json([_token_json(each, now) for each in tokens])
        return
    reader = terminal_reader(settings)
    print_list(line for each in tokens for line in _token_lines(each, now, reader))
    if not tokens:
        say(message("cli_token.no_tokens"))


@token.command("revoke", help="cli_help.command.token_revoke")
@argument("name")
@json_outcome_option
@settings_options("lang")
def revoke(settings: Settings, *, name: str) -> None:
    """Revoke a token on every replica."""
    require_approver("token revoke", settings.state_folder)
    with state.open_tokens(settings) as tokens:
        revoked = tokens.revoke(name, time.time())
    if not revoked:
        raise SaasusMcpError.of("cli_token.unknown_name", name=visible_text(name))
    record_decision(settings, ActionKind.TOKEN_REVOKE, name)
    print_outcome({"name": name, "revoked": True}, message("cli_token.revoked", name=name))


@token.command("sign-out", help="cli_help.command.token_sign_out")
@argument("principal", metavar="ID")
@json_outcome_option
@settings_options("lang")
def sign_out(settings: Settings, *, principal: str) -> None:
    """End all console sessions of a principal on every replica."""
    from saasus_mcp.store.signin_sessions import Approver, SessionStore  # noqa: PLC0415 - imports the database library

    require_approver("token sign-out", settings.state_folder)
    with state.open_tokens(settings) as tokens:
        ended = SessionStore(tokens.database).close_all(Approver(principal))
    record_decision(settings, ActionKind.SIGN_OUT, principal)
    signed_out = message("cli_token.signed_out", name=visible_text(principal), count=ended)
    print_outcome({"principal": principal, "sessions": ended}, signed_out)


def _token_json(token: Token, now: float) -> dict[str, Any]:
    return {**json_times(asdict(token)), "groups": sorted(token.groups), "live": token.is_valid(now)}


def _require_valid_names(name: str, groups: tuple[str, ...]) -> None:
    """Raise SaasusMcpError if a name could be mistaken for that of a principal or a scope."""
    from saasus_mcp.hosting.auth.authentication import is_valid_group  # noqa: PLC0415 - only if a token is created

    if NAME_PATTERN.fullmatch(name) is None:
        raise SaasusMcpError.of("cli_token.invalid_name", name=visible_text(name))
    for each in groups:
        if not is_valid_group(each):
            raise SaasusMcpError.of("cli_token.invalid_group", name=visible_text(each))


def _require_same_owner(earlier: list[Token], name: str, now: float, *, renews: bool) -> None:
    """Check that a name gets no other owner. Approvals, jobs, undo log and rules know a principal by its name.

    Raises:
        SaasusMcpError: an earlier token with this name was used, and the new one does not renew it, or no earlier one exists to renew.
    """
    if any(each.is_valid(now) for each in earlier):
        return  # which the store refuses
    if renews and not earlier:
        raise SaasusMcpError.of("cli_token.nothing_to_renew", name=name)
    if not renews and any(each.used_at is not None for each in earlier):
        raise SaasusMcpError.of("cli_token.name_used", name=name)


def _token_lines(token: Token, now: float, reader: Reader) -> Iterator[str]:
    """Yield what a token is for and whether it is valid, and who created it when."""
    used = message("cli_token.never_used")
    if token.used_at is not None:  # to the hour
        used = message("cli_token.last_used", at=format_time(token.used_at, now, reader))
    role = one_of("cli_token.role", token.role)
    yield render(message("cli_token.line", name=token.name, role=role, state=_state(token, now, reader), used=used))
    groups = ", ".join(sorted(token.groups)) or "-"
    by, at = visible_text(token.made_by), format_time(token.made_at, now, reader)
    yield f"    {render(message('cli_token.groups_and_creator', groups=groups, by=by, at=at))}"


def _state(token: Token, now: float, reader: Reader) -> Message:
    if token.revoked_at is not None and token.revoked_at < token.expires_at:
        return one_of("cli_token.state", "revoked", at=format_time(token.revoked_at, now, reader))
    until = format_time(token.expires_at, now, reader)
    return one_of("cli_token.state", "until" if token.is_valid(now) else "expired", at=until)
