"""Rules over live state: the target and the impact are read by audited internal reads before the decision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.store import Store
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline

RULES = """\
version: 1
rules:
  - {name: reads, levels: [read, read_sensitive], then: allow}
  - {name: small, tools: [auth_delete_tenant], then: allow}
  - {name: too-many, tools: [auth_delete_tenant], when: impact.users > 2, then: deny, reason: off-board in steps}
  - {name: kept, tools: [auth_delete_tenant], when: target.name == "Keep", then: deny, reason: it is ours}
"""
DELETE = Call("auth_delete_tenant", {"tenant_id": "t-1"}, PRINCIPAL)


def member(number: int) -> dict[str, Any]:
    return {"id": f"u-{number}", "tenant_id": "t-1", "tenant_name": "Acme", "email": "a@example.com", "envs": []}


async def deleted(
    catalogue: Catalogue, store: Store, folder: Path, name: str, users: int
) -> tuple[ToolAnswer, StubApi]:
    file = folder / "policy.yaml"
    file.write_text(RULES, encoding="utf-8")
    api = StubApi(
        catalogue,
        answers={
            "auth.GetTenant": {"id": "t-1", "name": name, "plan_id": ""},
            "auth.GetAllTenantUsers": {"users": [member(number) for number in range(users)]},
        },
    )
    given = await build_pipeline(api, store, policy_file.load_policy(file, catalogue)).run(DELETE)
    assert isinstance(given, ToolAnswer)
    return given, api


@pytest.mark.parametrize(
    ("name", "users", "said"),
    [("Acme", 3, "off-board in steps"), ("Keep", 0, "it is ours"), ("Acme", 2, None)],
    ids=["too many users", "by name", "few enough"],
)
async def test_the_target_of_a_call_decides_on_it(
    catalogue: Catalogue, store: Store, tmp_path: Path, name: str, users: int, said: str | None
) -> None:
    given, api = await deleted(catalogue, store, tmp_path, name, users)
    assert given.ok == (said is None), given.text
    assert len(api.writes) == given.ok
    assert said is None or said in given.text
    children = [record for record in store.audit_log.list_records() if record.get("parent")]
    assert {"auth.GetTenant", "auth.GetAllTenantUsers"} <= {record["operation"] for record in children}


@pytest.mark.parametrize("then", ["deny", "confirm", "approve"])
async def test_state_that_cannot_be_read_unasked_denies(
    catalogue: Catalogue, store: Store, tmp_path: Path, then: str
) -> None:
    file = tmp_path / "policy.yaml"
    rules = RULES.replace("[read, read_sensitive]", "[read_sensitive]")
    file.write_text(rules + f"  - {{name: other-reads, levels: [read], then: {then}}}\n", encoding="utf-8")
    api = StubApi(catalogue)
    given = await build_pipeline(api, store, policy_file.load_policy(file, catalogue)).run(DELETE)
    assert isinstance(given, ToolAnswer)
    assert not given.ok
    assert api.writes == []
    levels = {operation.level for operation in catalogue for _ in api.to(operation)}
    assert levels <= {"read_sensitive"}, "a read that the policy does not allow is not made for it either"
