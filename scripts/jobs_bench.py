"""What whole jobs cost at full size: 10,000 users exported, and 1,000 rows imported with the server killed in between."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import anyio

sys.path.insert(0, str(Path(__file__).parents[1]))


from saasus_mcp.sandbox import Sandbox, app
from saasus_mcp.store import Store
from tests.support.job_data import HEADER, sandbox_state, tenant_id
from tests.support.job_server import PLACE, start_job_server
from tests.support.pipeline import PRINCIPAL
from tests.support.sandbox_server import EXIT_KILLED, SandboxServer, serve_sandbox

USERS, TENANTS = 10_000, 500
ROWS, FATAL = 1_000, 400
MIB = 1024


def report() -> None:
    """Print both."""
    report_export()
    for moment in ("before send", "before checkpoint"):
        anyio.run(_report_import, moment)


def report_export() -> None:
    """Export all users. The sandbox is in another process, so that the memory is the server's alone."""
    with tempfile.TemporaryDirectory() as folder:
        before = _peak()
        calls, rows, seconds = anyio.run(_exported, Path(folder))
    grown = _peak() - before
    print(
        f"export:  {USERS:,} users in {TENANTS} tenants, {rows:,} rows: {calls} calls ({calls / USERS:.3f} a user), "
        f"{seconds:.1f} s, {calls / seconds:.0f} calls/s; peak memory {_peak() / MIB:.0f} MiB ({grown / MIB:+.0f})"
    )


async def _exported(folder: Path) -> tuple[int, int, float]:
    program = [sys.executable, __file__, "serve"]
    async with await anyio.open_process(program, stderr=None) as serving:
        if serving.stdout is None:
            raise RuntimeError("the sandbox says nothing")
        url = (await serving.stdout.receive()).decode().strip()
        async with start_job_server(folder, url=url) as on:
            await on.call_json("job_export_users", {"tenant_ids": ["tenant-1"]})  # the engine starts with the first job
            started, before = time.perf_counter(), len(on.audit_records())
            told = await on.call_json("job_export_users")
            while told["status"] == "running":
                told = await on.call_json("job_status", {"job": told["job"], "wait": 30})
            seconds, calls = time.perf_counter() - started, len(on.audit_records()) - before - 1
        serving.terminate()
    return calls, told["counts"]["rows"], seconds


async def _report_import(moment: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with serve_sandbox() as on:
            listed = HEADER + "".join(
                f"new-{n}@example.com,,{tenant_id(on.sandbox)},,3,viewer,Person {n}\n" for n in range(ROWS)
            )
            died, _ = await on.run_job(folder, moment, FATAL, listed)
            before, started = _made(on), time.perf_counter()
            _, told = await on.run_job(folder, "never")
            twice = sum(count > 1 for count in on.writes().values())
            print(
                f"import:  {ROWS:,} rows, killed {moment} at account {FATAL} ({died == EXIT_KILLED}); {before} accounts then, "
                f"{_made(on)} after going on for {time.perf_counter() - started:.0f} s; sent twice: {twice}; told: {told['counts']}"
            )
        store = Store.open_saas(folder, PLACE.saas_id)
        print(
            f"         steps by outcome in the store: {store.jobs.count_outcomes(store.jobs.list_jobs(PRINCIPAL.id, PLACE.profile, 1)[0].id)}"
        )
        store.close()


def _made(on: SandboxServer) -> int:
    return sum(str(user["email"]).startswith("new-") for user in sandbox_state(on.sandbox).rows("users"))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def _serve() -> None:
    async with serve_sandbox() as on:
        app.KEPT = 10
        _fill(on.sandbox)
        print(on.url, flush=True)
        await anyio.sleep_forever()


def _fill(sandbox: Sandbox) -> None:
    """Tenants and users beside the demonstration data; every other user is in two tenants."""
    state = sandbox_state(sandbox)
    template = state.rows("tenants")[0]
    ids = [f"tenant-{number}" for number in range(TENANTS)]
    for number, identifier in enumerate(ids):
        state.put("tenants", (identifier,), {**template, "id": identifier, "name": f"Tenant {number}"})
    for number in range(USERS):
        identifier = f"user-{number}"
        user = {"id": identifier, "email": f"user-{number}@example.com", "sign_in_id": "", "attributes": {}}
        state.put("users", (identifier,), user)
        for joined in {ids[number % TENANTS], ids[(number * 7 + 1) % TENANTS] if number % 2 else ids[number % TENANTS]}:
            member = {"tenant_id": joined, "user_id": identifier, "attributes": {"full_name": f"Person {number}"}}
            state.put("members", (joined, identifier), member)
            grant = {"tenant_id": joined, "user_id": identifier, "env_id": 3, "role_name": "viewer"}
            state.put("grants", (joined, identifier, 3, "viewer"), grant)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        anyio.run(_serve)
    elif sys.argv[1:] == ["export"]:
        report_export()
    else:
        report()
