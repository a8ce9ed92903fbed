"""A target that changes after the confirmation: the new question and the refusal tell how it differs."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.approval.proof import json_digest
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.dialog import render_dialog
from saasus_mcp.permissions.question.formatting import Reader
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call, Elicitor
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store
from tests.support.gate import NOW
from tests.support.job_data import AOZORA
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline
from tests.support.policies import build_policy, build_rule
from tests.support.sandbox_client import Person, sandbox_client

TENANT = {"id": "t-1", "name": "Acme", "plan_id": "free"}
GONE = httpx2.Response(500, json={"type": "internal", "message": "x"})
DELETE = Call("auth_delete_tenant", {"tenant_id": "t-1"}, PRINCIPAL)
CONFIRMED = build_policy(
    build_rule("reads", levels=("read",), tools=()), build_rule("ask", "confirm", tools=("auth_delete_tenant",))
)

HOW: dict[Language, list[tuple[Any, Any, str]]] = {
    "en": [
        (TENANT, {**TENANT, "plan_id": "gold”\n  name: “Acme"}, "Pricing plan: free → “gold'↵  name: 'Acme”\n"),
        (TENANT, {**TENANT, "plan_id": None}, "Pricing plan: free → none\n"),
        (
            TENANT,
            {**TENANT, "name": "Acme 2", "plan_id": "p"},
            "Name: Acme → “Acme 2”\nPricing plan: free → p\n",
        ),
        (TENANT, {**TENANT, "plan_id": "x" * 999}, "Pricing plan: free → “" + "x" * 200 + "”…\n"),
        (
            {**TENANT, "plan_id": "x" * 999},
            {**TENANT, "plan_id": "x" * 998},
            "Pricing plan: changed beyond what is shown\n",
        ),
        (TENANT, GONE, "It could be read before. Now it cannot (HTTP 500).\n"),
        (GONE, TENANT, "It could not be read before. Now it can.\n"),
    ],
    "ja": [
        (TENANT, {**TENANT, "plan_id": "gold"}, "料金プラン: free → gold\n"),
        (TENANT, GONE, "前回は対象を確認できましたが、今回は確認できませんでした(HTTP 500)。\n"),
    ],
}
CASES = [
    pytest.param(language, *case, id=f"{language}-{number}")
    for language in HOW
    for number, case in enumerate(HOW[language])
]


class PersonWithChange:
    """A person who confirms everything. The first time, the target changes while they read."""

    def __init__(self, api: StubApi, now: Any) -> None:
        self.asked: list[str] = []
        self._api, self._now = api, now

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        self.asked.append(question.message)
        self._api.answers["auth.GetTenant"] = self._now
        return ClientAnswer("accept", {"name": question.name} if question.name else {"confirm": True})


def gate(api: StubApi, store: Store, language: Language, decided: Policy = PRESETS["guarded"]) -> Pipeline:
    return build_pipeline(api, store, decided, language, clock=lambda: NOW)


async def answered(behind: Pipeline, asker: Elicitor | None = None) -> ToolAnswer:
    given = await behind.run(Call(DELETE.name, DELETE.arguments, PRINCIPAL, asker))
    assert isinstance(given, ToolAnswer)
    return given


def pending(store: Store) -> Approval:
    (found,) = [approval for approval in store.list_approvals(NOW) if approval.status == "pending"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("approve", [True, False], ids=["approved", "pending"])
@pytest.mark.parametrize(("language", "before", "after", "said"), CASES)
async def test_a_void_approval_is_replaced_by_one_that_says_what_changed(
    catalogue: Catalogue, store: Store, language: Language, before: Any, after: Any, said: str, approve: bool
) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenant": before})
    behind = gate(api, store, language)
    await answered(behind)
    first = pending(store)
    if approve:
        ApprovalService(store).approve(first, first.name, "local:person", NOW)
    api.answers["auth.GetTenant"] = after
    told = await answered(behind)
    second = pending(store)
    assert first.code != second.code
    shown = render_dialog(Question.from_json(second.preview), Reader.of(language))
    assert shown.startswith(("The target changed since", "承認")), shown
    assert first.code in shown.splitlines()[0]
    assert said in shown
    assert shown.rpartition("\n")[0] in told.text, "the model reads what the person reads"
    assert api.writes == []


@pytest.mark.parametrize(("language", "before", "after", "said"), CASES)
async def test_a_question_asked_again_says_what_changed(
    catalogue: Catalogue, store: Store, language: Language, before: Any, after: Any, said: str
) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenant": before})
    person = PersonWithChange(api, after)
    given = await answered(gate(api, store, language, CONFIRMED), person)
    first, second = person.asked
    assert said not in first
    assert said in second
    assert second.startswith(("The target changed since you were asked", "前回の確認の後に対象の内容が変わりました"))
    assert given.ok
    assert len(api.writes) == 1


async def test_a_target_that_keeps_changing_is_shown_in_its_last_state(catalogue: Catalogue, store: Store) -> None:
    api, plans = StubApi(catalogue), iter(range(9))
    api.answers["auth.GetTenant"] = lambda _: httpx2.Response(200, json={**TENANT, "plan_id": f"p{next(plans)}"})
    person = PersonWithChange(api, api.answers["auth.GetTenant"])
    given = await answered(gate(api, store, "en", CONFIRMED), person)
    assert not given.ok
    assert "keeps changing" in given.text
    assert "Pricing plan: p3 → p4" in given.text
    assert api.writes == []


async def test_an_unchanged_target_is_not_listed(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenant": TENANT})
    person = PersonWithChange(api, {**TENANT, "plan_id": "gold"})
    await answered(gate(api, store, "en", CONFIRMED), person)
    assert person.asked[1].splitlines()[:3] == [
        "The target changed since you were asked. Check it again.",
        "Pricing plan: free → gold",
        "Delete the tenant Acme and all its data",
    ]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            ["Changed since the approval:", "Users of the tenant: 2", "⚠ 2 users are left without any tenant."],
        ),
        (
            "ja",
            [
                "承認後に次の点が変わりました:",
                "テナントのユーザー: 2人",
                "⚠ 2人のユーザーがどのテナントにも属さなくなります。",
            ],
        ),
    ],
)
async def test_an_unbound_change_since_the_approval_is_reported_and_audited(
    catalogue: Catalogue, store: Store, language: Language, said: list[str]
) -> None:
    own = {"tenant_id": "t-1", "tenant_name": "Acme", "email": "a@example.com", "envs": []}
    api = StubApi(
        catalogue, answers={"auth.GetTenant": TENANT, "auth.GetAllTenantUsers": {"users": [{"id": "u", **own}]}}
    )
    behind = gate(api, store, language)
    await answered(behind)
    asked = pending(store)
    ApprovalService(store).approve(asked, asked.name, "local:person", NOW)
    api.answers["auth.GetAllTenantUsers"] = {"users": [{"id": "u", **own}, {"id": "v", **own}]}
    given = await answered(behind)
    assert given.ok
    assert [line.strip() for line in given.text.splitlines()[-3:]] == said
    (begun,) = [record for record in store.audit_log.list_records() if record.get("proof") == "approval"]
    assert begun["since"] == said[1:]
    assert begun["shown"] == json_digest(asked.preview), "what the person was shown when they said yes"
    assert (begun["impact"]["users"], begun["impact"]["users_left_without_tenant"]) == (2, 2)


async def test_where_nothing_has_changed_since_the_approval_nothing_is_said(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenant": TENANT})
    behind = gate(api, store, "en")
    await answered(behind)
    asked = pending(store)
    ApprovalService(store).approve(asked, asked.name, "local:person", NOW)
    given = await answered(behind)
    assert given.ok
    assert "Changed since the approval" not in given.text
    assert all("since" not in record for record in store.audit_log.list_records())


async def test_of_a_target_that_could_not_be_seen_no_field_is_guessed(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenant": GONE})
    await answered(gate(api, store, "en"))
    shown = render_dialog(Question.from_json(pending(store).preview), Reader.of("en"))
    assert "The current state could not be read: HTTP 500" in shown
    assert "name:" not in shown
    assert "Pricing plan" not in shown


async def test_the_audit_has_a_digest_of_the_question_that_was_answered(catalogue: Catalogue, store: Store) -> None:
    api = StubApi(catalogue, answers={"auth.GetTenant": TENANT})
    person = PersonWithChange(api, TENANT)
    assert (await answered(gate(api, store, "en", CONFIRMED), person)).ok
    (begun,) = [record for record in store.audit_log.list_records() if record.get("proof") == "confirmation"]
    assert (begun["shown"], begun["by"]) == (json_digest(person.asked[0]), PRINCIPAL.id)


@pytest.mark.parametrize("tool", ["pricing_update_meter_count", "pricing_delete_meter_count"])
async def test_a_count_that_changed_since_the_question_is_asked_about_again(tool: str, catalogue: Catalogue) -> None:
    moment = {"tenant_id": AOZORA, "metering_unit_name": "orders", "timestamp": NOW}
    add = {**moment, "method": "add", "count": 5}

    class Slow(Person):
        async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
            if not self.asked:
                await on.outright(Call("pricing_update_meter_count", add, PRINCIPAL))
            return await super().ask(question)

    async with sandbox_client(catalogue) as on:
        await on.outright(Call("pricing_update_meter_count", add, PRINCIPAL))
        on.person = Slow()
        answer = await on.call(tool, add if tool == "pricing_update_meter_count" else moment)
        assert answer.ok, answer.text
        first, second = on.person.asked
        assert "5 → 10" not in first.message
        assert "5 → 10" in second.message
