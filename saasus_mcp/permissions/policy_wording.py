"""What is said of a fault in a policy file, in both languages: what is wrong, and how to fix it."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

Said = Mapping[str, tuple[str, str]]

FAULTS: Mapping[Language, Said] = {
    "en": {
        # the file
        "unreadable": ("cannot be read: {why}.", "Specify an existing file."),
        "not_file": ("not a regular file.", "Specify an existing file."),
        "open": ("every user of this computer can write to it.", "Remove their write access: chmod o-w FILE."),
        "too_big": ("larger than {most} KiB.", "Select tools by level, module or glob instead of one by one."),
        "not_text": ("not UTF-8 text.", "Save it as UTF-8."),
        "invisible": ("contains an invisible character ({code}).", "Remove it."),
        "not_yaml": ("not valid YAML: {why}.", "Fix it, or start with --mode."),
        "documents": ("a second document begins here.", "Keep one document: remove the line `---`."),
        "anchor": ("anchors and aliases (& and *) are not allowed.", "Write the value out, or put it in quotes."),
        "tag": ("the tag {tag} is not allowed.", "Use a plain value, or put it in quotes."),
        "deep": ("nested too deeply.", "See the examples in docs/policy.md."),
        "key": ("a key must be a word.", "Write `key: value`."),
        "duplicate_key": ("{key!r} occurs twice (first on line {first}).", "Keep one."),
        "empty": ("contains no settings.", "Begin with `version: 1`."),
        # its shape
        "version": ("version is {given}.", "Write `version: 1`."),
        "unsafe": ("unsafe-allow-everything is {given}.", "Write `true`, or remove the line."),
        "unknown_key": ("{place}unknown key {key!r}.", "Allowed: {known}."),
        "missing": ("{place}{key!r} is missing.", "Add it."),
        "type": (
            "{place}{given} is not {wanted}.",
            "Write {wanted}. Quote text that could be read as another type.",
        ),
        "word": ("{place}{given} is not allowed.", "Allowed: {known}."),
        "empty_list": ("{place}the list is empty.", "Add a value, or remove the line."),
        "blank": ("{place}empty.", "Add a value, or remove the line."),
        "format": ("{place}{given} has the wrong format.", "{form}."),
        "long": ("{place}too long.", "Maximum: {most}."),
        "number": ("{place}{given} is out of range.", "Allowed: {least} to {most}."),
        "other": ("{place}does not match the schema.", "See the schema (policy.schema.json)."),
        # its meaning
        "decides_nothing": (
            "has no effect.",
            "Add rules, use --mode, or write `unsafe-allow-everything: true` explicitly.",
        ),
        "unsafe_beside": ("{key!r} cannot be combined with unsafe-allow-everything.", "Keep only one of them."),
        "no_selector": (
            "{place}selects no tools.",
            'Use one of tools, module, levels or effects; tools: ["*"] selects all.',
        ),
        "selectors": ("{place}uses {given} together.", "Keep one, or split the rule."),
        "unknown_tool": ("{place}there is no tool {tool!r}.", "Nearest: {nearest}."),
        "unknown_tool_far": ("{place}there is no tool {tool!r}.", "`saasus-mcp tools` lists them."),
        "no_match": ("{place}no tool matches {tool!r}.", "`saasus-mcp tools` lists them."),
        "duplicate_name": ("{place}another rule has this name (line {first}).", "Give each rule a unique name."),
        "reserved": ("{place}the name {name!r} is reserved.", "Choose another name."),
        "similar_group": (
            "{place}{name!r} differs from the group {other!r} only in case or character form.",
            "Write {other!r}, or choose a clearly different name.",
        ),
        "condition": (
            "{place}`when` does not compile: column {column}: {why}.",
            "Available: args, principal, target, impact.",
        ),
        "no_state": (
            "{place}`when` uses {field}, which none of the rule's tools has.",
            "Select tools that have it (levels destructive and critical).",
        ),
        "unknown_field": ("{place}`when` uses {field}, which none of the rule's tools has.", "Known: {known}."),
        "some_without": (
            "{place}`when` uses {field}, which {tool} and {more} more of its tools lack, so calls of these tools are always denied.",
            "Select fewer tools, or write has({field}) && … if it is a field.",
        ),
        "argument": ("{place}{tool} has no argument {key!r}.", "Known: {known}."),
        "which_policy": ("no policy specified.", "Set one of policy and mode."),
        "case_name": ("{place}another case has this name (line {first}).", "Give each case a unique name."),
    },
    "ja": {
        "unreadable": ("読み取れません({why})。", "存在するファイルを指定してください。"),
        "not_file": ("通常のファイルではありません。", "存在するファイルを指定してください。"),
        "open": (
            "このコンピューターのどのユーザーでも書き込める状態です。",
            "次のように書き込み権限を外してください: chmod o-w ファイル名",
        ),
        "too_big": (
            "{most} KiBを超えています。",
            "ツールを1つずつ書かず、レベル、モジュール、ワイルドカードで指定してください。",
        ),
        "not_text": ("UTF-8のテキストではありません。", "UTF-8で保存してください。"),
        "invisible": ("目に見えない文字({code})があります。", "削除してください。"),
        "not_yaml": ("YAMLとして読めません({why})。", "修正するか、--mode で起動してください。"),
        "documents": ("ここから2つ目の文書が始まっています。", "`---` の行を削除して1つにしてください。"),
        "anchor": ("アンカーとエイリアス(& と *)は使えません。", "値をそのまま書くか、引用符で囲んでください。"),
        "tag": ("タグ {tag} は使えません。", "値をそのまま書くか、引用符で囲んでください。"),
        "deep": ("入れ子が深すぎます。", "docs/policy.md の例を参照してください。"),
        "key": ("キーが単語ではありません。", "`キー: 値` の形で書いてください。"),
        "duplicate_key": ("{key!r} が2回書かれています(最初は{first}行目)。", "1つにしてください。"),
        "empty": ("設定がありません。", "`version: 1` から書き始めてください。"),
        "version": ("version が {given} です。", "`version: 1` と書いてください。"),
        "unsafe": ("unsafe-allow-everything が {given} です。", "`true` と書くか、行を削除してください。"),
        "unknown_key": ("{place}{key!r} というキーはありません。", "使えるキー: {known}"),
        "missing": ("{place}{key!r} がありません。", "追加してください。"),
        "type": (
            "{place}{given} は{wanted}ではありません。",
            "{wanted}を書いてください。別の値に読める文字列は引用符で囲みます。",
        ),
        "word": ("{place}{given} は使えません。", "使える値: {known}"),
        "empty_list": ("{place}リストが空です。", "値を書くか、行を削除してください。"),
        "blank": ("{place}空です。", "値を書くか、行を削除してください。"),
        "format": ("{place}{given} の書き方が違います。", "{form}"),
        "long": ("{place}長すぎます。", "上限: {most}"),
        "number": ("{place}{given} は範囲外です。", "{least}から{most}まで"),
        "other": ("{place}形が違います。", "スキーマ(policy.schema.json)を参照してください。"),
        "decides_nothing": (
            "何も決めていません。",
            "rules を書くか、--mode を使うか、`unsafe-allow-everything: true` と明記してください。",
        ),
        "unsafe_beside": ("{key!r} は unsafe-allow-everything と一緒に書けません。", "どちらか1つにしてください。"),
        "no_selector": (
            "{place}対象のツールがありません。",
            'tools、module、levels、effects のどれか1つを書いてください。すべてを対象にするには tools: ["*"] とします。',
        ),
        "selectors": ("{place}{given} を同時に指定しています。", "1つにするか、規則を分けてください。"),
        "unknown_tool": ("{place}{tool!r} というツールはありません。", "近い名前: {nearest}"),
        "unknown_tool_far": ("{place}{tool!r} というツールはありません。", "`saasus-mcp tools` で一覧を確認できます。"),
        "no_match": ("{place}{tool!r} に一致するツールはありません。", "`saasus-mcp tools` で一覧を確認できます。"),
        "duplicate_name": ("{place}同じ名前の規則があります({first}行目)。", "規則ごとに別の名前を付けてください。"),
        "reserved": ("{place}{name!r} という名前は使えません。", "別の名前にしてください。"),
        "similar_group": (
            "{place}{name!r} とグループ {other!r} の違いは、大文字・小文字や文字の形式だけです。",
            "{other!r} と書くか、紛らわしくない名前にしてください。",
        ),
        "condition": (
            "{place}`when` の式に誤りがあります。{column}文字目: {why}",
            "使える変数: args, principal, target, impact",
        ),
        "no_state": (
            "{place}`when` の {field} は、対象のどのツールにもありません。",
            "{field} を持つツールを対象にしてください(レベルが destructive と critical のもの)。",
        ),
        "unknown_field": ("{place}`when` の {field} は、対象のどのツールにもありません。", "使える名前: {known}"),
        "some_without": (
            "{place}`when` の {field} は {tool} ほか{more}件のツールにはなく、それらの呼び出しは常に拒否されます。",
            "対象のツールを減らすか、フィールドなら has({field}) && … と書いてください。",
        ),
        "argument": ("{place}{tool} に {key!r} という引数はありません。", "使える引数: {known}"),
        "which_policy": ("どのポリシーか分かりません。", "policy か mode のどちらか1つを書いてください。"),
        "case_name": ("{place}同じ名前のケースがあります({first}行目)。", "ケースごとに別の名前を付けてください。"),
    },
}

PLACES: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "rules": "rule {name!r}: ",
        "cases": "case {name!r}: ",
        "field": "{name}: ",
        "line": "{file}: line {line}: ",
        "file": "{file}: ",
    },
    "ja": {
        "rules": "規則 {name!r}: ",
        "cases": "ケース {name!r}: ",
        "field": "{name}: ",
        "line": "{file}: {line}行目: ",
        "file": "{file}: ",
    },
}

MORE: Mapping[Language, str] = {
    "en": "({count} more: `saasus-mcp policy check FILE` lists them.)",
    "ja": "(ほか{count}件。`saasus-mcp policy check ファイル` で一覧を確認できます。)",
}

KINDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "string": "text",
        "array": "a list",
        "object": "an object",
        "integer": "a whole number",
        "boolean": "true or false",
    },
    "ja": {
        "string": "文字列",
        "array": "リスト",
        "object": "オブジェクト",
        "integer": "整数",
        "boolean": "trueまたはfalse",
    },
}

FORMS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "profile": "A profile is 1 to 40 letters, digits, - and _",
        "group": "A group is 1 to 80 letters, digits, '.', - and _, beginning with a letter or digit",
        "name": "A name begins and ends with something other than a space, on one line",
        "tool": "A tool is a name, the key of an operation, or a glob of either, such as auth_delete_*",
    },
    "ja": {
        "profile": "プロファイル名は英数字と - _ の1から40文字です。",
        "group": "グループ名は英数字で始まる、英数字と . - _ の1から80文字です。",
        "name": "名前は1行で、空白で始まったり終わったりしないように書いてください。",
        "tool": "ツールは名前、オペレーションのキー、または auth_delete_* のようなワイルドカードで書いてください。",
    },
}
