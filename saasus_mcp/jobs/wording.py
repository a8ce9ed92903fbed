"""The words of jobs for people, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "counts": "What it would do:",
        "calls": "Calls that change something, {count} in all, each in the audit:",
    },
    "ja": {
        "counts": "実行内容:",
        "calls": "変更の呼び出し(全{count}件、すべて監査記録に残ります):",
    },
}

COUNTS: Mapping[Language, Mapping[str, str]] = {
    "en": {},
    "ja": {},
}
"""The numbers of plans, by name."""
