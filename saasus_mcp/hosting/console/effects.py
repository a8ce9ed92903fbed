"""What an operation does to the world, in a few words each: the facts of its row of effects that a person weighs."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Operation
from saasus_mcp.common.language import Language

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "undoable": "can be undone",
        "recreatable": "can only be created again",
        "lost": "cannot be undone",
        "money_yes": "changes charges",
        "money_maybe": "may touch money",
        "email_yes": "sends e-mail",
        "email_maybe": "may send e-mail",
        "outside": "reaches beyond SaaSus",
        "secrets": "returns secrets",
        "personal": "personal data",
    },
    "ja": {
        "undoable": "元に戻せる",
        "recreatable": "作り直しのみ",
        "lost": "元に戻せない",
        "money_yes": "請求に影響",
        "money_maybe": "請求に影響する場合あり",
        "email_yes": "メール送信",
        "email_maybe": "メール送信の場合あり",
        "outside": "SaaSusの外にも影響",
        "secrets": "秘密情報を返す",
        "personal": "個人情報",
    },
}
_LIKELY = {"yes": "yes", "conditional": "maybe", "indirect": "maybe"}


def effect_facts(operation: Operation, lang: Language) -> list[str]:
    """The facts of one operation, gravest first."""
    words, effects = _WORDS[lang], operation.effects
    undo = effects.undo.kind if effects.undo and not operation.reads else ""
    named = [
        undo,
        f"money_{_LIKELY.get(effects.money, '')}",
        f"email_{_LIKELY.get(effects.email, '')}",
        "outside" if effects.outside else "",
        "secrets" if operation.secret_outputs else "",
        "personal" if effects.personal_data else "",
    ]
    return [words[name] for name in named if name in words]
