"""`saasus-mcp specs`: compare the tools with the API's published definitions, and with the API itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Any

import click

from saasus_mcp.catalog import load_catalogue, spec_diff
from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.catalog.spec_diff import SpecDifference
from saasus_mcp.cli.command_line import Group, option
from saasus_mcp.cli.options import json_option, json_outcome_option, settings_options
from saasus_mcp.cli.output import print_json, print_outcome
from saasus_mcp.cli.specs import probe_command, remote_specs
from saasus_mcp.cli.terminal import render, say, warn
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.text import visible_text
from saasus_mcp.settings import Settings

DRIFTED, UNREADABLE = 1, 2
AGAINST_OPTION = option("--against", required=True, metavar="FOLDER_OR_URL", help="cli_help.option.against")
MARKS = {"new": "+", "removed": "-", "changed": "~"}

specs = Group("specs", help="cli_help.command.specs")
specs.add_command(probe_command.probe, "probe")


@specs.command("check", help="cli_help.command.specs_check")
@AGAINST_OPTION
@json_outcome_option
@settings_options("lang")
def check(_: Settings, *, against: str) -> None:
    """Print whether the definitions match."""
    intended, unintended = _compare(against)
    fields = {"match": not unintended, "differences": len(unintended), "repairs": len(intended)}
    print_outcome(fields, _summary(intended, unintended))
    sys.exit(DRIFTED if unintended else 0)


@specs.command("diff", help="cli_help.command.specs_diff")
@AGAINST_OPTION
@option("--repairs", is_flag=True, help="cli_help.option.repairs")
@json_option
@settings_options("lang")
def diff(_: Settings, *, against: str, repairs: bool, as_json: bool) -> None:
    """Print the differences, by operation."""
    intended, unintended = _compare(against)
    if as_json:
        print_json({"differences": [*map(asdict, unintended)], "repairs": [*map(asdict, intended)]})
    else:
        every = sorted([*unintended, *intended], key=lambda one: one.operation)
        for line in _lines(every if repairs else unintended):
            click.echo(line)
        say(_summary(intended, unintended))
    sys.exit(DRIFTED if unintended else 0)


def _compare(against: str) -> tuple[list[SpecDifference], list[SpecDifference]]:
    """Return the intended differences and the others. If the definitions cannot be read, print why and exit."""
    ours = json.loads(FACTS.read_bytes())
    try:
        theirs = remote_specs.read_remote_specs(against, {each.module for each in load_catalogue()})
    except SaasusMcpError as error:
        warn(visible_text(render(error)))
        sys.exit(UNREADABLE)
    differences = list(spec_diff.compare_specs(ours, theirs))
    return [one for one in differences if one.repair], [one for one in differences if not one.repair]


def _summary(intended: list[SpecDifference], unintended: list[SpecDifference]) -> Message:
    if not unintended:
        return message("cli_specs.match", repairs=len(intended))
    operations = len({one.operation for one in unintended})
    return message("cli_specs.differ", count=len(unintended), operations=operations, repairs=len(intended))


def _lines(differences: list[SpecDifference]) -> Iterator[str]:
    for operation, members in groupby(differences, key=lambda one: one.operation):
        yield visible_text(operation)
        for one in members:
            yield "  " + visible_text(_line(one)) + (f"  ({one.repair})" if one.repair else "")


def _line(one: SpecDifference) -> str:
    mark, place = MARKS[one.kind], f"{one.place}: " if one.place else ""
    if one.fact == "enum":
        ours, theirs = set(one.ours or ()), set(one.theirs or ())
        changed = [f"+{value}" for value in sorted(theirs - ours)] + [f"-{value}" for value in sorted(ours - theirs)]
        return f"{mark} {place}enum " + " ".join(changed)
    if one.fact:
        return f"{mark} {place}{one.fact} {_value_text(one.ours)} -> {_value_text(one.theirs)}"
    return f"{mark} {one.place or 'operation'}" + (f" {_value_text(one.theirs)}" if one.theirs else "")


def _value_text(value: Any) -> str:
    if value is None:
        return "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
