"""What `console` says at a terminal, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.common.language import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "open": "Open this link in a browser on this computer. It works once, within five minutes:",
        "passphrase": "It asks for the approver's passphrase.",
        "running": "While this is running, clients that can open a page are sent to the approval page. Press Ctrl+C to stop it.",
        "boundary": (
            "Any program that runs under your user account on this computer can do the same. See docs/security.md."
        ),
    },
    "ja": {
        "open": "このコンピューターのブラウザーで次のリンクを開いてください(5分以内に1回だけ有効)。",
        "passphrase": "承認者パスフレーズの入力が必要です。",
        "running": "起動中は、ページを開けるクライアントを承認画面へ案内します。Ctrl+Cで終了します。",
        "boundary": (
            "このコンピューターであなたの権限で動くプログラムは、同じことができます。"
            "docs/security.md を参照してください。"
        ),
    },
}
