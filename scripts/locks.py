"""Compare the lock files: the image must install the versions that the tests ran with, and the site must lock what builds it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTED, SHIPPED = ROOT / "requirements.lock", ROOT / "requirements.hosted.lock"
SITE = ROOT / "requirements.docs.lock"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(text: str) -> dict[str, set[str]]:
    """Return the versions that a lock file pins, by package. Markers may give a package several."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(text):
        found.setdefault(name, set()).add(version)
    return found


def differences(tested: str, shipped: str) -> list[str]:
    """Return a line for each package of the shipped lock that the tested lock does not pin to the same versions."""
    known = pins(tested)
    return [
        f"{name}: {TESTED.name} has {', '.join(sorted(known.get(name, {'no version'})))}, "
        f"{SHIPPED.name} has {', '.join(sorted(versions))}"
        for name, versions in pins(shipped).items()
        if not versions <= known.get(name, set())
    ]


def unlocked(project: str, site: str) -> list[str]:
    """Return a line for each package of the group `docs` that the site's lock does not pin."""
    wanted = (re.split(r"[<>=\[;]", each)[0] for each in tomllib.loads(project)["dependency-groups"]["docs"])
    return [f"{name}: {SITE.name} has no version" for name in wanted if name not in pins(site)]


if __name__ == "__main__":
    found = differences(TESTED.read_text(encoding="utf-8"), SHIPPED.read_text(encoding="utf-8"))
    found += unlocked((ROOT / "pyproject.toml").read_text(encoding="utf-8"), SITE.read_text(encoding="utf-8"))
    if found:
        sys.exit("\n".join([*found, "Run `make lock`."]))
