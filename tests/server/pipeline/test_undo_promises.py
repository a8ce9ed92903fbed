"""What a question promises about undo, and what the list of changes says after the call: the same."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.pipeline.undo import describe_change, preview_undo
from scripts.stage import NOW, ask
from scripts.story import FIRST, values_for
from tests.support.pipeline import PRINCIPAL
from tests.support.sandbox_client import sandbox_client
from tests.support.variants import sample_operations

SAID = {
    "whole": "can be undone",
    "again": "only created again",
    "partly": "only be undone in part",
    "never": "cannot be undone.",
}
BY_THE_USER = {"auth.ConfirmExternalUserLink", "auth.ConfirmDevice", "auth.UpdateDeviceStatus"}
"""Operations that only the user can reverse, with a token: the question says how."""
ALWAYS = ("billing.DeleteStripeInfo", "communication.DeleteFeedbackComment", "auth.UnlinkProvider", "auth.DeleteRole")


async def test_the_question_promises_the_undo_that_the_list_of_changes_offers(catalogue: Catalogue) -> None:
    asking = [each for each in catalogue if not each.level.startswith("read") and each.level != "write"]
    chosen = {each.key for each in sample_operations(asking, "promise")} | set(ALWAYS)
    for key in sorted(chosen - BY_THE_USER):
        operation, args = catalogue.find(key), values_for(catalogue.find(key))
        async with sandbox_client(catalogue, now=NOW.timestamp()) as on:
            if story := FIRST.get(key):
                first = catalogue.find(story[0])
                await on.outright(Call(first.tool, {**values_for(first), **story[1]}, PRINCIPAL))
            answer = await on.call(operation.tool, args)
            question = on.person.asked[-1].message if on.person.asked else answer.text
            if answer.why == "approval":
                await on.outright(Call(operation.tool, args, PRINCIPAL))
            made = [entry for entry in on.behind.store.undo_log.list_entries() if entry.operation == key]
            for entry in made[:1]:
                preview = preview_undo(catalogue, entry)
                assert preview is not None
                assert SAID[preview.extent] in question, f"{key}: {preview.extent}\n{question}"


@pytest.mark.parametrize(("plan", "promise"), [("global_monthly", "can be undone"), ("new", "cannot be undone")])
async def test_only_a_link_that_replaces_another_can_be_put_back(catalogue: Catalogue, plan: str, promise: str) -> None:
    async with sandbox_client(catalogue, now=NOW.timestamp()) as on:
        args = {**values_for(catalogue.find("awsmarketplace.SavePlan")), "plan_name": plan}
        assert (await on.call("awsmarketplace_save_plan", args)).ok
        [asked] = on.person.asked
        assert promise in asked.message
        assert ("first pricing plan" in asked.message) is (plan == "new")


async def test_a_question_says_which_secret_is_needed_to_undo(catalogue: Catalogue) -> None:
    secret = {"site_key": "new", "secret_key": "new secret"}
    for tool, args in (
        ("awsmarketplace_update_settings", {"role_external_id": "new secret"}),
        ("apigateway_update_api_gateway_settings", {"role_external_id": "new secret"}),
        ("auth_update_sign_in_settings", {"recaptcha_props": secret}),
    ):
        async with sandbox_client(catalogue) as on:
            assert (await on.call(tool, args)).ok
            [asked] = on.person.asked
            assert "needed to undo this" in asked.message


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("awsmarketplace.SyncCustomer", "AWS Marketplaceの契約内容を「Harbor Lights Inc.」に反映しました"),
        ("apigateway.RefreshClientSecret", "「株式会社青空商事」のAPIキーのクライアントシークレットを再発行しました"),
    ],
)
async def test_the_list_of_changes_names_an_item_that_only_the_target_refers_to(
    catalogue: Catalogue, key: str, told: str
) -> None:
    async with sandbox_client(catalogue, now=NOW.timestamp()) as on:
        operation = catalogue.find(key)
        assert (await on.call(operation.tool, values_for(operation))).ok
        [entry] = on.behind.store.undo_log.list_entries()
        described = describe_change(catalogue, entry)
        assert described is not None
        assert described.sentence(Reader.of("ja")) == told


@pytest.mark.parametrize("is_connected", [True, False])
async def test_a_former_key_must_be_entered_again_only_where_there_was_one(
    catalogue: Catalogue, is_connected: bool
) -> None:
    before: tuple[tuple[str, dict[str, str]], ...] = () if is_connected else (("billing.DeleteStripeInfo", {}),)
    asked = await ask(catalogue, "billing.UpdateStripeInfo", {"secret_key": "sk_test_1"}, *before)
    undo = catalogue.find("billing.UpdateStripeInfo").effects.undo
    assert undo is not None
    assert undo.note is not None
    assert asked.undo is not None
    assert (undo.note.en in asked.undo.en) is is_connected
