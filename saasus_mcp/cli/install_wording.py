"""What `install` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "which": "Which client?",
        "which_mend": "Name one of {clients}; for any other, `saasus-mcp install --print` shows what to write.",
        "bad_name": "--name: a server's name has letters, digits, - and _, at most 40.",
        "bad_name_mend": "Nothing was written.",
        "already": "Nothing to do: it already says this.",
        "not_there": "Nothing to do: there is no server {name!r} in it.",
        "write": "Write this?",
        "take_out": "Take it out?",
        "written": "Written. Start {client} again. What was there before is kept in {folder}; "
        "`saasus-mcp doctor` says whether all is well.",
        "taken_out": "Taken out; all else in the file stays, and no copy of it is kept. Start {client} again.",
        "follows": "{link} is a symbolic link: the file that it leads to is changed, and the link stays.",
        "made_private": "Credentials are written into this file in clear, and others may read it (mode {mode}): it becomes "
        "readable by you alone (mode 0600).",
        "nothing": "Nothing was written.",
        "nobody": "There is no terminal to ask at.",
        "nobody_mend": "Look at the difference, and add --yes.",
        "no_remote": "{client}'s file takes no remote server.",
        "no_remote_mend": "Add the address in the application: Settings, Connectors, Add custom connector.",
        "clear": "{client} cannot refer to credentials: {names} would be written into its file in clear, for every program of "
        "yours to read.",
        "clear_mend": "Better: a profile whose credentials are in files of their own (--profile; docs/configuration.md), or the "
        "bundle (.mcpb), which keeps them in the system's keychain. To write them nevertheless: --write-secrets.",
        "clear_ask": "Write them in clear?",
        "unset": "{name} is not set.",
        "unset_mend": "Set it, or run this at a terminal, which asks for it.",
        "references": "The file holds no credential: {client} reads {names} from its environment when it starts the server.",
        "unset_here": "Not set here: {names}. Set them where the client is started.",
        "windowed": "Started from the desktop, {client} may not know what your shell's profile sets: start it from a terminal, or "
        "use a profile whose credentials are in files (--profile; docs/configuration.md).",
        "asks": "The file holds no credential: {client} asks for each once and keeps it in its secret storage.",
        "remote_oauth": "The client signs in at the server's identity provider when it first connects.",
        "remote_token": "The file holds no token: the client takes it from {name}.",
        "holds": "{client} holds at most {most} tools of all servers together; what this lists is below that.",
        "crowded": "{client} holds at most {most} tools of all servers together, and this lists at least {count}. "
        "Leave --surface and --toolsets out for the compact surface, or name fewer toolsets.",
        "running": "Close Claude Code first: while it runs it writes this file too.",
        "boundary": "On this computer your user is the boundary: an assistant that has a shell can open a terminal, change this "
        "file and the policy, and read the credentials. `saasus-mcp approver set` adds a passphrase; only a hosted server "
        "holds against such an assistant.",
    },
    "ja": {
        "which": "クライアントを指定してください。",
        "which_mend": "{clients} のいずれかです。ほかのクライアントの設定内容は `saasus-mcp install --print` で表示できます。",
        "bad_name": "--name: サーバーの名前に使えるのは半角の英数字、-、_ で、40文字までです。",
        "bad_name_mend": "何も書き込んでいません。",
        "already": "すでにこの設定になっています。変更はありません。",
        "not_there": "サーバー {name!r} は設定されていません。変更はありません。",
        "write": "この内容で書き込みますか?",
        "take_out": "削除しますか?",
        "written": "書き込みました。{client}を再起動してください。以前の内容は {folder} に保存しています。"
        "動作は `saasus-mcp doctor` で確認できます。",
        "taken_out": "削除しました。ファイルのほかの内容はそのままで、控えは残していません。{client}を再起動してください。",
        "follows": "{link} はシンボリックリンクです。リンク先のファイルを変更し、リンクはそのまま残します。",
        "made_private": "認証情報を平文で書き込みますが、このファイルは他のユーザーも読める状態です(モード{mode})。"
        "あなただけが読めるように変更します(モード0600)。",
        "nothing": "何も書き込んでいません。",
        "nobody": "確認のための端末がありません。",
        "nobody_mend": "差分を確かめたうえで --yes を付けてください。",
        "no_remote": "{client}の設定ファイルにはリモートのサーバーを書けません。",
        "no_remote_mend": "アプリの「設定」→「コネクタ」→「カスタムコネクタを追加」でURLを登録してください。",
        "clear": "{client}は認証情報を参照の形で書けません。{names} が設定ファイルに平文で書き込まれ、"
        "あなたの権限で動くすべてのプログラムから読めるようになります。",
        "clear_mend": "認証情報を別のファイルに置くプロファイル(--profile、docs/configuration.md)か、"
        "OSのキーチェーンに保存するバンドル(.mcpb)をお勧めします。平文で書き込む場合は --write-secrets を指定してください。",
        "clear_ask": "平文で書き込みますか?",
        "unset": "{name} が設定されていません。",
        "unset_mend": "環境変数を設定するか、端末で実行して入力してください。",
        "references": "ファイルに認証情報は書き込みません。{client}がサーバーの起動時に環境変数 {names} から読み取ります。",
        "unset_here": "未設定の環境変数: {names}。クライアントを起動する環境で設定してください。",
        "windowed": "デスクトップから起動した{client}には、シェルの設定ファイルの環境変数が渡らないことがあります。"
        "端末から起動するか、認証情報をファイルに置くプロファイル(--profile、docs/configuration.md)を使ってください。",
        "asks": "ファイルに認証情報は書き込みません。{client}が初回に入力を求め、シークレットストレージに保管します。",
        "remote_oauth": "クライアントは初回の接続時に、サーバーが指定するIDプロバイダーでサインインします。",
        "remote_token": "ファイルにトークンは書き込みません。クライアントが {name} から読み取ります。",
        "holds": "{client}が扱えるツールは全サーバー合わせて{most}個までです。この設定で表示されるツールはその範囲に収まります。",
        "crowded": "{client}が扱えるツールは全サーバー合わせて{most}個までですが、この設定では{count}個以上になります。"
        "--surface と --toolsets を省いて少数のツールにまとめるか、ツールセットを減らしてください。",
        "running": "先にClaude Codeを終了してください。起動中はClaude Codeもこのファイルに書き込みます。",
        "boundary": "このコンピューターでの境界はあなたのOSユーザーです。シェルを使えるアシスタントは、端末を開き、このファイルや"
        "ポリシーを書き換え、認証情報を読むことができます。`saasus-mcp approver set` でパスフレーズを追加できますが、"
        "そうしたアシスタントまで防げるのは、サーバーとして運用する形だけです。",
    },
}
