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
        "arguments": "Arguments:",
        "more": "  … and {count} more",
        "irreversible": "This cannot be undone.",
        "recreate": "What is removed can only be made anew, with new ids.",
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
        "arguments": "引数:",
        "more": "  ほか{count}件",
        "irreversible": "この操作は元に戻せません。",
        "recreate": "削除したものは作り直すしかなく、IDも変わります。",
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
