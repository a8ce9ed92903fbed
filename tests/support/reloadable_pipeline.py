"""A pipeline under a policy file that changes while a person answers or a call waits for a slot."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.permissions.approval.confirmation import ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.policy import file as policy_file
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.server.scheduling.fair_queue import WRITE_WAIT_SECONDS, FairQueue, Slot
from saasus_mcp.store.store import Store
from tests.support.gate import Clock
from tests.support.pipeline import PRINCIPAL, StubApi, build_pipeline

RULES = """\
version: 1
rules:
  - {name: look, levels: [read, read_sensitive], then: allow}
  - {name: delete, tools: [auth_delete_tenant], then: confirm}
"""
ARGUMENTS = {"tenant_id": "t-1"}
TENANT = {"id": "t-1", "name": "Acme", "plan_id": "free"}


def users(count: int) -> dict[str, Any]:
    own = {"tenant_id": "t-1", "tenant_name": "Acme", "email": "a@example.com", "envs": []}
    return {"users": [{"id": f"u-{number}", **own} for number in range(count)]}


class Person:
    """Answers at once. Something happens while they think."""

    def __init__(self, meanwhile: Callable[[], object], answer: ClientAnswer | None = None) -> None:
        self._meanwhile, self._answer = meanwhile, answer
        self.asked: list[ConfirmationPrompt] = []

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        self.asked.append(question)
        self._meanwhile()
        return self._answer or ClientAnswer("accept", {"name": question.name})


class DeferredAnswer:
    """Answers with a later call, as protocol 2026-07-28 does."""

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        return None


class BusyQueue(FairQueue):
    """Lets a write wait for its slot once `meanwhile` is set, which happens meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None

    def take_free(self, principal: str) -> Slot | None:
        return super().take_free(principal) if self.meanwhile is None else None

    async def acquire(self, principal: str, max_wait: float = math.inf) -> Slot:
        if self.meanwhile is not None and max_wait <= WRITE_WAIT_SECONDS:
            self.meanwhile()
            self.meanwhile = None
        free = super().take_free(principal)
        return free if free is not None else await super().acquire(principal, max_wait)


class ReloadablePipeline:
    """A pipeline under a policy file that the test can rewrite."""

    def __init__(self, catalogue: Catalogue, store: Store, folder: Path, rules: str = RULES) -> None:
        self.file = folder / "policy.yaml"
        self.file.write_text(rules, encoding="utf-8")
        self.policy = policy_file.ReloadablePolicy(self.file, catalogue)
        self.api = StubApi(catalogue, answers={"auth.GetTenant": TENANT, "auth.GetAllTenantUsers": users(1)})
        self.clock = Clock()
        self.queue = BusyQueue()
        self.behind = build_pipeline(self.api, store, self.policy, clock=self.clock, call_queue=self.queue)

    def rewritten(self, rules: str) -> None:
        self.file.write_text(rules, encoding="utf-8")
        assert self.policy.reload().accepted

    async def called(self, **given: Any) -> ToolAnswer:
        answer = await self.behind.run(Call("auth_delete_tenant", ARGUMENTS, PRINCIPAL, **given))
        assert isinstance(answer, ToolAnswer)
        return answer
