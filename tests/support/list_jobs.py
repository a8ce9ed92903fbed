"""Run jobs that make calls from tables, or have them refused."""

from __future__ import annotations

from typing import Any

from tests.support.job_server import AcceptingPerson, JobServer


async def run(on: JobServer, name: str, args: dict[str, Any]) -> dict[str, Any]:
    """Return the report of a job to which a person agrees, in the client or by an approval."""
    answer = await on.call(name, args, elicitor=AcceptingPerson())
    if "saasus-mcp approve" in answer.text:
        [approval] = on.pipeline.store.list_approvals(on.pipeline.clock())
        now = on.pipeline.clock()
        on.pipeline.store.decide_approval(approval.code, "approved", by="local:person", at=now, expires_at=now + 600)
        answer = await on.call(name, args)
    assert answer.ok, answer.text
    return await on.wait_for_job((answer.structured or {})["job"])


async def refused(on: JobServer, name: str, args: dict[str, Any]) -> str:
    answer = await on.call(name, args, elicitor=AcceptingPerson())
    assert not answer.ok
    assert on.pipeline.store.list_approvals(on.pipeline.clock()) == []
    return answer.text
