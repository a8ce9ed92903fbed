"""Compare the two lock files: the image must install the versions that the tests ran with."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTED, SHIPPED = ROOT / "requirements.lock", ROOT / "requirements.hosted.lock"
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


if __name__ == "__main__":
    found = differences(TESTED.read_text(encoding="utf-8"), SHIPPED.read_text(encoding="utf-8"))
    if found:
        sys.exit("\n".join([*found, "Run `make lock`."]))
