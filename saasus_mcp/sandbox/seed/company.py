"""The demonstration SaaS: tenants, attributes, roles, settings and feedback."""

from __future__ import annotations

from typing import Any

from saasus_mcp.sandbox.behaviours.external_services import customer
from saasus_mcp.sandbox.behaviours.invitations import url
from saasus_mcp.sandbox.call import DAY
from saasus_mcp.sandbox.seed.offers import history
from saasus_mcp.sandbox.seed.people import user_id
from saasus_mcp.sandbox.state import State, uid

TENANTS = ("aozora", "harbor", "midori")
ROLES = (
    ("admin", "管理者"),
    ("editor", "編集者"),
    ("viewer", "閲覧者"),
    ("support", "サポート"),
    ("経理", "経理 / Accounting"),
    ("auditor", "監査人(未使用)"),
)
ENVS = ((1, "dev", "開発環境"), (2, "stg", "検証環境"), (3, "prod", "本番環境"))
ATTRIBUTES = {
    "user_attributes": (
        ("full_name", "氏名", "string"),
        ("department", "部署", "string"),
        ("employee_number", "社員番号", "number"),
        ("is_manager", "管理職", "bool"),
        ("joined_on", "入社日", "date"),
    ),
    "tenant_attributes": (
        ("industry", "業種", "string"),
        ("employees", "従業員数", "number"),
        ("on_trial", "トライアル中", "bool"),
        ("contracted_on", "契約日", "date"),
    ),
    "saas_user_attributes": (
        ("locale", "言語", "string"),
        ("login_count", "ログイン回数", "number"),
        ("newsletter", "メールマガジン", "bool"),
        ("birthday", "誕生日", "date"),
    ),
}
FEEDBACKS = (
    (
        "dark_mode",
        "minami.aozora@example.jp",
        1,
        "ダークモードがほしい",
        "夜間の入力作業が多いため、暗い配色に対応してほしいです。",
    ),
    (
        "csv_export",
        "orin.vasshaw@example.com",
        2,
        "CSV export of orders",
        "We need the order list as a file every month.",
    ),
    ("invoice_pdf", "akane.hoshino@example.jp", 3, "請求書のPDF一括出力", "月末にまとめて出力したいです。"),
    ("slow_search", "satsuki.midorikawa@example.jp", 0, "検索が遅い", "商品が一万件を超えると検索に時間がかかります。"),
    (
        "sso",
        "tessa.quillby@example.com",
        0,
        "Single sign-on for the whole company",
        "Please support our identity provider.",
    ),
)
COMMENTS = (
    ("csv_export", "来月のリリースを予定しています。 / Planned for next month."),
    ("csv_export", "Thank you, looking forward to it."),
    ("invoice_pdf", "対応しました。設定画面からお使いいただけます。"),
)
VOTES = {
    "dark_mode": ("kota.tsukishima@example.jp", "iroha.kazama@example.jp", "lindy.arkwell@example.com"),
    "csv_export": ("minami.aozora@example.jp", "marlo.fennick@example.com"),
    "slow_search": ("kento.wakaba@example.jp",),
}
INVITATIONS = (
    ("aozora", "new.buyer@example.jp", "pending", 5, (3, ["viewer"])),
    ("aozora", "ritsu.shiratori@example.jp", "accepted", -20, (3, ["support"])),
    ("aozora", "too.late@example.jp", "expired", -3, (3, ["editor"])),
    ("harbor", "new.partner@example.com", "pending", 6, (3, ["editor", "経理"])),
    ("midori", "branch.store@example.jp", "expired", -11, (3, ["viewer"])),
)


def plant(state: State, now: int) -> None:
    """Add everything but people, prices and usage."""
    for name, display in ROLES:
        state.put("roles", (name,), {"role_name": name, "display_name": display})
    for env_id, name, display in ENVS:
        state.put("envs", (env_id,), {"id": env_id, "name": name, "display_name": display})
    for table, definitions in ATTRIBUTES.items():
        for name, display, kind in definitions:
            state.put(table, (name,), {"attribute_name": name, "display_name": display, "attribute_type": kind})
    for tenant in _tenants(now):
        state.put("tenants", (tenant["id"],), tenant)
        state.put("stripe_customers", (tenant["id"],), customer(tenant["id"]))
    _plant_invitations(state, now)
    _plant_feedback(state, now)
    _plant_doors(state)


def _tenants(now: int) -> list[dict[str, Any]]:
    aozora = {
        "name": "株式会社青空商事",
        "attributes": {"industry": "卸売", "employees": 120, "on_trial": False, "contracted_on": "2024-04-01"},
        "back_office_staff_email": "keiri@example.jp",
        "plan_id": uid("plan", "business"),
        "plan_histories": history(now, ("starter", 420), ("business", 200), tax="jp_consumption_10"),
        "billing_info": _billing(
            "株式会社青空商事", "ja-JP", "青空町1-2-3", "みなと市", "東京都", "JP", "100-0000", "青空ビル3F"
        ),
        "created_at": now - 425 * DAY,
    }
    harbor = {
        "name": "Harbor Lights Inc.",
        "attributes": {"industry": "Logistics", "employees": 45, "on_trial": False, "contracted_on": "2024-09-15"},
        "back_office_staff_email": "billing@example.com",
        "plan_id": uid("plan", "global"),
        "plan_histories": history(now, ("global", 300), tax="us_zero"),
        "billing_info": _billing(
            "Harbor Lights Inc.", "en-US", "12 Lantern Quay", "Port Sample", "CA", "US", "90000", ""
        ),
        "created_at": now - 310 * DAY,
    }
    midori = {
        "name": "みどり薬局",
        "attributes": {"industry": "薬局", "employees": 9, "on_trial": True, "contracted_on": "2025-06-01"},
        "back_office_staff_email": "midori@example.jp",
        "plan_id": uid("plan", "starter"),
        "plan_histories": history(now, ("starter", 95), tax="jp_consumption_10"),
        "next_plan_id": uid("plan", "business"),
        "using_next_plan_from": now + 10 * DAY,
        "next_plan_tax_rate_id": uid("tax", "jp_consumption_10"),
        "proration_behavior": "create_prorations",
        "delete_usage": False,
        "billing_info": _billing("みどり薬局 本店", "ja-JP", "若葉通り4-5", "緑市", "神奈川県", "JP", "220-0000", ""),
        "created_at": now - 100 * DAY,
    }
    return [
        {"id": uid("tenant", code), **tenant} for code, tenant in zip(TENANTS, (aozora, harbor, midori), strict=True)
    ]


def _billing(name: str, language: str, *lines: str) -> dict[str, Any]:
    parts = ("street", "city", "state", "country", "postal_code", "additional_address_info")
    return {"name": name, "address": dict(zip(parts, lines, strict=True)), "invoice_language": language}


def _plant_invitations(state: State, now: int) -> None:
    for tenant, email, status, days, (env_id, roles) in INVITATIONS:
        tenant_id, invitation_id = uid("tenant", tenant), uid("invitation", email)
        invitation = {
            "id": invitation_id,
            "tenant_id": tenant_id,
            "email": email,
            "invitation_url": url(invitation_id),
            "envs": [{"id": env_id, "role_names": roles}],
            "expired_at": now + days * DAY,
            "status": status,
        }
        state.put("invitations", (tenant_id, invitation_id), invitation)


def _plant_feedback(state: State, now: int) -> None:
    for number, (code, author, status, title, text) in enumerate(FEEDBACKS):
        key = uid("feedback", code)
        entry = {"id": key, "user_id": user_id(author), "status": status, "created_at": now - (40 - number) * DAY}
        state.put("feedbacks", (key,), {**entry, "feedback_title": title, "feedback_description": text})
    for number, (code, body) in enumerate(COMMENTS):
        comment_id = uid("comment", number)
        comment = {"id": comment_id, "created_at": now - (20 - number) * DAY, "body": body}
        state.put("comments", (uid("feedback", code), comment_id), comment)
    for code, voters in VOTES.items():
        for voter in voters:
            state.put("votes", (uid("feedback", code), user_id(voter)), {"user_id": user_id(voter)})


def _plant_doors(state: State) -> None:
    """Add the other ways of tenants to sign in: gateway keys, AWS Marketplace, SAML, Google, a second factor."""
    aozora, harbor, midori = (uid("tenant", code) for code in TENANTS)
    keys: tuple[dict[str, Any], ...] = (
        {"tenant_id": aozora, "env_id": 3},
        {"tenant_id": aozora, "env_id": 3, "user_id": user_id("warehouse-01")},
        {"tenant_id": harbor, "env_id": 1},
    )
    for number, owner in enumerate(keys, start=1):
        key = {"api_key": f"sandbox-gateway-key-{number}", "client_secret": f"sandbox-client-secret-{number}", **owner}
        state.put("api_keys", (key["api_key"],), key)
    for plan, name in (("global", "global_monthly"), ("business", "business_monthly")):
        state.put("marketplace_plans", (name,), {"plan_id": uid("plan", plan), "plan_name": name})
    buyer = {
        "customer_identifier": "cust-sandbox-harbor",
        "customer_aws_account_id": "000000000000",
        "tenant_id": harbor,
    }
    state.put("marketplace_customers", (buyer["customer_identifier"],), buyer)
    saml = {"metadata_url": "https://idp.example.com/harbor/metadata.xml", "email_attribute": "email"}
    door = {"saml": {"sign_in_url": f"https://auth.orders.example.com/saml/{harbor}", **saml}}
    state.put("documents", ("/v1/auth/tenants/{tenant_id}/identity-providers", harbor), door)
    routing = {"header_key": "x-tenant-id", "header_value": "aozora"}
    access: dict[str, Any] = {"id": aozora, "allowed_ips": ["192.0.2.0/24"], "routing": routing}
    state.put("documents", ("/v1/apigateway/tenants/{tenant_id}", aozora), access)
    state.put("documents", ("/v1/apigateway/tenants/{tenant_id}", midori), {**access, "id": midori, "allowed_ips": []})
    careful = user_id("akane.hoshino@example.jp")
    state.put(
        "documents", ("/v1/auth/users/{user_id}/mfa/preference", careful), {"enabled": True, "method": "softwareToken"}
    )
    state.put("authenticators", (careful,), {"registered": True})
    linked = {"user_id": user_id("marlo.fennick@example.com"), "provider_name": "Google"}
    state.put("provider_links", (linked["user_id"], "Google"), linked)
