"""What `tools` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "total": "\n{count} operations and {jobs} jobs; policy: {policy}. `saasus-mcp tools NAME` shows one.",
        "unknown_toolset": "There is no toolset {name!r}.",
        "nearest_toolsets": " Nearest: {names}.",
        "toolsets": "Toolsets: {names}.",
        "decision": "Decision",
        "effects": "Effects",
        "arguments": "Arguments",
        "answer": "Answer",
        "calls": "Calls",
        "yes": "yes",
        "changes_nothing": "changes nothing more",
        "acts_again": "acts again",
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
        "acts_again": "もう一度作用する",
    },
}

EFFECTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "effect": "effect",
        "level": "level",
        "reversibility": "reversibility",
        "blast": "reach",
        "repeating": "repeating it",
        "adds_only": "only adds",
        "email": "sends e-mail",
        "money": "touches money",
        "outside": "reaches beyond SaaSus",
        "personal_data": "personal data",
        "secrets_in": "secrets in",
        "secrets_out": "secrets out",
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
        "money": "金銭への影響",
        "outside": "SaaSus外への影響",
        "personal_data": "個人情報",
        "secrets_in": "秘密情報の入力",
        "secrets_out": "秘密情報の出力",
        "preconditions": "前提条件",
        "why": "このレベルの理由",
    },
}
