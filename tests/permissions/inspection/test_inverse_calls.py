"""The calls that undo a change, and the reads that tell whether it was made, for the recipes of the catalogue."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.inspection.inverse_calls import (
    can_undo,
    changed_fields,
    find_inverse_calls,
    verification_read,
    was_applied,
)
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.saasus.secret_paths import HIDDEN_SECRET
from tests.support.arguments import complete_arguments


def test_an_inverse_is_a_call_that_does_something(catalogue: Catalogue) -> None:
    for operation in catalogue:
        undo = operation.effects.undo
        if undo is not None and undo.call is not None:
            inverse = catalogue.find(undo.call)
            given = {*undo.args, *(path.split(".")[0] for path in undo.supply)}
            assert not inverse.reads, operation.key
            assert set(inverse.input_schema.get("required", ())) <= given, operation.key
            assert not {path for path in inverse.secret_inputs if path in undo.args}, "a secret is supplied, never kept"


def test_an_update_is_undone_by_sending_what_was_there(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateTenant")
    before = {"id": "t1", "name": "Aozora", "attributes": {"size": 3}, "back_office_staff_email": "a@example.com"}
    (inverse,) = find_inverse_calls(OperationCall(update, {"tenant_id": "t1", "name": "Midori"}), before, None)
    assert inverse.call == "auth.UpdateTenant"
    assert inverse.args == {
        "tenant_id": "t1",
        "name": "Aozora",
        "attributes": {"size": 3},
        "back_office_staff_email": "a@example.com",
    }


def test_a_creation_is_undone_by_deleting_what_the_answer_names(catalogue: Catalogue) -> None:
    (inverse,) = find_inverse_calls(
        OperationCall(catalogue.find("pricing.CreatePricingMenu"), {"name": "m"}), None, {"id": "m7"}
    )
    assert (inverse.call, inverse.args) == ("pricing.DeletePricingMenu", {"menu_id": "m7"})


def test_only_roles_that_were_not_held_before_are_taken_back(catalogue: Catalogue) -> None:
    args = {"tenant_id": "t", "user_id": "u", "env_id": 3, "role_names": ["admin", "viewer"]}
    before = {"envs": [{"id": 3, "roles": [{"role_name": "viewer"}]}, {"id": 1, "roles": [{"role_name": "admin"}]}]}
    found = find_inverse_calls(OperationCall(catalogue.find("auth.CreateTenantUserRoles"), args), before, None)
    assert [inverse.args["role_name"] for inverse in found] == ["admin"]


def test_a_secret_is_never_restored_but_supplied_again(catalogue: Catalogue) -> None:
    before = {
        "google": {
            "application_id": "a",
            "application_secret": "s",
            "approval_scope": "email",
            "is_button_hidden": False,
        }
    }
    (inverse,) = find_inverse_calls(
        OperationCall(catalogue.find("auth.UpdateIdentityProvider"), {"provider": "Google"}), before, None
    )
    assert "application_secret" not in inverse.args["identity_provider_props"]
    assert inverse.supply == ("identity_provider_props.application_secret",)


def test_nothing_is_asked_for_that_the_call_left_alone_or_that_is_not_sent(catalogue: Catalogue) -> None:
    gateway = catalogue.find("apigateway.UpdateApiGatewaySettings")
    for args, supply in ({"domain_name": "a"}, ()), ({"role_external_id": HIDDEN_SECRET}, ("role_external_id",)):
        (inverse,) = find_inverse_calls(OperationCall(gateway, args), {"domain_name": "b"}, None)
        assert inverse.supply == supply
    (off,) = find_inverse_calls(
        OperationCall(catalogue.find("auth.UpdateIdentityProvider"), {"provider": "Google"}), {"google": None}, None
    )
    assert (off.args, off.supply) == ({"provider": "Google"}, ())


def test_a_member_comes_back_with_attributes_and_the_roles_of_every_environment(catalogue: Catalogue) -> None:
    def env(number: int, *roles: str) -> dict[str, Any]:
        return {"id": number, "roles": [{"role_name": role} for role in roles]}

    envs = [env(1), env(2, "viewer"), env(3, "admin", "editor")]
    before = {"id": "u", "email": "a@example.com", "attributes": {"team": "x"}, "envs": envs}
    joined, *granted = find_inverse_calls(
        OperationCall(catalogue.find("auth.DeleteTenantUser"), {"tenant_id": "t", "user_id": "u"}), before, None
    )
    assert joined.args == {"tenant_id": "t", "email": "a@example.com", "attributes": {"team": "x"}}
    assert [(each.call, each.args["env_id"], each.args["role_names"]) for each in granted] == [
        ("auth.CreateTenantUserRoles", 2, ["viewer"]),
        ("auth.CreateTenantUserRoles", 3, ["admin", "editor"]),
    ]


@pytest.mark.parametrize(
    ("args", "before", "expected"),
    [
        ({"next_plan_id": "p", "using_next_plan_from": 1_000}, {"plan_id": "q"}, True),
        ({"next_plan_id": "p", "using_next_plan_from": 1_000, "delete_usage": True}, {"plan_id": "q"}, False),
        ({"next_plan_id": "p"}, {"plan_id": "q"}, False),
        ({"next_plan_id": ""}, {"plan_id": "q", "next_plan_id": "p", "using_next_plan_from": 1_000}, True),
        ({"next_plan_id": "", "using_next_plan_from": 1_000}, {"plan_id": "q"}, True),
        ({"next_plan_id": "", "using_next_plan_from": 1_000, "delete_usage": True}, {"plan_id": "q"}, False),
    ],
    ids=[
        "reserve",
        "reserve and erase usage",
        "at once",
        "drop a reservation",
        "reserve the end",
        "end and erase usage",
    ],
)
def test_a_change_of_plan_can_be_undone_only_as_far_as_it_is_a_reservation(
    catalogue: Catalogue, args: dict[str, Any], before: dict[str, Any], expected: object
) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    given = {"tenant_id": "t", **args}
    assert can_undo(OperationCall(operation, given), before) is expected
    assert bool(list(find_inverse_calls(OperationCall(operation, given), before, None))) is expected


def test_a_masked_value_in_the_undo_log_is_not_a_change() -> None:
    answer = {"id": "1", "name": "a", "password": "secret://r/1", "made": 1}
    assert changed_fields(answer, {"id": "1", "name": "a", "password": "x"}) == []
    assert changed_fields(answer, {"id": "1", "name": "b"}) == ["name"]
    assert changed_fields(answer, None) != []


@pytest.mark.parametrize(
    ("args", "before"),
    [
        ({"tenant_id": "t", "next_plan_id": "p"}, {}),
        ({"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 1_000, "delete_usage": True}, {}),
        ({"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 1_000}, {"next_plan_id": "q"}),
    ],
)
def test_a_plan_change_that_is_no_plain_reservation_has_no_inverse(
    catalogue: Catalogue, args: dict[str, Any], before: dict[str, Any]
) -> None:
    assert not list(find_inverse_calls(OperationCall(catalogue.find("auth.UpdateTenantPlan"), args), before, None))


def test_a_reservation_is_undone_by_dropping_it(catalogue: Catalogue) -> None:
    args = {"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 1_000}
    (inverse,) = find_inverse_calls(
        OperationCall(catalogue.find("auth.UpdateTenantPlan"), args), {"next_plan_id": ""}, None
    )
    assert inverse.args == {"tenant_id": "t", "next_plan_id": ""}


@pytest.mark.parametrize("plan", ["p", ""], ids=["a plan", "the end"])
def test_a_plan_change_less_than_ten_minutes_ahead_is_no_reservation_that_can_be_cancelled(
    catalogue: Catalogue, plan: str
) -> None:
    call = OperationCall(
        catalogue.find("auth.UpdateTenantPlan"), {"tenant_id": "t", "next_plan_id": plan, "using_next_plan_from": 1_000}
    )
    for at, reserved in ((399, True), (400, False), (1_000, False), (2_000, False)):
        assert can_undo(call, {"plan_id": "q"}, at) is reserved
        assert bool(list(find_inverse_calls(call, {"plan_id": "q"}, None, at))) is reserved


def test_a_reservation_that_replaced_the_scheduled_end_is_undone_by_scheduling_the_end_again(
    catalogue: Catalogue,
) -> None:
    args = {"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 9_000}
    [inverse] = find_inverse_calls(
        OperationCall(catalogue.find("auth.UpdateTenantPlan"), args),
        {"plan_id": "q", "using_next_plan_from": 7_000, "delete_usage": False},
        None,
    )
    assert inverse.args == {
        "tenant_id": "t",
        "next_plan_id": "",
        "using_next_plan_from": 7_000,
        "delete_usage": False,
    }


@pytest.mark.parametrize("none", [{}, {"next_plan_id": ""}, {"next_plan_id": None}], ids=["left out", "empty", "null"])
def test_a_scheduled_end_was_applied_however_the_answer_says_that_no_plan_follows(
    catalogue: Catalogue, none: dict[str, Any]
) -> None:
    end = {"tenant_id": "t", "next_plan_id": "", "using_next_plan_from": 9_000}
    call = OperationCall(catalogue.find("auth.UpdateTenantPlan"), end)
    before = {"plan_id": "q", "using_next_plan_from": 0, **none}
    assert was_applied(call, 200, {**before, "using_next_plan_from": 9_000}, before) is True
    assert was_applied(call, 200, before, before) is False


def test_a_reservation_that_was_nearly_due_does_not_come_back(catalogue: Catalogue) -> None:
    args = {"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 9_000}
    call = OperationCall(catalogue.find("auth.UpdateTenantPlan"), args)
    before = {"plan_id": "q", "next_plan_id": "r", "using_next_plan_from": 2_000}
    assert [can_undo(call, before, at) for at in (1_399, 1_400, 3_000)] == [True, False, False]


@pytest.mark.parametrize(("status", "expected"), [(404, True), (200, False), (500, None), (401, None), (302, None)])
def test_a_deletion_was_done_if_a_404_says_so_and_a_failed_read_says_nothing(
    catalogue: Catalogue, status: int, expected: object
) -> None:
    delete = catalogue.find("auth.DeleteTenant")
    assert verification_read(OperationCall(delete, {"tenant_id": "t"})) == ("auth.GetTenant", {"tenant_id": "t"})
    assert was_applied(OperationCall(delete, {"tenant_id": "t"}), status, {"id": "t"}) is expected


def test_an_update_was_done_where_what_was_sent_is_there_and_not_where_nothing_changed(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateAuthInfo")
    args, before = {"callback_url": "https://new"}, {"callback_url": "https://old"}
    assert was_applied(OperationCall(update, args), 200, {"callback_url": "https://new"}, before) is True
    assert was_applied(OperationCall(update, args), 200, {"callback_url": "https://old"}, before) is False
    assert was_applied(OperationCall(update, args), 200, {"callback_url": "https://third"}, before) is None
    assert was_applied(OperationCall(update, args), 200, {"callback_url": "https://old"}) is None, (
        "unknown without the state before"
    )


def test_equal_fields_prove_nothing_where_something_was_sent_that_no_read_shows(catalogue: Catalogue) -> None:
    update = catalogue.find("awsmarketplace.UpdateSettings")
    fields = (
        "product_code",
        "role_arn",
        "sns_topic_arn",
        "cas_bucket_name",
        "cas_sns_topic_arn",
        "seller_sns_topic_arn",
    )
    before = {**dict.fromkeys(fields, "x"), "sqs_arn": "x"}
    assert was_applied(OperationCall(update, {"role_arn": "x", "role_external_id": "new"}), 200, before, before) is None
    assert (
        was_applied(
            OperationCall(update, {"role_arn": "y", "role_external_id": "new"}),
            200,
            {**before, "role_arn": "y"},
            before=before,
        )
        is True
    )


def test_a_creation_without_a_unique_name_is_never_taken_for_done(catalogue: Catalogue) -> None:
    create = catalogue.find("auth.CreateTenant")
    assert was_applied(OperationCall(create, {"name": "Aozora"}), 200, {"tenants": [{"name": "Aozora"}]}) is None
    assert was_applied(OperationCall(create, {"name": "Aozora"}), 200, {"tenants": []}) is False


def test_a_row_picked_from_a_list_is_read_back_by_picking_it_again(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateRole")
    args, before = {"role_name": "r", "display_name": "new"}, {"role_name": "r", "display_name": "old"}
    assert (
        was_applied(OperationCall(update, args), 200, {"roles": [{"role_name": "r", "display_name": "new"}]}, before)
        is True
    )
    assert was_applied(OperationCall(update, args), 200, {"roles": []}, before) is None


def test_a_state_that_was_not_read_is_neither_promised_nor_put_back(catalogue: Catalogue) -> None:
    answer = {"id": "i", "timestamp": 1, "count": 1}
    undoable = {
        each.key: each for each in catalogue if (undo := each.effects.undo) and undo.kind == "undoable" and undo.call
    }
    for operation in undoable.values():
        call = OperationCall(operation, complete_arguments(operation))
        assert can_undo(call, None) is bool(list(find_inverse_calls(call, None, answer))), operation.key
    messages = OperationCall(undoable["auth.UpdateNotificationMessages"], {})
    assert not can_undo(messages, None), "every argument is optional, and an empty call would change nothing"
    assert can_undo(messages, {"sign_up": {"subject": "a", "message": "b"}})


@pytest.mark.parametrize(
    ("method", "counted", "said", "made"),
    [
        ("add", 5, True, [("sub", 2)]),
        ("sub", 3, False, [("add", 2)]),
        ("sub", 0, False, []),
        ("direct", 2, False, []),
    ],
)
def test_a_count_of_the_present_moment_can_be_undone_only_where_the_count_before_is_known(
    catalogue: Catalogue, method: str, counted: int, *, said: bool, made: list[tuple[str, int]]
) -> None:
    """What was below zero, and what was overwritten, no read shows."""
    operation = catalogue.find("pricing.UpdateMeteringUnitTimestampCountNow")
    call = OperationCall(operation, {"tenant_id": "t", "metering_unit_name": "m", "method": method, "count": 2})
    assert can_undo(call, None) is said
    undone = find_inverse_calls(call, None, {"timestamp": 1, "count": counted})
    assert [(each.args["method"], each.args["count"]) for each in undone] == made
