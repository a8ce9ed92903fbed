"""Start an import against a served sandbox and end the process at a named moment, or continue an import.

Usage: `python -m tests.support.crashing_job FOLDER URL MOMENT NUMBER < LIST`. The process ends at the NUMBER-th account. With the
moment `never` it continues the import that is there. A list that is JSON holds the arguments of `job_run_plan`: then the process
ends at the NUMBER-th write of any kind. With the keys `job`, `arguments` and `counted` it is another job, whose process ends at the
NUMBER-th call of the operation `counted`. With the moment `paused`, the job is paused at that account, and the process ends when
the pause is in effect.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from saasus_mcp.catalog import load_catalogue
from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.saasus.client import ApiClient, ApiResponse
from saasus_mcp.server.pipeline.audit_recorder import AuditRecorder
from saasus_mcp.server.pipeline.call import Call, PendingElicitation
from saasus_mcp.server.pipeline.prepared_call import PreparedCall
from saasus_mcp.store.store import Store
from tests.support.job_server import PLACE, AcceptingPerson, JobServer, start_job_server
from tests.support.pipeline import PRINCIPAL

MOMENTS = ("before send", "before end", "before checkpoint", "never")
OPERATION = "auth.CreateSaasUser"
PATIENCE = 600.0
PAUSED = "paused"
AGAIN = "again "
"""Before a moment: continue the job that is there, and end the process again."""


class CrashPoint:
    """Counts the commits of accounts, and ends the process at a moment."""

    def __init__(self, moment: str, number: int, counted: Callable[[str], bool]) -> None:
        self._moment = moment
        self._counted = counted
        self._left = number
        self._doomed = ""

    def aim(self) -> None:
        commit, end, send = AuditRecorder.commit, AuditRecorder.record_end, ApiClient.send

        async def committed(recorder: AuditRecorder, call: str, record: Any, *given: Any, **named: Any) -> None:
            await commit(recorder, call, record, *given, **named)
            if self._counted(record["operation"]):
                self._left -= 1
                if self._left == 0 and self._moment == PAUSED:
                    pause_newest(recorder.context.store)
                if self._left == 0:
                    self._doomed = call
                    self._at("before send")

        async def sent(client: ApiClient, operation: Any, request: Any, trace_id: str, **more: Any) -> ApiResponse:
            response = await send(client, operation, request, trace_id, **more)
            if trace_id == self._doomed:
                self._at("before end")
            return response

        async def ended(recorder: AuditRecorder, call: PreparedCall, *given: Any) -> None:
            await end(recorder, call, *given)
            if call.id == self._doomed:
                self._at("before checkpoint")

        for owner, name, made in (
            (AuditRecorder, "commit", committed),
            (AuditRecorder, "record_end", ended),
            (ApiClient, "send", sent),
        ):
            setattr(owner, name, made)

    def _at(self, moment: str) -> None:
        if moment == self._moment:
            os._exit(9)


def pause_newest(store: Store) -> None:
    """Pause the job that was started last, as a person in a terminal does."""
    [job] = store.jobs.list_jobs(PRINCIPAL.id, PLACE.profile, 1)
    job_control.pause_job(store, job, Controller("local:person", "person", "terminal"), time.time())


async def main(folder: Path, url: str, moment: str, number: int) -> None:
    starts = moment != "never" and not moment.startswith(AGAIN)
    listed = sys.stdin.read() if starts else ""
    plan = json.loads(listed) if listed.startswith("{") else None
    writes = {each.key for each in load_catalogue() if not each.reads}
    counts_all = plan is not None or not starts
    counted = writes.__contains__ if counts_all else OPERATION.__eq__
    name, args = ("job_import_users", {"csv": listed}) if plan is None else ("job_run_plan", plan)
    if plan is not None and "job" in plan:
        name, args, counted = plan["job"], plan["arguments"], str(plan["counted"]).__eq__
    CrashPoint(moment.removeprefix(AGAIN), number, counted).aim()
    async with start_job_server(folder, url=url) as on:
        if starts:
            answer = await on.surface.run(Call(name, args, PRINCIPAL, elicitor=AcceptingPerson()))
            assert not isinstance(answer, PendingElicitation)
            if moment == PAUSED:
                assert '"status":"paused"' in answer.text
                os._exit(9)
        [job] = on.pipeline.store.jobs.list_jobs(PRINCIPAL.id, PLACE.profile, 1)
        await follow_job(on, job.id)


async def follow_job(on: JobServer, job: str) -> None:
    """Wait for the end of the job, and print its report."""
    with anyio.fail_after(PATIENCE):
        while True:
            answer = await on.call("job_status", {"job": job, "wait": 30})
            if '"status":"running"' not in answer.text:
                break
    whole = answer.structured or {}
    if "all_rows" in whole:
        whole = {**whole, "rows": on.stored_result(whole["all_rows"])}
    sys.stdout.write(json.dumps({"ok": answer.ok, "text": answer.text, **whole}))


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
