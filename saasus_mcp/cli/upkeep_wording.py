"""What `freeze` and `audit` say to people, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "frozen": "All writes are held back: of every SaaS, also one that is used for the first time, and of the sandbox "
        "({where}). `saasus-mcp unfreeze` lets them go again.",
        "in_folder": "state folder {folder}",
        "in_database": "in every server that shares the database",
        "unfrozen": "Writes go again.",
        "whole": "{records} records: the chain holds.",
        "reached": "It reaches every exported head.",
        "no_heads": "Nothing shows whether its end was cut off: compare with a head kept off this machine (--heads FILE).",
        "broken": "The chain is broken:",
        "bad_heads": "{file}: these are no exported heads: {why}.",
        "bad_heads_mend": "Give the file that `saasus-mcp audit heads` wrote.",
        "purged": "{audit} audit records and {journal} journal entries removed.",
        "nothing": "No record matches.",
    },
    "ja": {
        "frozen": "すべてのSaaS(今後初めて使うものを含む)とサンドボックスへの書き込みを止めました({where})。"
        "再開するには`saasus-mcp unfreeze`を実行してください。",
        "in_folder": "状態フォルダー: {folder}",
        "in_database": "データベースを共有するすべてのサーバー",
        "unfrozen": "書き込みを再開しました。",
        "whole": "{records}件の記録: 連鎖に問題はありません。",
        "reached": "書き出し済みの末尾まですべてそろっています。",
        "no_heads": "末尾が切り取られていないかは分かりません。別の場所に保管した末尾の記録と比べてください(--heads ファイル)。",
        "broken": "連鎖が壊れています:",
        "bad_heads": "{file}: 末尾の記録として読めません: {why}。",
        "bad_heads_mend": "`saasus-mcp audit heads`が書き出したファイルを指定してください。",
        "purged": "監査記録{audit}件と変更履歴{journal}件を削除しました。",
        "nothing": "該当する記録はありません。",
    },
}
