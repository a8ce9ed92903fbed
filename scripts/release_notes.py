"""Print the section of CHANGELOG.md for one version, as the notes of its release."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parents[1] / "CHANGELOG.md"


def find_section(changelog: str, version: str) -> str:
    """Return the text under the heading of `version`.

    Raises:
        SystemExit: the changelog has no such section, or the section is empty.
    """
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## \[|\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not found or not found[1].strip():
        raise SystemExit(f"CHANGELOG.md has no section for {version}. Write it before you tag the release.")
    return found[1].strip() + "\n"


if __name__ == "__main__":
    print(find_section(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1]), end="")
