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
        "create": "settings to create",
        "update": "settings to change",
        "same": "settings that are so already",
        "leave": "settings left as they are, though different",
        "memberships": "memberships to end",
        "grants": "roles lost with them",
        "invitations": "open invitations to withdraw",
        "delete_account": "accounts to delete, after an approval of its own",
        "end_contract": "contracts to end, after an approval of its own",
        "delete_tenant": "tenants to delete, after an approval of its own",
    },
    "ja": {
        "lines": "行数",
        "accounts": "作成するアカウント",
        "mails": "うちメールアドレス(パスワードをメールで送信)",
        "passwords": "うちサインインID(パスワードを生成)",
        "members": "追加するテナントユーザー",
        "roles": "付与するロール",
        "skipped": "スキップする行",
        "create": "作成する設定",
        "update": "変更する設定",
        "same": "一致している設定",
        "leave": "異なるが変更しない設定",
        "memberships": "解除する所属",
        "grants": "それに伴い失われるロール",
        "invitations": "取り消す未承諾の招待",
        "delete_account": "削除するアカウント(個別の承認が必要)",
        "end_contract": "終了する契約(個別の承認が必要)",
        "delete_tenant": "削除するテナント(個別の承認が必要)",
    },
}
"""The numbers of plans, by name."""
