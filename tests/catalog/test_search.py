"""The search over the catalogue: both languages, misspelt words and hostile text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from saasus_mcp.catalog import Catalogue, UnknownTool
from saasus_mcp.catalog.jobs import load_jobs
from saasus_mcp.catalog.tokenizer import fold_text
from scripts import search_bench
from scripts.catalogue import __main__ as compiler
from scripts.catalogue import synonyms
from scripts.catalogue.spec_file import SpecError

GOAL = 0.95


def first_hit(catalogue: Catalogue, query: str) -> str:
    return catalogue.index.search(query, 1)[0].operation.key


@pytest.fixture(scope="module")
def synonyms_table() -> Mapping[str, Any]:
    read: Mapping[str, Any] = yaml.safe_load((compiler.SPECS / "synonyms.yaml").read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("language", search_bench.LANGUAGES)
def test_the_right_tool_is_among_the_first_five(catalogue: Catalogue, language: str) -> None:
    found = search_bench.recall(catalogue.index, search_bench.queries(search_bench.EVALUATION), language)
    assert found.five >= GOAL, f"recall@5 is {found.five:.1%} of {found.asked} queries"


@pytest.mark.parametrize("language", search_bench.LANGUAGES)
def test_a_query_for_the_work_of_a_job_shows_the_job(catalogue: Catalogue, language: str) -> None:
    asked = search_bench.queries(search_bench.JOBS)
    missed = {
        query
        for job, by_language in asked.items()
        for query in by_language[language]
        if job not in catalogue.index.search_jobs(query)
    }
    assert missed == set()


@pytest.mark.parametrize(
    "file", [search_bench.JOBS, compiler.SPECS / "search_phrases.yaml"], ids=lambda file: file.stem
)
def test_every_job_that_a_client_can_start_is_asked_for(file: Any) -> None:
    asked = search_bench.queries(file)
    assert {job.name for job in load_jobs()} - set(asked) == set()


def test_a_query_for_one_record_shows_no_job(catalogue: Catalogue) -> None:
    asked = search_bench.queries(search_bench.DEVELOPMENT)
    texts = [query for by_language in asked.values() for some in by_language.values() for query in some]
    assert sum(bool(catalogue.index.search_jobs(query)) for query in texts) / len(texts) < 0.2
    assert catalogue.index.search_jobs("get one tenant") == []
    assert catalogue.index.search_jobs("xyzzy") == []


@pytest.mark.parametrize("query", ["見積もりを出して", "見積書を作りたい"])
def test_a_job_that_matches_far_worse_than_another_is_not_shown(catalogue: Catalogue, query: str) -> None:
    assert catalogue.index.search_jobs(query) == ["job_invoice_estimate"]


@pytest.mark.parametrize(
    "query",
    ["customer cannot log in", "ログインできない", "お客様がログインできません", "why can this user not sign in"],
)
def test_a_problem_to_sign_in_offers_the_read_of_the_account_among_the_first(catalogue: Catalogue, query: str) -> None:
    assert "auth.GetUserInfoByEmail" in {hit.operation.key for hit in catalogue.index.search(query, 5)}


@pytest.mark.parametrize("file", [search_bench.EVALUATION, search_bench.DEVELOPMENT], ids=lambda file: file.stem)
def test_every_operation_is_asked_for_at_least_twice_in_each_language(catalogue: Catalogue, file: Any) -> None:
    asked = search_bench.queries(file)
    assert set(asked) == {operation.key for operation in catalogue}
    for language in search_bench.LANGUAGES:
        assert min(len(set(by_language[language])) for by_language in asked.values()) >= 2


@pytest.mark.exhaustive  # `make check` compiles it too
def test_the_index_that_ships_is_what_the_table_of_synonyms_compiles_to() -> None:
    catalogue = compiler.CATALOGUE.read_text(encoding="utf-8")
    assert compiler.SEARCH.read_text(encoding="utf-8") == compiler.compile_index(
        catalogue, compiler.JOBS.read_text(encoding="utf-8")
    ), "stale: run `make catalogue`"


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("list tenants", "auth.GetTenants"),
        ("テナントの一覧", "auth.GetTenants"),
        ("get one tenant", "auth.GetTenant"),
        ("テナントの詳細", "auth.GetTenant"),
        ("create a tenant", "auth.CreateTenant"),
        ("会社を新しく登録", "auth.CreateTenant"),
        ("update a tenant", "auth.UpdateTenant"),
        ("delete a tenant", "auth.DeleteTenant"),
        ("企業の削除", "auth.DeleteTenant"),
        ("list users of one tenant", "auth.GetTenantUsers"),
        ("list users of all tenants", "auth.GetAllTenantUsers"),
        ("全テナントのユーザー一覧", "auth.GetAllTenantUsers"),
        ("テナントからユーザーを外す", "auth.DeleteTenantUser"),
        ("list users", "auth.GetSaasUsers"),
        ("create a user", "auth.CreateSaasUser"),
        ("delete a user", "auth.DeleteSaasUser"),
        ("ユーザーの削除", "auth.DeleteSaasUser"),
        ("delete a role", "auth.DeleteRole"),
        ("delete a plan", "pricing.DeletePricingPlan"),
        ("update a plan", "pricing.UpdatePricingPlan"),
        ("grant a role", "auth.CreateTenantUserRoles"),
        ("revoke a role", "auth.DeleteTenantUserRole"),
        ("ロールを付与", "auth.CreateTenantUserRoles"),
        ("ロールを剥奪", "auth.DeleteTenantUserRole"),
        ("disconnect stripe", "billing.DeleteStripeInfo"),
        ("Stripe連携の解除", "billing.DeleteStripeInfo"),
    ],
)
def test_the_verb_distinguishes_neighbouring_operations(catalogue: Catalogue, query: str, key: str) -> None:
    assert first_hit(catalogue, query) == key


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("delete tennant", "auth.DeleteTenant"),
        ("subscritpion cancle", "auth.UpdateTenantPlan"),
        ("inivte user", "auth.CreateTenantInvitation"),
        ("lisst al tenats", "auth.GetTenants"),
        ("deletetenant", "auth.DeleteTenant"),
    ],
)
def test_spelling_mistakes_are_forgiven(catalogue: Catalogue, query: str, key: str) -> None:
    assert first_hit(catalogue, query) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("テナントの一覧", "ﾃﾅﾝﾄの一覧"),
        ("テナントの一覧", "てなんとの一覧"),
        ("ユーザーの削除", "ユーザの削除"),
        ("MFAリセット", "ｍｆａりせっと"),
        ("list roles", "LIST  Roles"),
        ("getTenantUsers", "get_tenant_users"),
    ],
)
def test_width_kana_and_case_make_no_difference(catalogue: Catalogue, one: str, other: str) -> None:
    assert catalogue.index.search(one) == catalogue.index.search(other)


@pytest.mark.parametrize(
    "query",
    ["invite a member", "inviting members", "invited member", "invites for members", "invitation of a member"],
)
def test_endings_make_no_difference_to_what_is_meant(catalogue: Catalogue, query: str) -> None:
    assert first_hit(catalogue, query) == "auth.CreateTenantInvitation"


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("tenantを削除", "auth.DeleteTenant"),
        ("MFAリセット", "auth.UpdateUserMfaPreference"),
        ("API keyを発行", "apigateway.CreateApiKey"),
        ("ユーザーをinvite", "auth.CreateTenantInvitation"),
    ],
)
def test_two_languages_may_stand_in_one_query(catalogue: Catalogue, query: str, key: str) -> None:
    assert first_hit(catalogue, query) == key


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("mails should come from no-reply@example.com", "auth.UpdateBasicInfo"),
        ("tell me about suzuki@example.com", "auth.GetUserInfoByEmail"),
        ("enter sk_live_abc123 as our key", "billing.UpdateStripeInfo"),
        ("allow 203.0.113.5 for a tenant", "apigateway.UpdateTenant"),
        ("show feedback f-12", "communication.GetFeedback"),
        ("show tenant 6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "auth.GetTenant"),
        ("all usage of a tenant on Oct 3", "pricing.GetMeteringUnitDateCountsByTenantIdAndDate"),
        ("usage of one meter on 2026-10-03", "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDate"),
        ("usage of one meter in 2026-10", "pricing.GetMeteringUnitMonthCountByTenantIdAndUnitNameAndMonth"),
        ("usage from Oct 1 to Oct 15", "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"),
        ("mark 3 plans as used", "pricing.UpdatePricingPlansUsed"),
        ("10月1日から10月15日の使用量", "pricing.GetMeteringUnitDateCountByTenantIdAndUnitNameAndDatePeriod"),
    ],
)
def test_a_value_in_a_query_counts_for_what_it_is(catalogue: Catalogue, query: str, key: str) -> None:
    assert first_hit(catalogue, query) == key


def test_every_operation_is_found_by_its_own_name(catalogue: Catalogue) -> None:
    for operation in catalogue:
        for name in (operation.key, operation.tool, operation.title.en, operation.title.ja):
            found = [hit.operation for hit in catalogue.index.search(name, 5)]
            assert operation in found, name


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("auth_delete_tennant", "auth_delete_tenant"),
        ("auth.DeletTenant", "auth_delete_tenant"),
        ("deleteTenant", "auth_delete_tenant"),
        ("AUTH_GETTENANTS", "auth_get_tenants"),
        ("auth_get_tenats", "auth_get_tenants"),
        ("auth_get_tenan", "auth_get_tenant"),
        ("auth_get_tenant_user_", "auth_get_tenant_user"),
        ("destroy_workspace", "auth_delete_tenant"),
        ("テナント削除", "auth_delete_tenant"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest_ones(catalogue: Catalogue, name: str, tool: str) -> None:
    with pytest.raises(UnknownTool) as caught:
        catalogue.find(name)
    assert caught.value.nearest[0] == tool
    assert len(caught.value.nearest) <= 5


@pytest.mark.parametrize("name", ["frobnicate", "auth_fly_to_the_moon", "read_file", "auth", ""])
def test_a_name_that_nothing_is_near_is_answered_with_no_name(catalogue: Catalogue, name: str) -> None:
    with pytest.raises(UnknownTool) as caught:
        catalogue.find(name)
    assert caught.value.nearest == ()


@pytest.mark.parametrize(
    "query",
    ["", " \t\n", "\0", "\ud800", "😀", "?!、。", "ﷺ" * 1000, "0" * 1000, "の" * 1000, "xyzzy plugh"],
    ids=["nothing", "blanks", "nul", "surrogate", "emoji", "marks", "expanding", "digits", "particles", "nonsense"],
)
def test_a_query_that_says_nothing_finds_nothing(catalogue: Catalogue, query: str) -> None:
    assert catalogue.index.search(query) == []


def test_only_the_beginning_of_a_huge_query_counts(catalogue: Catalogue) -> None:
    assert first_hit(catalogue, "delete tenant " + "\0" * 1_000_000) == "auth.DeleteTenant"
    assert catalogue.index.search("\0" * 1_000_000 + "delete tenant") == []


@pytest.mark.parametrize(("limit", "expected"), [(-1, 0), (0, 0), (1, 1), (7, 7), (10_000, 195)])
def test_there_are_never_more_hits_than_wanted(catalogue: Catalogue, limit: int, expected: int) -> None:
    assert len(catalogue.index.search("tenant user get list", limit)) <= expected


def test_hits_come_best_first_each_operation_once(catalogue: Catalogue) -> None:
    hits = catalogue.index.search("list all users of a tenant", 50)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.operation.key for hit in hits}) == len(hits)


def test_the_same_query_finds_the_same_in_the_same_order_in_every_process() -> None:
    program = (
        "from saasus_mcp.catalog import load_catalogue\n"
        "print([(hit.operation.key, hit.score) for hit in load_catalogue().index.search('メンバーのroleを変更 tennant', 50)])"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program], check=True, capture_output=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_the_search_is_not_loaded_before_it_is_asked() -> None:
    program = (
        "import sys\n"
        "from saasus_mcp.catalog import load_catalogue\n"
        "load_catalogue().find('auth_get_tenant')\n"
        "print([name for name in sys.modules if name.startswith('saasus_mcp.catalog.')])"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "catalog.model" in loaded
    assert "catalog.search" not in loaded


def test_the_table_of_synonyms_is_sound(catalogue: Catalogue, synonyms_table: Mapping[str, Any]) -> None:
    keys = [operation.key for operation in catalogue]
    assert synonyms.find_synonym_problems(synonyms_table, keys) == []


BOTH = {"en": ["word"], "ja": ["言葉"]}


@pytest.mark.parametrize("language", search_bench.LANGUAGES)
def test_the_search_is_not_judged_by_what_it_is_made_from(synonyms_table: Mapping[str, Any], language: str) -> None:
    known = {
        fold_text(text)
        for source in (search_bench.queries(compiler.SPECS / "search_phrases.yaml"), synonyms_table["operations"])
        for by_language in source.values()
        for text in by_language[language]
    }
    judged = [
        fold_text(text)
        for by_language in search_bench.queries(search_bench.EVALUATION).values()
        for text in by_language[language]
    ]
    assert sum(text in known for text in judged) < len(judged) / 10, "more than people asking alike by chance"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("auth.Fly: {en: [up], ja: [上へ]}", "auth.Fly is not an operation"),
        ("auth.GetTenant: {en: [which]}", r"search_phrases.yaml:1: auth.GetTenant.ja is missing"),
        ("auth.GetTenant: {en: [on], ja: [7]}", "auth.GetTenant contains"),
    ],
)
def test_questions_that_do_not_fit_do_not_compile(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "search_phrases.yaml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(SpecError, match=said):
        synonyms.read_search_phrases(file, ["auth.GetTenant"])


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"groups": {}}, "groups is unknown"),
        ({"operations": {"auth.Fly": BOTH}}, "auth.Fly is not an operation"),
        ({"things": {"go": BOTH}}, "go is an intent and a thing"),
        ({"things": {"x": {"en": ["word"]}}}, "things.x.ja is missing"),
        ({"things": {"x": {"en": [False], "ja": ["言葉"]}}}, "x contains False"),
        ({"ignore": {"en": ["?"], "ja": ["言葉"]}}, "ignore contains '?'"),
    ],
)
def test_a_table_of_synonyms_that_does_not_fit_does_not_compile(changed: dict[str, Any], said: str) -> None:
    sound = {"ignore": BOTH, "intents": {"go": BOTH}, "things": {}, "operations": {"auth.GetTenant": BOTH}}
    assert synonyms.find_synonym_problems(sound, ["auth.GetTenant"]) == []
    assert said in "; ".join(synonyms.find_synonym_problems({**sound, **changed}, ["auth.GetTenant"]))
