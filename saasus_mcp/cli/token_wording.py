"""What `token` says to people, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "made": "Token for {name}, valid until {until}. It is shown only once:",
        "use_caller": "Clients send it as “Authorization: Bearer …” to {at}.",
        "use_approver": "It can only be used to sign in to the console.",
        "no_groups": "It has no groups, so it can use only profiles whose `groups` contain “*”.",
        "caller": "caller",
        "approver": "approver",
        "until": "until {at}",
        "used": "last used about {at}",
        "unused": "never used",
        "revoked": "revoked {at}",
        "expired": "expired {at}",
        "groups": "groups: {groups}",
        "by": "created by {by} at {at}",
        "none": "No tokens. Create one with `saasus-mcp token new NAME`.",
        "ended": "The token {name} is revoked and no longer works.",
        "signed_out": "Console sessions of {name} ended: {count}.",
        "taken": "A token named {name} already exists.",
        "taken_mend": "Revoke it or choose another name.",
        "unknown": "There is no valid token named {name}.",
        "unknown_mend": "`saasus-mcp token list` lists all tokens.",
        "bad_name": "{name} is not a valid token name.",
        "bad_name_mend": "Use letters, digits, dots, hyphens and underscores, at most 60 characters.",
        "bad_group": "{name} is not a valid group name.",
        "bad_group_mend": "A group name must not look like a principal (local:…, token:…, oidc:…) or a scope, or contain * ? [ ].",
    },
    "ja": {
        "made": "{name} のトークンです({until} まで有効)。表示されるのは一度だけです:",
        "use_caller": "クライアントは「Authorization: Bearer …」として {at} に送ります。",
        "use_approver": "コンソールへのサインインにだけ使えます。",
        "no_groups": "グループがないため、使えるのは groups に「*」があるプロファイルだけです。",
        "caller": "呼び出し用",
        "approver": "承認者用",
        "until": "{at} まで有効",
        "used": "最終利用 {at} ごろ",
        "unused": "未使用",
        "revoked": "{at} に失効",
        "expired": "{at} に期限切れ",
        "groups": "グループ: {groups}",
        "by": "{by} が {at} に発行",
        "none": "トークンはありません。「saasus-mcp token new 名前」で発行できます。",
        "ended": "{name} のトークンを失効させました。もう使えません。",
        "signed_out": "{name} のコンソールのセッションを{count}件終了しました。",
        "taken": "{name} という名前のトークンはすでにあります。",
        "taken_mend": "先に失効させるか、別の名前を指定してください。",
        "unknown": "有効な {name} のトークンはありません。",
        "unknown_mend": "「saasus-mcp token list」で一覧を確認してください。",
        "bad_name": "{name}: トークンの名前として使えません。",
        "bad_name_mend": "英数字・ドット・ハイフン・下線だけを、60文字までで指定してください。",
        "bad_group": "{name}: グループの名前として使えません。",
        "bad_group_mend": "プリンシパル(local:…、token:…、oidc:…)やスコープに見える名前と、* ? [ ] は使えません。",
    },
}
