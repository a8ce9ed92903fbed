"""Looking at a target: the name a person types, the fields that bind, and what is said where it cannot be seen."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.expressions import evaluate_over
from saasus_mcp.common.json_path import InvalidArguments
from saasus_mcp.permissions.inspection.inspect import CallInspector
from saasus_mcp.permissions.inspection.target import (
    NAME_ARGUMENTS,
    OWNER_ARGUMENTS,
    ApiReader,
    ReadResult,
    TargetSnapshot,
    clean_name,
    target_identity,
)
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.saasus.arguments import check_arguments
from saasus_mcp.saasus.response_body import parse_body
from tests.support.arguments import complete_arguments
from tests.support.gate import expected_name, target_answers
from tests.support.pipeline import invisible_characters


def reading(answer: Any, why_not: str = "") -> ApiReader:
    async def read(_: str, __: Mapping[str, Any]) -> ReadResult:
        return ReadResult(copy.deepcopy(answer), why_not)

    return read


async def read_target(
    operation: Operation, arguments: Mapping[str, Any], saas_id: str, read: ApiReader
) -> TargetSnapshot:
    return await CallInspector(OperationCall(operation, arguments), saas_id, read).read_target()


def grave(catalogue: Catalogue) -> list[Operation]:
    return [operation for operation in catalogue if operation.level in ("destructive", "critical")]


async def test_every_grave_operation_is_seen_with_its_name_and_all_it_binds(catalogue: Catalogue) -> None:
    for operation in grave(catalogue):
        [(key, answer)] = target_answers(catalogue, operation).items()
        asked: list[tuple[str, dict[str, Any]]] = []

        async def read(name: str, args: Mapping[str, Any], answer: Any = answer, asked: Any = asked) -> ReadResult:
            asked.append((name, dict(args)))
            return ReadResult(answer)

        sight = await read_target(operation, complete_arguments(operation), "saas-under-test", read)
        assert sight.name == expected_name(catalogue, operation), operation.key
        assert sight.read_error == ""
        of_target = [
            text for text in operation.effects.bind if not text.startswith("before.")
        ]  # another read shows the rest
        assert list(sight.fields) == of_target
        assert any(value is not None for value in sight.fields.values()), operation.key
        [(read_key, args)] = asked
        reader = catalogue.find(read_key)
        assert (read_key, reader.reads) == (key, True)
        assert set(reader.path_parameters) <= set(args)


async def test_every_grave_operation_that_cannot_be_seen_still_has_a_name_to_type(catalogue: Catalogue) -> None:
    for operation in grave(catalogue):
        for answer, why in ((None, "HTTP 500"), (None, "no_answer"), ({}, ""), ([], ""), ("text", ""), (None, "")):
            sight = await read_target(operation, complete_arguments(operation), "saas-under-test", reading(answer, why))
            target = operation.effects.target
            named = (target.identifying if target is not None else ()) or operation.path_parameters
            ids = [str(complete_arguments(operation)[name]) for name in named]
            assert sight.name in (ids or ["saas-under-test"]), operation.key
            assert sight.read_error == (why or sight.read_error)
            seen = (
                await read_target(
                    operation, complete_arguments(operation), "saas-under-test", _seen(catalogue, operation)
                )
            ).encoded
            assert sight.encoded != seen, operation.key


def _seen(catalogue: Catalogue, operation: Operation) -> ApiReader:
    [answer] = target_answers(catalogue, operation).values()
    return reading(answer)


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        ([], "not_found"),
        ([{"role_name": "other"}], "not_found"),
        ([{"role_name": "text-1"}, {"role_name": "text-1"}], "several"),
        ("not a list", "not_in_answer"),
        (["text-1"], "not_found"),
    ],
)
async def test_a_target_in_a_list_must_be_the_only_one(catalogue: Catalogue, roles: Any, why: str) -> None:
    operation = catalogue.find("auth.DeleteRole")
    sight = await read_target(operation, {"role_name": "text-1"}, "saas", reading({"roles": roles}))
    assert (sight.name, sight.read_error) == ("text-1", why)
    assert set(sight.fields.values()) == {None}


async def test_a_change_is_a_change_only_where_it_is_bound(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    tenant = {"id": "t", "name": "Acme", "plan_id": "p", "back_office_staff_email": "a@example.com"}

    async def bound(**changed: Any) -> str:
        return (await read_target(operation, {"tenant_id": "t"}, "saas", reading({**tenant, **changed}))).encoded

    assert await bound() == await bound(back_office_staff_email="b@example.com", unheard_of=1)
    different = {await bound(), await bound(name="Acme "), await bound(plan_id="q"), await bound(plan_id=None)}
    assert len(different) == 4


@pytest.mark.parametrize("value", ["\ud800", 2**70, -(2**70), float("nan"), float("inf"), 10**400], ids=ascii)
async def test_a_target_that_is_hard_to_read_is_no_crash(catalogue: Catalogue, value: Any) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    tenant = {"id": "t", "name": "Acme", "plan_id": value}
    sight = await read_target(operation, {"tenant_id": "t"}, "saas", reading(tenant))
    assert sight.name
    other = await read_target(operation, {"tenant_id": "t"}, "saas", reading({**tenant, "plan_id": "p"}))
    assert sight.encoded != other.encoded


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        (" Acme ", "Acme"),
        ("A\n B\t\u3000C", "A B C"),
        ("Cafe\u0301", "Café"),
        ("ＡＢＣ①㈱", "ＡＢＣ①㈱"),
        (None, ""),
        (3, "3"),
        ("\u200b\u200b", ""),
        ("A\u202eB", "A B"),
        ("x" * 500, f"{'x' * 139}…{'x' * 60}"),
    ],
)
def test_a_name_is_one_bounded_line_that_can_be_typed(name: object, plain: str) -> None:
    assert clean_name(name) == plain
    assert clean_name(plain) == plain


async def test_a_name_that_hides_something_is_shown_and_typed_without_it(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    for character in invisible_characters()[1:]:
        tenant = {"id": f"t{character}", "name": f"Ac{character}me", "plan_id": f"p{character}"}
        sight = await read_target(operation, {"tenant_id": "t"}, "saas", reading(tenant))
        assert sight.name in ("Ac me", "Acme"), ascii(character)


async def test_no_character_cuts_a_text_short_for_the_rules(catalogue: Catalogue) -> None:
    operation = catalogue.find("auth.DeleteTenant")
    answers = [
        parse_body(json.dumps({"id": "t", "name": "Acme", "plan_id": plan}).encode()).value
        for plan in ("p\0one", "p\0two")
    ]
    one, other = [(await read_target(operation, {"tenant_id": "t"}, "saas", reading(each))).encoded for each in answers]
    assert one != other
    creating = catalogue.find("auth.CreateSaasUser")
    with contextlib.suppress(InvalidArguments):
        values = check_arguments(creating, {"email": "a@example.com\x00@evil.example"})
        assert evaluate_over("args.email", {"args": values}) == values["email"], "the rules see what is sent"


def test_a_preview_shows_every_argument_but_no_secret(catalogue: Catalogue) -> None:
    for operation in catalogue:
        arguments = complete_arguments(operation)
        shown = OperationCall(operation, arguments).redacted_arguments()
        assert set(shown) == set(arguments)
        for path in operation.secret_inputs:
            value: Any = shown
            for step in path.split("."):
                value = value[step]
            leaves = value.values() if isinstance(value, dict) else [value]
            assert set(leaves) == {"[secret]"}, (operation.key, path)


def test_a_call_is_about_what_its_path_names_whatever_else_it_says(catalogue: Catalogue) -> None:
    """Over every operation that changes something: a rejection holds for all calls of one identity."""
    for operation in catalogue:
        if operation.reads:
            continue
        args = dict.fromkeys(operation.input_schema.get("properties", ()), "a")
        about = target_identity(OperationCall(operation, args))
        for name in args:
            other = target_identity(OperationCall(operation, {**args, name: "b"}))
            decides = name in (operation.path_parameters or OWNER_ARGUMENTS)
            creates = operation.effects.effect == "create" and name in NAME_ARGUMENTS
            if decides:
                assert other != about, (operation.key, name)
            elif not creates:
                assert other == about, (operation.key, name)
        for form in ("A", " a ", "\N{FULLWIDTH LATIN SMALL LETTER A}"):
            assert target_identity(OperationCall(operation, dict.fromkeys(args, form))) == about, operation.key


@pytest.mark.parametrize(
    ("key", "one", "other", "same"),
    [
        ("auth.CreateSaasUser", {"email": "a@x"}, {"email": "a@x", "sign_in_id": "b"}, True),
        ("auth.CreateSaasUser", {"email": "a@x"}, {"email": "b@x"}, False),
        ("auth.CreateRole", {"role_name": "r", "display_name": "One"}, {"role_name": "r", "display_name": "Two"}, True),
        ("auth.CreateRole", {"role_name": "r"}, {"role_name": "s"}, False),
        ("auth.CreateTenantUser", {"tenant_id": "t", "email": "a@x"}, {"tenant_id": "t", "email": "b@x"}, False),
        ("auth.UpdateBasicInfo", {"domain_name": "a"}, {"domain_name": "b"}, True),
        ("auth.UpdateTenantPlan", {"tenant_id": "t", "next_plan_id": "p"}, {"tenant_id": "t"}, True),
    ],
)
def test_created_objects_are_distinguished_by_name(
    catalogue: Catalogue, key: str, one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    operation = catalogue.find(key)
    assert (target_identity(OperationCall(operation, one)) == target_identity(OperationCall(operation, other))) == same
