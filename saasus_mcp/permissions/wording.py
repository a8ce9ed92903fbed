"""The words of previews and questions, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog.model import Language

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
        "and_more": "… and {count} more",
        "changes": "What changes:",
        "change": "{field}: {before} → {after}",
        "resets": "{field}: {before} → left out, so it is reset",
        "unknown": "{field}: {before} → left out; whether it stays is not documented",
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
        "type_name": "To go ahead, type the name of the target: {name}",
        "confirm": "Go ahead?",
        "field_name": "Name of the target",
        "field_confirm": "Yes, do it",
        "changed": "The target has changed since you were asked. Please look again.",
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
        "and_more": "ほか{count}件",
        "changes": "変更内容:",
        "change": "{field}: {before} → {after}",
        "resets": "{field}: {before} → 指定がないため初期化されます",
        "unknown": "{field}: {before} → 指定がありません(元の値が残るかは文書化されていません)",
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
        "type_name": "実行するには対象の名前を入力してください: {name}",
        "confirm": "実行しますか？",
        "field_name": "対象の名前",
        "field_confirm": "はい、実行します",
        "changed": "確認した後に対象の内容が変わりました。もう一度確認してください。",
    },
}

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
