"""The words of `undo`, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "nothing": "Nothing that could be undone was done in the last 30 days.",
        "how_to": "Put one back with: saasus-mcp undo ID",
        "by": "by {principal}, profile {profile}",
        "kind_undoable": "can be put back",
        "kind_recreatable": "can be made anew",
        "kind_lost": "not all of it comes back",
        "undone": "undone",
        "in_part": "undone in part",
        "unknown": "No change has an id that begins with {id}.",
        "ambiguous": "More than one change has an id that begins with {id}.",
        "unknown_mend": "`saasus-mcp undo` lists them.",
        "elsewhere": "That change was made in another SaaS, profile or sandbox than this one.",
        "elsewhere_mend": "Use the credentials, the profile or the --sandbox that it was made with.",
        "was_done": "What was done",
        "inverse": "What would be done to undo it",
        "again": "was done already",
        "cannot": "What cannot come back",
        "undoable": "Everything comes back.",
        "supply": "{path} was never kept. Give it anew (it is not shown): ",
        "supply_empty": "Without it nothing can be put back.",
        "supply_mend": "Start again when you have it.",
        "done": "Done: {tool}.",
        "all_done": "It is undone.",
        "left": "{count} of {all} calls were made. Once that is mended, the same command goes on from there.",
    },
    "ja": {
        "nothing": "過去30日間に、元に戻せる変更はありません。",
        "how_to": "元に戻すには: saasus-mcp undo ID",
        "by": "実行者 {principal}、プロファイル {profile}",
        "kind_undoable": "元に戻せます",
        "kind_recreatable": "作り直せます",
        "kind_lost": "完全には元に戻りません",
        "undone": "取り消し済み",
        "in_part": "一部取り消し済み",
        "unknown": "{id} で始まるIDの変更はありません。",
        "ambiguous": "{id} で始まるIDの変更が複数あります。",
        "unknown_mend": "一覧は `saasus-mcp undo` で確認できます。",
        "elsewhere": "その変更は、別のSaaS・プロファイル・サンドボックスで行われたものです。",
        "elsewhere_mend": "変更時と同じ認証情報、プロファイル、または --sandbox を指定してください。",
        "was_done": "行われた変更",
        "inverse": "元に戻すために行う操作",
        "again": "実行済み",
        "cannot": "元に戻らないもの",
        "undoable": "すべて元に戻ります。",
        "supply": "{path} は保存されていません。改めて入力してください(画面には表示されません): ",
        "supply_empty": "これがないと元に戻せません。",
        "supply_mend": "用意できたらもう一度実行してください。",
        "done": "実行しました: {tool}",
        "all_done": "元に戻しました。",
        "left": "{all}件中{count}件を実行しました。上の問題を解決してから同じコマンドを実行すると、続きから行います。",
    },
}
