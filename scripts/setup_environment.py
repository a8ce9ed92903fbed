"""Create .venv with the locked packages and this project, and show how far it is. Needs nothing but Python.

`make` runs it before everything else. The first time takes a minute or more, most of it downloads.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK, FOLDER = ROOT / "requirements.lock", ROOT / ".venv"
PYTHON = FOLDER / ("Scripts" if sys.platform == "win32" else "bin") / "python"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
REACHED = re.compile(r"(?:Collecting|Requirement already satisfied:) ([A-Za-z0-9._-]+)")
KEPT_LINES = 20
"""Last lines of pip that are shown if it fails."""


def progress_texts(lines: Iterable[str], total: int) -> Iterator[str]:
    """Yield a text for each package that pip reaches, and one when it installs what it has downloaded.

    Args:
        total: packages in the lock. Other systems need some of them only.
    """
    names: set[str] = set()
    for line in lines:
        found = REACHED.match(line.strip())
        if found and found[1] not in names:
            names.add(found[1])
            yield f"{len(names)} of {total} packages: {found[1]}"
        elif names and line.startswith("Installing collected packages"):
            yield f"{len(names)} packages downloaded, unpacking"


def main() -> None:
    """Run the three steps."""
    started = time.monotonic()
    print(f"1/3 Creating {FOLDER.name} for Python {sys.version_info.major}.{sys.version_info.minor}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)  # noqa: S603 - fixed words
    print(f"2/3 Installing the packages of {LOCK.name}", flush=True)
    _install(["--require-hashes", "--requirement", str(LOCK)], len(PINNED.findall(LOCK.read_text(encoding="utf-8"))))
    print("3/3 Installing saasus-mcp", flush=True)
    _install(["--no-deps", "--no-build-isolation", "--editable", str(ROOT)], 1)
    print(f"Ready after {time.monotonic() - started:.0f} s.", flush=True)


def _install(arguments: list[str], total: int) -> None:
    """Run pip. If it fails, print its last lines and exit with its status."""
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", *arguments]
    kept: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8") as pip:  # noqa: S603 - fixed words
        assert pip.stdout is not None  # noqa: S101 - it is a pipe
        for text in progress_texts(_keep(pip.stdout, kept), total):
            _show(text)
    if sys.stdout.isatty():
        print("\r\033[K", end="", flush=True)
    if pip.returncode:
        print("".join(kept), file=sys.stderr, end="")
        sys.exit(pip.returncode)


def _keep(lines: Iterable[str], kept: list[str]) -> Iterator[str]:
    for line in lines:
        kept.append(line)
        del kept[:-KEPT_LINES]
        yield line


def _show(text: str) -> None:
    """Replace the line on a terminal, and add one elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\033[K    {text[:70]}", end="", flush=True)
    else:
        print(f"    {text}", flush=True)


if __name__ == "__main__":
    main()
