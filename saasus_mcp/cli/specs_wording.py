"""What `specs` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "agree": "The tools match the published definitions, except for {repairs} documented corrections.",
        "drifted": "{count} differences in {operations} operations, in addition to {repairs} documented corrections. What to do: docs/updating.md.",
    },
    "ja": {
        "agree": "ツールは公開されている定義と一致しています(理由を記録した修正{repairs}件を除く)。",
        "drifted": "{operations}件の操作に{count}件の違いがあります(ほかに理由を記録した修正が{repairs}件)。対処方法: docs/updating.md",
    },
}
