"""`saasus-mcp specs check|diff|probe`: are our tools what the API's published definitions, and the API itself, say today?"""

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
from saasus_mcp.cli.options import language_option, load_settings
from saasus_mcp.cli.specs import probe_command, remote_specs
from saasus_mcp.cli.specs_wording import WORDS
from saasus_mcp.cli.terminal import format_json, safe
from saasus_mcp.common.errors import SaasusMcpError

DRIFTED, UNREADABLE = 1, 2
AGAINST_OPTION = click.option(
    "--against", required=True, metavar="FOLDER_OR_URL", help="Folder or URL of the definitions (authapi.yml etc.)."
)
MARKS = {"new": "+", "removed": "-", "changed": "~"}


@click.group
def command() -> None:
    """Compare the tools' API documents with the published definitions, or with actual responses.

    Next steps: docs/updating.md.
    """


command.add_command(probe_command.command, "probe")


@command.command
@AGAINST_OPTION
@language_option
def check(against: str, **flags: Any) -> None:
    """Report in one line whether they match. Exit status 1 if they differ, 2 if the definitions cannot be read."""
    words = WORDS[load_settings(**flags).lang]
    meant, found = _compared(against)
    click.echo(_summary(meant, found, words))
    sys.exit(DRIFTED if found else 0)


@command.command
@AGAINST_OPTION
@click.option("--repairs", is_flag=True, help="Also list intended differences and their reasons.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@language_option
def diff(against: str, *, repairs: bool, as_json: bool, **flags: Any) -> None:
    """List additions, removals and changes: operations, parameters, fields, types, enums, statuses.

    Exit status as for `specs check`.
    """
    words = WORDS[load_settings(**flags).lang]
    meant, found = _compared(against)
    if as_json:
        click.echo(format_json({"differences": [*map(asdict, found)], "repairs": [*map(asdict, meant)]}))
    else:
        for line in _lines(found if not repairs else sorted([*found, *meant], key=lambda one: one.operation)):
            click.echo(line)
        click.echo(_summary(meant, found, words))
    sys.exit(DRIFTED if found else 0)


def _compared(against: str) -> tuple[list[SpecDifference], list[SpecDifference]]:
    """The differences that are meant, and the others."""
    ours = json.loads(FACTS.read_bytes())
    try:
        theirs = remote_specs.read_remote_specs(against, {each.module for each in load_catalogue()})
    except SaasusMcpError as error:
        click.echo(f"saasus-mcp: {safe(str(error))}", err=True)
        sys.exit(UNREADABLE)
    differences = list(spec_diff.compare_specs(ours, theirs))
    return [one for one in differences if one.repair], [one for one in differences if not one.repair]


def _summary(meant: list[SpecDifference], found: list[SpecDifference], words: Any) -> str:
    told = words["drifted" if found else "agree"]
    touched = len({one.operation for one in found})
    return str(told.format(count=len(found), operations=touched, repairs=len(meant)))


def _lines(differences: list[SpecDifference]) -> Iterator[str]:
    for operation, group in groupby(differences, key=lambda one: one.operation):
        yield safe(operation)
        for one in group:
            yield "  " + safe(_line(one)) + (f"  ({one.repair})" if one.repair else "")


def _line(one: SpecDifference) -> str:
    mark, place = MARKS[one.kind], f"{one.place}: " if one.place else ""
    if one.fact == "enum":
        ours, theirs = set(one.ours or ()), set(one.theirs or ())
        return f"{mark} {place}enum " + " ".join(
            [*(f"+{value}" for value in sorted(theirs - ours)), *(f"-{value}" for value in sorted(ours - theirs))]
        )
    if one.fact:
        return f"{mark} {place}{one.fact} {_told(one.ours)} -> {_told(one.theirs)}"
    return f"{mark} {one.place or 'operation'}" + (f" {_told(one.theirs)}" if one.theirs else "")


def _told(value: Any) -> str:
    if value is None:
        return "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
