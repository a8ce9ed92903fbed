"""Users, tenant users, roles, environments, attributes and invitations behave as the documents say."""

from __future__ import annotations

import pytest

from tests.support.sandbox import Clock, SandboxCaller

AOZORA = "株式会社青空商事"
MINAMI = "minami.aozora@example.jp"


async def test_the_saas_is_populated_in_both_languages(api: SandboxCaller) -> None:
    users = (await api.read("auth.GetSaasUsers"))["users"]
    assert 38 <= len(users) <= 42
    assert any(user["sign_in_id"] and not user["email"] for user in users)
    rows = (await api.read("auth.GetAllTenantUsers"))["users"]
    assert len({row["id"] for row in rows}) < len(rows), "nobody is in several tenants"
    assert {row["tenant_name"] for row in rows} == {AOZORA, "Harbor Lights Inc.", "みどり薬局"}
    domains = {user["email"].partition("@")[2] for user in users if user["email"]}
    assert domains == {"example.com", "example.jp"}


async def test_ids_are_the_same_in_every_sandbox(api: SandboxCaller) -> None:
    assert await api.tenant(AOZORA) == "bc725811-66d9-5ed0-b358-2087b58f8c2a"


async def test_a_login_belongs_to_one_user(api: SandboxCaller) -> None:
    assert "another user" in (await api("auth.CreateSaasUser", email=MINAMI)).message
    assert "another user" in (await api("auth.CreateSaasUser", sign_in_id="warehouse-01")).message
    other = await api.user("akane.hoshino@example.jp")
    assert (await api("auth.UpdateSaasUserEmail", user_id=other, email=MINAMI)).status == 400


@pytest.mark.parametrize("login", [{"email": "no address"}, {"sign_in_id": "with blank"}, {"sign_in_id": "x" * 51}])
async def test_a_login_must_look_like_one(api: SandboxCaller, login: dict[str, str]) -> None:
    assert (await api("auth.CreateSaasUser", **login)).status == 400


async def test_a_password_is_generated_only_where_no_mail_can_carry_it_and_shown_once(api: SandboxCaller) -> None:
    made = await api.read("auth.CreateSaasUser", sign_in_id="made")
    assert made["password"].startswith("sandbox-")
    assert "password" not in await api.read("auth.GetSaasUser", user_id=made["id"])
    assert "password" not in await api.read("auth.CreateSaasUser", email="mailed@example.com")
    assert "password" not in await api.read("auth.CreateSaasUser", sign_in_id="chosen", password="Chosen-1")


async def test_every_reset_gives_another_password(api: SandboxCaller) -> None:
    user_id = await api.user(MINAMI)
    passwords = [(await api.read("auth.ResetSaasUserPassword", user_id=user_id))["password"] for _ in range(2)]
    assert len(set(passwords)) == 2


async def test_a_user_who_signs_in_otherwise_has_no_address_to_change(api: SandboxCaller) -> None:
    terminal = await api.user("warehouse-01")
    assert (await api("auth.UpdateSaasUserEmail", user_id=terminal, email="a@example.com")).status == 400
    assert (await api("auth.UpdateSaasUserSignInId", user_id=terminal, sign_in_id="warehouse-09")).status == 200
    assert await api.user("warehouse-09") == terminal


async def test_an_address_is_confirmed_within_a_day_of_the_request(api: SandboxCaller, clock: Clock) -> None:
    user_id = await api.user(MINAMI)
    proof = {"user_id": user_id, "access_token": "any"}
    assert (await api("auth.ConfirmEmailUpdate", code="123456", **proof)).status == 400
    await api.read("auth.RequestEmailUpdate", email="moved@example.jp", **proof)
    assert (await api.read("auth.GetSaasUser", user_id=user_id))["email"] == MINAMI
    await api.read("auth.ConfirmEmailUpdate", code="123456", **proof)
    assert (await api.read("auth.GetSaasUser", user_id=user_id))["email"] == "moved@example.jp"
    await api.read("auth.RequestEmailUpdate", email="late@example.jp", **proof)
    clock.pass_by(hours=25)
    assert (await api("auth.ConfirmEmailUpdate", code="123456", **proof)).status == 400


async def test_search_finds_beginnings_page_by_page(api: SandboxCaller) -> None:
    first = await api.read("auth.SearchSaasUsers", sign_in_id="warehouse", limit=1)
    second = await api.read("auth.SearchSaasUsers", sign_in_id="warehouse", limit=1, cursor=first["cursor"])
    assert [page["users"][0]["sign_in_id"] for page in (first, second)] == ["warehouse-01", "warehouse-02"]
    assert "cursor" not in second
    assert (await api("auth.SearchSaasUsers", cursor="invented")).status == 400


async def test_tenant_users_are_found_by_tenant_environment_and_role(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    found = await api.read("auth.SearchTenantUsers", tenant_id=tenant_id, env_id=3, role_name="admin")
    assert {user["email"] for user in found["users"]} == {MINAMI, "akane.hoshino@example.jp"}
    assert (await api.read("auth.SearchTenantUsers", role_name="auditor"))["users"] == []
    everywhere = await api.read("auth.SearchTenantUsers", email="onboarding@", limit=2)
    assert len(everywhere["users"]) == 2
    assert everywhere["cursor"]


async def test_user_info_tells_every_tenant_environment_and_role(api: SandboxCaller) -> None:
    by_mail = await api.read("auth.GetUserInfoByEmail", email=MINAMI)
    by_token = await api.read("auth.GetUserInfo", token=f"whatever holds {by_mail['id']}")
    assert by_mail == by_token
    roles = {tenant["name"]: [role["role_name"] for env in tenant["envs"] for role in env["roles"]]
             for tenant in by_mail["tenants"]}  # fmt: skip
    assert roles == {AOZORA: ["admin"] * 3, "Harbor Lights Inc.": ["viewer"]}
    assert (await api("auth.GetUserInfoByEmail", email="nobody@example.com")).status == 404


async def test_deleting_a_user_takes_them_out_of_every_tenant(api: SandboxCaller) -> None:
    before = await api.read("auth.GetUserInfoByEmail", email=MINAMI)
    answered = await api.read("auth.DeleteSaasUser", user_id=before["id"])
    assert answered == before
    assert (await api("auth.GetSaasUser", user_id=before["id"])).status == 404
    rows = (await api.read("auth.GetAllTenantUsers"))["users"]
    assert before["id"] not in [row["id"] for row in rows]


async def test_an_existing_user_joins_a_tenant_and_an_unknown_one_is_made(api: SandboxCaller) -> None:
    tenant_id = await api.tenant("みどり薬局")
    joined = await api.read(
        "auth.CreateTenantUser", tenant_id=tenant_id, email=MINAMI, attributes={"department": "本部"}
    )
    assert joined["id"] == await api.user(MINAMI)
    assert joined["envs"] == []
    again = await api("auth.CreateTenantUser", tenant_id=tenant_id, email=MINAMI, attributes={})
    assert again.status == 400
    made = await api.read("auth.CreateTenantUser", tenant_id=tenant_id, sign_in_id="till-3", attributes={})
    assert await api.user("till-3") == made["id"]


async def test_leaving_a_tenant_keeps_the_account_and_the_other_tenants(api: SandboxCaller) -> None:
    user_id, tenant_id = await api.user(MINAMI), await api.tenant(AOZORA)
    await api.read("auth.DeleteTenantUser", tenant_id=tenant_id, user_id=user_id)
    rows = (await api.read("auth.GetAllTenantUser", user_id=user_id))["users"]
    assert [row["tenant_name"] for row in rows] == ["Harbor Lights Inc."]
    assert (await api("auth.GetTenantUser", tenant_id=tenant_id, user_id=user_id)).status == 404


async def test_a_grant_needs_a_role_an_environment_and_a_member(api: SandboxCaller) -> None:
    grant = {"tenant_id": await api.tenant(AOZORA), "user_id": await api.user("waiting@example.jp"), "env_id": 3}
    assert (await api("auth.CreateTenantUserRoles", **grant, role_names=["viewer"])).status == 404
    grant["user_id"] = await api.user("nagi.sunahara@example.jp")
    assert "nothing" in (await api("auth.CreateTenantUserRoles", **grant, role_names=["nothing"])).message
    assert (await api("auth.CreateTenantUserRoles", **{**grant, "env_id": 9}, role_names=["viewer"])).status == 404
    await api.read("auth.CreateTenantUserRoles", **grant, role_names=["経理"])
    held = await api.read("auth.GetTenantUser", tenant_id=grant["tenant_id"], user_id=grant["user_id"])
    assert [role["role_name"] for role in held["envs"][0]["roles"]] == ["viewer", "経理"]
    await api.read("auth.DeleteTenantUserRole", **grant, role_name="経理")
    assert (await api("auth.DeleteTenantUserRole", **grant, role_name="経理")).status == 404


async def test_a_role_in_use_cannot_be_deleted(api: SandboxCaller) -> None:
    assert "in use" in (await api("auth.DeleteRole", role_name="support")).message
    assert (await api("auth.DeleteRole", role_name="auditor")).status == 200
    assert (await api("auth.DeleteRole", role_name="auditor")).status == 404
    assert (await api("auth.CreateRole", role_name="admin", display_name="x")).status == 400


async def test_production_stays_and_another_environment_takes_its_grants_along(api: SandboxCaller) -> None:
    assert "3" in (await api("auth.DeleteEnv", env_id=3)).message
    assert (await api("auth.CreateEnv", id=1, name="again")).status == 400
    await api.read("auth.DeleteEnv", env_id=1)
    assert (await api("auth.GetEnv", env_id=1)).status == 404
    rows = (await api.read("auth.GetAllTenantUsers"))["users"]
    assert 1 not in [env["id"] for row in rows for env in row["envs"]]


@pytest.mark.parametrize(
    "attributes",
    [{"undefined": 1}, {"employee_number": "12"}, {"is_manager": "yes"}, {"joined_on": "2026-3-1"}, {"department": 5}],
)
async def test_attribute_values_must_fit_their_definitions(api: SandboxCaller, attributes: dict[str, object]) -> None:
    where = {"tenant_id": await api.tenant(AOZORA), "user_id": await api.user(MINAMI)}
    answered = await api("auth.UpdateTenantUser", **where, attributes=attributes)
    assert answered.status == 400
    assert next(iter(attributes)) in answered.message


async def test_deleting_a_definition_takes_the_values_along(api: SandboxCaller) -> None:
    await api.read("auth.DeleteUserAttribute", attribute_name="department")
    await api.read("auth.DeleteTenantAttribute", attribute_name="industry")
    rows = (await api.read("auth.GetAllTenantUsers"))["users"]
    tenants = (await api.read("auth.GetTenants"))["tenants"]
    assert all("department" not in row["attributes"] and "full_name" in row["attributes"] for row in rows)
    assert all("industry" not in tenant["attributes"] for tenant in tenants)


async def test_a_second_factor_needs_what_it_rests_on(api: SandboxCaller) -> None:
    user_id = await api.user(MINAMI)
    preference = {"user_id": user_id, "enabled": True}
    assert "method" in (await api("auth.UpdateUserMfaPreference", **preference)).message
    assert (await api("auth.UpdateUserMfaPreference", **preference, method="softwareToken")).status == 400
    proof = {"user_id": user_id, "access_token": "any"}
    assert (await api("auth.UpdateSoftwareToken", **proof, verification_code="123456")).status == 400
    assert (await api.read("auth.CreateSecretCode", **proof))["secret_code"].startswith("SANDBOX")
    await api.read("auth.UpdateSoftwareToken", **proof, verification_code="123456")
    await api.read("auth.UpdateUserMfaPreference", **preference, method="softwareToken")
    expected = {"enabled": True, "method": "softwareToken"}
    assert await api.read("auth.GetUserMfaPreference", user_id=user_id) == expected
    await api.read("auth.UpdateUserMfaPreference", user_id=user_id, enabled=False)
    assert (await api.read("auth.GetUserMfaPreference", user_id=user_id))["enabled"] is False


async def invite(api: SandboxCaller, email: str, roles: list[str]) -> tuple[str, str]:
    tenant_id = await api.tenant(AOZORA)
    envs = [{"id": 3, "role_names": roles}]
    made = await api.read(
        "auth.CreateTenantInvitation", tenant_id=tenant_id, email=email, access_token="any", envs=envs
    )
    assert made["id"] in made["invitation_url"]
    return tenant_id, made["id"]


async def test_a_newcomer_who_accepts_an_invitation_joins_with_its_roles(api: SandboxCaller) -> None:
    tenant_id, invitation_id = await invite(api, "guest@example.com", ["editor"])
    assert (await api.read("auth.GetInvitationValidity", invitation_id=invitation_id))["is_valid"] is True
    accept = {"invitation_id": invitation_id, "email": "guest@example.com", "password": "Guest-1"}
    assert (await api("auth.ValidateInvitation", invitation_id=invitation_id, access_token="any")).status == 400
    assert (await api("auth.ValidateInvitation", **{**accept, "email": "other@example.com"})).status == 400
    await api.read("auth.ValidateInvitation", **accept)
    member = await api.read("auth.GetTenantUser", tenant_id=tenant_id, user_id=await api.user("guest@example.com"))
    assert member["envs"][0]["roles"][0]["role_name"] == "editor"
    invitation = await api.read("auth.GetTenantInvitation", tenant_id=tenant_id, invitation_id=invitation_id)
    assert invitation["status"] == "accepted"
    assert (await api("auth.ValidateInvitation", **accept)).status == 400


async def test_somebody_with_an_account_accepts_with_a_token(api: SandboxCaller) -> None:
    tenant_id, invitation_id = await invite(api, "waiting@example.jp", ["viewer"])
    with_password = {"email": "waiting@example.jp", "password": "Guest-1"}
    assert (await api("auth.ValidateInvitation", invitation_id=invitation_id, **with_password)).status == 400
    await api.read("auth.ValidateInvitation", invitation_id=invitation_id, access_token="any")
    user_id = await api.user("waiting@example.jp")
    assert (await api("auth.GetTenantUser", tenant_id=tenant_id, user_id=user_id)).status == 200


async def test_an_invitation_expires_after_a_week(api: SandboxCaller, clock: Clock) -> None:
    tenant_id, invitation_id = await invite(api, "slow@example.com", ["viewer"])
    clock.pass_by(days=8)
    assert (await api.read("auth.GetInvitationValidity", invitation_id=invitation_id))["is_valid"] is False
    accept = {"email": "slow@example.com", "password": "Guest-1"}
    assert "expired" in (await api("auth.ValidateInvitation", invitation_id=invitation_id, **accept)).message
    await api.read("auth.DeleteTenantInvitation", tenant_id=tenant_id, invitation_id=invitation_id)
    assert (await api("auth.GetInvitationValidity", invitation_id=invitation_id)).status == 404


async def test_an_invitation_needs_a_validated_domain_roles_and_a_token(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    good = {"tenant_id": tenant_id, "email": "guest@example.com", "access_token": "any"}
    envs = [{"id": 3, "role_names": ["viewer"]}]
    unknown = [{"id": 3, "role_names": ["nothing"]}]
    assert (await api("auth.CreateTenantInvitation", **good, envs=unknown)).status == 400
    assert (await api("auth.CreateTenantInvitation", **good, envs=[{"id": 9, "role_names": ["viewer"]}])).status == 400
    assert (await api("auth.CreateTenantInvitation", **{**good, "access_token": ""}, envs=envs)).status == 401
    await api.read("auth.UpdateBasicInfo", domain_name="new.example.com", from_email_address="a@example.com")
    assert "DNS and SES" in (await api("auth.CreateTenantInvitation", **good, envs=envs)).message


async def test_an_invitation_grants_nothing_in_an_environment_that_is_gone(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    envs = [{"id": env_id, "role_names": ["viewer"]} for env_id in (1, 3)]
    invited = {"tenant_id": tenant_id, "email": "guest@example.com", "access_token": "any", "envs": envs}
    made = await api.read("auth.CreateTenantInvitation", **invited)
    await api.read("auth.DeleteEnv", env_id=1)
    accept = {"invitation_id": made["id"], "email": "guest@example.com", "password": "Guest-1"}
    await api.read("auth.ValidateInvitation", **accept)
    member = await api.read("auth.GetTenantUser", tenant_id=tenant_id, user_id=await api.user("guest@example.com"))
    assert [env["id"] for env in member["envs"]] == [3]


async def test_a_role_that_is_offered_in_an_invitation_is_in_use(api: SandboxCaller) -> None:
    await invite(api, "guest@example.com", ["auditor"])
    assert (await api("auth.DeleteRole", role_name="auditor")).status == 400


async def test_unlinking_succeeds_where_nothing_was_linked(api: SandboxCaller) -> None:
    user_id = await api.user("waiting@example.jp")
    assert (await api("auth.UnlinkProvider", user_id=user_id, provider_name="Google")).status == 200


async def test_self_sign_up_can_be_switched_off(api: SandboxCaller) -> None:
    await api.read("auth.SignUp", email="selfmade@example.com")
    await api.read("auth.UpdateSignInSettings", self_regist={"enable": False})
    assert (await api("auth.SignUp", email="other@example.com")).status == 400


async def test_counts_are_those_that_were_saved(api: SandboxCaller) -> None:
    tenant_id = await api.tenant(AOZORA)
    await api.read("auth.SaveTenantUsersCounts", tenant_user_counts=[{"tenant_id": tenant_id, "count": 7}])
    await api.read("auth.SaveSaasUsersCount", count=99)
    counts = (await api.read("auth.GetAllTenantUsersCount"))["tenant_user_counts"]
    assert {row["tenant_id"]: row["count"] for row in counts}[tenant_id] == 7
    assert (await api.read("auth.GetSaasUsersCount"))["count"] == 99
