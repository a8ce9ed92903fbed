"""`saasus-mcp specs`: compare the tools with the API's published definitions, from a folder or a URL, and with the API itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from saasus_mcp.catalog import load_catalogue, spec_diff
from saasus_mcp.catalog.catalogue import FACTS
from saasus_mcp.catalog.openapi_summary import InvalidOpenApi, OperationSummary, summarize_document
from saasus_mcp.catalog.spec_diff import SpecDifference
from saasus_mcp.cli.command_line import Group, option
from saasus_mcp.cli.options import json_option, json_outcome_option, settings_options
from saasus_mcp.cli.output import print_json, print_outcome
from saasus_mcp.cli.specs import probe_command
from saasus_mcp.cli.terminal import prints_json, render, say, warn
from saasus_mcp.common.errors import SaasusMcpError
from saasus_mcp.common.messages import Message, message
from saasus_mcp.common.system_reasons import os_reason
from saasus_mcp.common.text import visible_text
from saasus_mcp.settings.addresses import parse_endpoint
from saasus_mcp.settings.environment import Settings
from saasus_mcp.settings.validation import InvalidValue

DRIFTED, UNREADABLE = 1, 2
AGAINST_OPTION = option("--against", required=True, metavar="FOLDER_OR_URL", help="cli_help.option.against")
MARKS = {"new": "+", "removed": "-", "changed": "~"}

specs = Group("specs", help="cli_help.command.specs")
specs.add_command(probe_command.probe, "probe")
FILE_SUFFIXES = (".yml", ".yaml", ".json")
FILE_NAME = "{module}api.yml"
"""The name of a published document."""
MAX_BYTES = 8 * 1024 * 1024
TIMEOUT = 30.0
_OK = 200


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
def diff(_: Settings, *, against: str, repairs: bool) -> None:
    """Print the differences, by operation."""
    intended, unintended = _compare(against)
    if prints_json():
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
        theirs = read_remote_specs(against, {each.module for each in load_catalogue()})
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


def read_remote_specs(source: str, modules: Collection[str]) -> dict[str, OperationSummary]:
    """Return the summary of every published operation.

    Args:
        source: a folder or a URL.
        modules: the known modules. At a URL, only their documents can be found.

    Raises:
        InvalidOpenApi: a document cannot be read, or is not an OpenAPI document.
    """
    documents = _fetch(source, modules) if "://" in source else _read_folder(Path(source), modules)
    operations: dict[str, OperationSummary] = {}
    for module, text in documents:
        operations |= summarize_document(module, _parse(module, text))
    return operations


def _read_folder(folder: Path, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in FILE_SUFFIXES)
        if not files:
            raise InvalidOpenApi(
                message("cli_specs.no_documents", folder=str(folder)),
                message("cli_specs.expected_names", names=FILE_NAME),
            )
        for file in files:
            if file.stat().st_size > MAX_BYTES:
                raise InvalidOpenApi(message("cli_specs.too_large", source=str(file)))
            published = file.stem.removesuffix("api")
            yield file.stem if file.stem in modules else published, file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidOpenApi(
            message("cli_specs.folder_unreadable", folder=str(folder), reason=os_reason(error)),
            message("cli_specs.folder_hint"),
        ) from None


def _fetch(address: str, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    try:
        base = parse_endpoint(address).rstrip("/")
    except InvalidValue as error:
        raise InvalidOpenApi(message("cli_specs.invalid_against", reason=error.problem)) from None
    import httpx2  # noqa: PLC0415 - only if documents are fetched

    from saasus_mcp.saasus import network_errors  # noqa: PLC0415 - as above

    try:
        client = httpx2.Client(timeout=TIMEOUT, follow_redirects=False)
    except network_errors.UNUSABLE as error:
        fault = network_errors.configuration_fault(error)
        raise InvalidOpenApi(message("cli_specs.invalid_against", reason=fault.message), fault.hint) from None
    with client:
        for module in sorted(modules):
            url = f"{base}/{FILE_NAME.format(module=module)}"
            yield module, _fetch_text(client.stream, httpx2.HTTPError, url)


def _fetch_text(stream: Callable[..., Any], http_error: type[Exception], url: str) -> str:
    chunks, size = [], 0
    try:
        with stream("GET", url) as response:
            if response.status_code != _OK:
                status = message("cli_specs.http_status", url=url, status=response.status_code)
                raise InvalidOpenApi(status, message("cli_specs.url_hint"))
            for chunk in response.iter_bytes():
                size += len(chunk)
                if size > MAX_BYTES:
                    raise InvalidOpenApi(message("cli_specs.too_large", source=url))
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidOpenApi.of("cli_specs.unreachable", url=url, reason=os_reason(error)) from None
    except http_error as error:
        raise InvalidOpenApi.of("cli_specs.unreachable", url=url, reason=type(error).__name__) from None


def _parse(module: str, text: str) -> Any:
    import yaml  # noqa: PLC0415 - only if documents are read

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidOpenApi(message("cli_specs.not_a_document", module=module, reason=type(error).__name__)) from None
