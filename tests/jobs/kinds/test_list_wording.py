"""What a list says of its calls: which way each goes, and whom it concerns, as the question of the single call does."""

from __future__ import annotations

from typing import Any

import pytest

from saasus_mcp.common.language import LANGUAGES
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.sandbox.state import uid
from tests.support.job_data import AOZORA
from tests.support.job_server import JobServer

AKANE = uid("user", "akane.hoshino@example.jp")
USAGE = {"tenant_id": AOZORA, "metering_unit_name": "orders", "timestamp": 1_789_000_000, "count": 5}


async def listed(on: JobServer, tool: str, *arguments: dict[str, Any]) -> dict[str, str]:
    """Return the line of a list's question that names its targets, by language."""
    calls = [{"tool": tool, "arguments": each} for each in arguments]
    answer = await on.call("job_run_plan", {"calls": calls})
    assert "saasus-mcp approve" in answer.text, answer.text
    [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
    question = Question.from_json(approval.preview)
    [title] = [fact.label for fact in question.facts if fact.name == tool]
    lines = {"en": render_dialog(question, Reader.of("en")), "ja": render_dialog(question, Reader.of("ja"))}
    return {
        language: next(line for line in text.splitlines() if line.startswith((f"{title.en}: ", f"{title.ja}: ")))
        for language, text in lines.items()
    }


@pytest.mark.parametrize(
    ("method", "en", "ja"),
    [
        ("add", "Add 5 to “受注件数”", "「受注件数」に 5 を加算します"),
        ("sub", "Subtract 5 from “受注件数”", "「受注件数」から 5 を減算します"),
        ("direct", "Overwrite “受注件数” of “株式会社青空商事” with 5", "「受注件数」を 5 に上書きします"),
    ],
)
async def test_usage_is_added_subtracted_or_overwritten(on: JobServer, method: str, en: str, ja: str) -> None:
    said = await listed(on, "pricing_update_meter_count", {**USAGE, "method": method})
    assert en in said["en"]
    assert ja in said["ja"]


async def test_a_second_factor_is_turned_off(on: JobServer) -> None:
    said = await listed(on, "auth_update_user_mfa_preference", {"user_id": AKANE, "enabled": False})
    assert "Turn off two-factor sign-in" in said["en"]
    assert "多要素認証を無効にします" in said["ja"]


async def test_a_role_is_granted_in_a_tenant(on: JobServer) -> None:
    grant = {"tenant_id": AOZORA, "user_id": AKANE, "env_id": 3, "role_names": ["support"]}
    said = await listed(on, "auth_create_tenant_user_roles", grant)
    assert "Tenant “株式会社青空商事”" in said["en"]
    assert "テナント 「株式会社青空商事」" in said["ja"]


@pytest.mark.parametrize(
    ("roles", "en", "ja"),
    [
        (
            "support",
            "Make 3 calls of 2 kinds for akane.hoshino@example.jp",
            "akane.hoshino@example.jp に対して2種類の操作",
        ),
        ("", "Revoke a role from a tenant user: akane.hoshino@example.jp (2 calls)", "akane.hoshino@example.jp(2件)"),
    ],
)
async def test_the_heading_of_a_list_about_one_person_names_the_person(
    on: JobServer, roles: str, en: str, ja: str
) -> None:
    rows = [{"user": "akane.hoshino@example.jp", "tenant": AOZORA, "env": "prod", "roles": roles}]
    answer = await on.call("job_set_roles", {"rows": rows})
    assert "saasus-mcp approve" in answer.text, answer.text
    [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
    question = Question.from_json(approval.preview)
    for language, words in zip(LANGUAGES, (en, ja), strict=True):
        text = render_dialog(question, Reader.of(language))
        assert words in text.splitlines()[0]
    assert "影響を受けるユーザー: 1人\n" in text
