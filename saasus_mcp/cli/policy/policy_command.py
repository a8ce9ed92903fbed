"""`saasus-mcp policy`: check, explain, test, reload and replay a policy. Needs neither credentials nor a connection."""

from __future__ import annotations

import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import click

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.cli import state
from saasus_mcp.cli.command_line import Group, argument, option
from saasus_mcp.cli.completion import complete_operations
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import json_option, parse_since, settings_options
from saasus_mcp.cli.output import print_json, print_outcome
from saasus_mcp.cli.policy import policy_cases, policy_explain, policy_replay
from saasus_mcp.cli.policy_in_force import limit_to_reads, preset_name
from saasus_mcp.cli.question_view import terminal_reader
from saasus_mcp.cli.terminal import announce_policy, prints_json, reader_language, render, say
from saasus_mcp.common.messages import message
from saasus_mcp.common.text import visible_text
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy import reload
from saasus_mcp.permissions.policy.errors import PolicyError, PolicyFault
from saasus_mcp.permissions.policy.model import DecisionOutcome, Policy, PolicyInput, Principal, is_conditional
from saasus_mcp.permissions.policy.reload import ReloadReplies
from saasus_mcp.settings.environment import Settings

_file_argument = argument("file", type=click.Path(path_type=Path, resolve_path=True))

policy = Group("policy", help="cli_help.command.policy")


@policy.command("check", help="cli_help.command.policy_check")
@_file_argument
@json_option
@settings_options("profile", "lang")
def check(settings: Settings, *, file: Path) -> None:
    """Print the errors of a policy file, or how many tools it allows to this person."""
    catalogue, user = load_catalogue(), local_user()
    checked, notes = _load_valid(file, catalogue)
    outcomes, rules = _count_outcomes(checked, catalogue, user, settings.profile), getattr(checked, "rules", ())
    groups = tuple(getattr(checked, "groups", ()))
    if prints_json():
        facts = {"file": str(file), "rules": len(rules), "principal": user.id, "profile": settings.profile}
        found = {"tools": outcomes, "closed_groups": list(groups), "notes": list(map(_fault_json, notes))}
        print_json({"valid": True, **facts, **found})
        return
    for note in notes:
        say(message("cli_policy.note", text=visible_text(note.render(file, reader_language()))))
    say(
        message(
            "cli_policy.valid",
            file=str(file),
            rules=len(rules),
            principal=user.id,
            profile=settings.profile,
            **outcomes,
        )
    )
    if groups:
        say(message("cli_policy.closed_groups", groups=groups))
    announce_policy(checked.announcement)


@policy.command("explain", help="cli_help.command.policy_explain")
@argument("tool", shell_complete=complete_operations)
@argument("arguments", metavar="[JSON]", default="{}")
@option("--as", "user", metavar="ID", help="cli_help.option.principal")
@option("--group", "groups", multiple=True, metavar="NAME", help="cli_help.option.principal_group")
@option("--claims", metavar="JSON", help="cli_help.option.claims")
@option("--target", metavar="JSON", help="cli_help.option.target")
@option("--impact", metavar="JSON", help="cli_help.option.impact")
@settings_options("policy", "mode", "profile", "lang")
@json_option
def explain(
    settings: Settings,
    *,
    tool: str,
    arguments: str,
    user: str | None,
    groups: tuple[str, ...],
    claims: str | None,
    target: str | None,
    impact: str | None,
) -> None:
    """Print how a policy decides one call."""
    options = {"--claims": claims, "--target": target, "--impact": impact}
    given = {name: policy_explain.parse_object(name, text) for name, text in options.items() if text is not None}
    principal = Principal(user or local_user().id, frozenset(groups), given.get("--claims", {}))
    explanation = policy_explain.explain_call(
        _load_policy(settings),
        tool,
        arguments,
        principal=principal,
        profile=settings.profile,
        target=given.get("--target"),
        impact=given.get("--impact"),
    )
    if explanation.warning is not None:
        say(visible_text(render(explanation.warning)), err=True)
    print_outcome(explanation.json, visible_text(explanation.text))


@policy.command("test", help="cli_help.command.policy_test")
@_file_argument
@json_option
@settings_options("lang")
def test(_: Settings, *, file: Path) -> None:
    """Print the result of every case in a file."""
    try:
        results = policy_cases.run_cases(file)
    except PolicyError as error:
        _print_faults(error)
        sys.exit(1)
    lines = policy_cases.result_lines(results)
    print_outcome(policy_cases.results_json(results), *(visible_text(render(line)) for line in lines))
    sys.exit(1 if results.failed else 0)


@policy.command("reload", help="cli_help.command.policy_reload")
@json_option
@settings_options("policy", "lang")
def reload_(settings: Settings) -> None:
    """Check the policy files, make the servers read them again, and print what each server did."""
    catalogue, folder = load_catalogue(), settings.state_folder
    files = [settings.policy] if settings.policy is not None else reload.running_policy_files(folder)
    for file in files:
        announce_policy(_load_valid(file, catalogue)[0].announcement)
    wait = partial(time.sleep, reload.REPLY_POLL_INTERVAL)
    replied = [(file, reload.request_reload(folder, file, wait)) for file in files]
    if prints_json():
        print_json({"files": [_replies_json(file, replies) for file, replies in replied]})
    else:
        for file, replies in replied:
            _print_replies(file, replies)
        if not files:
            say(message("cli_policy.no_servers"))
    sys.exit(0 if all(reply.taken for _, replies in replied for reply in replies.replied) else 1)


@policy.command("replay", help="cli_help.command.policy_replay")
@settings_options("policy", "mode", "time_zone", "lang")
@option("--since", metavar="TIME", help="cli_help.option.replay_since")
@json_option
def replay(settings: Settings, *, since: str | None) -> None:
    """Print which decisions of the audit log this policy would change."""
    reader = terminal_reader(settings)
    after = parse_since(since, reader.zone) if since else 0.0
    with state.open_stores(settings) as stores:
        records = [record for store in stores for record in store.audit_log.list_records(after)]
    report = policy_replay.replay_calls(records, _load_policy(settings), load_catalogue())
    lines = policy_replay.report_lines(report, time.time(), reader)
    print_outcome(report.to_json(), *(visible_text(render(line)) for line in lines))
    stores.require_all()


def _load_valid(file: Path, catalogue: Catalogue) -> tuple[Policy, tuple[PolicyFault, ...]]:
    """Return the policy of a file and notes on it. If it has errors, print all of them and end the command."""
    try:
        return policy_file.load_policy_with_notes(file, catalogue)
    except PolicyError as error:
        if prints_json():
            print_json({"valid": False, "file": str(file), "faults": list(map(_fault_json, error.faults))})
            sys.exit(1)
        _print_faults(error)
        say(message("cli_policy.not_loaded", file=str(file), count=len(error.faults)), err=True)
        sys.exit(1)


def _print_faults(error: PolicyError) -> None:
    for fault in error.faults:
        say(visible_text(fault.render(error.file, reader_language())), err=True)


def _fault_json(fault: PolicyFault) -> dict[str, Any]:
    return {"line": fault.line, "kind": fault.kind, "text": render(fault.message), "hint": render(fault.hint)}


def _load_policy(settings: Settings) -> Policy:
    """Return the policy of the settings. A preset is loaded from its file, so that its rules can be shown.

    Raises:
        PolicyError: the file has errors.
    """
    if settings.policy is None:
        return policy_file.load_policy(policy_file.preset_path(preset_name(settings)))
    return limit_to_reads(policy_file.load_policy(settings.policy), settings)


def _count_outcomes(policy: Policy, catalogue: Catalogue, user: Principal, profile: str) -> dict[str, int]:
    """Return how many tools get each outcome, and how many depend on the call (`conditional`)."""
    counts: Counter[DecisionOutcome | str] = Counter()
    for operation in catalogue:
        call = PolicyInput(operation, {}, user, profile)
        conditional = is_conditional(policy.explain(call))
        if not policy.could_allow(operation, user, profile):
            counts["deny"] += 1
        else:
            counts["conditional" if conditional else policy.decide(call).outcome] += 1
    return {name: counts[name] for name in ("allow", "confirm", "approve", "deny", "conditional")}


def _replies_json(file: Path, replies: ReloadReplies) -> dict[str, Any]:
    servers = [{"pid": each.pid, "loaded": each.taken, "reason": render(each.said)} for each in replies.replied]
    return {"file": str(file), "servers": servers, "silent": [each.pid for each in replies.silent]}


def _print_replies(file: Path, replies: ReloadReplies) -> None:
    name = visible_text(str(file))
    if not replies.replied and not replies.silent:
        say(message("cli_policy.no_server", file=name))
    for server in replies.replied:
        if server.taken:
            say(message("cli_policy.reloaded", file=name, pid=server.pid))
        else:
            reason = visible_text(render(server.said))
            say(message("cli_policy.reload_rejected", file=name, pid=server.pid, text=reason))
    for server in replies.silent:
        say(message("cli_policy.no_response", file=name, pid=server.pid))
