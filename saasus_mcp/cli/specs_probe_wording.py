"""What `specs probe` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "head": "saasus-mcp {product}, documents {documents}. Contains types and field names only, no values.",
        "sum": "{made} of {reads} reads made in {calls} calls. Match the documents: {agree}. Differ: {differ}.",
        "progress": "{done} of {total} reads",
        "status": "HTTP {status}, which is not documented",
        "unanswered": "no response",
        "unreadable": "HTTP 2xx with an empty or non-JSON body",
        "deviation": "{place}: {said} ({often})",
        "answer": "the whole response",
        "unauthorized": "The API did not accept the credentials (HTTP 401), so the check stopped.",
        "unauthorized_next": "Compare the SaaS ID, API key and secret key with the SaaSus console, or run `saasus-mcp doctor`.",
        "unreached": "The API did not answer, so the check stopped.",
        "unreached_next": "Run `saasus-mcp doctor` to diagnose the connection.",
        "late": "Time ran out before every read was made.",
        "late_next": "Allow more time with --seconds.",
    },
    "ja": {
        "head": "saasus-mcp {product}、定義 {documents}。型とフィールド名のみで、応答の値は含みません。",
        "sum": "読み取り操作{reads}件のうち{made}件を{calls}回の呼び出しで実行しました。定義どおり: {agree}件、相違あり: {differ}件。",
        "progress": "読み取り {done}/{total}件",
        "status": "定義にないHTTP {status}",
        "unanswered": "応答がありませんでした",
        "unreadable": "HTTP 2xxですが、本文が空か、JSONではありません",
        "deviation": "{place}: {said}({often})",
        "answer": "応答全体",
        "unauthorized": "APIが認証情報を受け付けなかったため(HTTP 401)、確認を中止しました。",
        "unauthorized_next": "SaaS ID、APIキー、シークレットキーをSaaSusのコンソールと照合するか、`saasus-mcp doctor`を実行してください。",
        "unreached": "APIから応答がないため、確認を中止しました。",
        "unreached_next": "`saasus-mcp doctor`を実行して、接続の問題を調べてください。",
        "late": "すべての読み取りを実行する前に時間切れになりました。",
        "late_next": "--secondsで時間を延ばしてください。",
    },
}
KINDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "missing": "required ({documented}), but missing",
        "undocumented_field": "undocumented field ({seen})",
        "type": "documented as {documented}, got {seen}",
        "undocumented_value": "a value that is not documented ({seen})",
    },
    "ja": {
        "missing": "必須({documented})ですが、ありません",
        "undocumented_field": "定義にないフィールド({seen})",
        "type": "定義では{documented}、実際は{seen}",
        "undocumented_value": "定義にない値({seen})",
    },
}
OFTEN: Mapping[Language, Mapping[str, str]] = {
    "en": {"always": "always", "sometimes": "sometimes"},
    "ja": {"always": "常に", "sometimes": "一部"},
}
REASONS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "secret": "not made: {parameters} is a secret, and this check keeps no secrets",
        "no_source": "not made: no read returns {parameters}",
        "empty": "not made: the account has no data with {parameters}",
        "not_allowed": "not made: the policy does not allow it without confirmation",
        "not_sent": "not made: rejected before it was sent",
        "stopped": "not made: the check had already stopped",
    },
    "ja": {
        "secret": "未実行: {parameters}は秘密情報であり、この確認では保持しません",
        "no_source": "未実行: {parameters}を返す読み取り操作がありません",
        "empty": "未実行: このアカウントには{parameters}を得られるデータがありません",
        "not_allowed": "未実行: ポリシーにより、確認なしでは実行できません",
        "not_sent": "未実行: 送信前に拒否されました",
        "stopped": "未実行: その前に確認が終わりました",
    },
}
