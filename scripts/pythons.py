"""Run the core tests on every Python of this computer that the project supports, and print a table of the results.

Each version has a virtualenv of its own (`.venv-3.12`), installed from requirements.lock. A version that is not on this
computer has a row that says so. Arguments go to pytest in place of the core tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
CORE = (
    "tests/common", "tests/catalog", "tests/saasus", "tests/store", "tests/permissions", "tests/settings", "tests/sandbox", "tests/jobs",
    "tests/properties", "tests/cli/doctor",
)  # fmt: skip
LIMIT = 1800
"""Seconds for the tests of one version."""
TIMED_OUT = 124
"""The status of tests that were stopped, as of timeout(1)."""
SETUP_LIMIT = 900
"""Seconds to install one version's virtualenv."""
ABOUT = "import platform, sqlite3; print(platform.python_version(), sqlite3.sqlite_version)"
COUNTED = re.compile(r"(\d+) (passed|failed|skipped|error)")


@dataclass(frozen=True, slots=True)
class Result:
    """How the tests ended on one Python.

    Attributes:
        python, sqlite: the exact versions.
        counts: of tests, by how they ended.
        status: of pytest.
    """

    python: str
    sqlite: str
    counts: dict[str, int]
    status: int

    def row(self) -> str:
        """Return the row of the table."""
        failed = self.counts.get("failed", 0) + self.counts.get("error", 0)
        ended = (
            f"{failed} failed" if failed else "all passed" if self.status == 0 else f"pytest ended with {self.status}"
        )
        counts = f"{self.counts.get('passed', 0):,} passed, {self.counts.get('skipped', 0)} skipped"
        return f"| {self.python} | {self.sqlite} | {counts} | {ended} |"


def interpreter(version: str) -> str | None:
    """Return a Python of this version that runs: from the path, where a shim may have nothing behind it, or of pyenv."""
    found = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")]
    return next((str(each) for each in found if each is not None and _runs(str(each), version)), None)


def _runs(python: str, version: str) -> bool:
    told = subprocess.run([python, "-c", ABOUT], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - a Python
    return told.returncode == 0 and told.stdout.startswith(f"{version}.")


def ready(python: str, version: str) -> Path:
    """Return the Python of the version's virtualenv, which is made or brought up to the lock file where needed."""
    venv = ROOT / f".venv-{version}"
    inside, mark = venv / "bin" / "python", venv / ".ready"
    if mark.is_file() and mark.stat().st_mtime >= LOCK.stat().st_mtime:
        return inside
    pip = [str(inside), "-m", "pip", "install", "--quiet"]
    for command in (
        [python, "-m", "venv", str(venv)],
        [*pip, "--require-hashes", "--requirement", str(LOCK)],
        [*pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT)],
    ):
        subprocess.run(command, check=True, timeout=SETUP_LIMIT)  # noqa: S603 - our own
    mark.touch()
    return inside


def tested(python: Path, tests: tuple[str, ...]) -> Result:
    """Run the tests on one Python, and pass their output on."""
    version, sqlite = subprocess.run([python, "-c", ABOUT], capture_output=True, text=True, check=True).stdout.split()  # noqa: S603 - our own
    print(f"Python {version}, SQLite {sqlite}", flush=True)
    with TemporaryDirectory(prefix="saasus-mcp-pythons-", ignore_cleanup_errors=True) as folder:
        # A folder of its own: pytest removes the folders of earlier runs, and other runs may be under way.
        command = [str(python), "-m", "pytest", "--quiet", "-p", "no:cacheprovider", f"--basetemp={folder}/run", *tests]
        try:
            ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=LIMIT)  # noqa: S603 - our own
        except subprocess.TimeoutExpired:
            print(f"stopped after {LIMIT} s", flush=True)
            return Result(version, sqlite, {}, TIMED_OUT)
    print(ended.stdout, flush=True)
    counts = {name: int(count) for count, name in COUNTED.findall(ended.stdout.rstrip().rpartition("\n")[2])}
    return Result(version, sqlite, counts, ended.returncode)


def main(tests: tuple[str, ...]) -> int:
    """Test every version and print the table. Return 1 where a test failed."""
    rows, failed = [], False
    for version in VERSIONS:
        python = interpreter(version)
        if python is None:
            rows.append(f"| {version} | | not on this computer | not tested |")
            continue
        result = tested(ready(python, version), tests or CORE)
        failed = failed or result.status != 0
        rows.append(result.row())
    print("\n".join(("| Python | SQLite | tests | result |", "| --- | --- | --- | --- |", *rows)))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(tuple(sys.argv[1:])))
