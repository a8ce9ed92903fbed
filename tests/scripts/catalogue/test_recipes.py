"""The recipes of effects.yaml: their completeness, their errors, and their effects."""

from __future__ import annotations

import copy
import re
from functools import cache
from typing import Any

import pytest
import yaml

from saasus_mcp.catalog import Catalogue, load_catalogue, question_texts
from scripts.catalogue import __main__ as compiler
from scripts.catalogue import documents, effects, recipe_checks, recipe_defaults, recipes
from scripts.catalogue.operations import compile_operation
from scripts.catalogue.spec_file import SpecError

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
BROKEN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff、。] [\u3040-\u30ff\u4e00-\u9fff]")
TYPED = [operation.key for operation in load_catalogue() if operation.level in ("destructive", "critical")]


@cache
def read_sources() -> dict[str, documents.SourceOperation]:
    """Return the documents by key, read where a test needs them: every process that collects the tests would take half a second."""
    read = documents.read_operations(compiler.SPECS)
    return {f"{source.module}.{source.node['operationId']}": source for source in read}


@cache
def read_rows() -> dict[str, effects.Row]:
    return effects.read_effects(compiler.SPECS / "effects.yaml")


@pytest.fixture(scope="module")
def effects_table() -> dict[str, Any]:
    """Return the rows of the YAML file."""
    operations: dict[str, Any] = yaml.safe_load((compiler.SPECS / "effects.yaml").read_text(encoding="utf-8"))
    return operations


@pytest.fixture(scope="module")
def compiled() -> dict[str, dict[str, Any]]:
    """Return the operations as they are. Their defaults are not filled in."""
    return {key: compile_operation(source, read_rows()[key], []) for key, source in read_sources().items()}


@pytest.mark.slow
@pytest.mark.parametrize("key", TYPED)
def test_the_request_for_a_typed_name_says_the_target_and_the_consequence(
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
        ({"undo": {"class": "undoable", "call": "again", "when": "present.id == 1"}}, "is not an expression over"),
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
                    "left": "present.nosuch",
                }
            },
            "selects present.nosuch, which does not exist",
        ),
        (
            "auth.CreateRole",
            {"undo": {"class": "undoable", "call": "auth.DeleteRole", "args": {}, "also": [{"call": "auth.GetRoles"}]}},
            "which only reads",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_the_documents_does_not_compile(
    key: str, recipe: dict[str, Any], said: str, compiled: dict[str, dict[str, Any]]
) -> None:
    row = {name: item for name, item in read_rows()[key].items() if name not in recipes.FORMS} | recipe
    operations = {**compiled, key: compile_operation(read_sources()[key], row, [])}
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
    row = {name: item for name, item in read_rows()["auth.UpdateRole"].items() if name not in recipes.FORMS} | recipe
    table = {**copy.deepcopy(read_rows()), "auth.UpdateRole": row}
    monkeypatch.setattr(effects, "read_effects", lambda _: table)
    with pytest.raises(SpecError, match=rf"auth\.UpdateRole: {re.escape(said)}"):
        compiler.compile_catalogue()
