"""The texts of questions, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language, Text

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "sandbox": "[SANDBOX]",
        "fact": "{label}: {value}",
        "change": "{label}: {before} → {after}",
        "resets": "{label}: {before} → not sent, so it is reset",
        "unknown": "{label}: {before} → not sent; the API does not say whether it is kept",
        "unsent": "Not sent; the API does not say whether they are kept: {fields}",
        "nothing_changes": "Everything sent is the same as now.",
        "none": "none",
        "unread": "could not be read ({why})",
        "unresolved": "{id} (name: {why})",
        "and": ", ",
        "and_more": "and {count} more",
        "in_all": "{items} ({total} in all)",
        "times": "{item} \N{MULTIPLICATION SIGN}{count}",
        "long": "{head} … {tail} ({length} characters)",
        "file": "a file of {size} bytes (SHA-256 {digest}…)",
        "tier_to": "up to {to}",
        "tier_rest": "above",
        "tier": "{range}: {price}",
        "tier_each": "{amount} each",
        "tier_join": "; ",
        "join": " · ",
        "requester": "Requested by {who} · profile {profile} · SaaS {saas}",
        "reason": "Reason given by the requester: {reason}",
        "hidden": "Not shown in full here: {labels}.",
        "type": "To go ahead, type {typed}",
        "confirm": "Go ahead?",
        "day": "/day",
        "week": "/week",
        "month": "/month",
        "year": "/year",
        "each": " each",
    },
    "ja": {
        "sandbox": "[SANDBOX]",
        "fact": "{label}: {value}",
        "change": "{label}: {before} → {after}",
        "resets": "{label}: {before} → 送信しないため初期化されます",
        "unknown": "{label}: {before} → 送信しません(今の値が残らない可能性があります)",
        "unsent": "送信しない項目(今の値が残らない可能性があります): {fields}",
        "nothing_changes": "送信する内容は現在の内容と同じです。",
        "none": "なし",
        "unread": "確認できませんでした({why})",
        "unresolved": "{id}(名前: {why})",
        "and": "、",
        "and_more": "ほか{count}件",
        "in_all": "{items}(全{total}件)",
        "times": "{item}\N{MULTIPLICATION SIGN}{count}",
        "long": "{head}…{tail}(全{length}文字)",
        "file": "{size}バイトのファイル(SHA-256 {digest}…)",
        "tier_to": "〜{to}",
        "tier_rest": "それ以上",
        "tier": "{range}: {price}",
        "tier_each": "{amount}/件",
        "tier_join": "、",
        "join": "・",
        "requester": "依頼: {who} / プロファイル {profile} / SaaS {saas}",
        "reason": "依頼者が述べた理由: {reason}",
        "hidden": "ここに全文を表示していない項目: {labels}",
        "type": "実行するには{typed}と入力してください",
        "confirm": "実行しますか?",
        "day": "/日",
        "week": "/週",
        "month": "/月",
        "year": "/年",
        "each": "/件",
    },
}

MARKS: Mapping[str, str] = {
    "unseen": "⚠",
    "consequence": "⚠",
    "irreversible": "⚠",
    "recreate": "⚠",
    "money": "¥",
    "email": "✉",
    "outside": "↗",
}
"""The sign before each kind of warning."""

LOST = Text("This cannot be undone.", "元に戻せません。")
RECREATED = Text("This cannot be undone, only created again.", "元に戻せません。作り直すことだけができます。")
UNDOABLE = Text("This can be undone.", "元に戻せます。")
UNDOABLE_APPROVED = Text("This can be undone, with an approval.", "承認を受ければ元に戻せます。")
MONEY_YES = Text("Changes what is charged", "請求が変わります")
MONEY_MAYBE = Text("May change later bills", "今後の請求が変わることがあります")
EMAIL_YES = Text("Sends an e-mail", "メールを送信します")
EMAIL_MAYBE = Text("May send an e-mail", "メールを送信することがあります")
OUTSIDE = Text("Also changes {systems}, if connected", "連携している場合は{systems}にも反映されます")
UNSEEN = Text("The current state could not be read: {why}", "現在の状態を確認できませんでした: {why}")
SYSTEMS: Mapping[str, str] = {
    "stripe": "Stripe",
    "aws": "AWS",
    "aws_marketplace": "AWS Marketplace",
    "eventbridge": "Amazon EventBridge",
    "dns": "DNS",
    "ses": "Amazon SES",
}

WHY_NOT_JA: Mapping[str, str] = {
    "no answer": "応答がありません",
    "no answer in time": "時間内に応答がありません",
    "not found": "見つかりません",
    "too many to look up": "件数が多いため未確認",
    "the answer does not say": "応答に含まれていません",
    "the target could not be seen": "対象を確認できないため",
    "you may not read it": "閲覧が許可されていません",
    "it repeats a secret of this call": "この呼び出しの秘密情報が含まれています",
}
"""Why something could not be read, by how it is said in English; an HTTP status, say, stays as it is."""

WEEKDAYS_JA = "月火水木金土日"
MONTHS_EN = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS_EN = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
