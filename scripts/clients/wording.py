"""The words of the table in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from scripts.clients.outcome import Outcome

Language = Literal["en", "ja"]
Words = Mapping[Language, str]

PAGE: Words = {
    "en": """# Clients and frameworks that were tried

[日本語](tried.ja.md)

`make clients` installs each of these from npm or PyPI and lets it start the server on stdio with `--sandbox`. The client loads every tool and makes four
calls: a read, and a call of each level that needs a person's consent. Unless the table says "asked", no person consents. The results come
from the server's audit log, not from the client's output.

{table}

The cells mean:

- **answered**: the read returned its data.
- **approval code**: nothing was done, and the client passed on a code for `saasus-mcp approve`.
- **asked**: the client asked a person, who confirmed (the destructive call by typing the target's name). Then the call was sent.
- **no by the client**: the client itself declined the question. Nothing was done.
- **refused by the client**: the client did not send the call.
- **-**: not part of the trial.

Clients that need an account or a window (Claude Desktop, Cursor, VS Code, ChatGPT) are not in the table. For a command line client that needs
a model, a stand-in on the same machine requests the four calls.

```sh
make clients                              # all of them
make clients CLIENTS="fastmcp codex"      # some, by the names of scripts/clients/registry.py
```

## Behind a proxy, on two servers

Each client connects through the sample configuration of each proxy ([Reverse proxy](../hosting.md#reverse-proxy)), which sends requests to two servers in turn. A connection counts if the
client loads every tool, a call asks the person, and after consent the change reaches the API exactly once.

{proxied}

mcp-remote passes everything on, questions and the newer protocol included: what a person sees is up to the client that starts it. `claude -p` has no dialog, so a
[hook](https://code.claude.com/docs/en/hooks) for `Elicitation` answers in the trial. Such a hook consents in place of the person: [turn it off](claude-code.md#without-a-person-claude--p).

```sh
python -m scripts.clients.proxied         # needs nginx, Caddy and HAProxy
```
""",
    "ja": """# 動作を確認したクライアントとフレームワーク

[English](tried.md)

`make clients`は、次の各クライアントをnpmまたはPyPIからインストールし、`--sandbox`付きのサーバーをstdioで起動させて、すべてのツールの読み込みと
4回の呼び出しを行います。呼び出しは、読み取りと、人の同意が必要な各レベルの操作です。表に「確認」とある場合を除き、同意する人はいません。結果は
クライアントの表示ではなく、サーバーの監査ログで判定しています。

{table}

表の見方:

- **回答**: 読み取りの結果が返りました。
- **承認コード**: 何も実行されず、`saasus-mcp approve`に渡すコードをクライアントが伝えました。
- **確認**: クライアントが人に確認し、同意を得て実行されました。破壊的な操作では対象の名前を入力しています。
- **クライアントが拒否を回答**: 確認に対し、人に尋ねずクライアント自身が拒否を返しました。何も実行されていません。
- **クライアントが送信せず**: クライアントが呼び出しを送りませんでした。
- **-**: 試していません。

アカウントや画面が必要なクライアント(Claude Desktop、Cursor、VS Code、ChatGPT)は含みません。モデルがないと動作しないコマンドラインクライアントには、
同じマシン上の代役のモデルが4回の呼び出しを指示しています。

```sh
make clients                              # すべて
make clients CLIENTS="fastmcp codex"      # 一部。名前はscripts/clients/registry.pyにあります
```

## プロキシと2台のサーバー

各クライアントを、各プロキシの設定例([リバースプロキシ](../hosting.ja.md#リバースプロキシ))を通して、2台のサーバーに交互に接続します。すべてのツールが読み込まれ、呼び出しで確認が表示され、
同意後に変更がAPIにちょうど1回届いた接続を数えています。

{proxied}

mcp-remoteは、確認も新しいプロトコルも、すべてそのまま渡します。何が人に表示されるかは、mcp-remoteを起動するクライアントによります。`claude -p`には確認画面がないため、
この試験では`Elicitation`の[フック](https://code.claude.com/docs/en/hooks)が回答しています。このようなフックは人の代わりに同意してしまうため、[無効にしてください](claude-code.ja.md#無人での実行-claude--p)。

```sh
python -m scripts.clients.proxied         # nginx、Caddy、HAProxyが必要
```
""",
}

COLUMNS: Mapping[Language, tuple[str, ...]] = {
    "en": (
        "client",
        "version",
        "date",
        "tools loaded",
        "converted for the model",
        "read",
        "write_sensitive",
        "destructive",
        "critical",
        "notes",
    ),
    "ja": (
        "クライアント",
        "バージョン",
        "確認日",
        "読み込んだツール",
        "モデル用に変換",
        "read",
        "write_sensitive",
        "destructive",
        "critical",
        "備考",
    ),
}

OUTCOMES: Mapping[Outcome, Words] = {
    Outcome.ANSWERED: {"en": "answered", "ja": "回答"},
    Outcome.APPROVAL: {"en": "approval code", "ja": "承認コード"},
    Outcome.ASKED: {"en": "asked", "ja": "確認"},
    Outcome.CLIENT_SAID_NO: {"en": "no by the client", "ja": "クライアントが拒否を回答"},
    Outcome.NOT_SENT: {"en": "refused by the client", "ja": "クライアントが送信せず"},
    Outcome.CODE_HIDDEN: {"en": "**approval code not shown**", "ja": "**承認コードの表示なし**"},
    Outcome.APPLIED: {"en": "**done without a person**", "ja": "**人の同意なしに実行**"},
    Outcome.FAILED: {"en": "**failed**", "ja": "**失敗**"},
    Outcome.NOT_TRIED: {"en": "-", "ja": "-"},
}

ASKED_OR: Words = {"en": "{asked}; without a person {alone}", "ja": "{asked}。人がいなければ{alone}"}
ALL: Words = {"en": "all", "ja": "すべて"}
COUNT: Words = {"en": "{count} of {total}", "ja": "{total}個中{count}個"}
UNKNOWN: Words = {"en": "-", "ja": "-"}
BETWEEN: Words = {"en": "; ", "ja": "、"}

SKIPPED: Mapping[str, Words] = {
    "not_installed": {"en": "not tried: could not be installed", "ja": "未確認: インストールできません"},
    "late": {"en": "not tried: not done within five minutes", "ja": "未確認: 5分以内に終わりません"},
    "failed": {"en": "not tried: ended before its first call", "ja": "未確認: 最初の呼び出しの前に終了します"},
}

NOTES: Mapping[str, Words] = {
    "strict": {"en": "its strict check of schemas runs with the list", "ja": "一覧の取得時に厳密なスキーマ検査も実行"},
    "stand_in": {"en": "stand-in for the model", "ja": "モデルは代役"},
    "codex_approve": {
        "en": "[`default_tools_approval_mode`](codex.md)",
        "ja": "[`default_tools_approval_mode`](codex.ja.md)",
    },
    "lists_for_a_person": {"en": "lists tools only at a terminal", "ja": "ツールの一覧はターミナルでのみ表示"},
    "langchain": {"en": "`tool.args` and OpenAI's form of every tool", "ja": "全ツールの`tool.args`とOpenAI形式"},
    "pydantic_ai": {"en": "OpenAI's form, also strict, and Google's", "ja": "OpenAI形式(strictを含む)とGoogle形式"},
    "to_langchain": {"en": "LangChain's form", "ja": "LangChain形式"},
    "mcp_1": {"en": "needs version 1 of the MCP SDK", "ja": "MCP SDKのバージョン1が必要"},
    "conversion": {"en": "the connection is the MCP SDK's", "ja": "接続はMCP SDKによる"},
}


PROXIED_COLUMNS: Mapping[Language, tuple[str, ...]] = {
    "en": ("client", "version", "date", "protocol"),
    "ja": ("クライアント", "バージョン", "日付", "プロトコル"),
}
PROXY_NAMES = {"nginx": "nginx", "caddy": "Caddy", "haproxy": "HAProxy"}
PROTOCOLS = {"legacy": "2025-11-25"}
