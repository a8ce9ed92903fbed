"""The recipes of effects.yaml: their completeness, their errors, and their effects."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from saasus_mcp.catalog import Catalogue, load_catalogue, question_texts
from saasus_mcp.catalog.compile import __main__ as compiler
from saasus_mcp.catalog.compile import documents, effects, recipe_checks, recipe_defaults, recipes
from saasus_mcp.catalog.compile.operations import compile_operation
from saasus_mcp.catalog.compile.spec_file import SpecError
from saasus_mcp.catalog.expressions import evaluate_over
from saasus_mcp.permissions.inspection.inverse_calls import (
    can_undo,
    changed_fields,
    find_inverse_calls,
    verification_read,
    was_applied,
)
from saasus_mcp.saasus.secret_paths import HIDDEN_SECRET

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
BROKEN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff、。] [\u3040-\u30ff\u4e00-\u9fff]")
TYPED = [operation.key for operation in load_catalogue() if operation.level in ("destructive", "critical")]
SOURCES = list(documents.read_operations(compiler.SPECS))


@pytest.fixture(scope="module")
def effects_table() -> dict[str, Any]:
    """Return the rows of the YAML file."""
    operations: dict[str, Any] = yaml.safe_load((compiler.SPECS / "effects.yaml").read_text(encoding="utf-8"))
    return operations


@pytest.mark.slow
@pytest.mark.parametrize("key", TYPED)
def test_whoever_types_a_name_is_told_what_is_hit_and_what_follows(
    key: str, catalogue: Catalogue, effects_table: dict[str, Any]
) -> None:
    row, operation = effects_table[key], catalogue.find(key)
    assert operation.effects.impact or isinstance(row["impact"], str), "impact, or why nothing can be counted"
    assert operation.effects.verify or isinstance(row["verify"], str), "verify, or why nothing shows it"
    undo = operation.effects.undo
    assert undo is not None
    lost = undo.note if undo.kind != "undoable" else None
    sometimes = [line.text for line in question_texts.load_question_texts().rows[key].warn]
    follows = [text for text in (operation.effects.say, lost, *sometimes) if text is not None]
    assert follows or undo.kind == "undoable", "what follows, always or for some arguments"
    for text in follows:
        assert len(text.en) > 15
        assert JAPANESE.search(text.ja)


def test_every_operation_that_is_no_read_says_what_can_be_had_back(catalogue: Catalogue) -> None:
    for operation in catalogue:
        undo = operation.effects.undo
        assert (undo is None) == operation.reads, operation.key
        if undo is not None and undo.kind != "undoable":
            assert undo.note is not None, operation.key


def test_the_class_of_undo_is_what_the_row_says_of_reversibility(catalogue: Catalogue) -> None:
    for operation in catalogue:
        if operation.effects.undo is not None:
            assert operation.effects.undo.kind == recipes.UNDO_CLASSES[operation.effects.reversibility], operation.key


def test_every_word_of_the_recipes_is_there_in_both_languages(catalogue: Catalogue) -> None:
    for operation in catalogue:
        row = operation.effects
        notes = [row.undo.note] if row.undo and row.undo.note else []
        more = [text for text in (row.say, row.user_token) if text is not None]
        for text in (*(measure.label for measure in row.impact), *notes, *more):
            assert text.en, operation.key
            assert not JAPANESE.search(text.en), operation.key
            assert JAPANESE.search(text.ja), operation.key
            assert not BROKEN.search(text.ja), f"{operation.key}: a folded line left a space in {text.ja}"


def test_an_operation_that_needs_a_users_token_says_what_to_do_without_it(catalogue: Catalogue) -> None:
    needing = {operation.key for operation in catalogue if "access_token" in operation.secret_inputs}
    said = {operation.key for operation in catalogue if operation.effects.user_token is not None}
    assert said == needing | {"auth.GetUserInfo"}


def test_no_label_of_a_bound_field_is_an_expression(catalogue: Catalogue) -> None:
    texts = question_texts.load_question_texts()
    for operation in catalogue:
        for bound in operation.effects.bind:
            label = texts.field("", bound).label
            assert not re.search(r"\w\)$|=|\.", label.en.replace("(scopes)", "")), bound


def test_no_row_reads_more_than_a_preview_may(catalogue: Catalogue) -> None:
    for operation in catalogue:
        reads = {(item.read, str(item.args)) for item in operation.effects.impact if item.read}
        assert len(reads) <= recipes.MAX_READS, operation.key


def test_the_affected_users_are_one_of_the_counts(catalogue: Catalogue) -> None:
    for operation in catalogue:
        affected = operation.effects.affects_users
        if isinstance(affected, str):
            (measure,) = (item for item in operation.effects.impact if item.name == affected)
            assert measure.of or measure.count, operation.key


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (
            {"impact": {"users": {"label": {}, "of": "users", "show": "result.users"}}},
            "exactly one of count, of and show",
        ),
        ({"impact": {"users": {"count": "size(result.users"}}}, "'size(result.users' is not an expression over"),
        ({"impact": {"users": {"count": "1", "colour": "red"}}}, "impact.users.colour is unknown"),
        (
            {"impact": {str(at): {"read": "a", "args": {"x": f"'{at}'"}, "count": "1"} for at in range(7)}},
            "more than 6",
        ),
        ({"impact": {}, "affects_users": "users"}, "affects_users names 'users', which is not in impact"),
        ({"diff": {"read": "a", "now": "later"}}, "diff.now is 'later'"),
        ({"diff": {"read": "a", "omitted": "perhaps"}}, "diff.omitted is 'perhaps'"),
        ({"diff": {}}, "diff has no read, and the row has no target with one"),
        ({"verify": "as_sent"}, "verify as_sent needs a diff"),
        ({"verify": {"read": "a"}}, "verify.applied is missing"),
        (
            {"verify": {"read": "a", "applied": "answer.ok"}},
            "'answer.ok' is not an expression over args, before, result and status",
        ),
        ({"undo": {"class": "undoable"}}, "undo needs a note"),
        (
            {"undo": {"class": "lost", "note": {"en": "x", "ja": "x"}}},
            "undo.class is 'lost', but the reversibility",
        ),
        ({"undo": {"class": "undoable", "call": "again", "note": {"en": "x"}}}, "undo.note.ja is missing"),
        ({"undo": {}}, "undo.class is missing"),
        ({"reversibility": "n/a"}, "undo is missing"),
        ({"target": {"name": "'x'", "pick": {"from": "x"}}}, "target.pick.where is missing"),
        ({"undo": {"class": "undoable", "call": "again", "also": [{}]}}, "undo.also[0].call is missing"),
        ({"undo": {"class": "undoable", "call": "again", "args": "before"}}, "neither diff nor target has a read"),
        ({"impact": 3}, "impact is 3, not a text or a mapping"),
        ({"undo": {"class": "undoable", "call": "again", "also": [{"note": "x"}]}}, "undo.also[0].note is unknown"),
        ({"undo": {"class": "undoable", "call": "again", "when": "now.id == 1"}}, "is not an expression over"),
        ({"undo": {"class": "undoable", "call": "again", "left": "target.id == 1"}}, "is not an expression over"),
        ({"say": {"en": "x"}}, "say.ja is missing"),
    ],
)
def test_a_recipe_outside_its_vocabulary_does_not_compile(recipe: dict[str, Any], said: str) -> None:
    row = {"effect": "update", "level": "write", "reversibility": "reversible", **recipe}
    assert any(said in problem for problem in effects.find_effect_problems(row)), effects.find_effect_problems(row)


def test_a_read_has_nothing_to_undo() -> None:
    row = {"effect": "read", "level": "read", "undo": {"class": "undoable", "call": "again"}}
    assert "a read has no undo" in effects.find_effect_problems(row)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "recipe", "said"),
    [
        ("auth.DeleteTenant", {"impact": {"users": {"read": "auth.GetNobody", "count": "1"}}}, "which does not exist"),
        ("auth.DeleteTenant", {"impact": {"users": {"read": "auth.ResetPlan", "count": "1"}}}, "does more than read"),
        ("auth.DeleteTenant", {"impact": {"users": {"read": "auth.GetTenant", "count": "1"}}}, "needs tenant_id"),
        (
            "auth.DeleteTenant",
            {"impact": {"plan": {"read": "auth.GetTenants", "show": "result.tenants.map(t, t.plan)"}}},
            "selects t.plan, which does not exist",
        ),
        ("auth.DeleteTenant", {"impact": {"u": {"read": "auth.GetTenants", "of": "tenant"}}}, "there is no tenant"),
        (
            "auth.DeleteTenant",
            {
                "impact": {
                    "u": {"read": "auth.GetAllTenantUsers", "of": "users", "where": {"envs.role": "args.tenant_id"}}
                }
            },
            "there is no users.envs.role",
        ),
        (
            "auth.DeleteTenant",
            {"impact": {"u": {"show": "target.nickname"}}},
            "selects target.nickname, which does not exist",
        ),
        (
            "auth.UpdateRole",
            {"diff": {"read": "auth.GetAuthInfo", "now": {"colour": "result.callback_url"}}},
            "not an argument",
        ),
        (
            "pricing.DeletePricingUnit",
            {"verify": {"read": "pricing.GetPricingUnits", "applied": "status == 404"}},
            "a 404 that pricing.GetPricingUnits does not document",
        ),
        ("auth.UpdateRole", {"undo": {"class": "undoable", "call": "auth.GetRoles"}}, "which only reads"),
        (
            "auth.CreateRole",
            {"undo": {"class": "undoable", "call": "auth.DeleteRole", "args": {"role": "args.role_name"}}},
            "auth.DeleteRole has no argument role",
        ),
        (
            "auth.CreateRole",
            {
                "undo": {
                    "class": "undoable",
                    "call": "auth.DeleteRole",
                    "args": {"role_name": "args.role_name"},
                    "left": "now.nosuch",
                }
            },
            "selects now.nosuch, which does not exist",
        ),
        (
            "auth.CreateRole",
            {"undo": {"class": "undoable", "call": "auth.DeleteRole", "args": {}, "also": [{"call": "auth.GetRoles"}]}},
            "which only reads",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_the_documents_does_not_compile(key: str, recipe: dict[str, Any], said: str) -> None:
    table = effects.read_effects(compiler.SPECS / "effects.yaml")
    table[key] = {name: item for name, item in table[key].items() if name not in recipes.FORMS} | recipe
    keys = [f"{source.module}.{source.node['operationId']}" for source in SOURCES]
    operations = {name: compile_operation(source, table[name], []) for name, source in zip(keys, SOURCES, strict=True)}
    recipe_defaults.fill_recipe_defaults(operations[key], operations)
    found = list(recipe_checks.find_misfits(operations[key], operations))
    assert any(said in misfit for misfit in found), found


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"target": {"read": "auth.GetNobody", "name": "target.name"}}, "target reads auth.GetNobody, which does not"),
        (
            {"diff": {"read": "auth.GetRoles", "pick": {"from": "people", "where": {}}}},
            "diff.pick.from: auth.GetRoles answers with no list people",
        ),
        ({"undo": {"class": "undoable", "call": "auth.Nothing"}}, "undo calls auth.Nothing, which does not exist"),
        (
            {"undo": {"class": "undoable", "call": "again", "also": [{"call": "auth.Nothing"}]}},
            "undo calls auth.Nothing, which does not exist",
        ),
    ],
)
def test_a_recipe_that_names_what_does_not_exist_is_an_error_and_no_traceback(
    recipe: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = effects.read_effects(compiler.SPECS / "effects.yaml")
    table["auth.UpdateRole"] = {
        name: item for name, item in table["auth.UpdateRole"].items() if name not in recipes.FORMS
    } | recipe
    monkeypatch.setattr(effects, "read_effects", lambda _: table)
    with pytest.raises(SpecError, match=rf"auth\.UpdateRole: {re.escape(said)}"):
        compiler.compile_catalogue()


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
    (inverse,) = find_inverse_calls(update, {"tenant_id": "t1", "name": "Midori"}, before, None)
    assert inverse.call == "auth.UpdateTenant"
    assert inverse.args == {
        "tenant_id": "t1",
        "name": "Aozora",
        "attributes": {"size": 3},
        "back_office_staff_email": "a@example.com",
    }


def test_a_creation_is_undone_by_deleting_what_the_answer_names(catalogue: Catalogue) -> None:
    (inverse,) = find_inverse_calls(catalogue.find("pricing.CreatePricingMenu"), {"name": "m"}, None, {"id": "m7"})
    assert (inverse.call, inverse.args) == ("pricing.DeletePricingMenu", {"menu_id": "m7"})


def test_only_roles_that_were_not_held_before_are_taken_back(catalogue: Catalogue) -> None:
    args = {"tenant_id": "t", "user_id": "u", "env_id": 3, "role_names": ["admin", "viewer"]}
    before = {"envs": [{"id": 3, "roles": [{"role_name": "viewer"}]}, {"id": 1, "roles": [{"role_name": "admin"}]}]}
    found = find_inverse_calls(catalogue.find("auth.CreateTenantUserRoles"), args, before, None)
    assert [inverse.args["role_name"] for inverse in found] == ["admin"]


def test_a_secret_is_never_put_back_but_supplied_anew(catalogue: Catalogue) -> None:
    before = {
        "google": {
            "application_id": "a",
            "application_secret": "s",
            "approval_scope": "email",
            "is_button_hidden": False,
        }
    }
    (inverse,) = find_inverse_calls(catalogue.find("auth.UpdateIdentityProvider"), {"provider": "Google"}, before, None)
    assert "application_secret" not in inverse.args["identity_provider_props"]
    assert inverse.supply == ("identity_provider_props.application_secret",)


def test_nothing_is_asked_for_that_the_call_left_alone_or_that_is_not_sent(catalogue: Catalogue) -> None:
    gateway = catalogue.find("apigateway.UpdateApiGatewaySettings")
    for args, supply in ({"domain_name": "a"}, ()), ({"role_external_id": HIDDEN_SECRET}, ("role_external_id",)):
        (inverse,) = find_inverse_calls(gateway, args, {"domain_name": "b"}, None)
        assert inverse.supply == supply
    (off,) = find_inverse_calls(
        catalogue.find("auth.UpdateIdentityProvider"), {"provider": "Google"}, {"google": None}, None
    )
    assert (off.args, off.supply) == ({"provider": "Google"}, ())


def test_a_member_comes_back_with_attributes_and_the_roles_of_every_environment(catalogue: Catalogue) -> None:
    def env(number: int, *roles: str) -> dict[str, Any]:
        return {"id": number, "roles": [{"role_name": role} for role in roles]}

    envs = [env(1), env(2, "viewer"), env(3, "admin", "editor")]
    before = {"id": "u", "email": "a@example.com", "attributes": {"team": "x"}, "envs": envs}
    joined, *granted = find_inverse_calls(
        catalogue.find("auth.DeleteTenantUser"), {"tenant_id": "t", "user_id": "u"}, before, None
    )
    assert joined.args == {"tenant_id": "t", "email": "a@example.com", "attributes": {"team": "x"}}
    assert [(each.call, each.args["env_id"], each.args["role_names"]) for each in granted] == [
        ("auth.CreateTenantUserRoles", 2, ["viewer"]),
        ("auth.CreateTenantUserRoles", 3, ["admin", "editor"]),
    ]


@pytest.mark.parametrize(
    ("args", "before", "expected"),
    [
        ({"next_plan_id": "p", "using_next_plan_from": 1}, {"plan_id": "q"}, True),
        ({"next_plan_id": "p", "using_next_plan_from": 1, "delete_usage": True}, {"plan_id": "q"}, False),
        ({"next_plan_id": "p"}, {"plan_id": "q"}, False),
        ({"next_plan_id": ""}, {"plan_id": "q", "next_plan_id": "p", "using_next_plan_from": 1}, True),
        ({"next_plan_id": "", "using_next_plan_from": 1}, {"plan_id": "q"}, False),
    ],
    ids=["reserve", "reserve and erase usage", "at once", "drop a reservation", "end the contract"],
)
def test_a_change_of_plan_can_be_undone_only_as_far_as_it_is_a_reservation(
    catalogue: Catalogue, args: dict[str, Any], before: dict[str, Any], expected: object
) -> None:
    operation = catalogue.find("auth.UpdateTenantPlan")
    given = {"tenant_id": "t", **args}
    assert can_undo(operation, given, before) is expected
    assert bool(find_inverse_calls(operation, given, before, None)) is expected


def test_what_was_hidden_in_the_journal_is_not_taken_for_a_change() -> None:
    answer = {"id": "1", "name": "a", "password": "secret://r/1", "made": 1}
    assert changed_fields(answer, {"id": "1", "name": "a", "password": "x"}) == []
    assert changed_fields(answer, {"id": "1", "name": "b"}) == ["name"]
    assert changed_fields(answer, None) != []


@pytest.mark.parametrize(
    ("args", "before"),
    [
        ({"tenant_id": "t", "next_plan_id": "p"}, {}),
        ({"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 1, "delete_usage": True}, {}),
        ({"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 1}, {"next_plan_id": "q"}),
    ],
)
def test_a_plan_change_that_is_no_plain_reservation_has_no_inverse(
    catalogue: Catalogue, args: dict[str, Any], before: dict[str, Any]
) -> None:
    assert find_inverse_calls(catalogue.find("auth.UpdateTenantPlan"), args, before, None) == []


def test_a_reservation_is_undone_by_dropping_it(catalogue: Catalogue) -> None:
    args = {"tenant_id": "t", "next_plan_id": "p", "using_next_plan_from": 1}
    (inverse,) = find_inverse_calls(catalogue.find("auth.UpdateTenantPlan"), args, {"next_plan_id": ""}, None)
    assert inverse.args == {"tenant_id": "t", "next_plan_id": ""}


@pytest.mark.parametrize(("status", "expected"), [(404, True), (200, False), (500, None), (401, None), (302, None)])
def test_a_deletion_was_done_if_a_404_says_so_and_a_failed_read_says_nothing(
    catalogue: Catalogue, status: int, expected: object
) -> None:
    delete = catalogue.find("auth.DeleteTenant")
    assert verification_read(delete, {"tenant_id": "t"}) == ("auth.GetTenant", {"tenant_id": "t"})
    assert was_applied(delete, {"tenant_id": "t"}, status, {"id": "t"}) is expected


def test_an_update_was_done_where_what_was_sent_is_there_and_not_where_nothing_changed(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateAuthInfo")
    args, before = {"callback_url": "https://new"}, {"callback_url": "https://old"}
    assert was_applied(update, args, 200, {"callback_url": "https://new"}, before=before) is True
    assert was_applied(update, args, 200, {"callback_url": "https://old"}, before=before) is False
    assert was_applied(update, args, 200, {"callback_url": "https://third"}, before=before) is None
    assert was_applied(update, args, 200, {"callback_url": "https://old"}) is None, "unknown without the state before"


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
    assert was_applied(update, {"role_arn": "x", "role_external_id": "new"}, 200, before, before=before) is None
    assert (
        was_applied(
            update, {"role_arn": "y", "role_external_id": "new"}, 200, {**before, "role_arn": "y"}, before=before
        )
        is True
    )


def test_a_creation_without_a_unique_name_is_never_taken_for_done(catalogue: Catalogue) -> None:
    create = catalogue.find("auth.CreateTenant")
    assert was_applied(create, {"name": "Aozora"}, 200, {"tenants": [{"name": "Aozora"}]}) is None
    assert was_applied(create, {"name": "Aozora"}, 200, {"tenants": []}) is False


def test_what_is_picked_from_a_list_is_read_back_by_picking_it_again(catalogue: Catalogue) -> None:
    update = catalogue.find("auth.UpdateRole")
    args, before = {"role_name": "r", "display_name": "new"}, {"role_name": "r", "display_name": "old"}
    assert was_applied(update, args, 200, {"roles": [{"role_name": "r", "display_name": "new"}]}, before=before) is True
    assert was_applied(update, args, 200, {"roles": []}, before=before) is None


def test_an_expression_with_more_work_than_the_runtime_allows_has_no_value() -> None:
    assert evaluate_over("result.all(r, r > 0)", {"result": list(range(1, 20_001))}) is None
