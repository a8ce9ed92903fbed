"""What `console` says at a terminal, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "open": "Open this link in a browser on this machine. It signs you in once, within five minutes:",
        "passphrase": "It asks for the approver's passphrase.",
        "running": "While this runs, clients that can open a page are sent to what they ask approval for. Ctrl+C ends it.",
        "boundary": (
            "On this machine the boundary is your user: a program that runs as you could do the same. "
            "See docs/security.md."
        ),
    },
    "ja": {
        "open": "このマシンのブラウザーで次のリンクを開いてください。5分以内に一度だけサインインできます。",
        "passphrase": "承認者パスフレーズの入力が必要です。",
        "running": "起動中は、ページを開けるクライアントを承認画面へ案内します。Ctrl+Cで終了します。",
        "boundary": (
            "このマシンでの境界はOSのユーザーです。同じユーザーで動くプログラムには同じことができます。"
            "docs/security.md を参照してください。"
        ),
    },
}
