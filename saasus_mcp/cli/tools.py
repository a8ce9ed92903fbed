"""`saasus-mcp tools`: what there is, and what the policy in force would say. Needs no credentials."""

from __future__ import annotations

from functools import reduce
from typing import Any, get_args

import click

from saasus_mcp.catalog import Catalogue, Level, Operation, load_catalogue
from saasus_mcp.catalog.jobs import JOBS_TOOLSET, JobSpec
from saasus_mcp.catalog.jobs import load_jobs as whole_jobs
from saasus_mcp.cli import composition
from saasus_mcp.cli.call import find_operation
from saasus_mcp.cli.options import load_settings, parse_toolset_names, shared_options
from saasus_mcp.cli.terminal import format_json
from saasus_mcp.cli.tools_wording import EFFECTS, WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.model import Decision, Policy, PolicyInput, stricter_decision
from saasus_mcp.server.surface.tool_description import describe_operation
from saasus_mcp.server.surface.toolsets import TOOLSETS


@click.command
@shared_options
@click.argument("name", required=False)
@click.option("--toolset", "--toolsets", "toolsets", default="", metavar="NAME,NAME", help="Only these toolsets.")
@click.option("--level", type=click.Choice(get_args(Level)), help="Only this level.")
@click.option("--json", "as_json", is_flag=True, help="JSON: an array, or one object with NAME.")
def command(name: str | None, toolsets: str, level: str | None, *, as_json: bool, **flags: Any) -> None:
    """List the tools with the policy decision for you, or show one in detail: schemas, effects, decision.

    The decision shown is for a call without arguments. A policy can also depend on arguments.
    """
    chosen = load_settings(**flags)
    catalogue, policy = load_catalogue(), composition.resolve_policy(chosen)
    jobs = {job.name: job for job in whole_jobs()}
    if name in jobs:
        _show_job(jobs[name], catalogue, policy, chosen.lang, as_json=as_json)
        return
    if name is not None:
        _show(find_operation(catalogue, name, chosen.lang), policy, chosen.lang, as_json=as_json)
        return
    wanted = parse_toolset_names(toolsets, chosen.lang) or TOOLSETS.keys()
    found = [each for each in catalogue if each.toolset in wanted and level in (None, each.level)]
    own = [job for job in jobs.values() if JOBS_TOOLSET in wanted and level is None]
    if as_json:
        brief = [_brief(operation, policy, chosen.lang) for operation in found]
        click.echo(format_json([*brief, *(_brief_job(job, catalogue, policy, chosen.lang) for job in own)]))
        return
    for operation in found:
        outcome = _decision(operation, policy).outcome
        click.echo(f"{operation.tool:<40}  {operation.level:<15}  {outcome:<7}  {operation.title.text(chosen.lang)}")
    for job in own:
        outcome = _strictest(job, catalogue, policy).outcome
        click.echo(f"{job.name:<40}  {'job':<15}  {outcome:<7}  {job.title.text(chosen.lang)}")
    click.echo(WORDS[chosen.lang]["total"].format(count=len(found), jobs=len(own), policy=policy.name))
    if policy.announcement:
        click.echo(f"saasus-mcp: {policy.announcement}", err=True)


def _decision(operation: Operation, policy: Policy) -> Decision:
    return policy.decide(PolicyInput(operation, {}, composition.local_user(), composition.DEFAULT_PROFILE))


def _strictest(job: JobSpec, catalogue: Catalogue, policy: Policy) -> Decision:
    """The strictest decision on an operation that a job may call."""
    return reduce(stricter_decision, (_decision(catalogue.find(key), policy) for key in (*job.reads, *job.writes)))


def _brief_job(job: JobSpec, catalogue: Catalogue, policy: Policy, lang: Language) -> dict[str, Any]:
    decision = _strictest(job, catalogue, policy)
    return {
        "name": job.name,
        "toolset": JOBS_TOOLSET,
        "level": "job",
        "decision": decision.outcome,
        "rule": decision.rule,
        "title": job.title.text(lang),
    }


def _show_job(job: JobSpec, catalogue: Catalogue, policy: Policy, lang: Language, *, as_json: bool) -> None:
    brief = _brief_job(job, catalogue, policy, lang)
    calls = [catalogue.find(key) for key in (*job.reads, *job.writes)]
    if as_json:
        whole = {
            **brief,
            "description": job.description.text(lang),
            "calls": [each.tool for each in calls],
            "inputSchema": job.input_schema,
        }
        click.echo(format_json(whole))
        return
    words, decision = WORDS[lang], _strictest(job, catalogue, policy)
    click.echo(click.style(f"{job.name}: {job.title.text(lang)}", bold=True) + "\n")
    click.echo(job.description.text(lang) + "\n")
    _part(words["decision"], [f"{decision.outcome}: {decision.reason}  ({decision.rule})"])
    _part(words["calls"], [f"{each.tool}: {each.title.text(lang)}  ({each.level})" for each in calls])
    _part("inputSchema", format_json(job.input_schema).splitlines())


def _brief(operation: Operation, policy: Policy, lang: Language) -> dict[str, Any]:
    decision = _decision(operation, policy)
    return {
        "name": operation.tool,
        "toolset": operation.toolset,
        "http": f"{operation.method} {operation.path}",
        "level": operation.level,
        "decision": decision.outcome,
        "rule": decision.rule,
        "title": operation.title.text(lang),
    }


def _show(operation: Operation, policy: Policy, lang: Language, *, as_json: bool) -> None:
    if as_json:
        whole = describe_operation(
            operation, composition.local_user(), policy, composition.DEFAULT_PROFILE, language=lang
        )
        click.echo(format_json({**whole, "description": operation.description.text(lang)}))
        return
    words, decision = WORDS[lang], _decision(operation, policy)
    _part(f"{operation.tool}: {operation.title.text(lang)}", [f"{operation.method} {operation.path}"])
    click.echo(operation.description.text(lang) + "\n")
    _part(words["decision"], [f"{decision.outcome}: {decision.reason}  ({decision.rule}; {operation.level})"])
    _part(words["effects"], [f"{EFFECTS[lang][name]}: {said}" for name, said in effect_texts(operation, lang).items()])
    _part(words["arguments"], _fields(operation.input_texts))
    _part("inputSchema", format_json(operation.input_schema).splitlines())
    _part(words["answer"], _fields(operation.output_texts))
    _part("outputSchema", format_json(operation.output_schema).splitlines())


def effect_texts(operation: Operation, lang: Language) -> dict[str, str]:
    """The operation's row of the table of effects, by name, in words; what does not apply is left out."""
    row, words = operation.effects, WORDS[lang]
    values = {
        "effect": row.effect,
        "level": row.level,
        "reversibility": row.reversibility,
        "blast": ", ".join(row.blast),
        "repeating": words["changes_nothing"] if row.idempotent else words["acts_again"],
        "adds_only": words["yes"] if row.adds_only else "",
        "email": row.email,
        "money": row.money,
        "outside": ", ".join(row.outside),
        "personal_data": words["yes"] if row.personal_data else "",
        "secrets_in": ", ".join(operation.secret_inputs),
        "secrets_out": ", ".join(operation.secret_outputs),
        "preconditions": "; ".join(row.preconditions),
        "why": row.why,
    }
    return {name: said for name, said in values.items() if said not in ("", "no", "n/a")}


def _fields(texts: Any) -> list[str]:
    width = min(32, max(map(len, texts), default=0))
    return [f"{name:<{width}}  {text}" for name, text in texts.items()]


def _part(title: str, lines: list[str]) -> None:
    if lines:
        click.echo(click.style(title, bold=True))
        click.echo("".join(f"  {line}\n" for line in lines))
