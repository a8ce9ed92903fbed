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
        "frozen_profile": "All writes of the profile {profile} are held back ({where}). "
        "`saasus-mcp unfreeze --profile {profile}` lets them go again.",
        "profile_unknown": "The settings here have no profile {profile}. The freeze holds for a profile of exactly this name "
        "in every store that there is; it does not hold in a store that is made later.",
        "profile_empty": "--profile is empty.",
        "profile_empty_mend": "Name a profile, or leave --profile out: then it concerns everything.",
        "no_store": "No server has stored anything here yet, so there is nothing in which to freeze the profile {profile}.",
        "no_store_mend": "Freeze everything: `saasus-mcp freeze`.",
        "unfrozen": "The freeze of everything is lifted.",
        "unfrozen_profile": "The freeze of the profile {profile} is lifted.",
        "still_frozen": "Everything is still frozen by {by}: `saasus-mcp unfreeze`.",
        "still_frozen_profile": "The profile {profile} is still frozen by {by}: `saasus-mcp unfreeze --profile {profile}`.",
        "whole": "{records} records: the chain holds.",
        "purged_before": "Purges removed {records} records of {chains} chains before. Each purge is proven.",
        "head_purged": "{writer}: an exported head is among the first {records} records, which {by} purged at {at}.",
        "chain_purged": "{writer}: {by} purged the first {records} records at {at}. The exported heads come after them.",
        "other_key": "The sealing key in use is not a key of the store {store}, which was written under key {keys}. "
        "Nothing in it was verified. Set SAASUS_MCP_SEALING_KEYS or SAASUS_MCP_SEALING_KEYS_FILE, or put sealing.key of the "
        "state folder back.",
        "missing_keys": "Records written under key {keys} cannot be verified without that key: give it behind the new one.",
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
        "frozen_profile": "プロファイル{profile}のすべての書き込みを止めました({where})。"
        "再開するには`saasus-mcp unfreeze --profile {profile}`を実行してください。",
        "profile_unknown": "この環境の設定にはプロファイル{profile}がありません。凍結は、既存のすべてのストアで、"
        "この名前と完全に一致するプロファイルにだけ有効です。今後作成されるストアには及びません。",
        "profile_empty": "--profileが空です。",
        "profile_empty_mend": "プロファイル名を指定するか、--profileを省いて全体を対象にしてください。",
        "no_store": "まだどのサーバーも状態を保存していないため、プロファイル{profile}を凍結する対象がありません。",
        "no_store_mend": "`saasus-mcp freeze`で全体を凍結してください。",
        "unfrozen": "全体の凍結を解除しました。",
        "unfrozen_profile": "プロファイル{profile}の凍結を解除しました。",
        "still_frozen": "全体の凍結が残っています(実行者: {by})。解除するには`saasus-mcp unfreeze`を実行してください。",
        "still_frozen_profile": "プロファイル{profile}の凍結が残っています(実行者: {by})。"
        "解除するには`saasus-mcp unfreeze --profile {profile}`を実行してください。",
        "whole": "{records}件の記録: 連鎖に問題はありません。",
        "purged_before": "これまでの削除(purge)で、{chains}本の連鎖から{records}件の記録が削除されています。いずれも正規の削除であることを確認しました。",
        "head_purged": "{writer}: 書き出し済みの末尾は、{by}が{at}に削除した先頭{records}件に含まれています。",
        "chain_purged": "{writer}: 先頭{records}件は{by}が{at}に削除しました。書き出し済みの末尾はその後ろにあります。",
        "other_key": "使用中の鍵はストア{store}の鍵ではありません(このストアは鍵{keys}で書かれています)。"
        "このストアは検証していません。SAASUS_MCP_SEALING_KEYSまたはSAASUS_MCP_SEALING_KEYS_FILEを設定するか、"
        "状態フォルダーのsealing.keyを元に戻してください。",
        "missing_keys": "鍵{keys}で書かれた記録は、その鍵がないと検証できません。新しい鍵の後ろに指定してください。",
        "reached": "書き出し済みの末尾まですべてそろっています。",
        "no_heads": "末尾が切り取られていないかは分かりません。別の場所に保管した末尾の記録と比べてください(--heads ファイル)。",
        "broken": "連鎖が壊れています:",
        "bad_heads": "{file}: 末尾の記録として読めません: {why}。",
        "bad_heads_mend": "`saasus-mcp audit heads`が書き出したファイルを指定してください。",
        "purged": "監査記録{audit}件と変更履歴{journal}件を削除しました。",
        "nothing": "該当する記録はありません。",
    },
}
