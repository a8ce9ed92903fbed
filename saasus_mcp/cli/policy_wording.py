"""What `policy` says, in both languages. Faults of policy files have words of their own (permissions.policy_wording)."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        # check
        "faults": "{file}: not loaded. Errors: {count}.",
        "sound": "{file}: valid. {rules} rules. Tools for {who}, profile {profile}: {allow} allow, {confirm} confirm, {approve} "
        "approve, {deny} deny, {hangs} depend on the call.",
        "note": "note: {said}",
        "closed_groups": "Membership of these groups is set by the policy file alone: {groups}. A group of the same name from the "
        "identity provider or a token is ignored.",
        # explain
        "call": "{tool} ({key}, level {level}) by {who}, profile {profile}, policy {policy}",
        "groups": "groups: {groups}",
        "ignored_groups": "ignored, because the policy file lists their members: {groups}",
        "invalid": "This call is invalid and would be rejected before the policy: {why}",
        "other_tool": "does not match this tool",
        "other_who": "does not match this caller",
        "other_profile": "does not match this profile",
        "always": "no condition",
        "true": "true: {when}",
        "false": "false: {when}",
        "error": "cannot be evaluated, so the call is denied: {why}: {when}",
        "typed": "the target's name must be typed",
        "no_rule": "No rule allows this call.",
        "state": "This decision depends on live state. Specify it with {flags}; a server reads it from the API.",
        # test
        "passed": "ok    {name}",
        "failed": "FAIL  {name} (line {line}): expected {expected}, got {got}: {reason}",
        "by": "{outcome} by {rule!r}",
        "results": "{passed} passed, {failed} failed; policy {policy}.",
        # reload
        "taken": "{file}: process {pid} loaded it.",
        "kept": "{file}: process {pid} kept its previous policy. {said}",
        "silent": "{file}: process {pid} did not respond. It has ended, or will load the file when it resumes.",
        "no_server": "{file}: valid. No running server uses it.",
        "no_servers": "No running server uses a policy file.",
        # replay
        "none": "The audit log has no calls to re-evaluate.",
        "changed": "{at}  {tool}  {who}: {before} -> {after}: {reason}",
        "untold": "{at}  {tool}  {who}: {before} -> ?: {reason}",
        "replayed": "Calls re-evaluated: {calls}. Decisions that would change: {changed}. Undetermined: {untold}. Policy: {policy}.",
        "groupless": "Calls without recorded caller groups: {count}. Group rules were ignored for them.",
        "unknown": "Calls for tools that no longer exist: {count}.",
        "bad_since": "--since {given!r} is not a valid time.",
        "bad_since_mend": "Use a date (2026-01-31), a time (2026-01-31T09:00) or a duration (30m, 24h, 7d).",
        "not_object": "{flag} is not a JSON object.",
        "not_object_mend": 'Write {"name": "value"}.',
    },
    "ja": {
        "faults": "{file}: 誤りが{count}件あるため、読み込めません。",
        "sound": "{file}: 問題ありません。規則 {rules}件。ツールの判定({who}、プロファイル {profile}): 許可 {allow}、確認 {confirm}、"
        "承認 {approve}、拒否 {deny}、呼び出しの内容による {hangs}。",
        "note": "注意: {said}",
        "closed_groups": "ファイルのグループのメンバーは、ファイルに書かれた利用者だけです: {groups}。"
        "IDプロバイダーやトークンから同じ名前のグループが届いても、メンバーにはなりません。",
        "call": "{tool} ({key}、レベル {level})、呼び出し元 {who}、プロファイル {profile}、ポリシー {policy}",
        "groups": "グループ: {groups}",
        "ignored_groups": "無視するグループ(メンバーはポリシーファイルに書かれた利用者だけ): {groups}",
        "invalid": "このような呼び出しは、ポリシーの判定の前に拒否されます: {why}",
        "other_tool": "対象のツールではない",
        "other_who": "対象の人ではない",
        "other_profile": "対象のプロファイルではない",
        "always": "条件なし",
        "true": "真: {when}",
        "false": "偽: {when}",
        "error": "判定できないため拒否: {why}: {when}",
        "typed": "対象の名前の入力が必要",
        "no_rule": "許可する規則がありません。",
        "state": "この判定は現在の状態によって変わります。{flags} で指定してください(サーバーはAPIから読み取ります)。",
        "passed": "ok    {name}",
        "failed": "NG    {name} ({line}行目): 期待は {expected}、結果は {got}: {reason}",
        "by": "{outcome} (規則 {rule!r})",
        "results": "成功 {passed}件、失敗 {failed}件。ポリシー: {policy}",
        "taken": "{file}: プロセス {pid} に反映しました。",
        "kept": "{file}: プロセス {pid} には反映されませんでした。{said}",
        "silent": "{file}: プロセス {pid} から応答がありません。終了しているか、動作を再開したときに反映されます。",
        "no_server": "{file}: 問題ありません。このファイルを使って動作中のサーバーはありません。",
        "no_servers": "ポリシーファイルを使って動作中のサーバーはありません。",
        "none": "監査ログに、判定し直せる呼び出しはありません。",
        "changed": "{at}  {tool}  {who}: {before} -> {after}: {reason}",
        "untold": "{at}  {tool}  {who}: {before} -> ?: {reason}",
        "replayed": "呼び出し {calls}件のうち、判定が変わるもの {changed}件、判定できないもの {untold}件。ポリシー: {policy}",
        "groupless": "{count}件の呼び出しは、監査ログに呼び出し元のグループがありません。グループ向けの規則は除いて判定しました。",
        "unknown": "{count}件の呼び出しは、現在は存在しないツールのものです。",
        "bad_since": "--since {given!r} を読み取れません。",
        "bad_since_mend": "日付(2026-01-31)、日時(2026-01-31T09:00)、期間(30m、24h、7d)のいずれかで書いてください。",
        "not_object": "{flag} がJSONのオブジェクトではありません。",
        "not_object_mend": '{"名前": "値"} の形で書いてください。',
    },
}
