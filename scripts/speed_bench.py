"""How fast the server starts and answers, and what it takes: beside signed calls without it, and beside other servers.

    scripts/speed_bench.py [--official FOLDER] [--against 'COMMAND' --tool NAME [--arguments JSON]]
                           [--runs N] [--only start,calls,...] [--quiet] [--json FILE] [--write]

Beside this server it measures a stand-in for the official one, which npm installs into a temporary folder. `--official` names a
checkout of the official server after `npm ci`, and `--against` any other server. All that is compared is measured in turns in one run, so that a busy
machine is busy for everybody. `--write` renews docs/performance.md and its translation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from saasus_mcp.common.language import Language  # noqa: E402 - after the path
from scripts.speed import other_servers  # noqa: E402 - as above
from scripts.speed.measuring import MEASURES, measure  # noqa: E402 - as above
from scripts.speed.other_servers import OtherServer  # noqa: E402 - as above
from scripts.speed.servers import Tool  # noqa: E402 - as above
from scripts.speed.tables import Run, promises, tables  # noqa: E402 - as above

PAGES: dict[Language, Path] = {"en": ROOT / "docs" / "performance.md", "ja": ROOT / "docs" / "performance.ja.md"}
BEGIN, END = "<!-- made by scripts/speed_bench.py --write -->\n", "<!-- end -->\n"
RUNS = 3
STAND_IN_SAID = "The official server is not at hand (--official): its figures come by way of the stand-in, as docs/performance.md says."


def report(arguments: Sequence[str] = ()) -> None:
    """Measure and print."""
    options = _options()
    given = options.parse_args(arguments)
    unknown = set(given.only) - set(MEASURES)
    if unknown:
        options.error(f"--only takes {', '.join(MEASURES)}")
    if given.against and not given.tool:
        options.error("--against needs --tool")
    named = [other_servers.official(given.official)] if given.official else []
    if given.against:
        named.append(OtherServer("other", tuple(shlex.split(given.against)), Tool(given.tool, given.arguments)))
    with other_servers.stand_in() as installed:
        if isinstance(installed, str):
            print(installed, flush=True)
        elif not given.official:
            print(STAND_IN_SAID, flush=True)
        runs = _measure([*named, *([] if isinstance(installed, str) else [installed])], given.runs, given.only)
    print(tables(runs, "en", quiet=given.quiet))
    if given.json:
        given.json.write_text(json.dumps([_plain(run) for run in runs], indent=1) + "\n", encoding="utf-8")
    if given.write:
        for language, page in PAGES.items():
            head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
            made = tables(runs, language, quiet=given.quiet)
            page.write_text(head + BEGIN + made + END + rest.partition(END)[2], encoding="utf-8")


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--official", type=Path, metavar="FOLDER", help="the official server, installed")
    options.add_argument("--against", metavar="COMMAND", help="another server on stdio")
    options.add_argument("--tool", help="its tool that reads roles")
    options.add_argument("--arguments", default="{}", help="that tool's arguments, JSON")
    options.add_argument("--runs", type=int, default=RUNS, help=f"how often everything is measured ({RUNS})")
    options.add_argument("--only", type=lambda text: text.split(","), default=list(MEASURES), help="tables, by comma")
    options.add_argument(
        "--quiet", action="store_true", help="nothing else runs on this machine: the page then says so"
    )
    options.add_argument("--json", type=Path, help="file to write every run to as JSON")
    options.add_argument("--write", action="store_true", help="renew docs/performance.md and its translation")
    return options


def _measure(others: Sequence[OtherServer], count: int, only: Sequence[str]) -> list[Run]:
    runs: list[Run] = []
    for number in range(count):
        before = time.perf_counter()
        runs.append(asyncio.run(measure(others, only)))
        print(f"run {number + 1} of {count}: {time.perf_counter() - before:.0f} s", file=sys.stderr, flush=True)
    return runs


def _plain(run: Run) -> dict[str, object]:
    """Return a run in a form that JSON can have."""
    rows = {name: {", ".join(row): columns for row, columns in found.items()} for name, found in run.items()}
    return {
        **rows,
        "held to": [{"what": each.what[0], "value": each.value, "goal": each.goal("en")} for each in promises(run)],
    }


if __name__ == "__main__":
    report(sys.argv[1:])
