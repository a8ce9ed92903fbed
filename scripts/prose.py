"""Check the prose of the project against a list of words that readers stumble over. Each entry says what to write instead."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXEMPT = frozenset(
    {
        "LICENSE",
        "scripts/prose.py",
        "tests/scripts/test_prose.py",
        "tool_specs/synonyms.yaml",
        "tool_specs/search_phrases.yaml",
    }
)
"""The license, the list itself and its test, and the words that people search by."""
SUFFIXES = frozenset({".py", ".md", ".yaml", ".yml", ".toml", ".html", ".j2", ".sh", ""})
WORDS = {
    r"anew": "again",
    r"(?<![\"'])mend(s|ed|ing)?": "fix; hint",
    r"(?<![\"'])deeds?": "action",
    r"who(m)?(so)?ever": "the person who; the caller",
    r"(there|where|here)(of|in|upon|to)": "name the thing",
    r"(is|are|was|were) (?-i:none)": "has no …; does not exist",
    r"no more(?! than)": "no longer; at most",
    r"(is|are|was|were|be|been) told": "reported; see",
    r"heed(s|ed|ing)?": "respect; check",
    r"in vain": "without effect",
    r"betwixt|ere|lest|aught|naught|nought|hither|thither|hence|amiss": "a modern word",
    r"ushers?": "name the component",
    r"in clear(?! text)": "in plain text",
    r"as ever": "as usual",
    r"a handful": "a few",
    r"brings? along": "depends on; contains",
    r"(is|are|was|were) left alone": "is not changed",
}
_PATTERN = re.compile(
    r"\b(?:" + "|".join(f"(?P<w{number}>{word})" for number, word in enumerate(WORDS)) + r")\b", re.IGNORECASE
)
_ADVICE = tuple(WORDS.values())
_NAME = re.compile(r"\b[A-Za-z]\w*_\w+")
_UNNAMED_SUBJECT = re.compile(r"\bdef test_(what|who(m|se)?)_")


def find_words(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line number, word and advice for every listed word of a text, also within names."""
    for number, line in enumerate(text.splitlines(), 1):
        names = (name.replace("_", " ") for name in _NAME.findall(line))
        for found in chain.from_iterable(map(_PATTERN.finditer, (line, *names))):
            yield number, found[0], _ADVICE[int((found.lastgroup or "w0")[1:])]
        if unnamed := _UNNAMED_SUBJECT.search(line):
            yield number, unnamed[1], "the subject: name what the test is about"


def _files() -> Iterator[Path]:
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()  # noqa: S603 - the command is constant
    for name in listed:
        file = ROOT / name
        if file.suffix in SUFFIXES and file.is_file() and name not in EXEMPT and "tests/evaluation/" not in name:
            yield file


def main() -> None:
    faults = [
        f"{file.relative_to(ROOT)}:{number}: “{word}”: write {advice}"
        for file in _files()
        for number, word, advice in find_words(file.read_text(encoding="utf-8", errors="replace"))
    ]
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
