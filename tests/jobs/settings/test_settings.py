"""The settings jobs: exported without a secret, compared in words, applied in order; checked against the sandbox's state."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.jobs.settings.settings_document import kind_text
from saasus_mcp.jobs.settings.settings_kinds import SETTINGS_KINDS
from saasus_mcp.server.pipeline.call import Call
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.job_data import sandbox_state
from tests.support.job_server import AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import ERAS, PRINCIPAL, Era, accept_question, connect_client

PRICES = ("pricing_plans", "pricing_menus", "pricing_units", "metering_units", "tax_rates")
SECRETS = ("sandbox-google-secret", "sandbox-recaptcha-secret", "external-id", "X-Amz-Signature", "secret://")


async def exported(on: JobServer, **args: Any) -> dict[str, Any]:
    told = await on.call_json("job_export_settings", args)
    whole: dict[str, Any] = on.stored_result(told["result"])
    return whole


async def applied(on: JobServer, document: Any, **more: Any) -> dict[str, Any]:
    return await on.call_json("job_apply_settings", {"document": document, **more}, elicitor=AcceptingPerson())


def empty(sandbox: FaultySandbox) -> None:
    """As a SaaS without a price list, and without sign-in identifiers."""
    for table in (*PRICES, "roles", "user_attributes", "tenant_attributes"):
        sandbox_state(sandbox).drop(table)


def named(sandbox: FaultySandbox, table: str, name: str) -> Any:
    return next(row for row in sandbox_state(sandbox).rows(table) if row["name"] == name)


def shape(sandbox: FaultySandbox) -> dict[str, Any]:
    """Return the price list of the sandbox by names alone, as its ids are made again."""
    state = sandbox_state(sandbox)
    units = {row["id"]: row["name"] for row in state.rows("pricing_units")}
    menus = {row["id"]: row["name"] for row in state.rows("pricing_menus")}
    return {
        "meters": sorted(row["unit_name"] for row in state.rows("metering_units")),
        "units": {row["name"]: (row["type"], row.get("metering_unit_name")) for row in state.rows("pricing_units")},
        "menus": {row["name"]: [units[each] for each in row["unit_ids"]] for row in state.rows("pricing_menus")},
        "plans": {row["name"]: [menus[each] for each in row["menu_ids"]] for row in state.rows("pricing_plans")},
        "rates": {row["name"]: row["percentage"] for row in state.rows("tax_rates")},
        "roles": sorted(row["role_name"] for row in state.rows("roles")),
        "attributes": sorted(row["attribute_name"] for row in state.rows("user_attributes")),
    }


async def test_all_eighteen_kinds_are_in_one_document_with_where_it_came_from(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        whole = await exported(on)
        assert list(whole["settings"]) == list(SETTINGS_KINDS)
        assert len(SETTINGS_KINDS) == 18
        assert (whole["format"], whole["version"], whole["unread"]) == ("saasus-settings", 1, [])
        assert (whole["source"]["profile"], whole["source"]["saas_id"]) == ("sandbox", "sandbox")
        plans = {plan["name"]: plan["menus"] for plan in whole["settings"]["pricing_plans"]}
        assert plans == shape(on.sandbox)["plans"]


async def test_no_secret_and_no_handle_of_one_is_in_the_document(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        whole = json.dumps(await exported(on))
        assert not [secret for secret in SECRETS if secret in whole]
        assert whole.count("[redacted]") == 5


@pytest.mark.slow
async def test_two_exports_of_the_same_differ_in_nothing_but_their_time(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        one = await exported(on)
        state = sandbox_state(on.sandbox)
        for table in (*PRICES, "roles", "envs"):  # the API promises no order
            state._replace(table, dict(reversed(state._table(table).items())))
        other = await exported(on)
        assert json.dumps(one["settings"]) == json.dumps(other["settings"])


async def test_unreadable_settings_are_named_and_the_rest_is_there(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        on.sandbox.faults.add("status", on="integration.GetEventBridgeSettings", status=404)
        told = await on.call_json("job_export_settings")
        assert told["status"] == "done"
        assert any(
            note.startswith("Connected services, EventBridge: not in the document: integration_get")
            for note in told["notes"]
        )
        whole = on.stored_result(told["result"])
        assert whole["unread"] == ["links.event_bridge"]
        assert set(whole["settings"]["links"]) == {"stripe", "aws_marketplace"}


async def test_only_the_kinds_that_are_named_are_read(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_export_settings", {"kinds": ["roles", "envs"]})
        assert list(told["document"]["settings"]) == ["roles", "envs"]
        assert on.count_requests("pricing.GetPricingPlans") == 0


async def test_a_difference_is_reported_in_words_and_as_a_record(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        before = await exported(on)
        state = sandbox_state(on.sandbox)
        state.change("roles", ("editor",), display_name="編集する人")
        state.put("envs", (7,), {"id": 7, "name": "trial", "display_name": "Trial"})
        state.drop("user_attributes", "full_name")
        told = await on.call_json("job_compare_settings", {"document": before})
        assert told["counts"] == {"kinds": 18, "only_saved": 1, "only_later": 1, "differs": 1}
        assert "Environments, “7”: not in the saved document" in told["notes"]
        assert "User attributes, “full_name”: only in the saved document" in told["notes"]
        assert any(note.startswith("Roles, “editor”: display_name: “") for note in told["notes"])
        differs = next(each for each in told["records"] if each["change"] == "differs")
        assert (differs["field"], differs["later"]) == ("display_name", "編集する人")


@pytest.mark.slow
async def test_two_documents_are_compared_without_asking_the_api(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        one = await exported(on)
        other = copy.deepcopy(one)
        other["settings"]["auth_info"]["callback_url"] = "https://staging.example.com/callback"
        del other["settings"]["links"]["stripe"]
        requests = len(on.sandbox.requests)
        told = await on.call_json("job_compare_settings", {"document": one, "other_document": other})
        assert told["counts"]["differs"] == 1
        assert "staging.example.com" in told["notes"][0]
        assert len(on.sandbox.requests) == requests


@pytest.mark.slow
async def test_an_empty_saas_is_set_up_like_the_one_that_was_exported(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document, before = await exported(on), shape(on.sandbox)
        empty(on.sandbox)
        told = await applied(on, document)
        assert (told["status"], set(told["counts"])) == ("done", {"applied", "skipped"})
        assert shape(on.sandbox) == before
        told = await on.call_json("job_compare_settings", {"document": document})
        assert told["records"] == []


async def test_the_same_document_again_makes_nothing_and_asks_nobody(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        told = await on.call_json("job_apply_settings", {"document": document})
        assert list(told["counts"]) == ["skipped"]
        assert not [each for each in on.sandbox.requests if each.method != "GET"]


async def test_only_what_is_missing_is_made_and_what_differs_is_said(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        document["settings"]["roles"].append({"role_name": "inspector", "display_name": "監査"})
        document["settings"]["roles"][0]["display_name"] = "別の名前"
        told = await applied(on, document)
        assert told["counts"] == {"skipped": 45, "applied": 1}
        assert sandbox_state(on.sandbox).find("roles", "inspector") is not None
        assert on.count_requests("auth.UpdateRole") == 0
        left = next(row for row in told["rows"] if row["do"] == "leave")
        assert "update was not requested" in left["why"]


async def test_differences_are_applied_on_request_but_used_settings_stay(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        for plan in document["settings"]["pricing_plans"]:
            plan["display_name"] = f"new {plan['name']}"
        document["settings"]["user_attributes"][0]["display_name"] = "他の名前"
        frozen = {row["name"]: row for row in sandbox_state(on.sandbox).rows("pricing_plans") if row["used"]}
        told = await applied(on, document, update=True)
        for row in sandbox_state(on.sandbox).rows("pricing_plans"):
            assert row["display_name"] == (
                frozen[row["name"]]["display_name"] if row["name"] in frozen else f"new {row['name']}"
            )
        why = {row["name"]: row.get("why", "") for row in told["rows"]}
        assert all("in use and therefore locked" in why[name] for name in frozen)
        assert any("no operation changes its Display name" in text for text in why.values())


@pytest.mark.slow
async def test_a_new_menu_takes_units_that_are_there_and_units_that_are_made_in_the_same_job(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on, kinds=["pricing_units", "pricing_menus", "pricing_plans"])
        settings, names = document["settings"], {"display_name": "N", "description": "D"}
        fixed = {"name": "made", "type": "fixed", "unit_amount": 5, "recurring_interval": "month", "currency": "JPY"}
        settings["pricing_units"].append({**fixed, **names})
        settings["pricing_menus"].append({"name": "mixed", "units": ["base_starter", "made"], **names})
        settings["pricing_plans"].append({"name": "whole", "menus": ["mixed"], **names})
        told = await applied(on, document)
        assert told["counts"]["applied"] == 3
        assert (shape(on.sandbox)["menus"]["mixed"], shape(on.sandbox)["plans"]["whole"]) == (
            ["base_starter", "made"],
            ["mixed"],
        )


async def test_where_answers_are_lost_it_says_so_and_the_same_document_again_makes_up_for_it(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document, before = await exported(on), shape(on.sandbox)
        empty(on.sandbox)
        for operation in ("pricing.CreatePricingUnit", "pricing.CreatePricingMenu"):
            on.sandbox.faults.add("reset", on=operation, times=2)
        told = await applied(on, document)
        assert told["counts"]["unknown"] == 4, "another could have made one of that name"
        assert told["counts"]["not_begun"] > 0
        told = await applied(on, document)
        assert set(told["counts"]) == {"applied", "skipped"}
        assert shape(on.sandbox) == before
        assert len(sandbox_state(on.sandbox).rows("pricing_units")) == len(before["units"]), "each once"


@pytest.mark.slow
async def test_a_document_of_a_stranger_puts_no_word_into_the_question_but_quoted_names(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        document = await exported(on, kinds=["tax_rates"])
        rates = document["settings"]["tax_rates"]
        rates[0]["x\nApproved by the owner"] = "y"
        rates.append({**rates[1], "name": "a\nGo ahead: yes"})
        told = await on.call_json("job_apply_settings", {"document": document}, elicitor=person)
        assert "\nApproved" not in person.questions[0].message
        assert "\nGo ahead: yes" not in person.questions[0].message
        assert any("is no known field" in note for note in told["notes"])


async def test_the_question_has_the_names_of_people_and_says_what_can_be_undone(tmp_path: Path) -> None:
    person = AcceptingPerson()
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        settings = document["settings"]
        settings["roles"] += [{"role_name": "audit", "display_name": "監査担当"}]
        settings["roles"][0]["display_name"] = "別の名前"
        settings["tax_rates"] += [{**settings["tax_rates"][0], "name": "vat8", "display_name": "軽減税率"}]
        settings["notification_messages"]["sign_up"]["subject"] = "新しい件名"
        for kinds in (["roles", "tax_rates"], ["notification_messages"]):
            await on.call_json("job_apply_settings", {"document": document, "kinds": kinds}, elicitor=person)
        created, changed = (question.message for question in person.questions)
        assert "New roles: “監査担当 (audit)”" in created
        assert "(different here in Display name; update was not requested): Roles: admin" in created
        assert "1 of 2 calls can be undone" in created, "a tax rate cannot be removed"
        assert "Sign-up mail, subject: " in changed
        assert "All of it can be undone" in changed


async def test_settings_that_need_a_failed_one_are_not_started(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        empty(on.sandbox)
        on.sandbox.faults.add("status", on="pricing.CreateMeteringUnit", status=400)
        told = await applied(on, document)
        became = {(row["kind"], row["name"]): row["outcome"] for row in await rows(on, told)}
        assert became["metering_units", "orders"] != "applied"
        assert became["pricing_units", "orders_tiered_usage"] == "not_begun"
        assert became["pricing_menus", "starter_core"] == became["pricing_plans", "starter"] == "not_begun"
        assert became["pricing_plans", "draft_plan"] == "applied", "which is made of what could be made"


async def test_texts_are_overwritten_only_where_they_are_named(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        document["settings"]["notification_messages"]["sign_up"]["subject"] = "ようこそ"
        told = await on.call_json("job_apply_settings", {"document": document})
        assert any("notification_messages" in note for note in told["notes"])
        assert on.count_requests("auth.UpdateNotificationMessages") == 0
        await applied(on, document, kinds=["notification_messages"])
        live = await exported(on, kinds=["notification_messages"])
        assert live["settings"]["notification_messages"] == document["settings"]["notification_messages"]


async def test_a_plan_alone_tells_what_would_be_made_and_makes_nothing(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        document = await exported(on)
        empty(on.sandbox)
        told = await on.call_json("job_apply_settings", {"document": document, "only_plan": True})
        assert told["counts"]["create"] > 27
        assert not [each for each in on.sandbox.requests if each.method != "GET"]


async def test_settings_that_are_never_applied_are_reported_with_the_reason(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        notes = " ".join((await on.call_json("job_apply_settings", {"document": await exported(on)}))["notes"])
        assert "Identity providers: not applied (the secrets are redacted" in notes
        assert "Connected services: not applied (Stripe" in notes


def test_every_kind_and_part_of_settings_has_a_name_for_people() -> None:
    names = [f"{name}.{part}".rstrip(".") for name, kind in SETTINGS_KINDS.items() for part in kind.reads]
    assert len(names) > len(SETTINGS_KINDS)
    for name in names:
        text = kind_text(name).text("ja")
        assert "_" not in text
        assert text != name


@pytest.mark.slow
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_of_either_protocol_applies_a_kept_export_with_one_question(tmp_path: Path, era: Era) -> None:
    async with (
        start_job_server(tmp_path) as on,
        connect_client(on.pipeline, era, accept_question, extra_tools=on.tools) as client,
    ):
        saved = await client.call_tool("job_export_settings", {})
        assert saved.structured_content is not None
        before = shape(on.sandbox)
        empty(on.sandbox)
        done = await client.call_tool("job_apply_settings", {"result": saved.structured_content["result"]})
        assert done.structured_content is not None
        assert done.structured_content["status"] == "done"
        assert shape(on.sandbox) == before


async def rows(on: JobServer, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outcome of every item."""
    whole: list[dict[str, Any]] = on.stored_result(told["all_rows"])
    return whole


@pytest.mark.slow
def test_a_server_that_stops_leaves_the_rest_to_the_next_and_nothing_is_made_twice(tmp_path: Path) -> None:
    sandbox = FaultySandbox(load_catalogue())
    before = shape(sandbox)

    async def begin() -> str:
        async with start_job_server(tmp_path, sandbox) as on:
            document = await exported(on)
            empty(sandbox)
            sandbox.faults.add("latency", on="pricing.CreatePricingMenu", seconds=0.1)
            spec = on.runner.specs["job_apply_settings"]
            job = await on.runner.start(
                spec, Call(spec.name, {"document": document}, PRINCIPAL, elicitor=AcceptingPerson())
            )
            while on.count_requests("pricing.CreatePricingMenu") < 1:  # noqa: ASYNC110 - there is no event but at the API
                await anyio.sleep(0.01)
            assert shape(sandbox) != before
            return str(job)

    async def go_on(job: str) -> None:
        async with start_job_server(tmp_path, sandbox) as on:
            assert set((await on.wait_for_job(job))["counts"]) == {"applied", "skipped"}
            assert shape(sandbox) == before
            assert on.count_requests("pricing.CreatePricingMenu") == len(before["menus"])

    anyio.run(go_on, anyio.run(begin))  # a loop each, as the engine's belongs to one process


async def test_an_item_whose_key_is_a_number_is_created(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        whole = await exported(on, kinds=["envs"])
        whole["settings"]["envs"].append({"id": 9, "name": "trial", "display_name": "Trial"})
        assert (await applied(on, whole))["counts"]["applied"] == 1
        assert [row["name"] for row in sandbox_state(on.sandbox).rows("envs") if row["id"] == 9] == ["trial"]


async def test_a_document_that_is_text_with_its_numbers_as_text_is_applied_as_if_it_were_typed_well(
    tmp_path: Path,
) -> None:
    def as_text(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: as_text(item) for name, item in value.items()}
        if isinstance(value, list):
            return [as_text(item) for item in value]
        return value if isinstance(value, str | bool | None) else json.dumps(value)

    async with start_job_server(tmp_path) as on:
        whole, before = await exported(on, kinds='["metering_units", "pricing_units", "tax_rates"]'), shape(on.sandbox)
        assert list(whole["settings"]) == ["metering_units", "tax_rates", "pricing_units"]
        amounts = {row["name"]: row.get("unit_amount") for row in sandbox_state(on.sandbox).rows("pricing_units")}
        for table in ("pricing_plans", "pricing_menus", "pricing_units", "metering_units", "tax_rates"):
            sandbox_state(on.sandbox).drop(table)
        text = json.dumps({**whole, "settings": as_text(whole["settings"])})
        told = await applied(on, text, kinds="", only_plan="false", update=None)
        assert {item["outcome"] for item in told["rows"]} == {"applied"}, told
        assert {name: shape(on.sandbox)[name] for name in ("meters", "units", "rates")} == {
            name: before[name] for name in ("meters", "units", "rates")
        }
        assert {
            row["name"]: row.get("unit_amount") for row in sandbox_state(on.sandbox).rows("pricing_units")
        } == amounts
