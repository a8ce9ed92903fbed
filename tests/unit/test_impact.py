"""What a preview says of a call's reach: counted and shown by its recipe, bounded, and never guessed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import Language, Measure, Text
from saasus_mcp.errors import SaasusMcpError
from saasus_mcp.permissions import impact as module
from saasus_mcp.permissions.difference import Change, difference
from saasus_mcp.permissions.impact import Finding, Impact, assess
from saasus_mcp.permissions.preview import preview
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.tally import tally
from saasus_mcp.permissions.target import Seen, Sight, look, present

PLACE = Place("default", "saas-1")
TENANT = {"tenant_id": "t1"}
AOZORA = {"id": "t1", "name": "青空商事", "plan_id": "p1"}
MARCH = date(2026, 3, 18)


@dataclass
class FakeApi:
    """Answers reads by key; remembers what was asked. A key without an answer fails."""

    answers: Mapping[str, Any]
    asked: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    async def __call__(self, key: str, args: Mapping[str, Any]) -> Seen:
        self.asked.append((key, args))
        answer = self.answers.get(key, Seen(why_not="HTTP 500"))
        if isinstance(answer, SaasusMcpError):
            raise answer
        return answer if isinstance(answer, Seen) else Seen(answer)


def member(user: str, tenant: str) -> dict[str, Any]:
    return {"id": user, "tenant_id": tenant, "envs": [{"id": 3, "roles": [{"role_name": "admin"}]}], "attributes": {}}


WHOLE = {
    "pricing.GetPricingPlan": {"display_name": "Business"},
    "auth.GetAllTenantUsers": {
        "users": [member("u1", "t1"), member("u2", "t1"), member("u2", "t2"), member("u3", "t2")]
    },
    "auth.GetTenantInvitations": {"invitations": [{"status": "pending"}, {"status": "accepted"}]},
    "auth.GetStripeCustomer": {"customer_id": "cus_1"},
    "awsmarketplace.GetCustomers": {"customers": []},
    "pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth": {
        "counts": [{"metering_unit_name": "calls", "count": 7}, {"metering_unit_name": "fax", "count": 0}]
    },
}


async def test_deleting_a_tenant_says_whom_and_what_it_takes_along(catalogue: Catalogue) -> None:
    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, FakeApi(WHOLE), today=MARCH)
    assert found.counts == {"users": 2, "users_left_without_tenant": 1, "open_invitations": 1}
    assert found.shown == {
        "plan": ("Business",),
        "stripe_customer": ("cus_1",),
        "marketplace_contract": (),
        "usage_this_month": ("calls: 7",),
    }
    assert found.affected_users == 2
    assert found.unread == {}


async def test_what_two_measures_want_is_read_once(catalogue: Catalogue) -> None:
    api = FakeApi(WHOLE)
    await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, api, today=MARCH)
    keys = [key for key, _ in api.asked]
    assert sorted(keys) == sorted(WHOLE)
    assert ("pricing.GetMeteringUnitMonthCountsByTenantIdAndMonth", {**TENANT, "month": "2026-03"}) in api.asked


async def test_what_could_not_be_read_is_said_with_the_reason_and_counts_as_unknown(catalogue: Catalogue) -> None:
    answers = {key: answer for key, answer in WHOLE.items() if key != "auth.GetAllTenantUsers"}
    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, FakeApi(answers), today=MARCH)
    assert found.unread == {"users": "HTTP 500", "users_left_without_tenant": "HTTP 500"}
    assert found.affected_users is None
    assert "Users of the tenant: could not be read (HTTP 500)" in found.lines("en")
    assert "テナントのユーザー数: 確認できませんでした(HTTP 500)" in found.lines("ja")


@pytest.mark.parametrize(
    "why", ["no answer", "no answer in time", "not found", "the answer does not say", "the target could not be seen"]
)
def test_why_something_could_not_be_read_is_said_in_the_language_of_the_rest(why: str) -> None:
    finding = Finding("users", Text("Users", "ユーザー数"), why_not=why)
    assert finding.line("en") == f"Users: could not be read ({why})"
    assert finding.line("ja").isascii() is False
    assert not re.search("[a-z]", finding.line("ja"))


@pytest.mark.parametrize(
    ("sent", "holds"),
    [
        ({"next_plan_id": "p-2"}, {"applies_at_once"}),
        ({"next_plan_id": "p-2", "using_next_plan_from": 1_900_000_000}, set()),
        ({"next_plan_id": "p-2", "proration_behavior": "always_invoice"}, {"applies_at_once", "invoiced_at_once"}),
        ({"next_plan_id": "p-2", "proration_behavior": "create_prorations"}, {"applies_at_once", "invoiced_next"}),
        ({"next_plan_id": "p-2", "delete_usage": True}, {"applies_at_once", "usage_erased_at_once"}),
        ({"next_plan_id": "", "using_next_plan_from": 1_900_000_000}, {"ends_contract"}),
        ({"next_plan_id": ""}, {"drops_reservation"}),
    ],
)
async def test_a_change_of_plan_says_what_this_very_call_does_to_the_invoice(
    catalogue: Catalogue, sent: dict[str, Any], holds: set[str]
) -> None:
    unit = {"display_name": "Base", "unit_amount": 500, "currency": "JPY", "recurring_interval": "month"}
    tiers = {"display_name": "Calls", "tiers": [], "currency": "JPY", "recurring_interval": "month"}
    plan = {"display_name": "Gold", "pricing_menus": [{"units": [unit, tiers]}]}
    operation = catalogue.find("auth.UpdateTenantPlan")
    found = await assess(operation, {**TENANT, **sent}, AOZORA, FakeApi({"pricing.GetPricingPlan": plan}), today=MARCH)
    assert {name for name, value in found.shown.items() if value is True} == holds
    assert found.shown["prices_now"] == ("Base: 500 JPY / month", "Calls: tiers in JPY / month")
    then = found.shown["prices_then"]
    assert then == (found.shown["prices_now"] if sent["next_plan_id"] else ())


async def test_a_read_that_is_refused_inside_the_server_is_said_too(catalogue: Catalogue) -> None:
    answers = {**WHOLE, "auth.GetStripeCustomer": SaasusMcpError("The store is locked.")}
    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, FakeApi(answers), today=MARCH)
    assert found.unread == {"stripe_customer": "The store is locked."}


async def test_an_answer_without_the_field_is_no_zero(catalogue: Catalogue) -> None:
    answers = {**WHOLE, "auth.GetAllTenantUsers": {"people": []}, "auth.GetStripeCustomer": {}}
    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, FakeApi(answers), today=MARCH)
    assert set(found.unread) == {"users", "users_left_without_tenant", "stripe_customer"}
    assert set(found.unread.values()) == {"the answer does not say"}


async def test_without_its_target_nothing_that_rests_on_it_is_read(catalogue: Catalogue) -> None:
    api = FakeApi(WHOLE)
    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, None, api, today=MARCH)
    assert found.unread == {"plan": "the target could not be seen"}
    assert "pricing.GetPricingPlan" not in [key for key, _ in api.asked]


async def test_what_compares_with_an_unseen_target_is_not_compared(catalogue: Catalogue) -> None:
    api = FakeApi({"apigateway.GetApiGatewaySettings": {"endpoint_settings_list": [{"path": "/a", "method": "GET"}]}})
    found = await assess(catalogue.find("apigateway.ApplyDraftApiGatewaySettings"), {}, None, api)
    assert found.counts == {"endpoints_now": 1}
    assert set(found.unread) == {"endpoints_then", "endpoints_vanishing"}


async def test_where_there_is_nothing_to_look_up_the_preview_says_none(catalogue: Catalogue) -> None:
    api = FakeApi(WHOLE)
    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, {**AOZORA, "plan_id": ""}, api, today=MARCH)
    assert found.shown["plan"] == ()
    assert "Present plan: none" in found.lines("en")
    assert "現在のプラン: なし" in found.lines("ja")


async def test_reads_go_out_at_the_same_time(catalogue: Catalogue) -> None:
    waiting = set[str]()
    everyone = anyio.Event()

    async def read(key: str, _: Mapping[str, Any]) -> Seen:
        waiting.add(key)
        if len(waiting) == len(WHOLE):
            everyone.set()
        await everyone.wait()
        return Seen(WHOLE[key])

    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, read, today=MARCH)
    assert found.unread == {}


async def test_what_does_not_come_in_time_is_said_and_the_rest_is_kept(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE", 0.05)

    async def read(key: str, _: Mapping[str, Any]) -> Seen:
        if key == "auth.GetStripeCustomer":
            await anyio.Event().wait()
        return Seen(WHOLE[key])

    found = await assess(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA, read, today=MARCH)
    assert found.unread == {"stripe_customer": "no answer in time"}
    assert found.counts["users"] == 2


async def test_an_operation_on_one_user_affects_one_user(catalogue: Catalogue) -> None:
    answers = {
        "auth.GetAllTenantUser": {"users": [{"tenant_name": "A"}]},
        "auth.GetUserMfaPreference": {"enabled": True},
    }
    found = await assess(catalogue.find("auth.DeleteSaasUser"), {"user_id": "u"}, {"id": "u"}, FakeApi(answers))
    assert found.affected_users == 1
    assert found.lines("en") == ["Tenants of this person: “A”", "Second factor on: yes"]
    assert found.lines("ja") == ["所属テナント: 「A」", "多要素認証が有効: はい"]


async def test_whoever_holds_a_role_is_counted_once_however_many_tenants(catalogue: Catalogue) -> None:
    found = await assess(
        catalogue.find("auth.DeleteRole"), {"role_name": "admin"}, {"role_name": "admin"}, FakeApi(WHOLE)
    )
    assert found.counts == {"holders": 3, "tenants_concerned": 2}
    assert found.affected_users == 3


def measure(**given: Any) -> Measure:
    return Measure("n", Text("n", "n"), **given)


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({"of": "rows"}, 3),
        ({"of": "rows", "where": {"kind": "args.kind"}}, 2),
        ({"of": "rows", "where": {"marks": "args.mark"}}, 1),
        ({"of": "rows", "has": "plan"}, 1),
        ({"of": "rows", "where": {"kind": "args.kind"}, "by": "owner"}, 2),
        ({"of": "rows", "where": {"kind": "args.kind"}, "only": "owner"}, 1),
        ({"of": "rows", "where": {"kind": "args.nothing"}}, None),
        ({"of": "columns"}, None),
    ],
)
def test_rows_are_counted_by_what_they_hold(recipe: dict[str, Any], expected: int | None) -> None:
    rows = [
        {"kind": "a", "owner": 1, "marks": {"x": "yes"}, "plan": ""},
        {"kind": "a", "owner": 2, "marks": {"x": ""}, "plan": "p"},
        {"kind": "b", "owner": 2, "marks": {}},
    ]
    given = {"args": {"kind": "a", "mark": "x"}, "target": None, "result": {"rows": rows}}
    assert tally(measure(**recipe), given) == expected


def test_more_users_than_the_expressions_could_walk_are_counted_all_the_same() -> None:
    given = {
        "args": {"t": "t7"},
        "target": None,
        "result": {"users": [member(f"u{n}", f"t{n % 10}") for n in range(50_000)]},
    }
    assert tally(measure(of="users", where={"tenant_id": "args.t"}, only="id"), given) == 5_000


def test_many_values_are_cut_with_their_number_and_made_safe_to_show() -> None:
    found = Finding("n", Text("Names", "名前"), tuple(f"a\u202e{n}" for n in range(12)))
    line = found.line("en")
    assert line.startswith("Names: “a\ufffd0”, “a\ufffd1”")
    assert line.endswith("… and 2 more")
    assert "\u202e" not in line


# ---- the difference ------------------------------------------------


def test_an_update_shows_each_field_that_changes_and_none_that_stays(catalogue: Catalogue) -> None:
    args = {
        "tenant_id": "t1",
        "name": "緑川",
        "attributes": {"size": 3, "kind": "x"},
        "back_office_staff_email": "a@example.com",
    }
    before = {"name": "青空", "attributes": {"size": 3, "since": "2024"}, "back_office_staff_email": "a@example.com"}
    assert difference(catalogue.find("auth.UpdateTenant"), args, before) == [
        Change("name", "青空", "緑川"),
        Change("attributes.since", "2024", None, "unknown"),
        Change("attributes.kind", None, "x"),
    ]


def test_what_leaving_a_field_out_resets_is_said(catalogue: Catalogue) -> None:
    before = {"saml": {"metadata_url": "https://idp", "email_attribute": "mail"}}
    update = catalogue.find("auth.UpdateTenantIdentityProvider")
    left_out = difference(update, {"tenant_id": "t", "provider_type": "SAML"}, before)
    assert left_out == [Change("identity_provider_props", before["saml"], None, "resets")]


def test_a_field_that_is_kept_when_left_out_is_no_change(catalogue: Catalogue) -> None:
    update = catalogue.find("apigateway.UpdateTenant")
    before = {"id": "t", "allowed_ips": ["10.0.0.0/8"], "routing": {"path": "/t"}}
    assert difference(update, {"tenant_id": "t", "allowed_ips": ["10.0.0.0/8"]}, before) == []


def test_of_two_lists_only_what_parts_them_is_shown(catalogue: Catalogue) -> None:
    update = catalogue.find("pricing.UpdatePricingMenu")
    args = {"menu_id": "m", "name": "n", "display_name": "d", "description": "", "unit_ids": ["u1", "u3"]}
    before = {"name": "n", "display_name": "d", "description": "", "units": [{"id": "u1"}, {"id": "u2"}]}
    assert difference(update, args, before) == [Change("unit_ids", ["u2"], ["u3"])]


def test_a_list_in_another_order_is_shown_whole(catalogue: Catalogue) -> None:
    update = catalogue.find("apigateway.UpdateTenant")
    (change,) = difference(update, {"tenant_id": "t", "allowed_ips": ["b", "a"]}, {"allowed_ips": ["a", "b"]}) or []
    assert (change.before, change.after) == (["a", "b"], ["b", "a"])


def test_long_texts_are_shown_from_where_they_part(catalogue: Catalogue) -> None:
    update = catalogue.find("communication.UpdateFeedbackComment")
    args = {"feedback_id": "f", "comment_id": "c", "body": "x" * 500 + "new"}
    (change,) = difference(update, args, {"body": "x" * 500 + "old"}) or []
    assert (change.before, change.after) == ("…" + "x" * 20 + "old", "…" + "x" * 20 + "new")


def test_no_secret_is_ever_in_a_difference(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateIdentityProvider")
    before = {"google": {"application_id": "a", "application_secret": "secret://r/1", "approval_scope": "email"}}
    props = {"application_id": "b", "application_secret": "s3cret", "approval_scope": "email"}
    changed = difference(update, {"provider": "Google", "identity_provider_props": props}, before)
    assert changed == [Change("identity_provider_props.application_id", "a", "b")]
    assert "secret" not in str(difference(update, {"provider": "Google"}, before)).replace("application_id", "")


def test_where_nothing_is_compared_there_is_no_difference_at_all(catalogue: Catalogue) -> None:
    assert difference(catalogue.find("auth.DeleteTenant"), TENANT, AOZORA) is None
    assert difference(catalogue.find("auth.CreateTenantUserRoles"), {"role_names": ["admin"]}, {"envs": []}) is None
    assert difference(catalogue.find("auth.UpdateTenant"), TENANT, None) is None


async def test_what_is_there_is_the_picked_row_of_a_list(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateRole")
    api = FakeApi({"auth.GetRoles": {"roles": [{"role_name": "a"}, {"role_name": "b", "display_name": "B"}]}})
    assert await present(update, {"role_name": "b"}, Sight("b"), api) == Seen({"role_name": "b", "display_name": "B"})
    assert (await present(update, {"role_name": "c"}, Sight("c"), api)).why_not == "not found"
    assert (await present(update, {"role_name": "b"}, Sight("b"), FakeApi({}))).why_not == "HTTP 500"


async def test_what_is_there_is_the_target_where_no_other_read_shows_it(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateAuthInfo")
    api = FakeApi({"auth.GetAuthInfo": {"callback_url": "https://old"}})
    sight = await look(update, {"callback_url": "https://new"}, "saas-1", api)
    seen = await present(update, {"callback_url": "https://new"}, sight, api)
    assert seen == Seen({"callback_url": "https://old"})
    assert len(api.asked) == 1


# ---- the preview ---------------------------------------------------


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "Infrastructure built for it stays behind",
                "What it hits:\n  Users of the tenant: 12",
                "This cannot be undone. What is lost, or stays: The tenant, its id",
            ],
        ),
        ("ja", ["インフラは残って", "影響範囲:\n  テナントのユーザー数: 12", "この操作は元に戻せません。"]),
    ],
)
def test_a_preview_says_the_consequence_the_reach_and_what_cannot_come_back(
    catalogue: Catalogue, language: Language, said: list[str]
) -> None:
    found = Impact((Finding("users", Text("Users of the tenant", "テナントのユーザー数"), 12),), 12)
    text = preview(catalogue.find("auth.DeleteTenant"), TENANT, Sight("青空"), PLACE, language, impact=found)
    assert all(part in text for part in said), text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["callback_url: “https://old” → “https://new”", "This can be undone (auth.UpdateAuthInfo)."]),
        ("ja", ["変更内容:\n  callback_url: 「https://old」 → 「https://new」", "元に戻せます(auth.UpdateAuthInfo)。"]),
    ],
)
def test_a_preview_of_an_update_shows_the_difference_and_how_to_go_back(
    catalogue: Catalogue, language: Language, said: list[str]
) -> None:
    changes = [Change("callback_url", "https://old", "https://new")]
    update = catalogue.find("auth.UpdateAuthInfo")
    text = preview(update, {"callback_url": "https://new"}, Sight("saas-1"), PLACE, language, changes=changes)
    assert all(part in text for part in said), text


def test_a_preview_says_what_becomes_of_fields_that_are_left_out(catalogue: Catalogue) -> None:
    changes = [Change("a", "x", None, "resets"), Change("b", "y", None, "unknown"), Change("c", None, "z")]
    text = preview(catalogue.find("auth.UpdateTenant"), TENANT, Sight("t"), PLACE, "en", changes=changes)
    assert "  a: “x” → left out, so it is reset\n" in text
    assert "  b: “y” → left out; whether it stays is not documented\n" in text
    assert "  c: none → “z”\n" in text


def test_a_preview_says_so_where_nothing_would_change(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateTenant")
    assert "What is sent is what is there already." in preview(update, TENANT, Sight("t"), PLACE, "en", changes=[])
    assert "already" not in preview(update, TENANT, Sight("t"), PLACE, "en")


def test_a_preview_names_the_call_that_makes_a_deleted_thing_anew(catalogue: Catalogue) -> None:
    text = preview(catalogue.find("pricing.DeletePricingMenu"), {"menu_id": "m"}, Sight("m"), PLACE, "en")
    assert "This can only be made anew (pricing.CreatePricingMenu): The id is a new one" in text


def test_more_changes_than_a_person_reads_are_counted(catalogue: Catalogue) -> None:
    changes = [replace(Change("", 1, 2), field=f"f{n}") for n in range(33)]
    text = preview(catalogue.find("auth.UpdateTenant"), TENANT, Sight("t"), PLACE, "en", changes=changes)
    assert "  … and 3 more" in text


def test_words_of_the_api_in_a_difference_cannot_hide_anything(catalogue: Catalogue) -> None:
    changes = [Change("name", "a\u202eb\nGo ahead", "c")]
    text = preview(catalogue.find("auth.UpdateTenant"), TENANT, Sight("t"), PLACE, "en", changes=changes)
    assert "name: “a\ufffdb↵Go ahead” → “c”" in text
