"""`saasus-mcp policy reload`: what became of it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from saasus_mcp.cli.policy_wording import WORDS
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.policy.reload import ReloadReplies


def lines(file: Path, answers: ReloadReplies, language: Language) -> Iterator[str]:
    """What each server under a policy file did."""
    words = WORDS[language]
    if not answers.replied and not answers.silent:
        yield words["no_server"].format(file=file)
    for note in answers.replied:
        yield words["taken" if note.taken else "kept"].format(file=file, pid=note.pid, said=note.said)
    for note in answers.silent:
        yield words["silent"].format(file=file, pid=note.pid)
