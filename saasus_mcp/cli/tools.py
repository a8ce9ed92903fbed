"""`saasus-mcp tools`: list the tools with the decision of the policy in force. Needs no credentials."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any, get_args

import click

from saasus_mcp.catalog import Catalogue, Level, Operation, load_catalogue
from saasus_mcp.catalog.jobs import JOBS_TOOLSET, JobSpec, load_jobs
from saasus_mcp.cli.call import find_operation
from saasus_mcp.cli.command_line import argument, command, option
from saasus_mcp.cli.completion import complete_tools, complete_toolsets
from saasus_mcp.cli.local_user import local_user
from saasus_mcp.cli.options import make_json_option, parse_toolset_names, settings_options
from saasus_mcp.cli.output import has_screen, print_json, print_list
from saasus_mcp.cli.policy_in_force import resolve_policy
from saasus_mcp.cli.terminal import announce_policy, format_json, prints_json, reader_language, render, say
from saasus_mcp.cli.text_layout import cut_text
from saasus_mcp.common.language import Language
from saasus_mcp.common.messages import Localized, Message, message, one_of
from saasus_mcp.permissions.policy.model import STRICTNESS, Decision, Policy, PolicyInput, stricter_decision
from saasus_mcp.server.surface.tool_description import describe_operation
from saasus_mcp.server.surface.toolsets import TOOLSETS
from saasus_mcp.settings.environment import DEFAULT_PROFILE, Settings

COLOURS = {"confirm": "yellow", "approve": "red", "deny": "bright_black"}
WIDE_SCREEN = 110
"""Columns from which a row has room for the level."""
NONE = ("no", "n/a")
"""Codes of the table of effects for what does not apply."""
_MAX_NAME_COLUMN = 32


@command(help="cli_help.command.tools")
@settings_options()
@argument("name", required=False, shell_complete=complete_tools)
@option(
    "--toolset",
    "--toolsets",
    "toolsets",
    default="",
    metavar="NAME,NAME",
    shell_complete=complete_toolsets,
    help="cli_help.option.toolset_filter",
)
@option("--level", type=click.Choice(get_args(Level)), help="cli_help.option.level_filter")
@option("--search", default="", metavar="TEXT", help="cli_help.option.tools_search")
@make_json_option("cli_help.option.tools_json")
def tools(settings: Settings, *, name: str | None, toolsets: str, level: str | None, search: str) -> None:
    """Print the list, or the details of one tool."""
    catalogue, policy = load_catalogue(), resolve_policy(settings)
    jobs = {job.name: job for job in load_jobs()}
    if name in jobs:
        _show_job(jobs[name], catalogue, policy)
        return
    if name is not None:
        _show_operation(find_operation(catalogue, name), policy)
        return
    wanted = parse_toolset_names(toolsets) or TOOLSETS.keys()
    operations, listed_jobs = list(catalogue), list(jobs.values())
    if search:
        operations = [hit.operation for hit in catalogue.index.search(search)]
        listed_jobs = [jobs[each] for each in catalogue.index.search_jobs(search)]
    operations = [each for each in operations if each.toolset in wanted and level in (None, each.level)]
    listed_jobs = [each for each in listed_jobs if JOBS_TOOLSET in wanted and level is None]
    rows = [_operation_row(each, policy) for each in operations]
    rows += [_job_row(each, catalogue, policy) for each in listed_jobs]
    if prints_json():
        print_json(rows)
    elif rows:
        total = message("cli_tools.total", count=len(operations), jobs=len(listed_jobs), policy=policy.name)
        print_list([*_list_lines(rows, grouped=not search), "", render(total)])
        announce_policy(policy.announcement)
    else:
        say(message("cli_tools.none"))


def _list_lines(rows: Sequence[dict[str, Any]], *, grouped: bool) -> Iterator[str]:
    """Yield a line for each tool: on a screen in one row, under its toolset if grouped."""
    if not has_screen():
        for row in rows:
            yield f"{row['name']:<40}  {row['level']:<15}  {row['decision']:<7}  {row['title']}"
        return
    columns, width = shutil.get_terminal_size().columns, max(len(row["name"]) for row in rows)
    if not grouped:
        yield from (_row_line(row, width, columns) for row in rows)
        return
    blank = ""
    for name, subject in TOOLSETS.items():
        members = [row for row in rows if row["toolset"] == name]
        if members:
            heading = cut_text(f"{name} ({len(members)}): {render(subject)}", columns)
            yield blank + click.style(heading, bold=True)
            blank = "\n"
        yield from (f"  {_row_line(row, width, columns - 2)}" for row in members)


def _row_line(row: dict[str, Any], width: int, columns: int) -> str:
    begin, level = f"{row['name']:<{width}}  ", f"{row['level']:<15}  " if columns >= WIDE_SCREEN else ""
    decision, colour = f"{row['decision']:<7}", COLOURS.get(row["decision"])
    rest = cut_text(f"  {level}{row['title']}", columns - len(begin) - len(decision))
    return begin + (click.style(decision, fg=colour) if colour else decision) + rest


def _decide(operation: Operation, policy: Policy) -> Decision:
    return policy.decide(PolicyInput(operation, {}, local_user(), DEFAULT_PROFILE))


def _decide_job(job: JobSpec, catalogue: Catalogue, policy: Policy) -> Decision:
    """Return the strictest decision on an operation that the job may call; the mildest if its caller chooses the calls."""
    if job.writes_any:
        return min((_decide(each, policy) for each in _calls(job, catalogue)), key=lambda one: STRICTNESS[one.outcome])
    return reduce(stricter_decision, (_decide(each, policy) for each in _calls(job, catalogue)))


def _calls(job: JobSpec, catalogue: Catalogue) -> list[Operation]:
    if job.writes_any:
        return [operation for operation in catalogue if not operation.reads]
    return [catalogue.find(key) for key in (*job.reads, *job.writes)]


def _operation_row(operation: Operation, policy: Policy) -> dict[str, Any]:
    place = {"name": operation.tool, "toolset": operation.toolset, "http": f"{operation.method} {operation.path}"}
    return {**place, "level": operation.level, **_decision_fields(_decide(operation, policy), operation.title)}


def _job_row(job: JobSpec, catalogue: Catalogue, policy: Policy) -> dict[str, Any]:
    place = {"name": job.name, "toolset": JOBS_TOOLSET, "level": "job"}
    return {**place, **_decision_fields(_decide_job(job, catalogue, policy), job.title)}


def _decision_fields(decision: Decision, title: Localized) -> dict[str, Any]:
    return {"decision": decision.outcome, "rule": decision.rule, "title": render(title)}


def _show_job(job: JobSpec, catalogue: Catalogue, policy: Policy) -> None:
    calls = _calls(job, catalogue)
    if prints_json():
        details = {
            "description": render(job.description),
            "calls": [each.tool for each in calls],
            "inputSchema": job.input_schema,
        }
        print_json({**_job_row(job, catalogue, policy), **details})
        return
    decision = _decide_job(job, catalogue, policy)
    click.echo(click.style(f"{job.name}: {render(job.title)}", bold=True) + "\n")
    say(f"{render(job.description)}\n")
    _section(message("cli_tools.decision"), [f"{decision.outcome}: {render(decision.reason)}  ({decision.rule})"])
    _section(message("cli_tools.calls"), [f"{each.tool}: {render(each.title)}  ({each.level})" for each in calls])
    _section("inputSchema", format_json(job.input_schema).splitlines())


def _show_operation(operation: Operation, policy: Policy) -> None:
    if prints_json():
        user, lang = local_user(), reader_language()
        details = describe_operation(operation, user, policy, DEFAULT_PROFILE, language=lang)
        print_json({**details, "description": render(operation.description)})
        return
    decision = _decide(operation, policy)
    reason = f"{decision.outcome}: {render(decision.reason)}  ({decision.rule}; {operation.level})"
    effects = [
        f"{render(one_of('cli_tools.effect', name))}: {text}"
        for name, text in effect_texts(operation, reader_language()).items()
    ]
    _section(f"{operation.tool}: {render(operation.title)}", [f"{operation.method} {operation.path}"])
    say(f"{render(operation.description)}\n")
    _section(message("cli_tools.decision"), [reason])
    _section(message("cli_tools.effects"), effects)
    _section(message("cli_tools.arguments"), _field_lines(operation.input_texts))
    _section("inputSchema", format_json(operation.input_schema).splitlines())
    _section(message("cli_tools.answer"), _field_lines(operation.output_texts))
    _section("outputSchema", format_json(operation.output_schema).splitlines())


def effect_texts(operation: Operation, language: Language) -> dict[str, str]:
    """Return the effects of an operation that apply, by name."""
    row, yes = operation.effects, message("cli_tools.yes").text(language)
    repeating = message("cli_tools.changes_nothing" if row.idempotent else "cli_tools.acts_again")

    between = "、" if language == "ja" else ", "

    def said(code: str, words: Message) -> str:
        """Return a code, which policies use too, with what it means."""
        if code in NONE:
            return ""
        meant = words.text(language)
        return code if meant == code else message("cli_tools.in_words", code=code, words=meant).text(language)

    values = {
        "effect": said(row.effect, one_of("cli_tools.value_effect", row.effect)),
        "level": said(row.level, one_of("cli_tools.value_level", row.level)),
        "reversibility": said(row.reversibility, one_of("cli_tools.value_reversibility", row.reversibility)),
        "blast": between.join(said(each, one_of("cli_tools.value_blast", each)) for each in row.blast),
        "repeating": repeating.text(language),
        "adds_only": yes if row.adds_only else "",
        "email": said(row.email, one_of("cli_tools.value_reach", row.email)),
        "money": said(row.money, one_of("cli_tools.value_reach", row.money)),
        "outside": ", ".join(row.outside),
        "personal_data": yes if row.personal_data else "",
        "secrets_in": ", ".join(operation.secret_inputs),
        "secrets_out": ", ".join(operation.secret_outputs),
        "preconditions": ("。" if language == "ja" else "; ").join(each.text(language) for each in row.preconditions),
        "why": row.why.text(language) if row.why else "",
    }
    return {name: text for name, text in values.items() if text}


def _field_lines(texts: Mapping[str, str]) -> list[str]:
    width = min(_MAX_NAME_COLUMN, max(map(len, texts), default=0))
    return [f"{name:<{width}}  {text}" for name, text in texts.items()]


def _section(title: Localized | str, lines: list[str]) -> None:
    if lines:
        click.echo(click.style(render(title), bold=True))
        say("".join(f"  {line}\n" for line in lines))
