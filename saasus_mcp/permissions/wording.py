"""The words of previews and questions, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog.model import Language
from saasus_mcp.saasus.words import one_line

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "where": "SaaS: {saas}, profile: {profile}",
        "sandbox": "SANDBOX (nothing real is touched). ",
        "target": "Target: {name}",
        "unseen": "The target could not be looked at: {why}.",
        "impact": "What it hits:",
        "unread": "could not be read ({why})",
        "none": "none",
        "true": "yes",
        "false": "no",
        "and": ", ",
        "and_more": "… and {count} more",
        "changes": "What changes:",
        "change": "{field}: {before} → {after}",
        "resets": "{field}: {before} → left out, so it is reset",
        "unknown": "{field}: {before} → left out; whether it stays is not documented",
        "unshown": "{field}: {before}, changed further on than is shown",
        "unchanged": "What is sent is what is there already.",
        "undoable": "This can be undone",
        "recreatable": "This can only be made anew",
        "lost": "This cannot be undone. What is lost, or stays",
        "colon": ": ",
        "stop": ".",
        "by": " ({call})",
        "arguments": "Arguments:",
        "more": "  … and {count} more",
        "money_yes": "This touches money: invoices or charges change.",
        "money_maybe": "This may touch money: what is billed later can change.",
        "email_yes": "An e-mail is sent.",
        "email_maybe": "An e-mail may be sent.",
        "type_name": "To go ahead, type the name of the target, without the quotation marks: {name}",
        "confirm": "Go ahead?",
        "field_name": "Name of the target",
        "field_confirm": "Yes, do it",
        "changed": "The target has changed since you were asked. Please look again.",
        "since": "Since it was approved, this has changed:",
        "void": "The target has changed since approval {code} was asked for, which holds no more:",
        "void_stricter": "The policy now wants another person's approval than the requester's: {code} holds no more.",
        "now_seen": "  It could not be looked at then; now it can.",
        "now_unseen": "  It could be looked at then; now it cannot ({why}).",
        "stricter": "The policy has become stricter since you were asked. Please decide again.",
    },
    "ja": {
        "where": "SaaS: {saas}、プロファイル: {profile}",
        "sandbox": "SANDBOX(実際のデータには影響しません)。",
        "target": "対象: {name}",
        "unseen": "対象の現在の状態を確認できませんでした({why})。",
        "impact": "影響範囲:",
        "unread": "確認できませんでした({why})",
        "none": "なし",
        "true": "はい",
        "false": "いいえ",
        "and": "、",
        "and_more": "ほか{count}件",
        "changes": "変更内容:",
        "change": "{field}: {before} → {after}",
        "resets": "{field}: {before} → 指定がないため初期化されます",
        "unknown": "{field}: {before} → 指定がありません(元の値が残るかは文書化されていません)",
        "unshown": "{field}: {before}(表示範囲より後の部分が変わりました)",
        "unchanged": "送信する内容は現在の内容と同じです。",
        "undoable": "元に戻せます",
        "recreatable": "作り直すしかありません",
        "lost": "この操作は元に戻せません。失われるもの・残るもの",
        "colon": ": ",
        "stop": "。",
        "by": "({call})",
        "arguments": "引数:",
        "more": "  ほか{count}件",
        "money_yes": "請求や課金の内容が変わります。",
        "money_maybe": "今後の請求額が変わることがあります。",
        "email_yes": "メールが送信されます。",
        "email_maybe": "メールが送信されることがあります。",
        "type_name": "実行するには対象の名前を入力してください(かぎ括弧は不要です): {name}",
        "confirm": "実行しますか？",
        "field_name": "対象の名前",
        "field_confirm": "はい、実行します",
        "changed": "前回の確認の後に対象の内容が変わりました。もう一度確認してください。",
        "since": "承認後に次の点が変わりました:",
        "void": "承認 {code} の依頼後に対象の内容が変わったため、その承認は無効になりました:",
        "void_stricter": "ポリシーが変わり、依頼者以外の人の承認が必要になりました。承認 {code} は無効になりました。",
        "now_seen": "  前回は対象を確認できませんでしたが、今回は確認できました。",
        "now_unseen": "  前回は対象を確認できましたが、今回は確認できませんでした({why})。",
        "stricter": "前回の確認の後にポリシーが厳しくなりました。もう一度判断してください。",
    },
}

WHY_NOT_JA: Mapping[str, str] = {
    "no answer": "応答がありません",
    "no answer in time": "時間内に応答がありません",
    "not found": "見つかりません",
    "the answer does not say": "応答に含まれていません",
    "the target could not be seen": "対象を確認できないため",
    "you may not read it": "閲覧が許可されていません",
    "it repeats a secret of this call": "この呼び出しの秘密情報が含まれています",
}
"""Why something could not be read, by how it is said in English; what is not here, an HTTP status say, stays as it is."""

OUTSIDE: Mapping[Language, str] = {
    "en": "Reaches beyond SaaSus where connected: {systems}.",
    "ja": "連携している場合、SaaSusの外にも影響します: {systems}。",
}

SYSTEMS: Mapping[str, str] = {
    "stripe": "Stripe",
    "aws": "AWS",
    "aws_marketplace": "AWS Marketplace",
    "eventbridge": "Amazon EventBridge",
    "dns": "DNS",
    "ses": "Amazon SES",
}

VISIT: Mapping[Language, str] = {
    "en": "Approval {code} waits for your decision. This page shows what would be done; nothing is approved by opening it.",
    "ja": "承認 {code} が判断を待っています。ページで内容を確認できます。開いただけでは承認されません。",
}


def reason(why_not: str, language: Language) -> str:
    """Why something could not be read, for a person."""
    return one_line(WHY_NOT_JA.get(why_not, why_not) if language == "ja" else why_not)
