"""`saasus-mcp token new|list|revoke|sign-out`: the tokens by which a small team uses a hosted server, with no identity provider."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import click

from saasus_mcp.cli import composition, state
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.terminal import format_json, require_passphrase, require_person, safe
from saasus_mcp.cli.token_wording import WORDS
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.action_records import ActionKind, ActionRecord
from saasus_mcp.settings import Settings, SettingsError, load_http_settings
from saasus_mcp.store.errors import TokenNameTaken

if TYPE_CHECKING:
    from saasus_mcp.store.tokens import Token

NAME_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,60}")
DEFAULT_DAYS, MAX_DAYS = 90, 366
SECONDS_A_DAY = 24 * 3600


@click.group
def command() -> None:
    """Create, list and revoke tokens for people and programs that use this server over HTTP."""


@command.command("new")
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["caller", "approver"]), default="caller", help="An approver token is for the console."
)
@click.option("--group", "groups", multiple=True, help="Group of the holder, for profiles and policies; repeatable.")
@click.option(
    "--days", type=click.IntRange(1, MAX_DAYS), default=DEFAULT_DAYS, show_default=True, help="Days until it expires."
)
@language_option
def new(name: str, role: Literal["caller", "approver"], groups: tuple[str, ...], days: int, **flags: Any) -> None:
    """Create a token and show it once. Policies and the audit log call its holder `token:NAME`."""
    from saasus_mcp.store.tokens import Token  # noqa: PLC0415 - imports the database library

    chosen = load_settings(**flags)
    require_person("token new", chosen.lang)
    _require_fit(name, groups, chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    words, now = WORDS[chosen.lang], time.time()
    until = now + days * SECONDS_A_DAY
    with state.open_tokens(chosen) as accounts:
        try:
            token = accounts.add(Token(name, role, frozenset(groups), composition.local_user().id, now, until))
        except TokenNameTaken:
            raise SaasusMcpError(words["taken"].format(name=name), words["taken_mend"]) from None
        try:
            _record(
                chosen,
                ActionKind.TOKEN_CREATE,
                name,
                f"{role}, until {_day(until)}, groups: {', '.join(groups) or '-'}",
            )
        except SaasusMcpError:
            accounts.revoke(name, now)
            raise
    click.echo(f"{words['made'].format(name=name, until=_day(until))}\n\n{token}\n")
    try:
        at = f"{load_http_settings(chosen).public_url}/mcp"
    except SettingsError:  # what is wrong there concerns `serve`
        at = "/mcp"
    click.echo(words[f"use_{role}"].format(at=at))
    if not groups and role == "caller":
        click.echo(words["no_groups"])


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@language_option
def list_(*, as_json: bool, **flags: Any) -> None:
    """List all tokens, including revoked ones, newest first. The tokens themselves are not shown."""
    chosen, now = load_settings(**flags), time.time()
    with state.open_tokens(chosen) as accounts:
        tokens = accounts.list_tokens()
    if as_json:
        records = [{**asdict(each), "groups": sorted(each.groups), "live": each.is_valid(now)} for each in tokens]
        click.echo(format_json(records))
        return
    for each in tokens:
        click.echo("\n".join(_lines(each, chosen.lang, now)))
    if not tokens:
        click.echo(WORDS[chosen.lang]["none"])


@command.command("revoke")
@click.argument("name")
@language_option
def revoke(name: str, **flags: Any) -> None:
    """Revoke the token NAME, immediately and on every replica."""
    chosen = load_settings(**flags)
    require_person("token revoke", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    words = WORDS[chosen.lang]
    with state.open_tokens(chosen) as accounts:
        ended = accounts.revoke(name, time.time())
    if not ended:
        raise SaasusMcpError(words["unknown"].format(name=safe(name)), words["unknown_mend"])
    _record(chosen, ActionKind.TOKEN_REVOKE, name)
    click.echo(words["ended"].format(name=name))


@command.command("sign-out")
@click.argument("principal", metavar="ID")
@language_option
def sign_out(principal: str, **flags: Any) -> None:
    """End all console sessions of this ID (token:NAME or oidc:ISSUER|SUBJECT), immediately and on every replica."""
    from saasus_mcp.store.sessions import SessionStore  # noqa: PLC0415 - imports the database library

    chosen = load_settings(**flags)
    require_person("token sign-out", chosen.lang)
    require_passphrase(chosen.state_folder, chosen.lang)
    with state.open_tokens(chosen) as accounts:
        ended = SessionStore(accounts.database).delete_all(principal)
    _record(chosen, ActionKind.SIGN_OUT, principal)
    click.echo(WORDS[chosen.lang]["signed_out"].format(name=safe(principal), count=ended))


def _record(chosen: Settings, kind: ActionKind, subject: str, reason: str = "") -> None:
    told = ActionRecord(kind, composition.local_user().id, "terminal", subject=subject, reason=reason)
    with state.open_state(chosen) as kept:
        state.record_decision(kept, told)


def _require_fit(name: str, groups: tuple[str, ...], lang: Language) -> None:
    """See that the names can be told from those of principals.

    Raises:
        SaasusMcpError: one cannot.
    """
    from saasus_mcp.hosting.auth.authentication import is_valid_group  # noqa: PLC0415 - only where a token is made

    words = WORDS[lang]
    if NAME_PATTERN.fullmatch(name) is None:
        raise SaasusMcpError(words["bad_name"].format(name=safe(name)), words["bad_name_mend"])
    for group in groups:
        if not is_valid_group(group):
            raise SaasusMcpError(words["bad_group"].format(name=safe(group)), words["bad_group_mend"])


def _lines(token: Token, lang: Language, now: float) -> list[str]:
    words = WORDS[lang]
    if token.revoked_at is not None:
        state = words["revoked"].format(at=_day(token.revoked_at))
    else:
        state = words["until" if token.is_valid(now) else "expired"].format(at=_day(token.expires_at))
    used = words["unused"] if token.used_at is None else words["used"].format(at=_hour(token.used_at))
    groups = words["groups"].format(groups=", ".join(sorted(token.groups)) or "-")
    made = words["by"].format(by=safe(token.made_by), at=_day(token.made_at))
    return [f"{token.name}  {words[token.role]}, {state}, {used}", f"    {groups}; {made}"]


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _hour(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:00Z")
