"""Hold every list of tools that the server gives to scripts/provider_limits.yaml; exit status 1 where a provider would reject one.

Every surface and toolset, both languages and every protocol version, as the real server lists them. With --exceptions the known
exceptions are printed, with what fits instead.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from saasus_mcp.cli import composition
from saasus_mcp.cli.options import SurfaceOptions
from saasus_mcp.cli.serve import serve_stdio
from saasus_mcp.common.language import Language
from saasus_mcp.server.stdio.early.early_responses import STATELESS_PROTOCOL
from saasus_mcp.server.surface.toolsets import TOOLSETS, SurfaceKind
from saasus_mcp.settings import environment
from scripts.provider_rules import Finding, Gap, Limit, Tool, findings, read
from scripts.ready import ENVELOPE, INITIALIZED, KINDS, LANGUAGES, initialize, request, said

MODE: environment.Mode = "strict"
"""The preset that lists every tool."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One list of tools. `surface` is `full`, `compact` or the name of a toolset."""

    surface: str
    language: Language
    protocol: str
    tools: tuple[Tool, ...]

    def __str__(self) -> str:
        return f"{self.surface}, {self.language}, {self.protocol}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in lists of tools.

    Attributes:
        faults: what no exception covers.
        excused: how often each known exception was met.
    """

    faults: list[Finding]
    excused: dict[tuple[str, str, Gap], int]

    @property
    def unmet(self) -> list[tuple[str, str, Gap]]:
        """Exceptions that meet nothing."""
        return [each for each, count in self.excused.items() if not count]


def judge(listings: Iterable[Listing], limits: list[Limit]) -> Verdict:
    """Hold lists of tools to limits. What is the same in several lists of a surface is reported once."""
    verdict = Verdict([], {(each.by, each.rule, known): 0 for each in limits for known in each.exceptions})
    seen: set[tuple[str, str]] = set()
    for listing in listings:
        new = [each for each in listing.tools if _is_new(each, listing.surface, seen)]
        for limit in limits:
            for finding in findings(limit, listing.surface, listing.tools if limit.rule == "tools" else new):
                known = next((each for each in limit.exceptions if each.covers(finding)), None)
                if known is not None:
                    verdict.excused[limit.by, limit.rule, known] += 1
                elif finding not in verdict.faults:
                    verdict.faults.append(finding)
    return verdict


def _is_new(tool: Tool, surface: str, seen: set[tuple[str, str]]) -> bool:
    same = (surface, json.dumps(tool, sort_keys=True))
    known = same in seen
    seen.add(same)
    return not known


async def _listed(folder: Path, language: Language) -> list[Listing]:
    chosen = environment.read_settings(sandbox=True, state_dir=folder, mode=MODE, lang=language)
    found = []
    async with (
        composition.open_pipeline(chosen) as pipeline,
        composition.open_job_runners(chosen, {"": pipeline}) as runners,
    ):
        for surface, kind, toolsets in _surfaces():
            server = serve_stdio.build_stdio_server(pipeline, runners[""], chosen, SurfaceOptions(kind, toolsets))
            for protocol in (*HANDSHAKE_PROTOCOL_VERSIONS, STATELESS_PROTOCOL):
                answer = (await said(server, _conversation(protocol)))[-1]
                found.append(Listing(surface, language, protocol, tuple(json.loads(answer)["result"]["tools"])))
    return found


def _surfaces() -> Iterator[tuple[str, SurfaceKind, frozenset[str]]]:
    yield from ((kind, kind, frozenset()) for kind in KINDS)
    yield from ((name, "full", frozenset({name})) for name in TOOLSETS)


def _conversation(protocol: str) -> list[dict[str, Any]]:
    if protocol == STATELESS_PROTOCOL:
        return [request("tools/list", ENVELOPE)]
    return [initialize(protocol), INITIALIZED, request("tools/list", {})]


def listings() -> list[Listing]:
    """Every list that the server gives."""
    with tempfile.TemporaryDirectory(prefix="saasus-mcp-limits-", ignore_cleanup_errors=True) as folder:
        return [each for language in LANGUAGES for each in anyio.run(_listed, Path(folder), language)]


def main(asked: list[str]) -> int:
    """Print what is found. Gives the exit status."""
    given, limits = listings(), read()
    verdict = judge(given, limits)
    for finding in verdict.faults:
        print(finding, file=sys.stderr)
    for by, rule, known in verdict.unmet:
        print(f"{by}, {rule}: an exception meets nothing, remove it: {known.why}", file=sys.stderr)
    if "--exceptions" in asked:
        for (by, rule, known), count in verdict.excused.items():
            print(f"{by}, {rule}: {count} times. {known.why} Instead: {known.instead}.")
    print(f"{len(limits)} limits, {len(given)} lists of tools: {len(verdict.faults)} faults")
    return 1 if verdict.faults or verdict.unmet else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
