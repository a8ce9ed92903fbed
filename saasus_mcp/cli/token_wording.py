"""What `token` says to people, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "made": "The token of {name}, good until {until}. It is shown this once:",
        "use_caller": "A client sends it as “Authorization: Bearer …” to {at}.",
        "use_approver": "It signs its holder in to the console, and opens nothing else.",
        "no_groups": "It has no groups, so it opens only profiles whose groups say “*”.",
        "caller": "caller",
        "approver": "approver",
        "until": "until {at}",
        "used": "last used about {at}",
        "unused": "never used",
        "revoked": "revoked {at}",
        "expired": "expired {at}",
        "groups": "groups: {groups}",
        "by": "made by {by} at {at}",
        "none": "There are no tokens. `saasus-mcp token new NAME` makes one.",
        "ended": "The token of {name} lets nobody in any more.",
        "signed_out": "Console sessions of {name} ended: {count}.",
        "taken": "There is a token {name} already.",
        "taken_mend": "Revoke it, or choose another name.",
        "unknown": "There is no token {name} that is still good.",
        "unknown_mend": "`saasus-mcp token list` shows them all.",
        "bad_name": "{name}: not a name for a token.",
        "bad_name_mend": "Take letters, digits, dots, hyphens and underscores, at most 60.",
        "bad_group": "{name}: not a name for a group.",
        "bad_group_mend": "A group is not called like a principal (local:…, token:…, oidc:…) or a scope, and has no * ? [ ].",
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
