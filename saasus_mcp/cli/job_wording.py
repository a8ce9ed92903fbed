"""What `job` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "unknown": "There is no job {name!r}.",
        "known": "Jobs: {names}.",
        "cannot_read": "{file} cannot be read: {why}.",
        "encoding": "{file} is not UTF-8.",
        "encoding_mend": "In Excel, save it as “CSV UTF-8”.",
        "cannot_write": "{file} cannot be written: {why}.",
        "no_file": "This job has no product to write.",
        "written": "{what} written to {file}.",
        "table": "The table was",
        "chart": "The chart was",
        "secrets": "{count} secrets were",
        "taken": "{file} exists already.",
        "taken_mend": "Name another file: none is overwritten.",
        "stopping": "Stopping after the rows under way…",
        "status": "{name}: {status}",
        "waiting": "The next step needs an approval of its own: run `saasus-mcp approve {code}` in another terminal. "
        "The job then goes on by itself.",
        "lost": "The secrets of this job are gone: they were revealed before, or their 24 hours are over.",
        "lost_mend": "Reset the passwords of those who still need one.",
    },
    "ja": {
        "unknown": "{name!r} というジョブはありません。",
        "known": "ジョブ: {names}",
        "cannot_read": "{file} を読み込めません({why})。",
        "encoding": "{file} はUTF-8ではありません。",
        "encoding_mend": "Excelでは「CSV UTF-8」で保存し直してください。",
        "cannot_write": "{file} に書き込めません({why})。",
        "no_file": "このジョブにはファイルに書き出す結果がありません。",
        "written": "{what} {file} に書き出しました。",
        "table": "結果の表を",
        "chart": "グラフを",
        "secrets": "秘密情報{count}件を",
        "taken": "{file} はすでに存在します。",
        "taken_mend": "別のファイル名を指定してください。上書きはしません。",
        "stopping": "処理中の行が終わり次第、停止します…",
        "status": "{name}: {status}",
        "waiting": "次の手順には個別の承認が必要です。別のターミナルで `saasus-mcp approve {code}` を実行してください。"
        "承認されると、ジョブは自動的に続きます。",
        "lost": "このジョブの秘密情報はもうありません。すでに表示されたか、24時間の保存期間が過ぎています。",
        "lost_mend": "必要な方のパスワードを再設定してください。",
    },
}
