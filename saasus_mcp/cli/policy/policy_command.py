"""`saasus-mcp policy`: what a policy does, before anyone relies on it. Needs neither credentials nor a connection."""

from __future__ import annotations

import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import click

from saasus_mcp.catalog import Catalogue, load_catalogue
from saasus_mcp.cli import composition, policy_reloading, state
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.policy import policy_cases, policy_explain, policy_replay
from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.cli.terminal import format_json, safe
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.permissions.policy import reload
from saasus_mcp.permissions.policy.file import PolicyError, PolicyFault
from saasus_mcp.permissions.policy.model import DecisionOutcome, Policy, PolicyInput, Principal
from saasus_mcp.permissions.policy.presets import ReadOnlyPolicy
from saasus_mcp.settings import Settings

FILE = click.argument("file", type=click.Path(path_type=Path, resolve_path=True))
POLICY = click.option("--policy", type=click.Path(path_type=Path, resolve_path=True), help="A policy file.")
MODE = click.option("--mode", type=click.Choice(["read-only", "guarded", "strict"]), help="A preset.")
PROFILE = click.option("--profile", help="Profile used for the call.")
JSON = click.option("--json", "as_json", is_flag=True, help="JSON.")


@click.group
def command() -> None:
    """Check, explain and test a policy before using it. Language reference: docs/policy.md."""


@command.command
@FILE
@PROFILE
@language_option
def check(file: Path, **flags: Any) -> None:
    """Validate a policy file. Lists every error with its line and a fix. Exit status 1 if there are errors."""
    chosen = load_settings(**flags)
    words, catalogue = WORDS[chosen.lang], load_catalogue()
    policy, notes = _sound(file, catalogue, chosen.lang)
    for note in notes:
        click.echo(words["note"].format(said=safe(note.render(file, chosen.lang))))
    who = composition.local_user()
    counted = _counted(policy, catalogue, who, chosen.profile)
    rules = len(getattr(policy, "rules", ()))
    click.echo(words["sound"].format(file=file, rules=rules, who=who.id, profile=chosen.profile, **counted))
    groups = ", ".join(getattr(policy, "groups", ()))
    if groups:
        click.echo(words["closed_groups"].format(groups=groups))
    if policy.announcement:
        click.echo(f"saasus-mcp: {safe(policy.announcement)}", err=True)


@command.command
@click.argument("tool")
@click.argument("arguments", metavar="[JSON]", default="{}")
@click.option("--as", "who", help="Id of the principal; you by default.")
@click.option("--group", "groups", multiple=True, help="Group of the principal; repeatable.")
@click.option("--claims", help="Claims of the principal, as a JSON object.")
@click.option("--target", help="Current state as returned by the API, as a JSON object.")
@click.option("--impact", help='Impact of the call: a JSON object such as {"users": 3}.')
@POLICY
@MODE
@PROFILE
@JSON
@language_option
def explain(
    tool: str,
    arguments: str,
    who: str | None,
    groups: tuple[str, ...],
    *,
    claims: str | None,
    target: str | None,
    impact: str | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Show how a call of TOOL with these arguments is decided: every rule, the one that applies, and why.

    Nothing is read from the API. Specify live state with --target and --impact.
    """
    chosen = load_settings(**flags)
    given = {"--claims": claims, "--target": target, "--impact": impact}
    stated = {
        flag: policy_explain.parse_object(flag, text, chosen.lang) for flag, text in given.items() if text is not None
    }
    principal = Principal(who or composition.local_user().id, frozenset(groups), stated.get("--claims", {}))
    asked = policy_explain.ExplainRequest(tool, arguments, principal, stated.get("--target"), stated.get("--impact"))
    told = policy_explain.explain_call(asked, _policy(chosen), chosen)
    if told.warning:
        click.echo(safe(told.warning), err=True)
    click.echo(format_json(told.json) if as_json else safe(told.text))


@command.command
@FILE
@language_option
def test(file: Path, **flags: Any) -> None:
    """Test a policy with the cases in FILE: calls and their expected decisions. Exit status 1 if one differs."""
    lang: Language = load_settings(**flags).lang
    results = policy_cases.run_cases(file)
    for line in policy_cases.result_lines(results, lang):
        click.echo(safe(line))
    sys.exit(1 if results.failed else 0)


@command.command
@POLICY
@language_option
def reload_command(**flags: Any) -> None:
    """Make running servers reload their policy file: servers that use --policy FILE, or all that use a policy file.

    An invalid file is rejected and not loaded by any server. Exit status 1 also if a server keeps its old policy.
    """
    chosen = load_settings(**flags)
    words, catalogue, kept = WORDS[chosen.lang], load_catalogue(), False
    files = [chosen.policy] if chosen.policy is not None else reload.running_policy_files(chosen.state_folder)
    for file in files:
        policy, _ = _sound(file, catalogue, chosen.lang)
        if policy.announcement:
            click.echo(f"saasus-mcp: {safe(policy.announcement)}", err=True)
    for file in files:
        answers = reload.request_reload(chosen.state_folder, file, partial(time.sleep, reload.REPLY_POLL_INTERVAL))
        for line in policy_reloading.lines(file, answers, chosen.lang):
            click.echo(safe(line))
        kept = kept or not all(note.taken for note in answers.replied)
    if not files:
        click.echo(words["no_servers"])
    sys.exit(1 if kept else 0)


@command.command
@POLICY
@MODE
@click.option("--since", help="Only calls since then: a date, a time, or a duration such as 24h or 7d.")
@JSON
@language_option
def replay(since: str | None, *, as_json: bool, **flags: Any) -> None:
    """Re-evaluate the calls in the audit log: which decisions would this policy change?

    The audit log contains no secrets or claims, and only counts of live state. Decisions that depend on anything else
    are listed as undetermined.
    """
    chosen = load_settings(**flags)
    after = policy_replay.parse_since(since, chosen.lang) if since else 0.0
    with state.open_stores(chosen) as stores:
        records = [record for store in stores for record in store.audit_log.list_records(after)]
    replayed = policy_replay.replay_calls(records, _policy(chosen), load_catalogue())
    if as_json:
        click.echo(format_json(policy_replay.report_json(replayed)))
        return
    for line in policy_replay.report_lines(replayed, chosen.lang):
        click.echo(safe(line))


def _sound(file: Path, catalogue: Catalogue, lang: Language) -> tuple[Policy, tuple[PolicyFault, ...]]:
    """The policy of a file, and what may surprise in it. A faulty one ends the command: every fault, its line, its mend."""
    try:
        return policy_file.load_policy_with_notes(file, catalogue)
    except PolicyError as error:
        for fault in error.faults:
            click.echo(safe(fault.render(file, lang)), err=True)
        click.echo(WORDS[lang]["faults"].format(file=file, count=len(error.faults)), err=True)
        sys.exit(1)


def _policy(chosen: Settings) -> Policy:
    """The policy in force or asked for; a preset from its file, so that its rules can be shown.

    Raises:
        PolicyError: the file is not sound.
    """
    if chosen.policy is None:
        return policy_file.load_policy(
            policy_file.preset_path("read-only" if chosen.read_only else chosen.mode or "guarded")
        )
    policy = policy_file.load_policy(chosen.policy)
    return ReadOnlyPolicy(policy) if chosen.read_only or chosen.mode == "read-only" else policy


def _counted(policy: Policy, catalogue: Catalogue, who: Principal, profile: str) -> dict[str, int]:
    """How many tools are decided how for someone; `hangs` where it depends on more than the tool."""
    found: Counter[DecisionOutcome | str] = Counter()
    for operation in catalogue:
        case = PolicyInput(operation, {}, who, profile)
        conditional = any(rule.when is not None and rule.skipped_by is None for rule in policy.explain(case))
        forbidden = not policy.could_allow(operation, who, profile)
        found["deny" if forbidden else "hangs" if conditional else policy.decide(case).outcome] += 1
    return {name: found[name] for name in ("allow", "confirm", "approve", "deny", "hangs")}
