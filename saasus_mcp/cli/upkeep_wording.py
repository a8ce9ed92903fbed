"""What `freeze` and `audit` say to people, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "frozen": "All writes are frozen for every SaaS, including new ones, and for the sandbox ({where}). "
        "To allow them again: `saasus-mcp unfreeze`.",
        "in_folder": "state folder {folder}",
        "in_database": "every server that shares the database",
        "frozen_profile": "All writes of the profile {profile} are frozen ({where}). "
        "To allow them again: `saasus-mcp unfreeze --profile {profile}`.",
        "profile_unknown": "These settings have no profile {profile}. The freeze applies to a profile of exactly this name "
        "in every existing store, but not in stores created later.",
        "profile_empty": "--profile is empty.",
        "profile_empty_mend": "Specify a profile, or omit --profile to include everything.",
        "no_store": "No server has stored any data here yet, so the profile {profile} cannot be frozen.",
        "no_store_mend": "Freeze everything instead: `saasus-mcp freeze`.",
        "unfrozen": "Writes are allowed again.",
        "unfrozen_profile": "Writes of the profile {profile} are allowed again.",
        "still_frozen": "All writes are still frozen by {by}. To allow them: `saasus-mcp unfreeze`.",
        "still_frozen_profile": "Writes of the profile {profile} are still frozen by {by}. To allow them: `saasus-mcp unfreeze --profile {profile}`.",
        "whole": "Records verified: {records}. No tampering found.",
        "purged_before": "Earlier purges removed {records} records from {chains} chains. Every purge was verified.",
        "head_purged": "{writer}: an exported head is among the first {records} records, which were purged by {by} at {at}.",
        "chain_purged": "{writer}: the first {records} records were purged by {by} at {at}. The exported heads are later than these.",
        "other_key": "The sealing key in use is not a key of the store {store}, which was written under key {keys}. "
        "This store was not verified. Set SAASUS_MCP_SEALING_KEYS or SAASUS_MCP_SEALING_KEYS_FILE, or restore sealing.key in the "
        "state folder.",
        "missing_keys": "Records written under key {keys} cannot be verified without that key. Add it after the new one.",
        "reached": "All exported heads are present.",
        "no_heads": "Missing records at the end cannot be detected without heads stored elsewhere (--heads FILE).",
        "broken": "Possible tampering:",
        "bad_heads": "{file} does not contain exported heads: {why}.",
        "bad_heads_mend": "Specify a file written by `saasus-mcp audit heads`.",
        "purged": "{audit} audit records and {journal} journal entries removed.",
        "nothing": "No matching records.",
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
        "whole": "{records}件の記録を検証しました。改ざんは見つかりませんでした。",
        "purged_before": "これまでの削除(purge)で、{chains}系列の{records}件が削除されています。いずれも正規の削除であることを確認しました。",
        "head_purged": "{writer}: 書き出し済みの最後の記録(heads)は、{by}が{at}に削除した先頭{records}件に含まれています。",
        "chain_purged": "{writer}: 先頭{records}件は{by}が{at}に削除しました。書き出し済みの最後の記録(heads)は、それより後にあります。",
        "other_key": "使用中の鍵はストア{store}の鍵ではありません(このストアは鍵{keys}で書かれています)。"
        "このストアは検証していません。SAASUS_MCP_SEALING_KEYSまたはSAASUS_MCP_SEALING_KEYS_FILEを設定するか、"
        "状態フォルダーのsealing.keyを元に戻してください。",
        "missing_keys": "鍵{keys}で書かれた記録は、その鍵がないと検証できません。新しい鍵の後ろに指定してください。",
        "reached": "書き出し済みの最後の記録(heads)まで、すべてそろっています。",
        "no_heads": "末尾の記録が削除されていないかは、この検証だけでは分かりません。別の場所に保管した最後の記録(heads)と照合してください(--heads ファイル)。",
        "broken": "改ざんの可能性があります:",
        "bad_heads": "{file}: 最後の記録(heads)のファイルとして読み取れません: {why}",
        "bad_heads_mend": "`saasus-mcp audit heads`が書き出したファイルを指定してください。",
        "purged": "監査ログ{audit}件と変更履歴{journal}件を削除しました。",
        "nothing": "該当する記録はありません。",
    },
}
