"""The sandbox's story: arguments with which each operation of a fresh sandbox succeeds, and what must come before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saasus_mcp.catalog import Operation
from saasus_mcp.sandbox.http_answers import sample_of
from saasus_mcp.sandbox.state import uid

AOZORA, MIDORI, USER = uid("tenant", "aozora"), uid("tenant", "midori"), uid("user", "minami.aozora@example.jp")
NOW = 1_773_800_000
ANY = "any text"

BY_NAME: dict[str, Any] = {
    "back_office_staff_email": "keiri@example.jp",
    "body": "CSVの列を並べ替えられると助かります。",
    "callback_url": "https://app.example.com/callback",
    "code": "123456",
    "description": "月末の締め処理で使用",
    "display_name": "営業担当",
    "domain_name": "login.example.com",
    "feedback_description": "一覧をCSVで出力したい。",
    "feedback_title": "CSV出力",
    "from_email_address": "no-reply@login.example.com",
    "name": "sales",
    "provider_name": "Google",
    "reply_email_address": "support@login.example.com",
    "title": "受発注クラウド",
    "access_token": ANY,
    "api_key": "sandbox-gateway-key-1",
    "api_log_id": uid("seeded log", 3),
    "attribute_name": "department",
    "attributes": {},
    "comment_id": uid("comment", 0),
    "country": "JP",
    "customer_identifier": "cust-sandbox-harbor",
    "date": "2026-03-01",
    "date_from": "2026-01",
    "email": "brand.new@example.com",
    "end_date": "2026-03-18",
    "env_id": 3,
    "feedback_id": uid("feedback", "csv_export"),
    "invitation_id": uid("invitation", "new.buyer@example.jp"),
    "menu_id": uid("menu", "spare_menu"),
    "menu_ids": [uid("menu", "spare_menu")],
    "metering_unit_id": uid("meter", "fax_pages"),
    "metering_unit_name": "api_calls",
    "month": "2026-03",
    "plan_id": uid("plan", "draft_plan"),
    "plan_ids": [uid("plan", "draft_plan")],
    "plan_name": "global_monthly",
    "pricing_unit_id": uid("unit", "api_usage"),
    "role_name": "auditor",
    "role_names": ["auditor"],
    "start_date": "2026-03-01",
    "tax_rate_id": uid("tax", "us_zero"),
    "tenant_id": AOZORA,
    "timestamp": NOW,
    "unit_ids": [uid("unit", "spare_fixed")],
    "user_id": USER,
}
TIERED = {
    "type": "tiered",
    "name": "made",
    "upper_count": 10,
    "metering_unit_name": "orders",
    "tiers": [{"up_to": 10, "unit_amount": 1, "flat_amount": 0, "inf": True}],
    "currency": "JPY",
    "display_name": "出荷件数段階",
    "description": "出荷した注文の数に応じた料金",
}
ADDRESS = {"street": "1", "city": "2", "state": "3", "country": "JP", "postal_code": "4"}
TIERS = (
    {"up_to": 100, "unit_amount": 0, "flat_amount": 0, "inf": False},
    {"up_to": 0, "unit_amount": 15, "flat_amount": 0, "inf": True},
)
ORDERS: dict[str, Any] = {
    "pricing_unit_id": uid("unit", "orders_tiered_usage"),
    "type": "tiered_usage",
    "name": "orders_tiered_usage",
    "display_name": "受注件数段階従量",
    "description": "受注件数段階従量",
    "upper_count": 100_000,
    "aggregate_usage": "sum",
    "metering_unit_name": "orders",
    "currency": "JPY",
}
"""The pricing unit that the sandbox has tiers for, without them."""
OFFER = {"name": "premium", "display_name": "プレミアム", "description": "大規模なお客様向け"}
LONG_PAGE = (
    "<h1>ログイン</h1>"
    + "<p>ご利用にはアカウントが必要です。</p>" * 12
    + "<script src=https://cdn.example.com/a.js></script>"
)
BY_KEY: dict[str, dict[str, Any]] = {
    "auth.UpdateTenantIdentityProvider": {
        "identity_provider_props": {"metadata_url": "https://idp.example.jp/metadata", "email_attribute": "email"}
    },
    "auth.UpdateBasicInfo": {"reply_email_address": "help@login.example.com"},
    "auth.UpdateSaasUserAttributes": {"attributes": {"locale": "en"}},
    "auth.UpdateNotificationMessages": {
        "sign_up": {"subject": "ご登録の確認", "message": "{username} 様 確認コードは {####} です。"}
    },
    "auth.UpdateCustomizePages": {
        "sign_in_page": {"html_contents": LONG_PAGE, "is_terms_of_service": True, "is_privacy_policy": True}
    },
    "analysis.UpdateActiveUsers": {"active_users": 25},
    "analysis.UpdateUserBehaviorHistoriesByDay": {
        "histories": [{"timestamp": NOW, "referer": "https://orders.example.com/orders"}]
    },
    "apigateway.UpdateApiGatewaySettings": {"domain_name": "api2.orders.example.com", "tenant_routing_type": "path"},
    "apigateway.UpdateOpenApiDefinition": {"content": "b3BlbmFwaTogMy4xLjAK"},
    "apigateway.UpdateTenant": {"allowed_ips": ["203.0.113.0/24"]},
    "apigateway.UploadGenerationFiles": {"content": "UEsDBBQAAAAIAA=="},
    "auth.ConfirmEmailUpdate": {"user_id": uid("user", "akane.hoshino@example.jp")},
    "auth.CreateEnv": {"id": 7, "name": "qa"},
    "auth.CreateRole": {"role_name": "made"},
    "auth.CreateSaasUser": {"sign_in_id": "made"},
    "auth.CreateSaasUserAttribute": {"attribute_name": "made"},
    "auth.CreateTenantAttribute": {"attribute_name": "made"},
    "auth.CreateTenantInvitation": {"envs": [{"id": 3, "role_names": ["viewer"]}]},
    "auth.CreateTenant": {"name": "みなと物産株式会社"},
    "auth.CreateTenantUser": {"email": "brand.new@example.com"},
    "auth.CreateUserAttribute": {"attribute_name": "made"},
    "auth.DeleteEnv": {"env_id": 1},
    "auth.DeleteTenantAttribute": {"attribute_name": "industry"},
    "auth.DeleteTenantUserRole": {"role_name": "admin"},
    "auth.GetAuthCredentials": {"code": ANY},
    "auth.GetUserInfoByEmail": {"email": "minami.aozora@example.jp"},
    "auth.GetUserInfoBySignInId": {"sign_in_id": "warehouse-01"},
    "auth.LinkAwsMarketplace": {"tenant_id": MIDORI},
    "auth.SignIn": {"sign_in_parameters": {"USERNAME": "minami.aozora@example.jp", "SRP_A": ANY}},
    "auth.ResendSignUpConfirmationEmail": {"email": "waiting@example.jp"},
    "auth.UpdateCustomizePageSettings": {
        "terms_of_service_url": "https://www.example.com/terms",
        "privacy_policy_url": "https://www.example.com/privacy",
        "google_tag_manager_container_id": "GTM-ABC1234",
        "icon": "data:image/png;base64,AA==",
        "favicon": "data:image/png;base64,AA==",
    },
    "auth.UpdateSignInSettings": {
        "password_policy": {
            "minimum_length": 6,
            "is_require_lowercase": True,
            "is_require_numbers": True,
            "is_require_symbols": False,
            "is_require_uppercase": False,
            "temporary_password_validity_days": 7,
        },
        "self_regist": {"enable": True},
    },
    "auth.UpdateSingleTenantSettings": {"enabled": True, "role_external_id": "partner-1"},
    "auth.UpdateSaasUserSignInId": {"user_id": uid("user", "warehouse-01"), "sign_in_id": "made"},
    "auth.UpdateTenantBillingInfo": {"address": ADDRESS},
    "auth.UpdateTenantPlan": {"next_plan_id": uid("plan", "business_year")},
    "auth.UpdateUserMfaPreference": {"enabled": True, "method": "email"},
    "auth.ValidateInvitation": {"email": "new.buyer@example.jp", "password": "Sandbox-pass-1"},
    "awsmarketplace.CreateCustomer": {"tenant_id": MIDORI},
    "awsmarketplace.UpdateListingStatus": {"listing_status": "public"},
    "awsmarketplace.UpdateSettings": {"product_code": "neworderscode"},
    "communication.CreateFeedback": {
        "feedback_title": "請求書の一括発行",
        "feedback_description": "月末にまとめて発行したい。",
    },
    "communication.CreateFeedbackComment": {"body": "4月に公開します。"},
    "communication.UpdateFeedback": {
        "feedback_title": "受注一覧のCSV出力",
        "feedback_description": "毎月、受注一覧をファイルで受け取りたい。",
    },
    "communication.UpdateFeedbackComment": {"body": "4月に公開します。"},
    "integration.CreateEventBridgeEvent": {
        "event_messages": [
            {"event_type": "order", "event_detail_type": "shipped", "message": "注文 1024 を出荷しました"}
        ]
    },
    "integration.SaveEventBridgeSettings": {"aws_account_id": "123456789012", "aws_region": "ap-northeast-3"},
    "communication.CreateVoteUser": {"user_id": uid("user", "warehouse-01")},
    "communication.DeleteVoteForFeedback": {"user_id": USER},
    "auth.SaveTenantUsersCounts": {"tenant_user_counts": [{"tenant_id": AOZORA, "count": 5}]},
    "pricing.CreateMeteringUnit": {
        "unit_name": "made",
        "aggregate_usage": "sum",
        "display_name": "出荷件数",
        "description": "出荷した注文の数",
    },
    "pricing.CreatePricingMenu": OFFER,
    "pricing.CreatePricingPlan": OFFER,
    "pricing.CreateTaxRate": {
        "name": "reduced",
        "display_name": "軽減税率",
        "percentage": 8,
        "description": "飲食料品",
    },
    "pricing.CreatePricingUnit": TIERED,
    "pricing.DeletePricingUnit": {"pricing_unit_id": uid("unit", "spare_fixed")},
    "pricing.UpdateMeteringUnitByID": {
        "unit_name": "fax_pages",
        "display_name": "FAX送信枚数",
        "description": "送信に成功した枚数",
    },
    "pricing.UpdatePricingMenu": {**OFFER, "name": "spare_menu"},
    "pricing.UpdatePricingPlan": {**OFFER, "name": "draft_plan"},
    "pricing.UpdatePricingUnit": {**TIERED, "type": "usage", "unit_amount": 3, "name": "api_usage", "tiers": None},
    "pricing.UpdateTaxRate": {"display_name": "免税", "description": "輸出"},
}
FIRST: dict[str, tuple[str, dict[str, Any]]] = {
    "auth.ConfirmEmailUpdate": ("auth.RequestEmailUpdate", BY_KEY["auth.ConfirmEmailUpdate"]),
    "auth.ConfirmExternalUserLink": ("auth.RequestExternalUserLink", {}),
    "auth.UpdateSoftwareToken": ("auth.CreateSecretCode", {}),
    "apigateway.CreateApiGateway": ("apigateway.UnpublishApiGateway", {}),
    "apigateway.PublishApiGateway": ("apigateway.UnpublishApiGateway", {}),
    "pricing.DeleteMeteringUnitTimestampCount": ("pricing.UpdateMeteringUnitTimestampCount", {}),
    "pricing.DeletePricingMenu": ("pricing.DeletePricingPlan", {}),
    "pricing.DeletePricingUnit": ("pricing.UpdatePricingMenu", {"unit_ids": []}),
}
"""What must come before an operation can succeed."""


def values_for(operation: Operation) -> dict[str, Any]:
    """Arguments with which an operation of a fresh sandbox succeeds: the required ones, and what is said above."""
    special = BY_KEY.get(operation.key, {})
    schema = operation.input_schema
    wanted = [*schema.get("required", ())]
    fields = [name for name in schema.get("properties", {}) if name not in operation.addressing]
    if operation.body and not {*wanted, *special} & {*fields}:
        wanted.append(fields[0])  # a body has at least one field
    required = {name: schema["properties"][name] for name in wanted}
    values = {name: BY_NAME.get(name, sample_of(below, name)) for name, below in required.items()} | special
    return {name: value for name, value in values.items() if value is not None}


MEANINGS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "auth.UpdateTenantPlan": (
        {"next_plan_id": uid("plan", "starter"), "proration_behavior": "create_prorations", "delete_usage": True},
        {"next_plan_id": uid("plan", "starter"), "using_next_plan_from": 1_775_001_600},
        {"next_plan_id": "", "using_next_plan_from": 1_775_001_600},
        {"tenant_id": MIDORI, "next_plan_id": ""},
    ),
    "auth.UpdateUserMfaPreference": ({"enabled": False},),
    "apigateway.CreateApiKey": ({"tenant_id": AOZORA, "env_id": 3, "user_id": USER},),
    "pricing.UpdateMeteringUnitTimestampCount": ({"method": "sub", "count": 200}, {"method": "direct", "count": 0}),
    "pricing.UpdateMeteringUnitTimestampCountNow": ({"method": "sub", "count": 200}, {"method": "direct", "count": 0}),
    "pricing.UpdatePricingUnit": ({**ORDERS, "tiers": [*TIERS]},),
}
"""Further calls of operations that mean different things by their arguments."""


def cases(operation: Operation) -> list[dict[str, Any]]:
    """Return the calls of an operation that the page of questions shows."""
    values = values_for(operation)
    more = MEANINGS.get(operation.key, ())
    kept = {name: values[name] for name in operation.path_parameters if name in values}
    return [values, *({**kept, **meaning} for meaning in more)]
