"""The question of a tenant's deletion: it warns of what follows for the people and for the contract of this tenant."""

from __future__ import annotations

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.question.content import Question
from saasus_mcp.permissions.question.formatting import Reader, format_sentence
from saasus_mcp.permissions.question.layout import hidden_labels
from saasus_mcp.sandbox.state import uid
from scripts.stage import ask


def warnings_of(question: Question, lang: Language) -> str:
    return "\n".join(format_sentence(each.text, Reader.of(lang)) for each in question.warnings)


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "15 users are left without any tenant."), ("ja", "15人のユーザーが")]
)
async def test_people_who_lose_their_only_tenant_are_a_warning_and_no_fact_beside_it(
    catalogue: Catalogue, lang: Language, said: str
) -> None:
    asked = await ask(catalogue, "auth.DeleteTenant", {"tenant_id": uid("tenant", "aozora")})
    assert said in warnings_of(asked, lang)
    assert "users_left_without_tenant" not in {fact.name for fact in (*asked.facts, *asked.reach)}
    assert not hidden_labels(asked), "the question can be confirmed where it is asked"


async def test_only_a_tenant_with_a_contract_is_said_to_have_one(catalogue: Catalogue) -> None:
    asked = await ask(catalogue, "auth.DeleteTenant", {"tenant_id": uid("tenant", "aozora")})
    assert "End the contract first" in warnings_of(asked, "en")
    asked = await ask(catalogue, "auth.DeleteTenant", {"tenant_id": uid("tenant", "aozora")}, ("auth.ResetPlan", {}))
    assert "End the contract first" not in warnings_of(asked, "en")
