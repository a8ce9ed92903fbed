"""What an update changes, field by field."""

from __future__ import annotations

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.inspection.difference import FieldChange, compare_fields, differing_parts
from saasus_mcp.permissions.inspection.inspect import CallInspector
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from tests.support.reads import AOZORA, TENANT, FakeApi


def test_an_update_shows_each_field_that_changes_and_none_that_stays(catalogue: Catalogue) -> None:
    args = {
        "tenant_id": "t1",
        "name": "緑川",
        "attributes": {"size": 3, "kind": "x"},
        "back_office_staff_email": "a@example.com",
    }
    before = {"name": "青空", "attributes": {"size": 3, "since": "2024"}, "back_office_staff_email": "a@example.com"}
    assert compare_fields(OperationCall(catalogue.find("auth.UpdateTenant"), args), before) == [
        FieldChange("name", "青空", "緑川"),
        FieldChange("attributes.kind", None, "x"),
        FieldChange("attributes.since", "2024", None, "unknown"),
    ]


def test_a_reset_by_an_omitted_field_is_reported(catalogue: Catalogue) -> None:
    before = {"saml": {"metadata_url": "https://idp", "email_attribute": "mail"}}
    update = catalogue.find("auth.UpdateTenantIdentityProvider")
    left_out = compare_fields(OperationCall(update, {"tenant_id": "t", "provider_type": "SAML"}), before)
    assert left_out == [FieldChange("identity_provider_props", before["saml"], None, "resets")]


def test_a_field_that_is_kept_when_left_out_is_no_change(catalogue: Catalogue) -> None:
    update = catalogue.find("apigateway.UpdateTenant")
    before = {"id": "t", "allowed_ips": ["10.0.0.0/8"], "routing": {"path": "/t"}}
    assert compare_fields(OperationCall(update, {"tenant_id": "t", "allowed_ips": ["10.0.0.0/8"]}), before) == []


def test_both_lists_are_shown_whole(catalogue: Catalogue) -> None:
    update = catalogue.find("pricing.UpdatePricingMenu")
    args = {"menu_id": "m", "name": "n", "display_name": "d", "description": "", "unit_ids": ["u1", "u3"]}
    before = {"name": "n", "display_name": "d", "description": "", "units": [{"id": "u1"}, {"id": "u2"}]}
    assert compare_fields(OperationCall(update, args), before) == [FieldChange("unit_ids", ["u1", "u2"], ["u1", "u3"])]


def test_a_list_in_another_order_is_shown_whole(catalogue: Catalogue) -> None:
    update = catalogue.find("apigateway.UpdateTenant")
    (change,) = (
        compare_fields(
            OperationCall(update, {"tenant_id": "t", "allowed_ips": ["b", "a"]}), {"allowed_ips": ["a", "b"]}
        )
        or []
    )
    assert (change.before, change.after) == (["a", "b"], ["b", "a"])


def test_items_of_a_long_list_are_equal_as_numbers_are() -> None:
    before, after = [{"amount": float(each)} for each in range(20)], [{"amount": each} for each in range(21)]
    assert differing_parts(before, after, 8) == ([], [{"amount": 20}])


def test_no_secret_is_ever_in_a_difference(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateIdentityProvider")
    before = {"google": {"application_id": "a", "application_secret": "secret://r/1", "approval_scope": "email"}}
    props = {"application_id": "b", "application_secret": "s3cret", "approval_scope": "email"}
    changed = compare_fields(OperationCall(update, {"provider": "Google", "identity_provider_props": props}), before)
    assert changed == [FieldChange("identity_provider_props.application_id", "a", "b")]
    assert "secret" not in str(compare_fields(OperationCall(update, {"provider": "Google"}), before)).replace(
        "application_id", ""
    )


def test_where_nothing_is_compared_there_is_no_difference_at_all(catalogue: Catalogue) -> None:
    assert compare_fields(OperationCall(catalogue.find("auth.DeleteTenant"), TENANT), AOZORA) is None
    assert (
        compare_fields(
            OperationCall(catalogue.find("auth.CreateTenantUserRoles"), {"role_names": ["admin"]}), {"envs": []}
        )
        is None
    )
    assert compare_fields(OperationCall(catalogue.find("auth.UpdateTenant"), TENANT), None) is None


async def test_the_current_state_is_the_picked_row_of_a_list(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateRole")
    api = FakeApi({"auth.GetRoles": {"roles": [{"role_name": "a"}, {"role_name": "b", "display_name": "B"}]}})

    async def there(name: str, api: FakeApi) -> ReadResult:
        args = {"role_name": name}
        inspector = CallInspector(OperationCall(update, args), "saas", api)
        return await inspector.read_before(await inspector.read_target())

    assert (await there("b", api)).answer == {"role_name": "b", "display_name": "B"}
    assert (await there("c", api)).read_error == "not_found"
    assert (await there("b", FakeApi({}))).read_error == "HTTP 500"


async def test_the_current_state_is_the_target_where_no_other_read_shows_it(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateAuthInfo")
    api = FakeApi({"auth.GetAuthInfo": {"callback_url": "https://old"}})
    inspector = CallInspector(OperationCall(update, {"callback_url": "https://new"}), "saas-1", api)
    sight = await inspector.read_target()
    seen = await inspector.read_before(sight)
    assert seen == ReadResult({"callback_url": "https://old"})
    assert len(api.asked) == 1


def test_changes_come_in_the_order_of_the_arguments_and_then_of_the_alphabet(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateTenant")
    sent = {"zone": 1, "mark": 2, "area": 3}
    there = dict.fromkeys(("kind", "zone", "size", "area", "born", "mark"), "old")
    changes = compare_fields(OperationCall(update, {"tenant_id": "t", "attributes": sent}), {"attributes": there}) or []
    fields = [change.field.removeprefix("attributes.") for change in changes if "." in change.field]
    assert fields == ["zone", "mark", "area", "born", "kind", "size"]
