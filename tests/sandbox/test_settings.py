"""Settings, the gateway, the marketplace, feedback, statistics, logs and sessions behave as the documents say."""

from __future__ import annotations

import pytest

from tests.support.sandbox import Clock, SandboxCaller

AOZORA, HARBOR, MIDORI = "株式会社青空商事", "Harbor Lights Inc.", "みどり薬局"
MINAMI = "minami.aozora@example.jp"


async def test_a_setting_that_is_left_out_stays(api: SandboxCaller) -> None:
    before = await api.read("auth.FindNotificationMessages")
    await api.read("auth.UpdateNotificationMessages", sign_up={"subject": "s", "message": "{####}"})
    after = await api.read("auth.FindNotificationMessages")
    assert after == {**before, "sign_up": {"subject": "s", "message": "{####}"}}


async def test_sign_in_settings_change_except_where_documented_as_fixed(api: SandboxCaller) -> None:
    before = await api.read("auth.GetSignInSettings")
    wanted = {"mfa_configuration": {"mfa_configuration": "on"}, "self_regist": {"enable": False}}
    await api.read("auth.UpdateSignInSettings", **wanted)
    after = await api.read("auth.GetSignInSettings")
    assert after == {**before, "self_regist": {"enable": False}}


async def test_pages_change_their_boxes_and_not_their_html(api: SandboxCaller) -> None:
    before = (await api.read("auth.GetCustomizePages"))["sign_in_page"]
    wanted = {"html_contents": "<h1>mine</h1>", "is_terms_of_service": True, "is_privacy_policy": True}
    await api.read("auth.UpdateCustomizePages", sign_in_page=wanted)
    after = (await api.read("auth.GetCustomizePages"))["sign_in_page"]
    assert after == {**wanted, "html_contents": before["html_contents"]}


async def test_images_are_written_as_data_and_read_as_urls(api: SandboxCaller) -> None:
    image = "data:image/png;base64,AA=="
    look = {"title": "t", "terms_of_service_url": "u", "privacy_policy_url": "u", "google_tag_manager_container_id": ""}
    assert "icon" in (await api("auth.UpdateCustomizePageSettings", **look, icon="https://x", favicon=image)).message
    await api.read("auth.UpdateCustomizePageSettings", **look, icon=image, favicon=image)
    after = await api.read("auth.GetCustomizePageSettings")
    assert after["title"] == "t"
    assert after["icon"].startswith("https://assets.example.com/")


async def test_another_domain_has_to_be_validated_again(api: SandboxCaller) -> None:
    before = await api.read("auth.GetBasicInfo")
    assert before["is_dns_validated"]
    same = {"domain_name": before["domain_name"], "from_email_address": "other@example.com"}
    await api.read("auth.UpdateBasicInfo", **same)
    assert (await api.read("auth.GetBasicInfo"))["is_dns_validated"]
    await api.read("auth.UpdateBasicInfo", **{**same, "domain_name": "new.example.com"})
    assert not (await api.read("auth.GetBasicInfo"))["is_dns_validated"]


async def test_no_properties_switch_a_provider_off(api: SandboxCaller) -> None:
    await api.read("auth.UpdateIdentityProvider", provider="Google", identity_provider_props=None)
    assert (await api.read("auth.GetIdentityProviders"))["google"]["application_id"] == ""
    tenant_id = await api.tenant(HARBOR)
    assert "saml" in await api.read("auth.GetTenantIdentityProviders", tenant_id=tenant_id)
    await api.read("auth.UpdateTenantIdentityProvider", tenant_id=tenant_id, provider_type="SAML")
    assert await api.read("auth.GetTenantIdentityProviders", tenant_id=tenant_id) == {}
    props = {"metadata_url": "https://idp.example.com/m.xml", "email_attribute": "mail"}
    where = {"tenant_id": tenant_id, "provider_type": "SAML"}
    await api.read("auth.UpdateTenantIdentityProvider", **where, identity_provider_props=props)
    assert (await api.read("auth.GetTenantIdentityProviders", tenant_id=tenant_id))["saml"].items() >= props.items()


async def test_templates_are_shown_as_urls(api: SandboxCaller) -> None:
    before = await api.read("auth.GetSingleTenantSettings")
    await api.read("auth.UpdateSingleTenantSettings", enabled=True, ddl_template="U0VMRUNU")
    after = await api.read("auth.GetSingleTenantSettings")
    assert after["enabled"]
    assert after["ddl_template_url"] not in ("U0VMRUNU", before["ddl_template_url"])
    assert after["cloudformation_template_url"] == before["cloudformation_template_url"]


async def test_events_need_settings(api: SandboxCaller) -> None:
    await api.read("integration.CreateEventBridgeTestEvent")
    await api.read("integration.DeleteEventBridgeSettings")
    assert (await api("integration.GetEventBridgeSettings")).status == 404
    assert "EventBridge" in (await api("integration.CreateEventBridgeTestEvent")).message
    await api.read("integration.SaveEventBridgeSettings", aws_account_id="000000000000", aws_region="us-east-1")
    assert (await api("integration.CreateEventBridgeTestEvent")).status == 201


async def test_a_draft_of_the_gateway_is_applied_or_dropped_once(api: SandboxCaller) -> None:
    draft = await api.read("apigateway.GetDraftApiGatewaySettings")
    await api.read("apigateway.ApplyDraftApiGatewaySettings")
    live = await api.read("apigateway.GetApiGatewaySettings")
    assert live["endpoint_settings_list"] == draft["endpoint_settings_list"]
    assert await api.read("apigateway.GetDraftApiGatewaySettings") == {"endpoint_settings_list": []}
    for key in ("apigateway.ApplyDraftApiGatewaySettings", "apigateway.CancelDraftApiGatewaySettings"):
        assert "draft" in (await api(key)).message
    await api.read("apigateway.UploadGenerationFiles", content="UEsDBA==")
    assert len((await api.read("apigateway.GetDraftApiGatewaySettings"))["endpoint_settings_list"]) == 3
    await api.read("apigateway.CancelDraftApiGatewaySettings")


async def test_the_gateway_is_created_then_published(api: SandboxCaller) -> None:
    assert (await api("apigateway.CreateApiGateway")).status == 400
    await api.read("apigateway.UnpublishApiGateway")
    assert (await api("apigateway.UnpublishApiGateway")).status == 400
    await api.read("apigateway.UpdateApiGatewaySettings", saas_vpc_id="")
    assert "saas_vpc_id" in (await api("apigateway.CreateApiGateway")).message
    await api.read("apigateway.UpdateApiGatewaySettings", saas_vpc_id="vpc-sandbox")
    await api.read("apigateway.CreateApiGateway")
    await api.read("apigateway.PublishApiGateway")
    assert (await api.read("apigateway.GetApiGatewaySettings"))["status"] == "published"


async def test_gateway_keys_are_filtered_issued_and_refreshed(api: SandboxCaller) -> None:
    tenant_id, user_id = await api.tenant(AOZORA), await api.user(MINAMI)
    assert len((await api.read("apigateway.GetApiKeys", tenant_id=tenant_id))["api_keys"]) == 2
    assert len((await api.read("apigateway.GetApiKeys", tenant_id=tenant_id, tenant_only=True))["api_keys"]) == 1
    owner = {"tenant_id": tenant_id, "env_id": 3, "user_id": user_id}
    made = await api.read("apigateway.CreateApiKey", **owner)
    assert made["api_key"].startswith("sandbox-")
    renewed = await api.read("apigateway.RefreshClientSecret", api_key=made["api_key"])
    assert renewed["client_secret"] != made["client_secret"]
    assert await api.read("apigateway.GetApiKey", api_key=made["api_key"]) == renewed
    await api.read("apigateway.CreateApiKey", **owner)
    assert (await api("apigateway.CreateApiKey", **owner)).status == 400
    stranger = {**owner, "user_id": await api.user("dock-a")}
    assert (await api("apigateway.CreateApiKey", **stranger)).status == 404
    assert (await api("apigateway.CreateApiKey", **{**owner, "env_id": 9})).status == 400


async def test_a_tenant_without_settings_of_its_own_is_open(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(HARBOR)
    open_access = {"id": tenant_id, "allowed_ips": [], "routing": {}}
    assert await api.read("apigateway.GetTenant", tenant_id=tenant_id) == open_access
    await api.read("apigateway.UpdateTenant", tenant_id=tenant_id, allowed_ips=["192.0.2.1/32"])
    assert (await api.read("apigateway.GetTenant", tenant_id=tenant_id))["allowed_ips"] == ["192.0.2.1/32"]


async def test_a_buyer_is_bound_to_one_tenant(api: SandboxCaller) -> None:
    midori, harbor = await api.tenant(MIDORI), await api.tenant(HARBOR)
    assert (await api("awsmarketplace.CreateCustomer", tenant_id=harbor, registration_token="t")).status == 400
    assert (await api("awsmarketplace.CreateCustomer", tenant_id=midori, registration_token="")).status == 400
    made = await api.read("awsmarketplace.CreateCustomer", tenant_id=midori, registration_token="t")
    found = await api.read("awsmarketplace.GetCustomers", tenant_ids=[midori])
    assert found["customers"] == [made]
    again = {"tenant_id": await api.tenant(AOZORA), "access_token": "any", "registration_token": "t"}
    assert (await api("auth.LinkAwsMarketplace", **again)).status == 400


async def test_syncing_a_buyer_changes_the_plan_of_the_tenant(api: SandboxCaller) -> None:
    made = await api.read("awsmarketplace.CreateCustomer", tenant_id=await api.tenant(MIDORI), registration_token="t")
    await api.read("awsmarketplace.SyncCustomer", customer_identifier=made["customer_identifier"])
    mapped = await api.read("awsmarketplace.GetPlanByPlanName", plan_name="global_monthly")
    tenant = await api.read("auth.GetTenant", tenant_id=await api.tenant(MIDORI))
    assert tenant["plan_id"] == mapped["plan_id"]
    assert (await api("awsmarketplace.SavePlan", plan_id="unknown", plan_name="x")).status == 400


async def test_a_buyer_signs_up_with_a_tenant_of_their_own(api: SandboxCaller) -> None:
    proof = {"access_token": "any", "registration_token": "new buyer"}
    made = await api.read("auth.ConfirmSignUpWithAwsMarketplace", **proof, tenant_name="Buyer Ltd.")
    users = (await api.read("auth.GetTenantUsers", tenant_id=made["id"]))["users"]
    assert [role["role_name"] for role in users[0]["envs"][0]["roles"]] == ["admin"]


async def test_feedback_is_voted_on_and_discussed(api: SandboxCaller) -> None:
    user_id = await api.user(MINAMI)
    text = {"feedback_title": "t", "feedback_description": "d"}
    made = await api.read("communication.CreateFeedback", user_id=user_id, **text)
    where = {"feedback_id": made["id"]}
    assert (made["status"], made["count"], made["comments"]) == (0, 0, [])
    for _ in range(2):
        votes = await api.read("communication.CreateVoteUser", **where, user_id=user_id)
    assert votes == {"count": 1, "users": [{"user_id": user_id}]}
    assert (await api("communication.CreateVoteUser", **where, user_id="unknown")).status == 400
    comment = await api.read("communication.CreateFeedbackComment", **where, body="b")
    await api.read("communication.UpdateFeedbackComment", **where, comment_id=comment["id"], body="c")
    await api.read("communication.UpdateFeedbackStatus", **where, status=3)
    assert (await api("communication.UpdateFeedbackStatus", **where, status=4)).status == 400
    found = await api.read("communication.GetFeedback", **where)
    assert (found["status"], found["count"], found["comments"][0]["body"]) == (3, 1, "c")
    await api.read("communication.DeleteVoteForFeedback", **where, user_id=user_id)
    assert (await api("communication.DeleteVoteForFeedback", **where, user_id=user_id)).status == 404
    await api.read("communication.DeleteFeedback", **where)
    assert (await api("communication.GetFeedbackComment", **where, comment_id=comment["id"])).status == 404


async def test_statistics_count_what_is_there(api: SandboxCaller) -> None:
    days = {"start_date": "2026-03-18", "end_date": "2026-03-18"}
    tenant_id = await api.tenant(AOZORA)
    await api.read("auth.CreateTenantUser", tenant_id=tenant_id, email="a@example.com", attributes={})
    for kind, details in (("create_saas_user", None), ("create_tenant_user", {tenant_id: 1})):
        (metric,) = (await api.read("analysis.GetAggregatedMetrics", metrics_type=kind, **days))["metrics"]
        assert (metric["count"], metric.get("details")) == (1, details)
    (before,) = (await api.read("analysis.GetAggregatedUserInfo", **days, tenant_ids=[tenant_id]))["metrics"]
    await api.read("auth.GetUserInfo", token=await api.user(MINAMI))
    (after,) = (await api.read("analysis.GetAggregatedUserInfo", **days, tenant_ids=[tenant_id]))["metrics"]
    assert after["details"][tenant_id] == before["details"][tenant_id] + 1
    assert (await api("analysis.GetAggregatedUserInfo", start_date="2026-03-18", end_date="2026-03-17")).status == 400
    assert (await api("analysis.GetAggregatedUserInfo", start_date="March", end_date="2026-03-17")).status == 400


async def test_an_active_user_figure_is_replaced(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    figure = {"date": "2026-02", "tenant_id": tenant_id, "env_id": 3, "active_users": 5}
    await api.read("analysis.UpdateActiveUsers", type="monthly", **figure)
    asked = {"type": "monthly", "date_from": "2026-02", "date_to": "2026-02"}
    assert (await api.read("analysis.GetActiveUsers", **asked, tenant_id=tenant_id))["data"] == [figure]
    assert len((await api.read("analysis.GetActiveUsers", **asked))["data"]) == 3
    assert (await api("analysis.GetActiveUsers", **asked, env_id=3)).status == 400
    assert (await api("analysis.GetActiveUsers", type="daily", date_from="2026-02")).status == 400


async def test_a_day_of_history_is_rewritten(api: SandboxCaller, clock: Clock) -> None:
    user_id = await api.user(MINAMI)
    visit = {"timestamp": clock.epoch, "referer": "https://orders.example.com/only"}
    await api.read(
        "analysis.UpdateUserBehaviorHistoriesByDay", timestamp=clock.epoch, user_id=user_id, histories=[visit]
    )
    days = (await api.read("analysis.GetUserBehaviorHistories", user_id=user_id))["histories"]
    assert days[-1]["histories"] == [visit]
    assert len(days) > 5
    pages = await api.read("analysis.GetPageStatistics", start_timestamp=clock.epoch, end_timestamp=clock.epoch)
    assert pages["page_statistics"] == [{"page_url": visit["referer"], "total_views": 1, "unique_users": 1}]


async def test_calls_are_logged_with_their_bodies(api: SandboxCaller, clock: Clock) -> None:
    clock.pass_by(seconds=1)
    await api.read("auth.CreateRole", role_name="logged", display_name="x")
    (entry, *_) = (await api.read("apilog.GetLogs", start_at=clock.epoch, end_at=clock.epoch))["api_logs"]
    assert (entry["request_method"], entry["request_uri"], entry["response_status"]) == (
        "POST",
        "/v1/auth/roles",
        "201",
    )
    assert (entry["trace_id"], entry["api_key"]) == ("trace-of-the-test", "sandbox-api-key")
    assert "logged" in entry["request_body"]
    assert await api.read("apilog.GetLog", api_log_id=entry["api_log_id"]) == entry
    assert (await api("apilog.GetLog", api_log_id="trace-of-the-test")).status == 404


async def test_logs_are_read_by_day_by_moment_or_by_range_and_in_pages(api: SandboxCaller, clock: Clock) -> None:
    today = (await api.read("apilog.GetLogs"))["api_logs"]
    assert {entry["created_date"] for entry in today} == {"2026-03-18"}
    assert {entry["created_date"] for entry in (await api.read("apilog.GetLogs", created_date="2026-03-17"))["api_logs"]} \
        == {"2026-03-17"}  # fmt: skip
    everything = await api.read("apilog.GetLogs", start_at=0, limit=20)
    rest = await api.read("apilog.GetLogs", start_at=0, limit=20, cursor=everything["cursor"])
    assert (len(everything["api_logs"]), len(rest["api_logs"])) == (20, 10)
    assert (await api("apilog.GetLogs", created_at="2026-03-18T03:30:00Z", start_at=0)).status == 400
    await api.read("auth.GetRoles")
    moment = await api.read("apilog.GetLogs", created_at="2026-03-18T12:30:00+09:00")
    assert [entry["created_at"] for entry in moment["api_logs"]] == [clock.epoch]


async def test_a_sign_in_ends_with_tokens_that_name_the_user(api: SandboxCaller) -> None:
    user_id = await api.user("akane.hoshino@example.jp")
    begun = await api.read("auth.SignIn", sign_in_flow="USER_SRP_AUTH", sign_in_parameters={"USERNAME": user_id})
    answer = {"challenge_name": begun["challenge_name"], "challenge_responses": {"USERNAME": user_id}}
    done = await api.read("auth.RespondToSignInChallenge", **answer, session=begun["session"])
    assert (await api.read("auth.GetUserInfo", token=done["credentials"]["id_token"]))["id"] == user_id
    more = await api.read("auth.RespondToSignInChallenge", challenge_name="SELECT_CHALLENGE", session="any")
    assert more["challenge_name"] == "PASSWORD_VERIFIER"
    assert (await api("auth.RespondToSignInChallenge", **answer, session="")).status == 401


async def test_a_code_is_redeemed_once_and_soon(api: SandboxCaller, clock: Clock) -> None:
    tokens = {"id_token": "i", "access_token": "a", "refresh_token": "r"}
    code = (await api.read("auth.CreateAuthCredentials", **tokens))["code"]
    assert await api.read("auth.GetAuthCredentials", code=code) == tokens
    late = (await api.read("auth.CreateAuthCredentials", **tokens))["code"]
    clock.pass_by(seconds=11)
    assert (await api("auth.GetAuthCredentials", code=late)).status == 404
    assert (await api("auth.GetAuthCredentials")).status == 404
    fresh = await api.read("auth.GetAuthCredentials", **{"auth-flow": "refreshTokenAuth", "refresh-token": "any"})
    assert fresh.keys() == tokens.keys()


async def test_a_link_to_a_provider_is_requested_first(api: SandboxCaller) -> None:
    proof = {"access_token": "any"}
    assert (await api("auth.ConfirmExternalUserLink", **proof, code="1")).status == 400
    await api.read("auth.RequestExternalUserLink", **proof)
    await api.read("auth.ConfirmExternalUserLink", **proof, code="1")


@pytest.mark.parametrize("key", ["auth.ResendSignUpConfirmationEmail"])
async def test_mail_goes_again_only_to_who_signed_up(api: SandboxCaller, key: str) -> None:
    assert (await api(key, email="nobody@example.com")).status == 400
