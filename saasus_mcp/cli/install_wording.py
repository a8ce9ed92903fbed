"""What `install` says, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "which": "Which client?",
        "which_mend": "Choose one of {clients}. For any other client, `saasus-mcp install --print` shows the entry to add.",
        "bad_name": "--name: use letters, digits, - and _, at most 40 characters.",
        "bad_name_mend": "Nothing was written.",
        "already": "Nothing to do: the file already has this entry.",
        "not_there": "Nothing to do: the file has no server {name!r}.",
        "write": "Write this?",
        "take_out": "Remove it?",
        "written": "Written. Restart {client}. The previous version is kept in {folder}. "
        "Run `saasus-mcp doctor` to check the setup.",
        "taken_out": "Removed. The rest of the file is unchanged, and no copy was kept. Restart {client}.",
        "follows": "{link} is a symbolic link. The file it points to is changed; the link stays.",
        "made_private": "Credentials are written to this file in plain text, and other users can read it (mode {mode}). Access is "
        "restricted to you (mode 0600).",
        "nothing": "Nothing was written.",
        "nobody": "Confirmation needs a terminal.",
        "nobody_mend": "Review the changes, then add --yes.",
        "no_remote": "{client}'s configuration file does not support remote servers.",
        "no_remote_mend": "Add the address in the application: Settings, Connectors, Add custom connector.",
        "clear": "{client} does not support references to credentials. {names} would be written to its file in plain text, "
        "readable by every program you run.",
        "clear_mend": "Recommended: a profile with credentials in separate files (--profile, docs/configuration.md), or the "
        "bundle (.mcpb), which stores them in the system's keychain. To write them anyway: --write-secrets.",
        "clear_ask": "Write them in plain text?",
        "unset": "{name} is not set.",
        "unset_mend": "Set it, or run this command in a terminal to enter it.",
        "references": "No credentials are written to the file: {client} reads {names} from its environment when it starts the server.",
        "unset_here": "Not set in this environment: {names}. Set them where the client is started.",
        "windowed": "When started from the desktop, {client} may not see variables from your shell profile. Start it from a "
        "terminal, or use a profile with credentials in files (--profile, docs/configuration.md).",
        "asks": "No credentials are written to the file: {client} asks for each one once and keeps it in its secret storage.",
        "remote_oauth": "The client signs in at the server's identity provider when it first connects.",
        "remote_token": "No token is written to the file: the client reads it from {name}.",
        "holds": "{client} supports at most {most} tools across all servers. This setup stays below that.",
        "crowded": "{client} supports at most {most} tools across all servers, and this setup lists at least {count}. "
        "Omit --surface and --toolsets to use the compact surface, or choose fewer toolsets.",
        "running": "Close Claude Code first: it writes to this file while it is running.",
        "boundary": "An assistant with a shell runs under your user account, so it can open a terminal, change this "
        "file and the policy, and read the credentials. `saasus-mcp approver set` adds a passphrase, but only a hosted server "
        "can stop such an assistant.",
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
        "ほかのユーザーが読めないように変更します(モード0600)。",
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
        "boundary": "シェルを使えるアシスタントはあなたの権限で動くため、端末を開き、このファイルや"
        "ポリシーを書き換え、認証情報を読むことができます。`saasus-mcp approver set` でパスフレーズを追加できますが、"
        "そうしたアシスタントを防げるのは、サーバーとして運用する場合だけです。",
    },
}
