"""The words around a question: where a call goes, the form that a client shows, and what changed since an approval."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "where": "SaaS: {saas}, profile: {profile}",
        "sandbox": "SANDBOX (no real data is affected). ",
        "field_name": "Name of the target",
        "field_confirm": "Yes, do it",
        "since": "Changed since the approval:",
    },
    "ja": {
        "where": "SaaS: {saas}、プロファイル: {profile}",
        "sandbox": "SANDBOX(実際のデータには影響しません)。",
        "field_name": "対象の名前",
        "field_confirm": "はい、実行します",
        "since": "承認後に次の点が変わりました:",
    },
}

VISIT: Mapping[Language, str] = {
    "en": "Approval {code} is waiting for your decision. This page shows what would be done; opening it approves nothing.",
    "ja": "承認 {code} が判断を待っています。ページで内容を確認できます。開いただけでは承認されません。",
}
