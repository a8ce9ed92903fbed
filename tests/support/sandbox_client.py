"""A person at a client of a server in front of the sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from saasus_mcp.catalog import Catalogue
from saasus_mcp.common.language import Language
from saasus_mcp.permissions.approval.confirmation import FIELD_NAME, FIELD_YES, ClientAnswer, ConfirmationPrompt
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy
from saasus_mcp.permissions.policy.presets import PRESETS, UnsafeAllowAllPolicy
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.store.store import Store
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.pipeline import PRINCIPAL

NOW = 1_790_000_000
HOUR = 3_600


@dataclass
class Person:
    """Confirms everything and remembers the questions."""

    asked: list[ConfirmationPrompt] = field(default_factory=list)

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        self.asked.append(question)
        return ClientAnswer("accept", {FIELD_YES: True} if question.name is None else {FIELD_NAME: question.name})


@dataclass
class SandboxClient:
    """A person at a client of a server in front of the sandbox."""

    behind: Pipeline
    person: Person
    sandbox: FaultySandbox
    unasked: Pipeline

    async def outright(self, call: Call) -> ToolAnswer:
        """Return the answer of a call without a question."""
        answer = await self.unasked.run(call)
        assert not isinstance(answer, PendingElicitation)
        return answer

    async def call(self, name: str, args: dict[str, Any], **given: Any) -> ToolAnswer:
        answer = await self.behind.run(Call(name, args, PRINCIPAL, elicitor=self.person, **given))
        assert not isinstance(answer, PendingElicitation)
        return answer

    async def read(self, name: str, **args: Any) -> Any:
        answer = await self.call(name, args)
        assert answer.ok, answer.text
        return answer.structured

    async def tenant(self) -> dict[str, Any]:
        tenants = (await self.read("auth_get_tenants"))["tenants"]
        found: dict[str, Any] = next(each for each in tenants if each.get("plan_id"))
        return found

    async def refused(self, name: str, args: dict[str, Any], words: str, why: str) -> None:
        """Check that the call ends before a question and a send, with this reason in the audit log."""
        before = len(self.writes())
        given = await self.call(name, args)
        assert not given.ok
        assert given.applied == "not_applied"
        assert words in given.text
        assert self.person.asked == []
        assert self.behind.store.list_approvals(NOW) == []
        assert len(self.writes()) == before
        assert self.last()["refused"] == why

    def writes(self) -> list[str]:
        catalogue = self.behind.catalogue
        return [each.operation for each in self.sandbox.requests if not catalogue.find(each.operation).reads]

    def last(self) -> dict[str, Any]:
        """Return the last record of the caller's own calls."""
        return [each for each in self.behind.store.audit_log.list_records() if "parent" not in each][-1]


@asynccontextmanager
async def sandbox_client(
    catalogue: Catalogue, policy: Policy = PRESETS["guarded"], language: Language = "en", now: float = NOW
) -> AsyncIterator[SandboxClient]:
    def clock() -> datetime:
        return datetime.fromtimestamp(now, UTC)

    sandbox, store = FaultySandbox(catalogue, clock=clock), Store.in_memory()
    async with ApiClient(CREDENTIALS, transport=sandbox.transport(), clock=clock) as client:
        given: dict[str, Any] = {
            "catalogue": catalogue,
            "client": client,
            "open_store": lambda: store,
            "encryptor": Encryptor.ephemeral(),
            "destination": Destination("sandbox", CREDENTIALS.saas_id, sandbox=True),
            "language": language,
            "clock": lambda: now,
        }
        unasked = Pipeline(policy=UnsafeAllowAllPolicy(), **given)
        yield SandboxClient(Pipeline(policy=policy, **given), Person(), sandbox, unasked)
    store.close()
