"""What `tools` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "total": "\n{count} operations and {jobs} jobs. Policy: {policy}. For details: `saasus-mcp tools NAME`.",
        "unknown_toolset": "There is no toolset {name!r}.",
        "nearest_toolsets": " Nearest: {names}.",
        "toolsets": "Toolsets: {names}.",
        "decision": "Decision",
        "effects": "Effects",
        "arguments": "Arguments",
        "answer": "Answer",
        "calls": "Calls",
        "yes": "yes",
        "changes_nothing": "has no further effect",
        "acts_again": "takes effect again",
    },
    "ja": {
        "total": "\n{count}件の操作と{jobs}件のジョブ。ポリシー: {policy}。`saasus-mcp tools 名前` で詳細を表示します。",
        "unknown_toolset": "{name!r} というツールセットはありません。",
        "nearest_toolsets": "近い名前: {names}。",
        "toolsets": "ツールセット: {names}",
        "decision": "判定",
        "effects": "影響",
        "arguments": "引数",
        "answer": "応答",
        "calls": "呼び出す操作",
        "yes": "はい",
        "changes_nothing": "結果は変わらない",
        "acts_again": "実行するたびに効果がある",
    },
}

EFFECTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "effect": "effect",
        "level": "level",
        "reversibility": "reversibility",
        "blast": "scope",
        "repeating": "repeated calls",
        "adds_only": "adds only",
        "email": "sends e-mail",
        "money": "affects billing",
        "outside": "systems outside SaaSus",
        "personal_data": "personal data",
        "secrets_in": "secret inputs",
        "secrets_out": "secret outputs",
        "preconditions": "preconditions",
        "why": "why this level",
    },
    "ja": {
        "effect": "種類",
        "level": "レベル",
        "reversibility": "元に戻せるか",
        "blast": "影響範囲",
        "repeating": "再実行",
        "adds_only": "追加のみ",
        "email": "メール送信",
        "money": "請求への影響",
        "outside": "SaaSus外への影響",
        "personal_data": "個人情報",
        "secrets_in": "秘密情報の入力",
        "secrets_out": "秘密情報の出力",
        "preconditions": "前提条件",
        "why": "このレベルの理由",
    },
}
