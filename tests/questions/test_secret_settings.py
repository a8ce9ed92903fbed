"""Settings with a secret: one that is left out may be lost, and one that is sent shows no more than its kind."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.inspection.inspect import CallInspector
from saasus_mcp.permissions.inspection.target import ReadResult
from saasus_mcp.permissions.operation_call import OperationCall
from saasus_mcp.permissions.question.builder import build_question
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.facts import QuestionInput
from saasus_mcp.permissions.question.formatting import Reader
from tests.support.pipeline import PLACE

CONNECTED = {"enabled": True, "role_arn": "arn:aws:iam::1:role/r", "product_code": "p", "sqs_arn": "arn:aws:sqs:::q"}
RECAPTCHA = {"recaptcha_props": {"site_key": "site"}, "self_regist": {"enable": False}}
CHANGE = {"self_regist": {"enable": True}}


async def ask(catalogue: Catalogue, key: str, arguments: dict[str, Any], before: dict[str, Any]) -> Question:
    async def read(_key: str, _args: Any) -> ReadResult:
        return ReadResult(before)

    operation = catalogue.find(key)
    inspection = await CallInspector(OperationCall(operation, arguments), PLACE.saas_id, read).inspect()
    return await build_question(QuestionInput(operation, arguments, PLACE, "me", inspection, 0), read)


@pytest.mark.parametrize(
    ("key", "arguments", "before", "labels"),
    [
        ("auth.UpdateSingleTenantSettings", {"enabled": False}, CONNECTED, ("External ID", "外部ID")),
        ("awsmarketplace.UpdateSettings", {"product_code": "n"}, CONNECTED, ("External ID", "外部ID")),
        ("auth.UpdateSignInSettings", CHANGE, RECAPTCHA, ("reCAPTCHA", "reCAPTCHA")),
        ("auth.UpdateSignInSettings", CHANGE, {"self_regist": {"enable": False}}, None),
        ("awsmarketplace.UpdateSettings", {"product_code": "n"}, {}, None),
    ],
)
async def test_a_secret_left_out_is_listed_where_one_may_be_stored(
    catalogue: Catalogue, key: str, arguments: dict[str, Any], before: dict[str, Any], labels: tuple[str, str] | None
) -> None:
    question = await ask(catalogue, key, arguments, before)
    unsent = [each.label for each in question.changes if each.name in ("role_external_id", "recaptcha_props")]
    assert [(each.en, each.ja) for each in unsent] == ([labels] if labels else [])
    if labels:
        assert labels[0] in render_dialog(question, Reader.of("en"))
        assert labels[1] in render_dialog(question, Reader.of("ja"))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("sk_test_51Habcdefghij", ("This is a test key", "テスト環境用のキーです")),
        ("rk_test_51Habcdefghij", ("This is a test key", "テスト環境用のキーです")),
        ("sk_live_51Habcdefghij", ("This is a live key", "本番環境用のキーです")),
        ("saasus-secret:1234", None),
    ],
)
async def test_a_stripe_key_is_shown_only_as_of_the_test_or_live_mode(
    catalogue: Catalogue, key: str, said: tuple[str, str] | None
) -> None:
    question = await ask(catalogue, "billing.UpdateStripeInfo", {"secret_key": key}, {"is_registered": True})
    en, ja = render_dialog(question, Reader.of("en")), render_dialog(question, Reader.of("ja"))
    assert key not in str(question.to_json())
    assert "51H" not in en + ja
    assert (said[0] in en and said[1] in ja) if said else not any(each in en for each in ("test key:", "live key"))
