"""What the commands say to people, in both languages. The words of `doctor` and `demo` have tables of their own."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "no_tty": "`saasus-mcp {command}` must be run by a person in a terminal: this is not one.",
        "no_tty_mend": "Open a terminal and run it there, without pipes or redirection.",
        "boundary": "On this machine the boundary is the operating system's user: whatever runs as you, an assistant with "
        "a shell included, could do this too. Only a hosted server holds against that.",
        "ask_passphrase": "Approver passphrase",
        "wrong_passphrase": "That is not the passphrase.",
        "stopped": "Three wrong answers: stopped. Nothing was done.",
        "start_again": "Run the command again when you are sure.",
        "unknown_tool": "There is no tool {name!r}.",
        "nearest": "Nearest: {names}.",
        "list_tools": "`saasus-mcp tools` lists them.",
        "unknown_code": "No approval with the code {code!r} is pending.",
        "unknown_code_mend": "`saasus-mcp approvals` lists those that are.",
        # call
        "bad_json": "The arguments are not JSON: line {line}, column {column}: {why}.",
        "bad_json_mend": "Quote the whole object for your shell, or pass - and give it on standard input.",
        "not_text": "not UTF-8 text",
        "too_deep": "nested too deeply",
        "no_infinity": "{name} is not a JSON number",
        "yes_or_no": "[y/N]",
        "type_here": "Name",
        # approvals, approve, reject
        "none_waiting": "Nothing waits for approval.",
        "waits": "{minutes} min left",
        "asked_by": "asked by {principal} for SaaS {saas_id}, profile {profile}",
        "by_another": "; another person must approve",
        "decided_by": " by {by}",
        "watching": "Watching for approvals; Ctrl+C ends it. Decide with `saasus-mcp approve CODE` or `saasus-mcp reject CODE`.",
        "how_to": "Decide with `saasus-mcp approve CODE` or `saasus-mcp reject CODE`.",
        "pending": "pending",
        "approved": "approved",
        "rejected": "rejected",
        "used": "used",
        "stale": "expired",
        "expired": "expired",
        "withdrawn": "withdrawn, as its target or the policy changed",
        "requested": "Asked by {principal} {minutes} min ago; {left} min left to decide.",
        "two_person": "The policy wants another person's approval than the requester's.",
        "own_request": "You asked for this yourself ({who}), and the policy wants another person's approval.",
        "own_request_mend": "Have someone else approve it. You may reject it.",
        "type_name": "To approve exactly this, type the name of the target, without the quotation marks ({name}); "
        "Ctrl+C leaves it undecided",
        "wrong_name": "That is not the target's name: nothing was approved.",
        "approved_done": "Approved. The same call with the same arguments can now run once, within {minutes} minutes.",
        "rejected_done": "Rejected. The call and variations of it can be requested again in {minutes} minutes.",
        # reveal
        "unknown_secret": "This secret handle is unknown, was revealed before, or has expired.",
        "unknown_secret_mend": "Secrets are kept for 15 minutes. Get it anew.",
        "gone": "Shown once, and gone from here: it cannot be revealed again.",
        "escaped": "It holds characters that a terminal does not show; it is written as a JSON text:",
        # approver
        "old_passphrase": "Present passphrase",
        "new_passphrase": "New passphrase (at least {shortest} characters)",
        "again": "The same again",
        "too_short": "A passphrase has at least {shortest} characters: nothing was set.",
        "differ": "The two differ: nothing was set.",
        "passphrase_set": "The passphrase is set. `approve` and `reveal` ask for it from now on.",
        "passphrase_cleared": "The passphrase is cleared.",
        "no_passphrase": "No passphrase is set.",
        # serve
        "on_terminal": "saasus-mcp: This is an MCP server. It waits for an MCP client to send JSON-RPC messages, one a line, and "
        "has no prompt. Ctrl+C ends it. Run instead:\n"
        "  saasus-mcp install  to add it to an MCP client on this computer\n"
        "  saasus-mcp demo     to watch a client use it, with demonstration data and no account\n"
        "  saasus-mcp doctor   to check credentials, clock, connection and policy",
        # sandbox
        "sandbox_at": "The sandbox listens on {url}: an emulated SaaSus API with demonstration data, nothing real.",
        "sandbox_env": "Give a client these variables (they open nothing but this sandbox):",
        "sandbox_stop": "Ctrl+C stops it; what was changed in it is forgotten then.",
        "port_taken": "Port {port} cannot be used: {why}.",
        "port_mend": "Choose another with --port, or --port 0 for any that is free.",
    },
    "ja": {
        "no_tty": "`saasus-mcp {command}` は担当者が端末(ターミナル)で実行するコマンドです。ここは端末ではありません。",
        "no_tty_mend": "端末を開き、パイプやリダイレクトを使わずに実行してください。",
        "boundary": "このコンピューターでの境界はOSのユーザーです。あなたの権限で動くもの(シェルを使えるアシスタントを含む)は"
        "同じことができます。これを防げるのは、サーバーとして運用する形だけです。",
        "ask_passphrase": "承認者のパスフレーズ",
        "wrong_passphrase": "パスフレーズが違います。",
        "stopped": "3回間違えたため中止しました。何も実行していません。",
        "start_again": "内容を確かめてから、もう一度実行してください。",
        "unknown_tool": "{name!r} というツールはありません。",
        "nearest": "近い名前: {names}",
        "list_tools": "`saasus-mcp tools` で一覧を確認できます。",
        "unknown_code": "コード {code!r} の承認待ちはありません。",
        "unknown_code_mend": "`saasus-mcp approvals` で承認待ちの一覧を確認できます。",
        # call
        "bad_json": "引数がJSONとして読めません({line}行目{column}文字目: {why})。",
        "bad_json_mend": "オブジェクト全体をシェルに合わせて引用符で囲むか、- を指定して標準入力から渡してください。",
        "not_text": "UTF-8のテキストではありません",
        "too_deep": "入れ子が深すぎます",
        "no_infinity": "{name} はJSONの数値ではありません",
        "yes_or_no": "[y/N](yではい)",
        "type_here": "名前",
        # approvals, approve, reject
        "none_waiting": "承認待ちはありません。",
        "waits": "残り{minutes}分",
        "asked_by": "依頼者: {principal}、SaaS: {saas_id}、プロファイル: {profile}",
        "by_another": "、依頼者以外の人の承認が必要",
        "decided_by": "(判断した人: {by})",
        "watching": "承認の依頼を待っています(Ctrl+Cで終了)。`saasus-mcp approve コード` で承認、`saasus-mcp reject コード` で却下できます。",
        "how_to": "`saasus-mcp approve コード` で承認、`saasus-mcp reject コード` で却下できます。",
        "pending": "承認待ち",
        "approved": "承認済み",
        "rejected": "却下",
        "used": "使用済み",
        "stale": "期限切れ",
        "expired": "期限切れ",
        "withdrawn": "取り消し(対象またはポリシーの変更)",
        "requested": "依頼者: {principal}({minutes}分前)。残り{left}分以内に判断してください。",
        "two_person": "ポリシーにより、依頼者以外の人の承認が必要です。",
        "own_request": "これはあなた自身({who})の依頼です。ポリシーにより、依頼者以外の人の承認が必要です。",
        "own_request_mend": "別の人に承認を依頼してください。却下はできます。",
        "type_name": "この内容のとおり承認するには、対象の名前{name}をかぎ括弧なしで入力してください。Ctrl+Cで保留のまま終了します",
        "wrong_name": "対象の名前と一致しません。まだ承認していません。",
        "approved_done": "承認しました。同じ引数での同じ呼び出しを、{minutes}分以内に1回だけ実行できます。",
        "rejected_done": "却下しました。同じ呼び出し(同じ対象で引数だけを変えたものを含む)は{minutes}分後から再び依頼できます。",
        # reveal
        "unknown_secret": "この秘密情報のハンドルは存在しないか、表示済みか、期限切れです。",
        "unknown_secret_mend": "秘密情報を保持するのは15分間です。取得し直してください。",
        "gone": "表示は1回限りです。保存していた値は削除したため、もう表示できません。",
        "escaped": "端末に表示できない文字を含むため、JSONの文字列として表示します:",
        # approver
        "old_passphrase": "現在のパスフレーズ",
        "new_passphrase": "新しいパスフレーズ({shortest}文字以上)",
        "again": "もう一度入力",
        "too_short": "パスフレーズは{shortest}文字以上にしてください。設定していません。",
        "differ": "2回の入力が一致しません。設定していません。",
        "passphrase_set": "パスフレーズを設定しました。今後は `approve` と `reveal` の実行時に確認します。",
        "passphrase_cleared": "パスフレーズを解除しました。",
        "no_passphrase": "パスフレーズは設定されていません。",
        # serve
        "on_terminal": "saasus-mcp: これはMCPサーバーです。MCPクライアントからJSON-RPCメッセージ(1行に1件)が届くのを待っており、"
        "プロンプトはありません。Ctrl+Cで終了します。通常は、代わりに次のコマンドを実行してください。\n"
        "  saasus-mcp install  このコンピューターのMCPクライアントに追加する\n"
        "  saasus-mcp demo     クライアントが使う様子を、アカウントなしでデモデータで見る\n"
        "  saasus-mcp doctor   認証情報、時計、接続、ポリシーを確認する",
        # sandbox
        "sandbox_at": "サンドボックスを {url} で起動しました。デモ用データを持つSaaSus APIのエミュレーターで、実データはありません。",
        "sandbox_env": "クライアントに次の環境変数を設定してください(このサンドボックス以外では使えない値です):",
        "sandbox_stop": "Ctrl+Cで停止します。停止すると変更内容は失われます。",
        "port_taken": "ポート {port} を使えません: {why}",
        "port_mend": "--port で別の番号を指定してください(--port 0 なら空いている番号を使います)。",
    },
}
