"""One client before one pipeline, with a clock that the test moves, and a target that can change."""

from __future__ import annotations

import copy
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from mcp import Client as McpClient
from mcp import types

from saasus_mcp.catalog import Catalogue, Operation
from saasus_mcp.catalog.expressions import evaluate_over
from saasus_mcp.permissions.approval.approvals import ApprovalService
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.store.records import Approval
from saasus_mcp.store.store import Store
from tests.support.arguments import complete_arguments
from tests.support.pipeline import (
    CREDENTIALS,
    Era,
    Responder,
    StubApi,
    build_pipeline,
    connect_client,
    requested_name,
    sample_answer,
)
from tests.support.variants import sample_operations

NOW = 1_790_000_000.0
NOT_ASKED = "No person was asked"
NOT_FULLY_SHOWN = "A dialog does not show all of it."
UNCHANGED_FIELDS = ("used", "envs", "user_id")
"""What stays of a target that changes: rows of effects require something of it (`requires`)."""
APPROVAL_CODE = re.compile(r"`saasus-mcp approve ([2-9A-Z]{4}-[2-9A-Z]{4})`")
ACCEPT = types.ElicitResult(action="accept", content={"confirm": True})
Reply = types.CallToolResult | types.InputRequiredResult


@dataclass
class Clock:
    """A clock that only the test moves."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Person:
    """A person behind the client, who sees every question and answers as the test says."""

    answering: Responder
    seen: list[types.ElicitRequestFormParams] = field(default_factory=list)

    def __call__(self, params: types.ElicitRequestFormParams) -> types.ElicitResult:
        self.seen.append(params)
        return self.answering(params)


@dataclass
class GateSession:
    """A client of a pipeline over the stub. Each attack has a principal of its own."""

    era: Era
    api: StubApi
    store: Store
    clock: Clock
    sealer: Encryptor
    client: McpClient
    speaker: list[Principal]

    @property
    def approvals(self) -> ApprovalService:
        return ApprovalService(self.store)

    def switch_principal(self, name: str) -> None:
        self.speaker[:] = [Principal(f"local:{name}")]

    async def call(self, operation: Operation, arguments: dict[str, Any] | None = None) -> types.CallToolResult:
        """Call an operation. Questions go to the person."""
        given = complete_arguments(operation) if arguments is None else arguments
        return await self.client.call_tool(operation.tool, given)

    async def call_round(
        self,
        operation: Operation,
        arguments: dict[str, Any] | None = None,
        answer: types.ElicitResult | None = None,
        state: str | None = None,
        key: str = "confirm",
    ) -> Reply:
        """Send one round of a call, with any answer and state."""
        return await self.client.session.call_tool(
            operation.tool,
            complete_arguments(operation) if arguments is None else arguments,
            input_responses=None if answer is None else {key: answer},
            request_state=state,
            allow_input_required=True,
        )

    async def request_question(self, operation: Operation, arguments: dict[str, Any] | None = None) -> tuple[str, str]:
        """Ask for a call. Return the name that the question asks for, and the state."""
        given = await self.call_round(operation, arguments)
        assert isinstance(given, types.InputRequiredResult), reply_text(given)
        assert given.request_state is not None
        return question_name(question_params(given)), given.request_state

    def pending(self, result: Reply) -> Approval:
        """Return the pending approval whose code is in the answer."""
        found = APPROVAL_CODE.search(reply_text(result))
        assert found, reply_text(result)
        return self.approvals.find_pending(found[1], self.clock())

    def fully_shown(self, result: Reply) -> bool:
        """Return whether the dialog showed the whole question. If not, approve the call, as in a terminal."""
        if NOT_FULLY_SHOWN not in reply_text(result):
            return True
        approval = self.pending(result)
        self.approvals.approve(approval, approval.name, "local:person-in-a-terminal", self.clock())
        return False


@asynccontextmanager
async def start_session(
    catalogue: Catalogue,
    era: Era,
    answering: Responder | None = None,
    policy: Policy = PRESETS["guarded"],
    *,
    reads: float = 10.0,
    **shown: Any,
) -> AsyncIterator[GateSession]:
    """Start a session. A question is answered after `reads` seconds."""
    api, store, clock, sealer = StubApi(catalogue), Store.in_memory(), Clock(), Encryptor.ephemeral()
    speaker = [Principal("local:nobody")]
    behind = build_pipeline(api, store, policy, sealer=sealer, clock=clock)

    def answered(params: types.ElicitRequestFormParams) -> types.ElicitResult:
        assert answering is not None
        clock.now += reads
        return answering(params)

    async with connect_client(
        behind, era, answered if answering else None, who=lambda _: speaker[0], **shown
    ) as client:
        yield GateSession(era, api, store, clock, sealer, client, speaker)
    store.close()


async def run_over_operations(
    stage: GateSession,
    operations: Iterable[Operation],
    attack: Callable[[Operation], Awaitable[None]],
) -> dict[str, str]:
    """Attack each operation with a principal of its own and an API in its first state. Return the failures by key."""
    failures: dict[str, str] = {}
    for operation in sample_operations(operations, f"{attack.__qualname__} {stage.era}"):
        stage.switch_principal(operation.key)
        stage.clock.now = NOW
        stage.api.sent.clear()
        stage.api.answers = target_answers(stage.api.catalogue, operation)
        try:
            await attack(operation)
        except AssertionError as failure:
            failures[operation.key] = str(failure)[:600]
    return failures


def reply_text(result: Reply) -> str:
    """Return the text of an answer."""
    if isinstance(result, types.InputRequiredResult):
        return question_params(result).message
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


def question_params(result: types.InputRequiredResult) -> types.ElicitRequestFormParams:
    request = (result.input_requests or {})["confirm"]
    assert isinstance(request, types.ElicitRequest)
    assert isinstance(request.params, types.ElicitRequestFormParams)
    return request.params


def question_name(params: types.ElicitRequestFormParams) -> str:
    """Return the name that a question asks for, or an empty text if it asks for a plain yes."""
    if "name" not in params.requested_schema["properties"]:
        return ""
    return requested_name(params.message)


def type_name(name: str) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"name": name})


# -- targets ---------------------------------------------------------------------------------------------------------


def target_answers(catalogue: Catalogue, operation: Operation) -> dict[str, Any]:
    """Return the answers of the stub in which the operation's target exists."""
    recipe = operation.effects.target
    if recipe is None or recipe.read is None:
        return {}
    reader, arguments = catalogue.find(recipe.read), complete_arguments(operation)
    answer = sample_answer(reader)
    if recipe.pick is not None:
        [item] = answer[recipe.pick.source]
        item |= {name: evaluate_over(expression, {"args": arguments}) for name, expression in recipe.pick.where.items()}
    if operation.key == "pricing.UpdatePricingPlansUsed":
        answer["pricing_plans"][0]["id"] = arguments["plan_ids"][0]
    return {reader.key: answer}


def expected_name(catalogue: Catalogue, operation: Operation) -> str:
    """Return the name that a person must type: the field of the stub's answer that its row of effects names first."""
    recipe = operation.effects.target
    assert recipe is not None
    if not recipe.name:
        return CREDENTIALS.saas_id
    [answer] = target_answers(catalogue, operation).values()
    target = answer[recipe.pick.source][0] if recipe.pick else answer
    first = re.search(r"target\.(\w+)", recipe.name)
    assert first, recipe.name
    return str(target[first[1]])


def change_target(api: StubApi, operation: Operation) -> None:
    """Replace the target by another one in the same place: all its fields change but those that it is found by."""
    recipe = operation.effects.target
    assert recipe is not None
    assert recipe.read is not None
    answer = copy.deepcopy(api.answers[recipe.read])
    kept = {*(recipe.pick.where if recipe.pick else ()), *UNCHANGED_FIELDS}
    api.answers[recipe.read] = _other(answer, api.catalogue.find(recipe.read).output_schema, frozenset(kept))


def _other(value: Any, schema: dict[str, Any], kept: frozenset[str]) -> Any:
    """Return the value with every leaf replaced by another one of its schema."""
    if isinstance(value, dict):
        below = schema.get("properties", {})
        return {name: item if name in kept else _other(item, below.get(name, {}), kept) for name, item in value.items()}
    if isinstance(value, list):
        return [_other(item, schema.get("items", {}), kept) for item in value]
    if len(schema.get("enum", ())) > 1:
        return schema["enum"][(schema["enum"].index(value) + 1) % len(schema["enum"])]
    if "enum" in schema:
        return value
    if isinstance(value, bool):
        return not value
    return f"{value}-other" if isinstance(value, str) else value + 1
