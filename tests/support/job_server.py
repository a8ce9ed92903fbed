"""A server of jobs: a sandbox that outlives it, a pipeline with its store in a folder, and the engine."""

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

from saasus_mcp.catalog import Operation, load_catalogue
from saasus_mcp.jobs.engine import HeartbeatConfig
from saasus_mcp.jobs.job_runners import start_runners
from saasus_mcp.jobs.job_tools import build_job_tools
from saasus_mcp.jobs.runner import JobRunner
from saasus_mcp.permissions.approval.confirmation import (
    FIELD_NAME,
    FIELD_YES,
    ClientAnswer,
    ConfirmationPrompt,
    ConfirmationReply,
)
from saasus_mcp.permissions.approval.proof import Destination
from saasus_mcp.permissions.policy.model import Policy, Principal
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.permissions.secrets.encryption import Encryptor
from saasus_mcp.saasus.client import ApiClient, ApiResponse
from saasus_mcp.saasus.request import ApiRequest
from saasus_mcp.saasus.tool_answer import ToolAnswer
from saasus_mcp.sandbox import CREDENTIALS
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.call_pipeline import Pipeline
from saasus_mcp.server.pipeline.context import RevocationCheck, never_revoked
from saasus_mcp.server.surface.tool_surface import ToolSurface
from tests.support.faulty_sandbox import FaultySandbox
from tests.support.job_data import import_lines
from tests.support.pipeline import PRINCIPAL
from tests.support.saas_store import open_saas_store

KEY = b"k" * 32
FAST_PACE = HeartbeatConfig(startup_delay=0.0, interval=0.2, timeout=1.0)
PLACE = Destination("sandbox", CREDENTIALS.saas_id, sandbox=True)


class AcceptingPerson:
    """A person who consents to every question, and remembers it."""

    def __init__(self) -> None:
        self.questions: list[ConfirmationPrompt] = []

    async def ask(self, question: ConfirmationPrompt) -> ClientAnswer | None:
        self.questions.append(question)
        content: dict[str, Any] = {FIELD_YES: True} if question.name is None else {FIELD_NAME: question.name}
        return ClientAnswer("accept", content)


@dataclass(frozen=True)
class JobServer:
    """A server of jobs and its sandbox."""

    pipeline: Pipeline
    runner: JobRunner
    surface: ToolSurface
    sandbox: FaultySandbox

    @property
    def tools(self) -> Any:
        """Return the tools of jobs, for `connect_client`."""
        return build_job_tools(self.runner)

    async def call(
        self, name: str, args: dict[str, Any] | None = None, who: Principal = PRINCIPAL, **given: Any
    ) -> ToolAnswer:
        """Return the answer of a call that has no further question."""
        answer = await self.surface.run(Call(name, args or {}, who, **given))
        assert not isinstance(answer, PendingElicitation)
        return answer

    async def call_json(self, name: str, args: dict[str, Any] | None = None, **given: Any) -> dict[str, Any]:
        """Return the JSON of a call that succeeds."""
        answer = await self.call(name, args, **given)
        assert answer.ok, answer.text
        told: dict[str, Any] = json.loads(answer.text)
        return told

    async def wait_for_job(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """Return the report of a job when it is over."""
        with anyio.fail_after(seconds):
            while (report := await self.call_json("job_status", {"job": job, "wait": 30}))["status"] == "running":
                pass
        return report

    async def start_import(self, count: int) -> str:
        """Start an import of so many people. Return the job."""
        spec = self.runner.specs["job_import_users"]
        args = {"csv": import_lines(self.sandbox, count)}
        job = await self.runner.start(spec, Call(spec.name, args, PRINCIPAL, elicitor=AcceptingPerson()))
        assert isinstance(job, str)
        return job

    def stored_result(self, uri: str) -> Any:
        """Return a stored result of the caller."""
        found = self.pipeline.results.find_result(uri, PRINCIPAL.id)
        assert found is not None
        return found.value

    def audit_records(self, event: str = "begun") -> list[dict[str, Any]]:
        return [record for record in self.pipeline.store.audit_log.list_records() if record["event"] == event]

    def count_requests(self, key: str) -> int:
        """Return how many requests for an operation reached the sandbox."""
        return sum(received.operation == key for received in self.sandbox.requests)


def _client(api: FaultySandbox, url: str) -> ApiClient:
    return ApiClient(CREDENTIALS, url) if url else ApiClient(CREDENTIALS, transport=api.transport())


@asynccontextmanager
async def start_job_server(
    folder: Path,
    sandbox: FaultySandbox | None = None,
    policy: Policy = PRESETS["guarded"],
    pace: HeartbeatConfig = FAST_PACE,
    url: str = "",
    is_revoked: RevocationCheck = never_revoked,
) -> AsyncIterator[JobServer]:
    """Start a server with its state in a folder. A later one with the same folder and sandbox continues its jobs.

    Args:
        url: of a served sandbox; without it the sandbox is in this process.
        is_revoked: returns whether the token of a caller was revoked.
    """
    catalogue = load_catalogue()
    api = sandbox or FaultySandbox(catalogue)
    sealer = Encryptor(KEY)
    store = open_saas_store(folder, PLACE.saas_id, sealer.derive_keys("audit"))
    try:
        async with _client(api, url) as client:
            pipeline = Pipeline(
                catalogue=catalogue,
                policy=policy,
                client=client,
                open_store=lambda: store,
                encryptor=sealer,
                destination=PLACE,
                is_revoked=is_revoked,
            )
            database = f"sqlite:///{folder / 'test.jobs.db'}"
            async with start_runners({PLACE.profile: pipeline}, database, sealer, heartbeat=pace) as runners:
                runner = runners[PLACE.profile]
                yield JobServer(pipeline, runner, ToolSurface(pipeline, "en", extra_tools=build_job_tools(runner)), api)
    finally:
        store.close()


@contextmanager
def hold_calls(on: JobServer, key: str) -> Iterator[threading.Event]:
    """Hold calls of an operation back until the event is set or the block ends."""
    client, released = on.pipeline.client, threading.Event()
    send = client.send

    async def held(operation: Operation, request: ApiRequest, call: str, **more: Any) -> ApiResponse:
        if operation.key == key:
            await to_thread.run_sync(released.wait)  # the engine may run a job in a loop of its own
        return await send(operation, request, call, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "send", held)
        try:
            yield released
        finally:
            released.set()


async def start_jobs_at_once(on: JobServer, count: int, refused: int) -> list[ToolAnswer]:
    """Start jobs at once, none of which ends before so many are refused. Return the answers."""
    answers = list[ToolAnswer]()

    async def start(released: threading.Event) -> None:
        answers.append(await on.call("job_export_users"))
        if len(answers) >= refused:
            released.set()

    with hold_calls(on, "auth.SearchTenantUsers") as released:
        async with anyio.create_task_group() as group:
            for _ in range(count):
                group.start_soon(start, released)
    return answers


__all__ = [
    "KEY",
    "PLACE",
    "AcceptingPerson",
    "ConfirmationReply",
    "JobServer",
    "hold_calls",
    "start_job_server",
    "start_jobs_at_once",
]
