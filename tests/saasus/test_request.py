"""Building a request from checked arguments."""

from __future__ import annotations

import json

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.request import ApiRequest, build_request
from tests.support.arguments import complete_arguments, minimal_arguments


def make_request(catalogue: Catalogue, key: str, **arguments: object) -> ApiRequest:
    operation = catalogue.find(key)
    return build_request(operation, check_arguments(operation, arguments))


def test_a_path_value_is_one_encoded_segment(catalogue: Catalogue) -> None:
    request = make_request(catalogue, "auth.GetTenant", tenant_id="a/b?c#d%2e é株")
    assert request.target == "/v1/auth/tenants/a%2Fb%3Fc%23d%252e%20%C3%A9%E6%A0%AA"
    assert (request.method, request.body) == ("GET", None)


def test_several_path_values_stand_where_the_template_has_them(catalogue: Catalogue) -> None:
    request = make_request(
        catalogue, "auth.DeleteTenantUserRole", tenant_id="{user_id}", user_id="u", env_id=3, role_name="r"
    )
    assert request.target == "/v1/auth/tenants/%7Buser_id%7D/users/u/envs/3/roles/r"


def test_an_integer_in_the_path_is_its_digits(catalogue: Catalogue) -> None:
    assert make_request(catalogue, "auth.GetEnv", env_id=2).target.endswith("/envs/2")
    assert make_request(catalogue, "auth.GetEnv", env_id=2.0).target.endswith("/envs/2")


def test_an_array_in_the_query_repeats_its_key_and_an_empty_one_is_left_out(catalogue: Catalogue) -> None:
    request = make_request(catalogue, "awsmarketplace.GetCustomers", tenant_ids=["a b", "a+b", "ü"])
    assert request.target.endswith("/customers?tenant_ids=a%20b&tenant_ids=a%2Bb&tenant_ids=%C3%BC")
    assert "?" not in make_request(catalogue, "awsmarketplace.GetCustomers", tenant_ids=[]).target
    assert "?" not in make_request(catalogue, "awsmarketplace.GetCustomers").target


def test_a_query_keeps_its_documented_order_and_wire_names(catalogue: Catalogue) -> None:
    request = make_request(
        catalogue, "auth.GetAuthCredentials", **{"refresh-token": "r&t", "auth-flow": "refreshTokenAuth"}
    )
    assert request.target.split("?")[1].count("=") == 2
    assert "refresh-token=r%26t" in request.target


def test_a_boolean_in_a_body_is_a_boolean_and_text_stays_as_it_is(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.UpdateSingleTenantSettings")
    arguments = minimal_arguments(operation) | {"enabled": False}
    request = build_request(operation, check_arguments(operation, arguments))
    assert request.body is not None
    assert json.loads(request.body)["enabled"] is False


def test_a_body_is_compact_utf8_in_the_order_given(catalogue: Catalogue) -> None:
    request = make_request(catalogue, "auth.CreateRole", role_name="管理者", display_name='a "b"\n')
    assert request.body == '{"role_name":"管理者","display_name":"a \\"b\\"\\n"}'.encode()


def test_a_canonical_request_is_the_same_for_fields_in_another_order_only(catalogue: Catalogue) -> None:
    one = make_request(catalogue, "auth.CreateRole", role_name="管理者", display_name="a")
    other = make_request(catalogue, "auth.CreateRole", display_name="a", role_name="管理者")
    swapped = make_request(catalogue, "auth.CreateRole", role_name="a", display_name="管理者")
    assert one != other
    assert one.canonical() == other.canonical() != swapped.canonical()


def test_an_operation_with_a_body_of_which_no_field_is_sent_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(InvalidArguments, match="at least one field"):
        make_request(catalogue, "auth.UpdateSingleTenantSettings")


def test_path_and_query_values_are_not_in_the_body(catalogue: Catalogue) -> None:
    for operation in catalogue:
        request = build_request(operation, check_arguments(operation, complete_arguments(operation)))
        if request.body is not None:
            outside = {*operation.path_parameters, *operation.query_parameters}
            assert not outside & set(json.loads(request.body)), operation.key


def test_building_changes_nothing_and_gives_the_same_again(catalogue: Catalogue) -> None:
    for operation in catalogue:
        arguments = check_arguments(operation, complete_arguments(operation))
        before = json.dumps(arguments)
        assert build_request(operation, arguments) == build_request(operation, arguments), operation.key
        assert json.dumps(arguments) == before


@pytest.mark.parametrize("value", ["", " ", ".", "..", "a/../b", "a\\..", "a\nb", "a\x00", "\x9f"])
def test_a_path_value_that_could_go_elsewhere_is_refused_by_name(catalogue: Catalogue, value: str) -> None:
    with pytest.raises(InvalidArguments) as caught:
        make_request(catalogue, "auth.GetTenantUser", tenant_id="t", user_id=value)
    assert caught.value.field == "user_id"


def test_every_ambiguous_value_the_routes_have_is_refused(catalogue: Catalogue) -> None:
    tried = 0
    for operation in catalogue:
        for collision in operation.ambiguous:
            tried += 1
            with pytest.raises(InvalidArguments) as caught:
                build_request(operation, check_arguments(operation, {**complete_arguments(operation), **collision}))
            assert caught.value.field in collision, operation.key
    assert tried >= 15


def test_nobody_is_changed_in_all_tenants_in_place_of_one(catalogue: Catalogue) -> None:
    changes = [each for each in catalogue if "/tenants/{tenant_id}/users" in each.path and each.method != "GET"]
    assert {each.method for each in changes} == {"POST", "PATCH", "DELETE"}
    for operation in changes:
        with pytest.raises(InvalidArguments) as caught:
            build_request(operation, check_arguments(operation, {**complete_arguments(operation), "tenant_id": "all"}))
        assert caught.value.field == "tenant_id", operation.key


def test_the_digest_tells_apart_what_differs_in_any_part() -> None:
    base = ApiRequest("auth.X", "POST", "/v1/a", b"{}")
    others = [
        ApiRequest("auth.Y", "POST", "/v1/a", b"{}"),
        ApiRequest("auth.X", "PUT", "/v1/a", b"{}"),
        ApiRequest("auth.X", "POST", "/v1/b", b"{}"),
        ApiRequest("auth.X", "POST", "/v1/a", b"{} "),
        ApiRequest("auth.X", "POST", "/v1/a{", b"}"),
        ApiRequest("auth.XP", "POST", "OST/v1/a", b"{}"),
    ]
    assert len({base.digest(), *(request.digest() for request in others)}) == 7
    assert base.digest() == ApiRequest("auth.X", "POST", "/v1/a", b"{}").digest()


@pytest.mark.parametrize("value", ["", " ", "\u3000\t"])
def test_a_required_query_value_that_is_empty_is_refused_by_every_operation(catalogue: Catalogue, value: str) -> None:
    tried = 0
    for operation in catalogue:
        fields = operation.input_schema.get("properties", {})
        for name in set(operation.query_parameters) & set(operation.input_schema.get("required", ())):
            if fields[name]["type"] == "string" and not {"enum", "format"} & fields[name].keys():
                tried += 1
                with pytest.raises(InvalidArguments, match="required, but empty") as caught:
                    build_request(operation, check_arguments(operation, {**complete_arguments(operation), name: value}))
                assert caught.value.field == name
    assert tried >= 5
