"""The words of jobs for people, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from saasus_mcp.catalog import Language

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "counts": "What it would do:",
        "calls": "Calls that change something, {count} in all, each in the audit:",
    },
    "ja": {
        "counts": "実行内容:",
        "calls": "変更の呼び出し(全{count}件、すべて監査記録に残ります):",
    },
}

COUNTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "lines": "lines",
        "accounts": "accounts to create",
        "mails": "of these by e-mail; a mail with a password is sent",
        "passwords": "of these by sign-in id; a password is generated",
        "members": "memberships to create",
        "roles": "roles to grant",
        "skipped": "lines to skip",
    },
    "ja": {
        "lines": "行数",
        "accounts": "作成するアカウント",
        "mails": "うちメールアドレス(パスワードをメールで送信)",
        "passwords": "うちサインインID(パスワードを生成)",
        "members": "追加するテナントユーザー",
        "roles": "付与する役割",
        "skipped": "スキップする行",
    },
}
"""The numbers of plans, by name."""
