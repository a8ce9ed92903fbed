"""A server is killed in the middle of an import, and another one goes on: every line once, and the truth about each."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from saasus_mcp.jobs import job_control
from saasus_mcp.jobs.job_control import Controller
from saasus_mcp.jobs.job_reader import MAX_CONCURRENT
from saasus_mcp.server.pipeline.call import Call
from tests.support.job_data import HEADER, list_grants, tenant_id
from tests.support.job_server import AcceptingPerson, start_job_server
from tests.support.pipeline import PRINCIPAL
from tests.support.sandbox_server import EXIT_KILLED, SandboxServer, serve_sandbox

PEOPLE = 50
FATAL = 20


def people(on: SandboxServer, count: int = PEOPLE) -> str:
    return HEADER + "".join(
        f"new-{n}@example.com,,{tenant_id(on.sandbox)},,3,viewer,Person {n}\n" for n in range(count)
    )


def there(on: SandboxServer) -> int:
    """How many of them hold their role."""
    return sum(row[0].startswith("new-") and row[4] == "viewer" for row in list_grants(on.sandbox))


@pytest.mark.parametrize(
    ("moment", "least_missing"),
    [
        ("before send", 1),
        *(pytest.param(moment, 0, marks=pytest.mark.exhaustive) for moment in ("before end", "before checkpoint")),
    ],
)
async def test_every_line_is_done_once_and_told_truly(tmp_path: Path, moment: str, least_missing: int) -> None:
    async with serve_sandbox() as on:
        assert (await on.run_job(tmp_path, moment, FATAL, people(on)))[0] == EXIT_KILLED
        assert 0 < on.writes().total() < 3 * PEOPLE, "it died in the middle"

        status, told = await on.run_job(tmp_path, "never")

        assert status == 0
        assert told["status"] == "done", told
        assert max(on.writes().values()) == 1, "nothing was sent twice"
        missing = PEOPLE - there(on)
        assert least_missing <= missing <= MAX_CONCURRENT, "only what was under way at the death can be missing"
        for row in told["rows"]:
            present = any(line[0] == row["login"] and line[4] == "viewer" for line in list_grants(on.sandbox))
            assert row["outcome"] == ("applied" if present else "not_applied"), row

        async with start_job_server(tmp_path, url=on.url) as again:
            assert again.pipeline.store.audit_log.find_breaks() == [], "a torn audit would hide what happened"
            counts = (await again.call_json("job_import_users", {"csv": people(on)}, elicitor=AcceptingPerson()))[
                "counts"
            ]
            assert counts.get("applied", 0) == missing
            assert counts["skipped"] == PEOPLE - missing
        assert there(on) == PEOPLE


@pytest.mark.exhaustive  # servers over HTTP do so in tests/hosting/replicas/test_replica_jobs.py
async def test_a_server_that_had_no_job_takes_over_that_of_one_beside_it(tmp_path: Path) -> None:
    async with serve_sandbox() as on, start_job_server(tmp_path, url=on.url) as idle:
        assert (await on.run_job(tmp_path, "before checkpoint", FATAL, people(on)))[0] == EXIT_KILLED
        [job] = (await idle.call_json("job_status"))["jobs"]
        told = await idle.wait_for_job(job["job"])
        missing = PEOPLE - there(on)
        assert missing <= MAX_CONCURRENT, "only what was under way at the death can be missing"
        wanted = {"applied": PEOPLE - missing} | ({"not_applied": missing} if missing else {})
        assert (told["status"], told["counts"]) == ("done", wanted)
        assert max(on.writes().values()) == 1


async def test_a_password_that_was_lost_with_the_server_is_said_to_be(tmp_path: Path) -> None:
    async with serve_sandbox() as on:
        listed = HEADER + f",terminal-1,{tenant_id(on.sandbox)},,3,viewer,T\n"
        assert (await on.run_job(tmp_path, "before end", 1, listed))[0] == EXIT_KILLED
        _, told = await on.run_job(tmp_path, "never")
        assert told["counts"] == {"applied": 1}
        assert "reset them: terminal-1" in told["notes"][0]


@pytest.mark.exhaustive  # in one process it is in tests/jobs/settings/test_settings.py
async def test_a_server_that_stops_orderly_leaves_its_job_to_the_next(tmp_path: Path) -> None:
    async with serve_sandbox() as on:
        listed = people(on)
        on.sandbox.faults.add("latency", on="auth.CreateTenantUser", seconds=0.05)
        async with start_job_server(tmp_path, url=on.url) as first:
            spec = first.runner.specs["job_import_users"]
            job = await first.runner.start(
                spec, Call(spec.name, {"csv": listed}, PRINCIPAL, elicitor=AcceptingPerson())
            )
            while on.writes().total() < PEOPLE // 2:  # noqa: ASYNC110 - there is no event but at the API
                await anyio.sleep(0.01)
        on.sandbox.faults.clear()
        _, told = await on.run_job(tmp_path, "never")
        assert told["job"] == job
        assert told["counts"] == {"applied": PEOPLE}
        assert max(on.writes().values()) == 1


@pytest.mark.exhaustive  # a restart in one process is in test_pause.py
async def test_a_server_that_is_killed_while_a_job_is_paused_keeps_it_paused_until_a_person_resumes_it(
    tmp_path: Path,
) -> None:
    async with serve_sandbox() as on:
        assert (await on.run_job(tmp_path, "paused", FATAL, people(on)))[0] == EXIT_KILLED
        sent = on.writes()
        _, told = await on.run_job(tmp_path, "never")
        assert (told["status"], told["paused"]["by"]) == ("paused", "local:person")
        assert told["done"] == there(on), "what was done before is still counted"
        assert on.writes() == sent, "another server sends nothing"

        async with start_job_server(tmp_path, url=on.url) as again:
            job, store = again.pipeline.store.jobs.get(told["job"]), again.pipeline.store
            assert job is not None
            who = Controller("local:person", "person", "terminal")
            job_control.resume_job(store, job, who, again.pipeline.clock())
            report = await again.wait_for_job(job.id)
        assert (report["status"], report["counts"]) == ("done", {"applied": PEOPLE})
        assert there(on) == PEOPLE
        assert max(on.writes().values()) == 1, "nothing was sent twice"
