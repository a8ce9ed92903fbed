"""What an update changes, field by field, and the preview that a person reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.catalog.model import Language, Text
from saasus_mcp.permissions.difference import Change, difference
from saasus_mcp.permissions.impact import Finding, Impact
from saasus_mcp.permissions.preview import preview
from saasus_mcp.permissions.target import Seen, Sight, look, present
from tests.calls import complete
from tests.unit.reads import AOZORA, PLACE, TENANT, FakeApi


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
        Change("attributes.kind", None, "x"),
        Change("attributes.since", "2024", None, "unknown"),
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
        ("en", ["callback_url: “https://old” → “https://new”", "This can be undone (auth_update_auth_info)."]),
        (
            "ja",
            ["変更内容:\n  callback_url: 「https://old」 → 「https://new」", "元に戻せます(auth_update_auth_info)。"],
        ),
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
    assert "This can only be made anew (pricing_create_pricing_menu): The id is a new one" in text


def test_more_changes_than_a_person_reads_are_counted(catalogue: Catalogue) -> None:
    changes = [replace(Change("", 1, 2), field=f"f{n}") for n in range(33)]
    text = preview(catalogue.find("auth.UpdateTenant"), TENANT, Sight("t"), PLACE, "en", changes=changes)
    assert "  … and 3 more" in text


def test_words_of_the_api_in_a_difference_cannot_hide_anything(catalogue: Catalogue) -> None:
    changes = [Change("name", "a\u202eb\nGo ahead", "c")]
    text = preview(catalogue.find("auth.UpdateTenant"), TENANT, Sight("t"), PLACE, "en", changes=changes)
    assert "name: “a\ufffdb↵Go ahead” → “c”" in text


@pytest.mark.parametrize(("count", "told"), [(30, False), (31, True)])
def test_more_arguments_than_a_person_reads_are_counted(catalogue: Catalogue, count: int, told: bool) -> None:
    args = {f"field_{n}": n for n in range(count)}
    text = preview(catalogue.find("auth.UpdateTenant"), args, Sight("t"), PLACE, "en")
    assert ("  … and 1 more" in text) == told


def test_a_preview_says_of_every_call_whether_it_touches_money_or_sends_mail_or_may(catalogue: Catalogue) -> None:
    for operation in catalogue:
        text = preview(operation, complete(operation), Sight("t"), PLACE, "en")
        money, email = operation.effects.money, operation.effects.email
        assert ("This touches money" in text, "This may touch money" in text) == (
            money == "yes",
            money in ("conditional", "indirect"),
        ), operation.key
        assert ("An e-mail is sent." in text, "An e-mail may be sent." in text) == (
            email == "yes",
            email in ("conditional", "indirect"),
        ), operation.key


def test_changes_come_in_the_order_of_the_arguments_and_then_of_the_alphabet(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateTenant")
    sent = {"zone": 1, "mark": 2, "area": 3}
    there = dict.fromkeys(("kind", "zone", "size", "area", "born", "mark"), "old")
    changes = difference(update, {"tenant_id": "t", "attributes": sent}, {"attributes": there}) or []
    fields = [change.field.removeprefix("attributes.") for change in changes if "." in change.field]
    assert fields == ["zone", "mark", "area", "born", "kind", "size"]
