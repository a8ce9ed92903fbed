"""Attacks on the pause of a job: control by others, a resumption after a person's pause, and what changes meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from saasus_mcp.jobs import job_control, pause_gate
from saasus_mcp.permissions.policy.model import BulkLimits, Principal
from saasus_mcp.permissions.policy.narrowing import Narrowing
from saasus_mcp.permissions.policy.presets import PRESETS
from saasus_mcp.server.pipeline.call import Call
from saasus_mcp.store.records import Freeze
from tests.support.attack_corpus import AttackContext, attack
from tests.support.job_data import add_tenants, sandbox_state
from tests.support.job_server import JobServer, start_job_server
from tests.support.paused_jobs import CHANGE, PERSON, until
from tests.support.pipeline import PRINCIPAL
from tests.support.policies import replace_policy

AREA = "Paused jobs"
NAME = "job_run_plan"
COUNT = 20


@dataclass(frozen=True)
class PausedList:
    """An approved list of critical calls, paused in its middle.

    Attributes:
        made: how many of its calls were sent.
    """

    on: JobServer
    job: str
    calls: list[dict[str, Any]]
    made: int

    async def control(self, action: str, who: Principal = PRINCIPAL, job: str = "") -> tuple[bool, str]:
        """Return whether the model may do this to the job, and the answer."""
        answer = await self.on.call("job_control", {"job": job or self.job, "action": action}, who=who)
        return answer.ok, answer.text

    async def require_still_paused(self) -> None:
        """Assert that the job is paused after its gate has looked again, and that nothing more was sent."""
        jobs, asked = self.on.pipeline.store.jobs, 0
        get = jobs.get

        def counted(job: str) -> Any:
            nonlocal asked
            asked += 1
            return get(job)

        setattr(jobs, "get", counted)  # noqa: B010 - for mypy, a method cannot be assigned
        try:
            await until(lambda: asked >= 3)
        finally:
            delattr(jobs, "get")
        told = await self.on.call_json("job_status", {"job": self.job})
        assert told["status"] == "paused", told
        assert self.on.count_requests(CHANGE) == self.made

    def pause_as_person(self) -> None:
        """Pause the job as the command in a terminal does."""
        found = self.on.pipeline.store.jobs.get(self.job)
        assert found is not None
        job_control.pause_job(self.on.pipeline.store, found, PERSON, self.on.pipeline.clock())


@asynccontextmanager
async def _paused_list(ground: AttackContext) -> AsyncIterator[PausedList]:
    ground.monkeypatch.setattr(pause_gate, "POLL_SECONDS", 0.02)
    async with start_job_server(ground.folder) as on:
        now, store = on.pipeline.clock(), on.pipeline.store
        change = {"next_plan_id": "starter", "using_next_plan_from": int(now) // 3600 * 3600 + 7200}
        tenants = add_tenants(on.sandbox, COUNT)
        calls = [{"tool": "auth_update_tenant_plan", "arguments": {"tenant_id": each, **change}} for each in tenants]
        assert "saasus-mcp approve" in (await on.call(NAME, {"calls": calls})).text
        [approval] = store.list_approvals(now)
        assert store.decide_approval(approval.code, "approved", by="local:boss", at=now, expires_at=now + 600)
        job = await on.runner.start(on.runner.specs[NAME], Call(NAME, {"calls": calls}, PRINCIPAL))
        assert isinstance(job, str)
        await until(lambda: on.count_requests(CHANGE) >= 3)
        assert (await on.call_json("job_control", {"job": job, "action": "pause"}))["status"] == "paused"
        made = on.count_requests(CHANGE)
        assert made < COUNT
        yield PausedList(on, job, calls, made)


@attack(AREA, "Another principal, who has learned the id of a job, pauses, resumes or cancels it")
async def other_principal(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        for who in (Principal("local:stranger"), Principal("local:stranger", groups=frozenset({PRINCIPAL.id}))):
            told = {(await paused.control(action, who)) for action in ("pause", "resume", "cancel")}
            told.add(await paused.control("resume", who, job="0" * 32))
            [(ok, text)] = told
            assert not ok
            assert "no such job" in text
        await paused.require_still_paused()
    return "each gets the answer for an id that no job has"


@attack(AREA, "A model pauses or resumes an id that is no job of its own: of nothing, of a path, of a pattern")
async def foreign_id(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        for job in ("%", "*", paused.job[:12], paused.job.upper(), f"{paused.job} ", "../jobs", "' OR 1=1 --"):
            for action in ("pause", "resume", "cancel"):
                ok, _ = await paused.control(action, job=job)
                assert not ok, (job, action)
        await paused.require_still_paused()
    return "refused"


@attack(AREA, "A model resumes what a person paused: at once, after another pause, or after beginning it again")
async def after_person(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        paused.pause_as_person()
        for action in ("resume", "pause", "resume"):
            ok, text = await paused.control(action)
            assert ok == (action == "pause")
            assert ok or "Only a person can resume it" in text
        again = await paused.on.call_json(NAME, {"calls": paused.calls})
        assert (again["job"], again["status"]) == (paused.job, "paused")
        await paused.require_still_paused()
    return "it stays paused"


@attack(AREA, "A model cancels the list that a person paused, and begins it again")
async def cancel_and_repeat(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        paused.pause_as_person()
        assert (await paused.control("cancel"))[0]
        await until(lambda: _has_ended(paused))
        answer = await paused.on.call(NAME, {"calls": paused.calls})
        assert not answer.ok
        assert "saasus-mcp approve" in answer.text, answer.text
        assert paused.on.count_requests(CHANGE) == paused.made
    return "it needs a new approval"


@attack(AREA, "A model lifts the pause of a freeze, during the freeze and after it")
async def after_freeze(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        store, profile = paused.on.pipeline.store, paused.on.pipeline.destination.profile
        store.freeze(Freeze(0.0, "local:person", "stop", profile))
        job_control.pause_for_freeze(store, paused.job, now=paused.on.pipeline.clock())
        assert not (await paused.control("resume"))[0]
        store.unfreeze(profile)
        assert not (await paused.control("resume"))[0]
        await paused.require_still_paused()
    return "refused; a person resumes it"


@attack(AREA, "A connection that offers fewer tools resumes a list with calls of the others")
async def narrowed(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        for narrowing in (
            Narrowing(read_only=True),
            Narrowing(exclude=frozenset({"auth_update_tenant_plan"})),
            Narrowing(toolsets=frozenset({"jobs", "roles"})),
            Narrowing(tools=frozenset({NAME, "job_control", "job_status"})),
        ):
            assert not (await paused.control("resume", replace(PRINCIPAL, narrowing=narrowing)))[0], narrowing
        await paused.require_still_paused()
    return "refused"


@attack(AREA, "The policy becomes stricter while a list is paused, and the model resumes it")
async def stricter_policy(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        replace_policy(paused.on.pipeline, replace(PRESETS["guarded"], bulk=BulkLimits(critical="never")))
        assert (await paused.control("resume"))[0]
        told = await paused.on.wait_for_job(paused.job)
        assert told["counts"]["applied"] == paused.made == paused.on.count_requests(CHANGE), told
    return "no call that is left is sent"


@attack(AREA, "The targets of a list are replaced while it is paused, and the model resumes it")
async def replaced_targets(ground: AttackContext) -> str:
    async with _paused_list(ground) as paused:
        state = sandbox_state(paused.on.sandbox)
        for row in [row for row in state.rows("tenants") if row["name"].startswith("Test ")]:
            state.put("tenants", (row["id"],), {**row, "name": f"Other {row['name']}"})
        assert (await paused.control("resume"))[0]
        told = await paused.on.wait_for_job(paused.job)
        assert told["counts"] == {"applied": paused.made, "not_applied": COUNT - paused.made}, told
        assert paused.on.count_requests(CHANGE) == paused.made
    return "no call that is left is sent"


def _has_ended(paused: PausedList) -> bool:
    found = paused.on.pipeline.store.jobs.get(paused.job)
    return found is not None and found.status == "cancelled"
