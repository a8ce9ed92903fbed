"""A stage for jobs: a sandbox that outlives the server, a pipeline with its store in a folder, the engine, a client."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from saasus_mcp.catalog import Operation, load
from saasus_mcp.jobs.engine import Pace
from saasus_mcp.jobs.runner import Runner
from saasus_mcp.jobs.staff import staff
from saasus_mcp.jobs.tools import tools
from saasus_mcp.permissions.confirmation import FIELD_NAME, FIELD_YES, Answer, Prompt, Reply
from saasus_mcp.permissions.policy import PRESETS, CasePolicy, Principal
from saasus_mcp.permissions.proof import Place
from saasus_mcp.permissions.seal import Sealer
from saasus_mcp.saasus.answer import ToolAnswer
from saasus_mcp.saasus.client import Client, Response
from saasus_mcp.saasus.request import Request
from saasus_mcp.sandbox import CREDENTIALS, Sandbox
from saasus_mcp.server.call import Asking, Call
from saasus_mcp.server.pipeline import Pipeline
from saasus_mcp.server.surface import Surface
from saasus_mcp.store import Store
from tests.support import ME

KEY = b"k" * 32
BRISK = Pace(settle=0.0, beat=0.2, dead=1.0)
PLACE = Place("sandbox", CREDENTIALS.saas_id, sandbox=True)


class Yes:
    """A person who says yes to what they are asked, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[Prompt] = []

    async def ask(self, question: Prompt) -> Answer | None:
        self.asked.append(question)
        content: dict[str, Any] = {FIELD_YES: True} if question.name is None else {FIELD_NAME: question.name}
        return Answer("accept", content)


@dataclass(frozen=True)
class Stage:
    """What a test plays on."""

    pipeline: Pipeline
    runner: Runner
    surface: Surface
    sandbox: Sandbox

    @property
    def more(self) -> Any:
        """The tools of jobs, for a client of their own (tests.support.connected)."""
        return tools(self.runner)

    async def call(
        self, name: str, args: dict[str, Any] | None = None, who: Principal = ME, **given: Any
    ) -> ToolAnswer:
        """The answer of a call that asks nobody anything more."""
        answer = await self.surface.run(Call(name, args or {}, who, **given))
        assert not isinstance(answer, Asking)
        return answer

    async def told(self, name: str, args: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
        """What a call that succeeds answers."""
        answer = await self.call(name, args, **given)
        assert answer.ok, answer.text
        told: dict[str, Any] = json.loads(answer.text)
        return told

    def whole(self, uri: str) -> Any:
        """What was kept whole for the caller."""
        found = self.pipeline.results.found(uri, ME.id)
        assert found is not None
        return found.value

    def audited(self, event: str = "begun") -> list[dict[str, Any]]:
        return [record for record in self.pipeline.store.audited() if record["event"] == event]

    def sent(self, key: str) -> int:
        """How many requests for an operation reached the sandbox."""
        return sum(received.operation == key for received in self.sandbox.requests)


def _client(api: Sandbox, url: str) -> Client:
    return Client(CREDENTIALS, url) if url else Client(CREDENTIALS, transport=api.transport())


@asynccontextmanager
async def stage(
    folder: Path,
    sandbox: Sandbox | None = None,
    policy: CasePolicy = PRESETS["guarded"],
    pace: Pace = BRISK,
    url: str = "",
) -> AsyncIterator[Stage]:
    """A server over a folder, until the block ends; over the same folder and sandbox, a later one goes on.

    Args:
        url: of a sandbox that is served; inside the process where left out.
    """
    catalogue = load()
    api = sandbox or Sandbox(catalogue)
    sealer = Sealer(KEY)
    store = Store.at(folder, PLACE.saas_id, sealer.derived("audit"))
    try:
        async with _client(api, url) as client:
            pipeline = Pipeline(
                catalogue=catalogue, policy=policy, client=client, store=lambda: store, sealer=sealer, place=PLACE
            )
            database = f"sqlite:///{folder / 'test.jobs.db'}"
            async with staff({PLACE.profile: pipeline}, database, sealer, pace=pace) as runners:
                runner = runners[PLACE.profile]
                yield Stage(pipeline, runner, Surface(pipeline, "en", more=tools(runner)), api)
    finally:
        store.close()


@contextmanager
def holding(on: Stage, key: str) -> Iterator[threading.Event]:
    """While entered, calls of an operation wait for the event; those that wait at the end go on."""
    client, released = on.pipeline._client, threading.Event()
    send = client.send

    async def held(operation: Operation, request: Request, call: str, *more: Any) -> Response:
        if operation.key == key:
            await to_thread.run_sync(released.wait)  # the engine may run a job in a loop of its own
        return await send(operation, request, call, *more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", held)
        try:
            yield released
        finally:
            released.set()


async def started_at_once(on: Stage, count: int, refused: int) -> list[ToolAnswer]:
    """The answers of so many jobs started at once, none of which ends before so many were refused."""
    answers = list[ToolAnswer]()

    async def start(released: threading.Event) -> None:
        answers.append(await on.call("job_export_users"))
        if len(answers) >= refused:
            released.set()

    with holding(on, "auth.SearchTenantUsers") as released:
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(start, released)
    return answers


__all__ = ["KEY", "PLACE", "Reply", "Stage", "Yes", "holding", "stage", "started_at_once"]
