"""What a server can be told to list: toolsets, or the compact surface with its calling tools. Presentation, never authority."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from saasus_mcp.common.language import Text

SurfaceKind = Literal["full", "compact"]
"""What a server lists: every operation, or a few tools that reach them all."""

TOOLSETS: Mapping[str, Text] = {
    "jobs": Text(
        "Bulk jobs: exports, imports, reports, settings, off-boarding",
        "一括処理(エクスポート・一括登録・レポート・設定・退会処理)",
    ),
    "users": Text("Users of the SaaS and of its tenants; invitations", "SaaSユーザー・テナントのユーザー・招待"),
    "tenants": Text("Tenants", "テナント"),
    "roles": Text("Roles, role assignments and environments", "ロールとその付与・環境"),
    "attributes": Text("Attributes of users and tenants", "ユーザーとテナントの属性"),
    "plans": Text("Price list, tax rates and tenant plans", "料金プラン・税率・テナントの契約"),
    "metering": Text("Metering units and usage counts", "メータリングユニットと利用量(カウント)"),
    "billing": Text("Billing details of tenants, and Stripe", "テナントの請求先情報とStripe連携"),
    "settings": Text("Settings of the SaaS: domain, e-mails, pages", "SaaSの設定(ドメイン・メール・認証画面)"),
    "sign_in": Text("Sign-up, sign-in, identity providers", "新規登録・サインイン・外部IDプロバイダ"),
    "marketplace": Text("AWS Marketplace", "AWS Marketplace"),
    "gateway": Text("Smart API Gateway", "Smart API Gateway"),
    "analysis": Text("Usage statistics", "利用状況の分析"),
    "feedback": Text("Feedback from users", "ユーザーからのフィードバック"),
    "logs": Text("API log", "API実行ログ"),
    "events": Text("Amazon EventBridge", "Amazon EventBridge連携"),
}
"""By name, with what each is about."""

CALL_TOOL_LEVELS: Mapping[str, tuple[str, str]] = {
    "call_read": ("read", "read_sensitive"),
    "call_write": ("write", "write_sensitive"),
    "call_destructive": ("destructive", "critical"),
}
"""The levels that each of the compact surface's calling tools runs; apart, so that a client's allow-list means something."""

READ_AND_SELECT = "read_and_select"
"""The tool of the full surface that runs any reading operation and picks from its answer."""
